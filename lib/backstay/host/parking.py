"""Attempts to connect (TCP's SYN) to an address that is on its way to another host: kept, and sent on to the new holder.

A client that is refused gives up at once, and one whose SYN is lost tries again after 1, 3, 7 s. So what arrives meanwhile is
kept. When the new holder announces itself (gratuitous ARP, unsolicited neighbour advertisement), each SYN goes to its
hardware address, unchanged but for the Ethernet header. Its answer goes to the client directly.

Frames leave from this interface's own hardware address, so no switch learns anything wrong. None leaves while the address is
on this host, and nothing is announced. Two processes do this, each for its time: `await_holder` while the address is still
here, and the address's agent once it has left (services/vip/tcp_reject).
"""

import select
from _socket import (
    AF_INET,
    AF_INET6,
    AF_PACKET,
    IPPROTO_ICMPV6,
    SO_BINDTODEVICE,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)
from struct import pack, unpack_from

from backstay.host.arp_ndp import ADVERTISEMENT, ETH_ARP, ETH_IPV4, ETH_IPV6, Segment, claimant, forwarded
from backstay.host.bpf import LOAD_BYTE, LOAD_HALF, LOAD_WORD, attach
from backstay.host.deadline import Deadline
from backstay.host.ip_address import Address
from backstay.host.netlink import DUMP, Netlink, attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_TCP = 6
_ICMP6_FILTER = 1  # option of netinet/icmp6.h; a set bit blocks that type
_LOOPBACK = 1  # LOOPBACK_IFINDEX of the kernel
_GET_ADDRESSES, _IFA_ADDRESS, _IFA_LOCAL = 22, 1, 2
_MOST = 4096  # SYNs kept; of more than that TCP sends the next ones again by itself
# A server whose queue of connections is full drops the last step of the handshake: its client believes that it is connected
# and hears nothing for seconds. So what was kept goes on in portions.
_PORTION, _PAUSE = 10, 0.01  # frames; seconds
_BUFFER = 4 << 20  # bytes; hundreds of SYNs may come in one moment, when a server dies
_BUFFER_FORCE = 33  # SO_RCVBUFFORCE: beyond net.core.rmem_max


def interface_of(address: Address) -> int:
    """Number of the interface that has the address, 0 when this host has it not. A copy on the loopback interface, as behind a
    load balancer (LVS), takes no neighbour's frames. Raises OSError."""
    for _, body in Netlink(0).ask(_GET_ADDRESSES, DUMP, pack("=BBBBI", address.family, 0, 0, 0, 0)):
        found = dict(attributes(body, 8))
        if (found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS)) == address.packed:
            index: int = unpack_from("=I", body, 4)[0]
            if index != _LOOPBACK:
                return index
    return 0


class Wire:
    """What arrives for an address on one Ethernet interface: TCP, and the claims of other hosts to the address. Raises OSError
    when the interface cannot be listened on."""

    def __init__(self, address: Address, interface: str) -> None:
        v4 = address.family == AF_INET
        self._address = address
        self.frames = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
        self.frames.setsockopt(SOL_SOCKET, _BUFFER_FORCE, _BUFFER)
        attach(self.frames, _tcp_to(address))
        self.frames.bind((interface, ETH_IPV4 if v4 else ETH_IPV6))
        self.frames.setblocking(False)
        self.mac: bytes = self.frames.getsockname()[4]
        self._claims = _arp(address, interface) if v4 else _advertisements(interface)
        self._claims.setblocking(False)

    def descriptors(self) -> "list[int]":
        return [self.frames.fileno(), self._claims.fileno()]

    def holder(self) -> bytes:
        """The hardware address of who claimed the address since the last call; empty for nobody."""
        found = b""
        for packet in _drained(self._claims):
            said = (claimant(packet, self._address, self.mac) or "").replace(":", "")
            found = bytes.fromhex(said) if len(said) == 12 else found  # else it hides its hardware address
        return found

    def arrived(self) -> "list[bytes]":
        """Frames to this interface's own hardware address: not what a switch floods that has not learnt yet."""
        return [frame for frame in _drained(self.frames) if frame[:6] == self.mac]


