"""Asks whether a broker answers AMQP: a connection, the protocol header, and the broker's first method.

With an account it also logs in, opens the probe's virtual host and closes in due form. A client that hangs up after the
header makes the broker write two warnings, every few seconds on every node. It can also publish a message, and ask whether
the broker confirms the message and gives it back. It speaks the protocol itself: pika takes 40 ms to load, twice what all
the rest of a deep monitor takes.
"""

import socket
import struct

from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.services.rabbitmq.tcp import LOOPBACK, connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ssl import SSLContext
    from typing import Optional

    from backstay.host.deadline import Deadline

    Question = Callable[[socket.socket, bytes], bool]

_HEADER = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, section 2.2.4
# Class connection: start, start-ok, tune, tune-ok, open, open-ok, close.
_START, _START_OK, _TUNE, _TUNE_OK, _OPEN, _OPEN_OK, _CLOSE = (
    struct.pack(">HH", 10, method) for method in (10, 11, 30, 31, 40, 41, 50)
)
_CHANNEL_OPEN, _CHANNEL_OPENED, _CHANNEL_CLOSE = (struct.pack(">HH", 20, method) for method in (10, 11, 40))
_DECLARE, _DECLARED = (struct.pack(">HH", 50, method) for method in (10, 11))
_PUBLISH, _RETURN, _GET, _GOT, _EMPTY, _ACK, _NACK = (
    struct.pack(">HH", 60, method) for method in (40, 50, 70, 71, 72, 80, 120)
)
_CONFIRM, _CONFIRMING = (struct.pack(">HH", 85, method) for method in (10, 11))
_METHOD, _HEAD, _BODY = 1, 2, 3  # types of frames
_MANDATORY, _DURABLE, _NO_ACK = b"\1", b"\2", b"\1"
_PERSISTENT = struct.pack(">HB", 1 << 12, 2)  # the flag of delivery-mode alone, and its value
_LISTEN = "0A"


class BrokerRefuses(AgentError):
    """Nothing listens, or it hangs up: not yet started, paused, or no broker."""


class BrokerSilent(TimedOut):
    """It took the connection, or should have, and does not answer."""


class LoginRefused(AgentError):
    """It answers, and does not let the account in."""


class LoginSlow(TimedOut):
    """It greeted, and a login takes long: it asks others, such as a directory or a web server, and they are slow."""


class LoginUnknown(AgentError):
    """It answers, and offers no way to log in with a password."""


class RoundTripFailed(AgentError):
    """It answers, and a message did not come through."""


class BrokerUntrusted(AgentError):
    """It answers, and has no certificate that the authority vouches for. Nothing secret was said."""


class Listener:
    """Where a broker takes AMQP. ca: a file to verify its certificate with, for the name `name`; "" where there is no TLS.
    proxied: a client says first for whom it speaks."""

    __slots__ = ("ca", "name", "port", "proxied")

    def __init__(self, port: int, ca: str = "", name: str = "", proxied: bool = False) -> None:
        self.port = port
        self.ca = ca
        self.name = name
        self.proxied = proxied


class Account:
    """Who logs in, and to which virtual host."""

    __slots__ = ("password", "user", "vhost")

    def __init__(self, user: str, password: str, vhost: str) -> None:
        self.user = user
        self.password = password
        self.vhost = vhost


def greet(listener: Listener, deadline: "Deadline", account: "Optional[Account]" = None) -> bool:
    """Returns when the broker of this node answers; whether it let the account in. Raises BrokerRefuses, BrokerSilent,
    BrokerUntrusted, LoginSlow, LoginUnknown, WrongParameter. BrokerSilent: it did not even greet."""
    return _ask(
        listener, deadline, lambda link, offered: account is not None and _log_in(link, deadline, account, offered)
    )


def round_trip(listener: Listener, deadline: "Deadline", account: Account, queue: str, body: bytes) -> None:
    """Declare a queue, publish with a confirmation, get what is published. Raises LoginRefused, RoundTripFailed, BrokerSilent
    where it greets and is late, and as `greet` does."""

    def trip(link: socket.socket, offered: bytes) -> bool:
        if not _open(link, deadline, account, offered):
            raise LoginRefused(f"{account.user} is not let in to {account.vhost}")
        _trip(link, deadline, queue, body)
        _close(link, deadline)
        return True

    _ask(listener, deadline, trip)


