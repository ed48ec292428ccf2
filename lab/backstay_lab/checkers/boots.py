"""What the histories of the boot flow prove. Pure: histories in, findings out.

What is legitimate
- A boot that was reported to its caller as failed may have been done all the same, or in part: the report came because
  nobody knew.
- An instance may be told about twice, since the driver sends again what was not confirmed. The second to come finds it in
  its final state and leaves it alone.
- Once all brokers were lost, the first that is up again takes what no queue is there for yet, and confirms it: the driver does
  not ask for more. A boot that was open then may stay without a final state; its row may not go.
- A worker whose commit ended without an answer finds, when it tries again, that the state was set: nobody notes that one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import Execution
from backstay_lab.checkers.messages import Outage, served_again

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from backstay_lab.checkers.history import Boot, Final, Instance

BUILDING, ACTIVE, ERROR = "building", "active", "error"  # of an instance, as nova names them
FINAL = {ACTIVE, ERROR}
FAILED = "failed"  # of a boot that its caller was told so
UNDER_WAY = 2.0  # seconds from being accepted to a final state, while all is well; 0.2


class Boots(NamedTuple):
    """The verdict over one run. Counts and the slowest boot in seconds; then ids, of which there must be none.

    lost: vanished. It was accepted and has no row or no final state, or a final state was acknowledged and is not there.
    twice: more than one final state, at the same time or one after the other, wherever one was seen.
    torn: the row and the log of final states contradict each other, though one transaction writes both.
    unended: neither accepted nor reported failed. unseen: accepted, and its caller never came to read a final state.
    strange: there though nobody asked for it. copies_differ: nodes whose rows are not the primary's. unrouted: legitimately
    without a final state, and in none of the others.
    """

    accepted: int
    failed: int
    in_error: int
    slowest: float
    lost: Sequence[int]
    twice: Sequence[int]
    torn: Sequence[int]
    unended: Sequence[int]
    unseen: Sequence[int]
    strange: Sequence[int]
    copies_differ: Sequence[str] = ()
    unrouted: Sequence[int] = ()

    @property
    def clean(self) -> bool:
        found = (self.lost, self.twice, self.torn, self.unended, self.unseen, self.strange, self.copies_differ)
        return not any(found)

    def __str__(self) -> str:
        copies = f"; rows differ on {', '.join(self.copies_differ)}" if self.copies_differ else ""
        unrouted = f"; {len(self.unrouted)} cast while no queue was up" if self.unrouted else ""
        return (
            f"{self.accepted} boots accepted, {len(self.lost)} vanished, {len(self.twice)} in two final states, "
            f"{self.failed} reported failed, {self.in_error} ended in error, {len(self.torn)} torn, "
            f"{len(self.unended)} without an end, {len(self.unseen)} not seen by their callers, {len(self.strange)} strange, "
            f"slowest {self.slowest:.2f} s{copies}{unrouted}"
        )


def lost(accepted: Collection[int], finals: Sequence[Final], rows: dict[int, Instance]) -> list[int]:
    open_still = {one for one in accepted if one not in rows or rows[one].state not in FINAL}
    undone = {one.id for one in finals if one.id not in rows or one.state not in rows[one.id].finals}
    return sorted(open_still | undone)


def twice(boots: Sequence[Boot], finals: Sequence[Final], rows: dict[int, Instance]) -> list[int]:
    acknowledged = Counter(one.id for one in finals)
    seen = {(one.id, one.state) for one in boots if one.state in FINAL}
    seen |= {(one.id, one.state) for one in finals}
    seen |= {(one.id, state) for one in rows.values() for state in {*one.finals, one.state} & FINAL}
    states = Counter(number for number, _ in seen)
    logged = {one.id for one in rows.values() if len(one.finals) > 1}
    return sorted(logged | {one for counts in (acknowledged, states) for one, times in counts.items() if times > 1})


def unrouted(accepted: Sequence[Boot], finals: Sequence[Final], rows: dict[int, Instance], outage: Outage) -> list[int]:
    """Boots that were open between the loss of all brokers and the time when every worker had work again, whose rows are there
    and say that nothing was done."""
    back = served_again([Execution(one.id, one.at, one.worker) for one in finals], outage)
    return [
        boot.id
        for boot in accepted
        if boot.accepted is not None and outage.begun - UNDER_WAY <= boot.accepted <= back
        if boot.id in rows and rows[boot.id].state == BUILDING and not rows[boot.id].finals
    ]


def judge(
    boots: Sequence[Boot], finals: Sequence[Final], instances: Sequence[Instance], outages: Sequence[Outage] = ()
) -> Boots:
    """All checks over one run. outages: when all brokers were lost, if they were."""
    rows = {one.id: one for one in instances}
    accepted = [boot for boot in boots if boot.accepted is not None]
    asked = {boot.id for boot in boots}
    excused = {one for outage in outages for one in unrouted(accepted, finals, rows, outage)} - {
        one.id for one in finals
    }
    return Boots(
        accepted=len(accepted),
        failed=sum(boot.state == FAILED for boot in boots),
        in_error=sum(one.state == ERROR for one in instances),
        slowest=max((boot.ended - boot.begun for boot in accepted if boot.ended is not None), default=0.0),
        lost=lost({boot.id for boot in accepted} - excused, finals, rows),
        twice=twice(boots, finals, rows),
        torn=sorted(one.id for one in instances if (one.state in FINAL) != bool(one.finals)),
        unended=[boot.id for boot in boots if boot.accepted is None and boot.state != FAILED],
        unseen=[boot.id for boot in accepted if boot.ended is None and boot.id not in excused],
        strange=sorted(({*rows} | {one.id for one in finals}) - asked),
        unrouted=sorted(excused),
    )