class Parked:
    """SYNs that are kept, one for each connection. `count`: how many there were, `sent` how many went on."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._frames: dict[bytes, bytes] = {}
        self._holder = b""
        self.count = self.sent = 0

    @property
    def holder_known(self) -> bool:
        return bool(self._holder)

    def found(self, holder: bytes) -> None:
        self._holder = holder

    def keep(self, frame: bytes, segment: Segment) -> None:
        if segment.connection not in self._frames and len(self._frames) < _MOST:
            self._frames[segment.connection] = frame
            self.count += 1

    def send_on(self) -> None:
        """A portion, once the holder is known. The caller has seen that the address is not here."""
        for connection in list(self._frames)[:_PORTION] if self._holder else ():
            self._wire.frames.send(forwarded(self._frames.pop(connection), self._wire.mac, self._holder))
            self.sent += 1

    def wait(self, end: Deadline) -> float:
        """Milliseconds until there is something to do without anything arriving."""
        return 1000 * min(end.remaining(), _PAUSE if self._holder and self._frames else end.remaining())

    def given_up(self) -> "list[bytes]":
        """What is kept, and is not any more."""
        frames = list(self._frames.values())
        self._frames.clear()
        return frames

    def __len__(self) -> int:
        return len(self._frames)


def await_holder(address: Address, ports: "Collection[int]", wire: Wire, end: Deadline) -> Parked:
    """Keep the SYNs to these ports while the address is here, and send them on once another host has it. Returns them:
    what is still in it then was not sent on. What arrives after the address has left is for its own agent."""
    parked = Parked(wire)
    poller = select.poll()
    for descriptor in wire.descriptors():
        poller.register(descriptor, select.POLLIN)
    here = True
    while not end.expired and (here or len(parked)):
        poller.poll(parked.wait(end))
        frames, claimed = wire.arrived(), wire.holder()
        # On a busy machine what came while the address was here is read once it has left.
        for frame in frames if here else ():
            segment = Segment.of(frame)
            if segment and segment.begins and segment.port in ports:
                parked.keep(frame, segment)
        here = bool(interface_of(address))
        if here:
            continue  # who claims what is here is no new holder
        if claimed:
            parked.found(claimed)
        parked.send_on()
    return parked


def _drained(source: socket) -> "list[bytes]":
    found: list[bytes] = []
    try:
        while len(found) < _MOST:
            found.append(source.recv(2048))
    except BlockingIOError:
        return found
    except OSError:
        return found  # the interface went down: nothing arrives any more
    return found


def _arp(address: Address, interface: str) -> socket:
    ear = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
    attach(ear, [(LOAD_HALF, 12, ETH_ARP), (LOAD_WORD, 28, int.from_bytes(address.packed, "big"))])
    ear.bind((interface, ETH_ARP))
    return ear


def _advertisements(interface: str) -> socket:
    ear = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6)
    passing = [0xFFFFFFFF] * 8
    passing[ADVERTISEMENT >> 5] &= ~(1 << (ADVERTISEMENT & 31))
    ear.setsockopt(IPPROTO_ICMPV6, _ICMP6_FILTER, pack("=8I", *passing))
    ear.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, interface.encode())
    return ear


def _tcp_to(address: Address) -> "list[tuple[int, int, int]]":
    """What tells TCP to the address, as bpf.attach takes it."""
    kind, protocol, destination = (ETH_IPV4, 23, 30) if address.family == AF_INET else (ETH_IPV6, 20, 38)
    tests = [(LOAD_HALF, 12, kind), (LOAD_BYTE, protocol, _TCP)]
    for at in range(0, len(address.packed), 4):
        tests.append((LOAD_WORD, destination + at, int.from_bytes(address.packed[at : at + 4], "big")))
    return tests