def _ask(listener: Listener, deadline: "Deadline", question: "Question") -> bool:
    """The answer of a broker that greets; the question gets the connection, and what the greeting says of logins."""
    port = listener.port
    if not port:
        raise BrokerRefuses(f"nothing listens on port {port}")
    try:
        return _ask_at(LOOPBACK, listener, deadline, question)
    except BrokerRefuses:
        # Only then: where it listens tell the tables of all connections of this host, of which a broker has many.
        elsewhere = next((address for address in listening(port) if address != LOOPBACK), "")
        if not elsewhere:
            raise
    return _ask_at(elsewhere, listener, deadline, question)


def _ask_at(address: str, listener: Listener, deadline: "Deadline", question: "Question") -> bool:
    port = listener.port
    try:
        plain = connect(address, port, deadline)
        if listener.proxied:
            plain.sendall(_for_itself(plain))
        with encrypted(plain, listener) if listener.ca else plain as link:
            link.sendall(_HEADER)
            method, greeting = _method(link, deadline)
            if method != _START:
                raise BrokerRefuses(f"what answers on port {port} is no AMQP broker")
            return question(link, _mechanisms(greeting))
    except socket.timeout:
        raise BrokerSilent(f"the broker does not answer on port {port}") from None
    except EOFError:
        raise BrokerRefuses(f"port {port} hangs up on AMQP") from None
    except OSError as error:
        raise BrokerRefuses(f"nothing answers on port {port}: {error.strerror}") from None


def _for_itself(link: socket.socket) -> bytes:
    """The header of the PROXY protocol, version 1, of one who speaks for itself."""
    (own, own_port), (other, port) = link.getsockname()[:2], link.getpeername()[:2]
    family = "TCP6" if link.family == socket.AF_INET6 else "TCP4"
    return f"PROXY {family} {own} {other} {own_port} {port}\r\n".encode()


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


def _mechanisms(greeting: bytes) -> bytes:
    """The ways to log in that a broker offers, as it wrote them, behind the version and its own properties."""
    at = 2 + 4 + int.from_bytes(greeting[2:6], "big")
    return greeting[at + 4 : at + 4 + int.from_bytes(greeting[at : at + 4], "big")]


def _log_in(link: socket.socket, deadline: "Deadline", account: Account, offered: bytes) -> bool:
    """Log in, open, close. The broker has answered before: that it hangs up now says only that it does not let the account in.
    Raises LoginSlow, LoginUnknown."""
    try:
        if not _open(link, deadline, account, offered):
            return False
        _close(link, deadline)
    except (EOFError, ConnectionError):
        return False
    except socket.timeout:
        return True  # it let the account in, which is what was asked, and is late with its farewell
    return True


def _open(link: socket.socket, deadline: "Deadline", account: Account, offered: bytes) -> bool:
    """Log in and open the virtual host; whether it lets the account in. Raises LoginSlow, LoginUnknown."""
    seconds = deadline.remaining()
    try:
        return _opened(link, deadline, account, offered)
    except socket.timeout:
        raise LoginSlow(f"a login takes over {seconds:.0f} s: look at what auth_backends asks") from None


def _opened(link: socket.socket, deadline: "Deadline", account: Account, offered: bytes) -> bool:
    """A client that can take it is told at once that
    it is not; others are kept waiting for three seconds (rabbit_reader.erl, `auth_fail`, SILENT_CLOSE_DELAY), as if the
    broker hung."""
    ways = offered.split()
    if b"PLAIN" in ways:
        way, proof = "PLAIN", f"\0{account.user}\0{account.password}".encode()
    elif b"AMQPLAIN" in ways:
        way, proof = "AMQPLAIN", _table({"LOGIN": account.user, "PASSWORD": account.password})[4:]
    else:
        raise LoginUnknown(
            f"auth_mechanisms are {offered.decode('utf-8', 'replace') or 'none'}: add PLAIN for the probe's account"
        )
    told = _table({"capabilities": {"authentication_failure_close": True}})
    start_ok = told + _short(way) + struct.pack(">I", len(proof)) + proof + _short("en_US")
    link.sendall(_frame(_START_OK, start_ok, 0))
    method, limits = _method(link, deadline)
    if method != _TUNE:
        return False
    opening = _frame(_OPEN, _short(account.vhost) + _short("") + b"\0", 0)
    link.sendall(_frame(_TUNE_OK, limits[:6] + bytes(2), 0) + opening)  # in one: a second would wait for TCP's delays
    return _method(link, deadline)[0] == _OPEN_OK


