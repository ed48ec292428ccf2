"""Has clients of a lost host say something, so that they are reset now and not when they would have spoken.

A client that only listens, or whose TCP waits ever longer before it sends again, does not meet the new holder of the address for
seconds. An acknowledgement out of the blue makes its TCP answer at once with where it stands (RFC 9293, 3.10.7.4), and that
answer is reset as anything else is. Samba's CTDB calls it a tickle. A host without such a connection answers with a reset, and
nothing comes of it.
"""

from _socket import AF_INET, IPPROTO_TCP, SOCK_CLOEXEC, SOCK_RAW, socket
from struct import pack

from backstay.host.arp_ndp import checksum_of
from backstay.host.ip_address import Address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_ACK = 0x10


def prompt(address: Address, clients: "Iterable[tuple[Address, int, int]]") -> int:
    """To how many it was said. address: one of this host. clients: the other end, its port, and the port here; those of another
    family are left out. Raises OSError when nothing can be sent from the address."""
    wire = socket(address.family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP)
    try:
        wire.bind((address.text, 0))
        said = 0
        for peer, peer_port, port in clients:
            if peer.family == address.family and _send(wire, peer, segment(address, port, peer, peer_port)):
                said += 1
        return said
    finally:
        wire.close()


def segment(address: Address, port: int, peer: Address, peer_port: int) -> bytes:
    """A bare acknowledgement of nothing, at a place in the stream where the client does not stand."""
    head = pack("!HHIIBBHHH", port, peer_port, 0, 0, 5 << 4, _ACK, 0, 0, 0)
    found = checksum_of(address.packed + peer.packed + pack("!II", len(head), 6) + head)
    return head[:16] + pack("!H", found) + head[18:]


def _send(wire: socket, peer: Address, data: bytes) -> bool:
    try:
        wire.sendto(data, (peer.text, 0) if peer.family == AF_INET else (peer.text, 0, 0, 0))
        return True
    except OSError:
        return False  # no route to it, or its host answers no ARP: it hears nothing from anybody
