"""What becomes of TCP to an address that has left: attempts to connect wait for its new holder, or are refused.

Between the old holder's release and the new holder's announcement the neighbours still send to the old one. It drops what
is not for it, silently, so a client that connects in that moment waits a second for TCP's first retransmission, however
soon the new holder is there. A process that outlives the action listens on the interface for the address alone (a filter in
the kernel). It keeps each SYN and sends it on to the new holder (host/parking), or with on_loss=refuse answers it with a reset,
and so it does when nobody has taken the address in time. Anything else that arrives is of a connection that no host has any
more, and is reset at once: its client would wait for an answer for ever. It never answers for an address that is on this host.
"""

import select

from backstay.host.arp_ndp import Segment, refusal
from backstay.host.deadline import Deadline
from backstay.host.fork import detach
from backstay.host.ip_address import Address
from backstay.host.parking import Parked, Wire, interface_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.agent.log import Log


class After:
    """What is done after a release. hold_for: seconds for which attempts to connect are kept, 0: not at all. refuse_for:
    seconds for which they are refused from the end of that on, or from the beginning. tell: gets at the end, if any were kept,
    how many were kept, sent on, and refused after all."""

    __slots__ = ("hold_for", "refuse_for", "tell")

    def __init__(self, hold_for: float, refuse_for: float, tell: "Callable[[int, int, int], None]") -> None:
        self.hold_for = hold_for
        self.refuse_for = refuse_for
        self.tell = tell

    def __bool__(self) -> bool:
        return bool(self.hold_for or self.refuse_for)


def answer(address: Address, interface: str, after: After, log: "Log") -> None:
    """Start the process. Raises OSError when the interface cannot be listened on."""
    wire = Wire(address, interface)
    detach(lambda: Keeper(address, wire, after, log).stay(), keep=wire.descriptors())


class Keeper:
    """Two times, one after the other: while SYNs are kept, and while they are not. Whoever claims the address ends the first;
    what comes later, from a neighbour that has not heard of it, goes on to the claimant at once."""

    def __init__(self, address: Address, wire: Wire, after: After, log: "Log") -> None:
        self._address, self._wire, self._after, self._log = address, wire, after, log
        self._parked = Parked(wire)
        self._holding = bool(after.hold_for)
        self._end = Deadline(after.hold_for or after.refuse_for)
        self._expired = 0

    def stay(self) -> None:
        poller = select.poll()
        for descriptor in self._wire.descriptors():
            poller.register(descriptor, select.POLLIN)
        while self._holding or not self._end.expired:
            poller.poll(self._parked.wait(self._end))
            frames, claimed = self._wire.arrived(), self._wire.holder()
            if interface_of(self._address):
                break  # it came back to this host, whose kernel answers what is sent again
            if claimed and self._after.hold_for:
                self._parked.found(claimed)
            self._refuse(self._not_kept(frames))
            if self._holding and (self._parked.holder_known or self._end.expired):
                self._holding, self._end = False, Deadline(self._after.refuse_for)
                self._give_up()
            self._parked.send_on()
        self._tell()

    def _not_kept(self, frames: "list[bytes]") -> "list[bytes]":
        others = []
        for frame in frames:
            segment = Segment.of(frame)
            if segment and segment.begins and (self._holding or self._parked.holder_known):
                self._parked.keep(frame, segment)
            else:
                others.append(frame)
        return others

    def _give_up(self) -> None:
        """Nobody has taken the address in time."""
        if not self._parked.holder_known:
            unheard = self._parked.given_up()
            self._expired = len(unheard)
            self._refuse(unheard)

    def _refuse(self, frames: "list[bytes]") -> None:
        for frame in frames:
            reset = refusal(frame, self._wire.mac)
            if reset:
                self._wire.frames.send(reset)

    def _tell(self) -> None:
        if self._parked.count:
            self._log.info(
                f"{self._address.text} has left: {self._parked.count} attempts to connect held, {self._parked.sent} sent on to"
                f" its new holder, {self._expired} refused when nobody had taken it within {self._after.hold_for:g} s"
            )
            self._after.tell(self._parked.count, self._parked.sent, self._expired)