def _close(link: socket.socket, deadline: "Deadline") -> None:
    close = struct.pack(">H", 200) + _short("a monitor's question is answered") + bytes(4)
    link.sendall(_frame(_CLOSE, close, 0))
    _method(link, deadline)


def _trip(link: socket.socket, deadline: "Deadline", queue: str, body: bytes) -> None:
    """On a channel of its own."""
    kind = _table({"x-queue-type": "classic", "x-max-length": 100})
    steps = (
        (_CHANNEL_OPEN, _short(""), _CHANNEL_OPENED),
        (_CONFIRM, b"\0", _CONFIRMING),
        (_DECLARE, bytes(2) + _short(queue) + _DURABLE + kind, _DECLARED),
    )
    for method, arguments, wanted in steps:
        link.sendall(_frame(method, arguments, 1))
        _expected(link, deadline, wanted)
    head = struct.pack(">HHQ", 60, 0, len(body)) + _PERSISTENT
    publish = _frame(_PUBLISH, bytes(2) + _short("") + _short(queue) + _MANDATORY, 1)
    link.sendall(publish + _framed(_HEAD, head, 1) + _framed(_BODY, body, 1))
    _expected(link, deadline, _ACK)
    link.sendall(_frame(_GET, bytes(2) + _short(queue) + _NO_ACK, 1))
    _expected(link, deadline, _GOT)
    content = [_next(link, deadline)[0] for _ in range(2)]
    if content != [_HEAD, _BODY]:
        raise RoundTripFailed("what was published came back without content")


def _expected(link: socket.socket, deadline: "Deadline", wanted: bytes) -> None:
    """The next method is this one. Raises RoundTripFailed."""
    _, payload = _next(link, deadline)
    method, arguments = payload[:4], payload[4:]
    if method == wanted:
        return
    if method in (_CLOSE, _CHANNEL_CLOSE):
        code = int.from_bytes(arguments[:2], "big")
        text = arguments[3 : 3 + (arguments[2] if len(arguments) > 2 else 0)].decode("utf-8", "replace")
        raise RoundTripFailed(f"{code} {text}")
    known = {_RETURN: "was returned", _NACK: "was not confirmed", _EMPTY: "and confirmed could not be fetched"}
    raise RoundTripFailed(f"what was published {known.get(method, f'got the answer {method.hex()}')}")


def _table(fields: "Mapping[str, object]") -> bytes:
    """A field table of texts, numbers, truths and tables."""
    body = b""
    for name, value in fields.items():
        body += _short(name)
        if isinstance(value, bool):
            body += b"t" + bytes([value])
        elif isinstance(value, int):
            body += b"I" + struct.pack(">i", value)
        elif isinstance(value, dict):
            body += b"F" + _table(value)
        else:
            text = str(value).encode()
            body += b"S" + struct.pack(">I", len(text)) + text
    return struct.pack(">I", len(body)) + body


def _short(text: str) -> bytes:
    raw = text.encode()[:255]
    return bytes([len(raw)]) + raw


def _frame(method: bytes, arguments: bytes, channel: int) -> bytes:
    return _framed(_METHOD, method + arguments, channel)


def _framed(kind: int, payload: bytes, channel: int) -> bytes:
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


def _method(link: socket.socket, deadline: "Deadline") -> "tuple[bytes, bytes]":
    """The next frame's class and method, and its arguments. Raises EOFError, OSError."""
    kind, payload = _next(link, deadline)
    if kind != _METHOD:
        raise EOFError("no method frame")
    return payload[:4], payload[4:]


def _next(link: socket.socket, deadline: "Deadline") -> "tuple[int, bytes]":
    """The next frame's type and payload. Raises EOFError, OSError."""
    head = _exactly(link, 7, deadline)
    size = int.from_bytes(head[3:7], "big")
    if head[0] not in (_METHOD, _HEAD, _BODY) or size > 1 << 17 or (head[0] == _METHOD and size < 4):
        raise EOFError("no frame that is expected")
    payload = _exactly(link, size + 1, deadline)
    return head[0], payload[:-1]


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
