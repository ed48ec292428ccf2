"""Announce an address several times: once before the action returns, the rest from a process that outlives it."""

import time

from backstay.host.fork import detach
from backstay.host.ip_address import Address
from backstay.services.vip.packet_socket import Wire
from backstay.services.vip.rtnetlink import Link

_LONGEST = 60.0  # seconds between two announcements


def announce(address: Address, wire: Wire, count: int, interval: float, router: bool) -> None:
    """The first at once, the second after `interval` seconds, and each later one after twice the wait before it: the
    early ones bridge a lost frame, the late ones a switch port that forwards only after its spanning tree delay.
    Raises OSError when the first cannot be sent."""
    wire.announce(router)
    # The child is started even when it has nothing to send: it closes the packet socket, which takes 20 to 30 ms.
    detach(lambda: _repeat(address, wire, count - 1, interval, router), keep=[wire.fileno()])


def _repeat(address: Address, wire: Wire, count: int, interval: float, router: bool) -> None:
    link = Link()
    for turn in range(count):
        time.sleep(min(interval * 2**turn, _LONGEST))
        if not link.copies(address, wire.nic):
            return  # it moved meanwhile: to claim it now would draw its traffic to the wrong node
        wire.renewed(link)  # the hardware address it was started with may be dead by now
        wire.announce(router)
