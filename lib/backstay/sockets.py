"""End the TCP connections of an address, so that their other ends learn at once that it moved.

Without this a client waits for an answer until its own timeout: the packets it sends go to a node that knows nothing
of the connection, or nowhere. Sources: linux/inet_diag.h, sock_diag(7), and `tcp_abort` (tcp.c), which sends the reset.
"""

import errno
from _socket import AF_INET, AF_INET6
from struct import pack

from backstay.address import Address
from backstay.errors import AgentError
from backstay.netlink import ACK, DUMP, Netlink, attribute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_TCP = 6
_SOURCE_CONDITION, _DESTINATION_CONDITION = 7, 8  # INET_DIAG_BC_S_COND, INET_DIAG_BC_D_COND
_BYTECODE = 1  # INET_DIAG_REQ_BYTECODE
_TIME_WAIT, _CLOSED, _LISTEN = 6, 7, 10
_STATES = 0xFFF & ~(1 << _TIME_WAIT | 1 << _CLOSED | 1 << _LISTEN)


def reset(address: Address, remote: bool = False) -> int:
    """Reset the connections whose local end, or remote end, is the address, and spare the listening sockets; how many
    there were.

    For local ends call it while the address is still here: the reset is sent from it. An IPv6 socket serves IPv4
    clients too, so both families are searched. Raises AgentError when the kernel cannot (CONFIG_INET_DIAG_DESTROY).
    """
    try:
        netlink = Netlink(_SOCK_DIAG)
        families = (AF_INET, AF_INET6) if address.family == AF_INET else (AF_INET6,)
        return sum(_reset(netlink, address, family, remote) for family in families)
    except OSError as error:
        raise AgentError(f"the kernel cannot reset the connections of {address.text}: {error.strerror}") from None


def reset_port(port: int) -> int:
    """Reset the connections whose local end is this TCP port, of any address; how many there were. Raises AgentError."""
    condition = pack("=BBxxi", 0, 0, port)  # any family, no bit of the address
    try:
        netlink = Netlink(_SOCK_DIAG)
        return sum(_destroy(netlink, family, condition, False, lambda _: True) for family in (AF_INET, AF_INET6))
    except OSError as error:
        raise AgentError(f"the kernel cannot reset the connections of port {port}: {error.strerror}") from None


def _reset(netlink: Netlink, address: Address, family: int, remote: bool) -> int:
    # the kernel selects: a database server may have a hundred thousand sockets; a condition for IPv4 matches mapped
    # addresses too (inet_diag.c, `inet_diag_bc_run`)
    condition = pack("=BBxxi", address.family, address.bits, -1) + address.packed
    own = address.packed + bytes(12) if family == AF_INET else address.mapped

    def ours(identity: bytes) -> bool:
        return identity[20:36] == own if remote else identity[4:20] == own

    return _destroy(netlink, family, condition, remote, ours)


def _destroy(netlink: Netlink, family: int, condition: bytes, remote: bool, ours: "Callable[[bytes], bool]") -> int:
    """Reset what meets the kernel's condition and ours, which gets the socket's identity; how many there were."""
    size = 4 + len(condition)
    bytecode = attribute(
        _BYTECODE, pack("=BBH", _DESTINATION_CONDITION if remote else _SOURCE_CONDITION, size, size + 4) + condition
    )
    request = pack("=BBBxI48x", family, _TCP, 0, _STATES)
    count = 0
    for _, body in netlink.ask(_BY_FAMILY, DUMP, request + bytecode):
        identity = body[4:52]  # ports, addresses, interface, cookie
        if not ours(identity) or body[1] == _LISTEN:
            continue
        try:
            netlink.ask(_DESTROY, ACK, pack("=BBBxI", family, _TCP, 0, 1 << body[1]) + identity)
            count += 1
        except OSError as error:
            if error.errno != errno.ENOENT:  # it ended by itself
                raise
    return count
