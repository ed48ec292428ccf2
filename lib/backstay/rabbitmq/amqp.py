"""Whether a broker answers AMQP: a connection, the protocol header, and its first method. No login, nothing logged in the
broker but a closed connection."""

import socket

from backstay.errors import AgentError, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.deadline import Deadline

_HEADER = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, section 2.2.4
_START = b"\x00\x0a\x00\x0a"  # class connection, method start
_LISTEN = "0A"
LOOPBACK = "127.0.0.1"


class BrokerRefuses(AgentError):
    """Nothing listens, or it hangs up: not yet started, paused, or no broker."""


class BrokerSilent(TimedOut):
    """It took the connection, or should have, and does not answer."""


def greet(port: int, deadline: "Deadline") -> None:
    """Returns when the broker of this node answers. Raises BrokerRefuses, BrokerSilent."""
    addresses = [LOOPBACK, *(address for address in listening(port) if address != LOOPBACK)] if port else []
    failure = BrokerRefuses(f"nothing listens on port {port}")
    for address in addresses[:2]:
        try:
            _greet(address, port, deadline)
        except BrokerRefuses as error:
            failure = error
            continue
        return
    raise failure


def _greet(address: str, port: int, deadline: "Deadline") -> None:
    try:
        with socket.create_connection((address, port), max(0.001, deadline.remaining())) as link:
            link.sendall(_HEADER)
            said = b""
            while len(said) < 11:  # type, channel, size of the frame; class and method
                link.settimeout(max(0.001, deadline.remaining()))
                more = link.recv(4096)
                if not more:
                    raise BrokerRefuses(f"port {port} hangs up on AMQP")
                said += more
    except socket.timeout:
        raise BrokerSilent(f"the broker does not answer on port {port}") from None
    except OSError as error:
        raise BrokerRefuses(f"nothing answers on port {port}: {error.strerror}") from None
    if said[:1] != b"\x01" or said[7:11] != _START:
        raise BrokerRefuses(f"what answers on port {port} is no AMQP broker: {said[:8]!r}")


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
