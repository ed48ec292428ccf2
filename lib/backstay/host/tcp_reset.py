"""Ends the TCP connections of an address, so that their other ends learn at once that the address moved.

Without this a client waits for an answer until its own timeout: its packets go to a node that knows nothing of the
connection, or nowhere. Sources: linux/inet_diag.h, sock_diag(7), and `tcp_abort` (tcp.c), which sends the reset.
"""

import errno
from _socket import AF_INET, AF_INET6
from struct import pack, unpack_from

from backstay.host.ip_address import Address
from backstay.host.netlink import ACK, DUMP, Netlink, attribute, attributes
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_TCP = 6
_SOURCE_CONDITION, _DESTINATION_CONDITION = 7, 8  # INET_DIAG_BC_S_COND, INET_DIAG_BC_D_COND
_BYTECODE = 1  # INET_DIAG_REQ_BYTECODE
_ESTABLISHED, _TIME_WAIT, _CLOSED, _LISTEN = 1, 6, 7, 10
_MESSAGE = 72  # bytes of struct inet_diag_msg
_INFO, _LAST_HEARD = 2, 52  # INET_DIAG_INFO; where tcpi_last_data_recv (ms) is in struct tcp_info
_QUEUES = 56  # idiag_rqueue, idiag_wqueue
_MAPPED = bytes(10) + b"\xff\xff"
_STATES = 0xFFF & ~(1 << _TIME_WAIT | 1 << _CLOSED | 1 << _LISTEN)


def reset(address: Address) -> int:
    """Reset the connections whose local end is the address, and spare the listening sockets; how many there were.

    Call it while the address is still here: the reset is sent from it. Raises AgentError when the kernel cannot
    (CONFIG_INET_DIAG_DESTROY).
    """
    return _reset(address, False, lambda _: True)[0]


def reset_to(address: Address) -> int:
    """Reset this host's connections to the address, and attempts to connect; how many there were. For an address that is about
    to come here: their other end was the holder before. Raises AgentError like `reset`."""
    return _reset(address, True, lambda _: True)[0]


def reset_silent(address: Address, seconds: float) -> int:
    """Reset the connections to the address, and attempts to connect, whose other end has sent nothing for so long; how many.
    Raises AgentError like `reset`."""
    return _reset(address, True, lambda socket: not _heard(socket, seconds))[0]


class Connection:
    """An established connection to this host. peer, peer_port: the other end. quiet: seconds since it last sent data. idle: all
    that either end has sent has been read."""

    __slots__ = ("idle", "peer", "peer_port", "port", "quiet")

    def __init__(self, socket: bytes) -> None:
        """socket: a struct inet_diag_msg with attributes."""
        self.port, self.peer_port = unpack_from("!HH", socket, 4)
        packed = socket[24:40]
        short = socket[0] == AF_INET or packed.startswith(_MAPPED)
        self.peer = (
            Address(AF_INET, packed[:4] if socket[0] == AF_INET else packed[12:])
            if short
            else Address(AF_INET6, packed)
        )
        info = dict(attributes(socket, _MESSAGE)).get(_INFO, b"")
        known = len(info) > _LAST_HEARD + 4
        self.quiet = unpack_from("=I", info, _LAST_HEARD)[0] / 1000 if known else 0.0
        self.idle = not any(unpack_from("=II", socket, _QUEUES))


def connections(address: Address) -> "list[Connection]":
    """Those whose local end is the address. Raises AgentError."""
    found: list[Connection] = []

    def note(one: Connection) -> bool:
        found.append(one)
        return False

    end_where(address, note)
    return found


def end_where(address: Address, wanted: "Callable[[Connection], bool]") -> int:
    """Reset the established connections whose local end is the address and that are wanted; how many. What the kernel says of
    each is microseconds old then. Raises AgentError like `reset`."""
    return _reset(address, False, lambda socket: socket[1] == _ESTABLISHED and wanted(Connection(socket)))[0]


def connections_to(address: Address) -> int:
    """How many there are, attempts included. Raises AgentError."""
    return _reset(address, True, lambda _: False)[1]


def reset_port(port: int) -> int:
    """Reset the connections whose local end is this TCP port, of any address; how many there were. Raises AgentError."""
    condition = pack("=BBxxi", 0, 0, port)  # any family, no bit of the address
    try:
        netlink = Netlink(_SOCK_DIAG)
        return sum(_destroy(netlink, family, condition, False, lambda _: True)[0] for family in (AF_INET, AF_INET6))
    except OSError as error:
        raise AgentError(f"the kernel cannot reset the connections of port {port}: {error.strerror}") from None


def _reset(address: Address, remote: bool, wanted: "Callable[[bytes], bool]") -> "tuple[int, int]":
    """An IPv6 socket serves IPv4 clients too, so both families are searched."""
    # the kernel selects: a database server may have a hundred thousand sockets; a condition for IPv4 matches mapped
    # addresses too (inet_diag.c, `inet_diag_bc_run`)
    condition = pack("=BBxxi", address.family, address.bits, -1) + address.packed
    done = spared = 0
    try:
        netlink = Netlink(_SOCK_DIAG)
        for family in (AF_INET, AF_INET6) if address.family == AF_INET else (AF_INET6,):
            own = address.packed + bytes(12) if family == AF_INET else address.mapped
            at = 24 if remote else 8  # of the destination, and the source, in struct inet_diag_msg

            def ours(socket: bytes, own: bytes = own, at: int = at) -> bool:
                return socket[at : at + 16] == own

            ended, others = _destroy(netlink, family, condition, remote, ours, wanted)
            done, spared = done + ended, spared + others
    except OSError as error:
        raise AgentError(f"the kernel cannot reset the connections of {address.text}: {error.strerror}") from None
    return done, spared


def _heard(socket: bytes, seconds: float) -> bool:
    """Whether the other end of an established connection has sent data within so many seconds."""
    info = dict(attributes(socket, _MESSAGE)).get(_INFO, b"")
    return (
        socket[1] == _ESTABLISHED
        and len(info) > _LAST_HEARD + 4
        and unpack_from("=I", info, _LAST_HEARD)[0] < seconds * 1000
    )


def _destroy(
    netlink: Netlink,
    family: int,
    condition: bytes,
    remote: bool,
    ours: "Callable[[bytes], bool]",
    wanted: "Callable[[bytes], bool]" = lambda _: True,
) -> "tuple[int, int]":
    """Of the sockets that meet the kernel's condition and `ours`, reset those that are wanted; how many, and how many not. The
    functions get a struct inet_diag_msg with attributes."""
    size = 4 + len(condition)
    bytecode = attribute(
        _BYTECODE, pack("=BBH", _DESTINATION_CONDITION if remote else _SOURCE_CONDITION, size, size + 4) + condition
    )
    request = pack("=BBBxI48x", family, _TCP, 1 << (_INFO - 1), _STATES)
    done = spared = 0
    for _, body in netlink.ask(_BY_FAMILY, DUMP, request + bytecode):
        if body[1] == _LISTEN or not ours(body):
            continue
        if not wanted(body):
            spared += 1
            continue
        try:
            identity = body[4:52]  # ports, addresses, interface, cookie
            netlink.ask(_DESTROY, ACK, pack("=BBBxI", family, _TCP, 0, 1 << body[1]) + identity)
            done += 1
        except OSError as error:
            if error.errno != errno.ENOENT:  # it ended by itself
                raise
    return done, spared
