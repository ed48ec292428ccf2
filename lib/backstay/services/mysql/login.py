"""Logs in by the protocol alone, where that can be done with what the interpreter has: an account without a plug-in of its own,
one that the socket vouches for, `mysql_native_password`, and `caching_sha2_password` over the socket. Everything else is the
driver's: TLS, and other plug-ins.

Sources: MySQL client/server protocol, "Connection Phase"; sql/auth/sha2_password.cc.
"""

from __future__ import annotations

import time
from _socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_TCP,
    SOCK_CLOEXEC,
    SOCK_STREAM,
    TCP_NODELAY,
    getaddrinfo,
    socket,
    timeout,
)

from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import ServerDown, ServerSilent, unreachable
from backstay.services.mysql.text_protocol import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.host.deadline import Deadline

_PROTOCOL = 10
# LONG_PASSWORD, LONG_FLAG, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH
_CAPABILITIES = 0x1 | 0x4 | 0x200 | 0x2000 | 0x8000 | 0x80000
_NO_ESCAPES = 0x200  # of the status
_UTF8MB4 = 45
_OK, _MORE, _SWITCH = 0x00, 0x01, 0xFE
_KNOWN, _PASSWORD = b"\3", b"\4"  # caching_sha2_password: the server has the hash; it wants the password
_NATIVE, _CACHING = "mysql_native_password", "caching_sha2_password"
_SALT = 20  # bytes
_FULL = 0.05  # seconds between attempts while the queue of connections is full


class Unspoken(AgentError):
    """This login needs the driver."""


def log_in(
    where: str, deadline: Deadline, user: str, password: str, path: str = "", host: str = "", port: int = 0
) -> Wire:
    """A connection over the socket `path`, or to a port. Raises Unspoken, and the errors of server.py's table."""
    remote = "" if path else f"port {port}"
    try:
        connected = _local(path, deadline) if path else _remote(host, port, deadline)
    except timeout:
        raise ServerSilent(f"{where} does not answer") from None
    except OSError as error:  # or a name that nobody knows
        raise unreachable(where, remote, error.errno or 0, error.strerror or str(error)) from None
    wire = Wire(where, deadline, connected.detach(), user)
    try:
        status = _authenticated(wire, user, password.encode("utf-8", "surrogateescape"), bool(path))
        wire.escapes = not status & _NO_ESCAPES
        wire.query("SET AUTOCOMMIT = 1")  # MySQL's status says that it is on, whatever the server has as default
    except (LookupError, ValueError):
        wire.close()
        raise ServerDown(f"{where} greets as no server does") from None
    except AgentError:
        wire.close()
        raise
    return wire


def _local(path: str, deadline: Deadline) -> socket:
    while True:
        fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
        try:
            fresh.settimeout(deadline.remaining() or 0.001)
            fresh.connect(path)
            return fresh
        except BlockingIOError:  # its queue of connections is full
            fresh.close()
            if deadline.expired:
                raise timeout("no room") from None
            time.sleep(min(_FULL, deadline.remaining()))
        except OSError:
            fresh.close()
            raise


def _remote(host: str, port: int, deadline: Deadline) -> socket:
    failed: OSError | None = None
    for family, kind, protocol, _, address in getaddrinfo(host, port, 0, SOCK_STREAM):
        if family not in (AF_INET, AF_INET6):
            continue
        fresh = socket(family, kind | SOCK_CLOEXEC, protocol)
        try:
            fresh.settimeout(deadline.remaining() or 0.001)
            fresh.connect(address)
            fresh.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            return fresh
        except OSError as error:
            fresh.close()
            failed = error
    raise failed or OSError(0, f"{host} has no address")


def _authenticated(wire: Wire, user: str, password: bytes, private: bool) -> int:
    """Log in; the server's status. private: nobody can listen. Raises LookupError and ValueError where the server says what
    none does."""
    plugin, salt = _greeted(wire.packet())
    if plugin not in _ANSWERS:
        plugin = _NATIVE  # the server asks for another where the account has one
    answer = _ANSWERS[plugin](password, salt)
    name = user.encode("utf-8", "surrogateescape")
    head = _CAPABILITIES.to_bytes(4, "little") + bytes(4) + bytes([_UTF8MB4]) + bytes(23)
    body = head + name + b"\0" + bytes([len(answer)]) + answer + plugin.encode() + b"\0"
    wire.send(wire.sequence + 1, body)
    while True:
        packet = wire.packet()
        if packet[0] == _OK:
            at = _after(packet, _after(packet, 1))  # rows, and the id of an insert
            return int.from_bytes(packet[at : at + 2], "little")
        if packet[0] == _SWITCH and len(packet) > 1:
            named, _, salt = packet[1:].partition(b"\0")
            plugin = named.decode("ascii", "replace")
            if plugin not in _ANSWERS:
                raise Unspoken(f"an account with {plugin}")
            wire.send(wire.sequence + 1, _ANSWERS[plugin](password, salt))
        elif packet[0] == _MORE and plugin == _CACHING and packet[1:] == _KNOWN:
            continue
        elif packet[0] == _MORE and plugin == _CACHING and packet[1:] == _PASSWORD and private:
            wire.send(wire.sequence + 1, password + b"\0")
        else:
            raise Unspoken("an account that logs in otherwise")


def _greeted(packet: bytes) -> tuple[str, bytes]:
    """The plug-in that the server tries first, and the salt."""
    if packet[0] != _PROTOCOL:
        raise Unspoken(f"protocol {packet[0]}")
    at = packet.index(b"\0", 1) + 1 + 4  # version, and the connection's number
    salt, at = packet[at : at + 8], at + 9
    offered = int.from_bytes(packet[at : at + 2] + packet[at + 5 : at + 7], "little")
    if offered & _CAPABILITIES & ~1 != _CAPABILITIES & ~1:
        raise Unspoken("a server that lacks plug-ins")
    length, at = packet[at + 7], at + 18
    more = max(13, length - 8)
    salt += packet[at : at + more]
    return packet[at + more :].partition(b"\0")[0].decode("ascii", "replace"), salt


def _after(packet: bytes, at: int) -> int:
    """Where a length-encoded integer ends."""
    return at + {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(packet[at], 1)


def _native(password: bytes, salt: bytes) -> bytes:
    if not password:
        return b""
    sha1 = _hash("sha1", "_sha1")
    once = sha1(password)
    return _crossed(once, sha1(salt[:_SALT] + sha1(once)))


def _caching(password: bytes, salt: bytes) -> bytes:
    if not password:
        return b""
    sha256 = _hash("sha256", "_sha2", "_sha256")
    once = sha256(password)
    return _crossed(once, sha256(sha256(once) + salt[:_SALT]))


_ANSWERS: dict[str, Callable[[bytes, bytes], bytes]] = {_NATIVE: _native, _CACHING: _caching}


def _crossed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other))


def _hash(name: str, *modules: str) -> Callable[[bytes], bytes]:
    """The interpreter's own, whose module has the one name or the other; not every build has it. hashlib loads OpenSSL."""
    for module in modules:
        try:
            made = getattr(__import__(module), name)
        except ImportError:
            continue
        break
    else:
        import hashlib

        made = getattr(hashlib, name)
    return lambda data: bytes(made(data, usedforsecurity=False).digest())
