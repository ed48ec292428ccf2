"""Whether a broker answers AMQP: a connection, the protocol header, and its first method.

With an account it also logs in, opens the probe's virtual host and closes in due form: a client that hangs up after the
header makes the broker write two warnings, every few seconds on every node.
"""

import socket
import struct

from backstay.errors import AgentError, TimedOut, WrongParameter
from backstay.rabbitmq.tcp import LOOPBACK, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLContext
    from typing import Optional

    from backstay.deadline import Deadline

_HEADER = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, section 2.2.4
# Class connection: start, start-ok, tune, tune-ok, open, open-ok, close.
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = (
    struct.pack(">HH", 10, method) for method in (10, 11, 30, 31, 40, 41, 50)
)
_LISTEN = "0A"


class BrokerRefuses(AgentError):
    """Nothing listens, or it hangs up: not yet started, paused, or no broker."""


class BrokerSilent(TimedOut):
    """It took the connection, or should have, and does not answer."""


class LoginUnanswered(BrokerSilent):
    """It greeted, and does not answer the login."""


class BrokerUntrusted(AgentError):
    """It answers, and has no certificate that we are to trust. Nothing secret was said."""


class Listener:
    """Where a broker takes AMQP. ca: a file to verify its certificate with, for the name `name`; "" where there is no TLS."""

    __slots__ = ("ca", "name", "port")

    def __init__(self, port: int, ca: str = "", name: str = "") -> None:
        self.port = port
        self.ca = ca
        self.name = name


class Account:
    """Who logs in, and to which virtual host."""

    __slots__ = ("password", "user", "vhost")

    def __init__(self, user: str, password: str, vhost: str) -> None:
        self.user = user
        self.password = password
        self.vhost = vhost


def greet(listener: Listener, deadline: "Deadline", account: "Optional[Account]" = None) -> bool:
    """Returns when the broker of this node answers; whether it let the account in. Raises BrokerRefuses, BrokerSilent, of which
    LoginUnanswered is one, BrokerUntrusted, WrongParameter."""
    port = listener.port
    if not port:
        raise BrokerRefuses(f"nothing listens on port {port}")
    try:
        return _greet(LOOPBACK, listener, deadline, account)
    except BrokerRefuses:
        # Only then: where it listens tell the tables of all connections of this host, of which a broker has many.
        elsewhere = next((address for address in listening(port) if address != LOOPBACK), "")
        if not elsewhere:
            raise
    return _greet(elsewhere, listener, deadline, account)


def _greet(address: str, listener: Listener, deadline: "Deadline", account: "Optional[Account]") -> bool:
    port = listener.port
    try:
        plain = connect(address, port, deadline)
        with encrypted(plain, listener) if listener.ca else plain as link:
            link.sendall(_HEADER)
            method, _ = _method(link, deadline)
            if method != _START:
                raise BrokerRefuses(f"what answers on port {port} is no AMQP broker")
            return account is not None and _log_in(link, deadline, account)
    except socket.timeout:
        raise BrokerSilent(f"the broker does not answer on port {port}") from None
    except EOFError:
        raise BrokerRefuses(f"port {port} hangs up on AMQP") from None
    except OSError as error:
        raise BrokerRefuses(f"nothing answers on port {port}: {error.strerror}") from None


def context(ca: str) -> "SSLContext":
    """For a client that trusts this authority alone. Raises WrongParameter. Loaded where TLS is asked for: it takes 20 ms."""
    import ssl

    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise WrongParameter(
            f"tls_ca {ca} cannot be used, {error.strerror or error}: put the authority there"
        ) from None


def encrypted(plain: socket.socket, listener: Listener) -> socket.socket:
    """The connection with TLS, verified; it owns the socket. Raises BrokerUntrusted, BrokerRefuses, WrongParameter,
    socket.timeout."""
    import ssl

    try:
        return context(listener.ca).wrap_socket(plain, server_hostname=listener.name)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise BrokerUntrusted(
            f"the broker has no certificate for {listener.name} that tls_ca {listener.ca} vouches for: {error.verify_message}"
        ) from None
    except ssl.SSLError as error:
        plain.close()
        raise BrokerRefuses(f"port {listener.port} speaks no TLS: {error.reason or error}") from None
    except BaseException:
        plain.close()
        raise


