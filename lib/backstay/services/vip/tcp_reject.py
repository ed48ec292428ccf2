"""Refuse connections to an address that has left, until its new holder is heard.

Between the old holder's release and the new holder's announcement the neighbours still send to the old one. It drops what
is not for it, silently, so a client that connects in that moment waits a second for TCP's first retransmission, however
soon the new holder is there. Refused, it tries again at once. What an established connection sends is reset likewise.

A process that outlives the action listens on the interface for the address alone (a filter in the kernel) and answers
TCP with a reset. It never answers for an address that is on this host.
"""

from _socket import AF_PACKET, SOCK_CLOEXEC, SOCK_RAW, socket, timeout

from backstay.host.deadline import Deadline
from backstay.host.fork import detach
from backstay.host.ip_address import Address
from backstay.services.vip.arp_ndp import ETH_IPV4, ETH_IPV6, refusal
from backstay.services.vip.health import Interface
from backstay.services.vip.packet_socket import LOAD_BYTE, LOAD_HALF, LOAD_WORD, attach
from backstay.services.vip.rtnetlink import Link

_TCP = 6


def refuse(address: Address, interface: Interface, seconds: float) -> None:
    """Raises OSError when the interface cannot be listened on."""
    kind = ETH_IPV4 if len(address.packed) == 4 else ETH_IPV6
    wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)
    attach(wire, _tcp_to(address))
    wire.bind((interface.name, kind))
    detach(lambda: _answer(address, interface, wire, Deadline(seconds)), keep=[wire.fileno()])


def _answer(address: Address, interface: Interface, wire: socket, end: Deadline) -> None:
    link = Link()
    while not end.expired:
        wire.settimeout(max(end.remaining(), 0.001))
        try:
            answer = refusal(wire.recv(2048), interface.mac)
        except timeout:
            return
        if link.copies(address):
            return  # it came back to this host
        if answer:
            wire.send(answer)


def _tcp_to(address: Address) -> "list[tuple[int, int, int]]":
    """What tells TCP to the address, as wire.attach takes it."""
    kind, protocol, destination = (ETH_IPV4, 23, 30) if len(address.packed) == 4 else (ETH_IPV6, 20, 38)
    tests = [(LOAD_HALF, 12, kind), (LOAD_BYTE, protocol, _TCP)]
    for at in range(0, len(address.packed), 4):
        tests.append((LOAD_WORD, destination + at, int.from_bytes(address.packed[at : at + 4], "big")))
    return tests