def _log_in(link: socket.socket, deadline: "Deadline", account: Account) -> bool:
    """Log in, open, close. The broker has answered before: that it hangs up now says only that it lets us not in. It does so
    three seconds after a wrong password (rabbit_reader.erl, SILENT_CLOSE_DELAY)."""
    proof = f"\0{account.user}\0{account.password}".encode()
    start_ok = bytes(4) + _short("PLAIN") + struct.pack(">I", len(proof)) + proof + _short("en_US")
    close = struct.pack(">H", 200) + _short("a monitor's question is answered") + bytes(4)
    try:
        link.sendall(_frame(_START_OK, start_ok))
        method, limits = _method(link, deadline)
        if method != _TUNE:
            return False
        opening = _frame(_OPEN, _short(account.vhost) + _short("") + b"\0")
        link.sendall(_frame(_TUNE_OK, limits[:6] + bytes(2)) + opening)  # in one: a second would wait for TCP's delays
        if _method(link, deadline)[0] != _OPEN_OK:
            return False
        link.sendall(_frame(_CLOSE, close))
        _method(link, deadline)
    except (EOFError, ConnectionError):
        return False
    except socket.timeout:
        raise LoginUnanswered("the broker does not answer a login") from None
    return True


def _short(text: str) -> bytes:
    raw = text.encode()[:255]
    return bytes([len(raw)]) + raw


def _frame(method: bytes, arguments: bytes) -> bytes:
    """A method frame on channel 0."""
    payload = method + arguments
    return b"\x01\0\0" + struct.pack(">I", len(payload)) + payload + b"\xce"


def _method(link: socket.socket, deadline: "Deadline") -> "tuple[bytes, bytes]":
    """The next frame's class and method, and its arguments. Raises EOFError, OSError."""
    head = _exactly(link, 7, deadline)
    size = int.from_bytes(head[3:7], "big")
    if head[:3] != b"\x01\0\0" or not 4 <= size <= 1 << 17:
        raise EOFError("no method frame")
    payload = _exactly(link, size + 1, deadline)
    return payload[:4], payload[4:-1]


def _exactly(link: socket.socket, size: int, deadline: "Deadline") -> bytes:
    taken = b""
    while len(taken) < size:
        link.settimeout(max(0.001, deadline.remaining()))
        more = link.recv(size - len(taken))
        if not more:
            raise EOFError("hung up")
        taken += more
    return taken


def listening(port: int) -> "list[str]":
    """Addresses on which this host listens on the port, from /proc/net; the unspecified one as loopback."""
    found = []
    for table, family, size in (("tcp", socket.AF_INET, 4), ("tcp6", socket.AF_INET6, 16)):
        for address, local_port, _ in _listeners(table):
            if local_port == port and len(address) == size:
                found.append(LOOPBACK if not any(address) else socket.inet_ntop(family, address))
    return found


def holder(port: int) -> str:
    """The program that listens on the port, as "PROGRAM (pid N)"; "" when nothing does."""
    import os

    inodes = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for _, at, inode in _listeners(table) if at == port}
    if not inodes:
        return ""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for name in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{name}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as source:
                        return f"{source.read().strip()} (pid {pid})"
        except OSError:
            continue
    return "a process that cannot be seen from here"


def _listeners(table: str) -> "list[tuple[bytes, int, str]]":
    """(address, port, inode) of every listening socket. The kernel prints addresses as words of the host's order."""
    import sys

    found = []
    try:
        with open(f"/proc/net/{table}", encoding="ascii") as source:
            next(source)
            for line in source:
                fields = line.split()
                if fields[3] != _LISTEN:
                    continue
                address, _, port = fields[1].partition(":")
                raw = bytes.fromhex(address)
                if sys.byteorder == "little":
                    raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
                found.append((raw, int(port, 16), fields[9]))
    except (OSError, StopIteration):
        return []
    return found
