"""What a history proves. Pure: histories in, findings out, each finding with what is needed to look it up."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import FAIL, OK, UNKNOWN, WRONG, Attempt
from backstay_lab.checkers.sampling import Hole, Reached, Span, both_writable, holes, reached

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from backstay_lab.checkers.history import Sample


class Term(NamedTuple):
    """A stretch of acknowledgements by one server, in the order in which the client got them."""

    server: int | None
    acknowledged: tuple[Attempt, ...]


class Gap(NamedTuple):
    """The client's longest wait for an acknowledgement: after the one at `last`, none until `first`. Monotonic
    seconds; `first` is infinite when writes never resumed."""

    last: float
    first: float

    @property
    def seconds(self) -> float:
        return self.first - self.last


class Verdict(NamedTuple):
    """The ledger's verdict over one run. Every list must be empty. sampled: how closely `both_writable` was looked for."""

    acknowledged: int
    failed: int
    unknown: int
    lost: list[int]  # ids
    phantoms: list[int]  # ids
    both_writable: list[tuple[Span, Span]]
    deposed: list[Attempt]
    copies_differ: Sequence[str] = ()  # nodes whose rows are not the primary's, once the set is whole
    holes: Sequence[Hole] = ()
    sampled: Reached = Reached()

    @property
    def clean(self) -> bool:
        found = (self.lost, self.phantoms, self.both_writable, self.deposed, self.copies_differ, self.holes)
        return not any(found)

    def __str__(self) -> str:
        copies = f"; rows differ on {', '.join(self.copies_differ)}" if self.copies_differ else ""
        unseen = f"; {len(self.holes)} holes: {self.holes[0]}" if self.holes else ""
        return (
            f"{self.acknowledged} acknowledged, {len(self.lost)} lost, {len(self.phantoms)} phantoms, "
            f"{len(self.both_writable)} times two servers writable ({self.sampled}), "
            f"{len(self.deposed)} acknowledged by a deposed one{copies}{unseen}"
        )


class Connections(NamedTuple):
    """What connections through a balancer went through. acknowledged: lines that came back. dropped: new connections that were
    not made, or whose line did not come back. broken: kept connections that broke. wrong: ids whose answer was
    another's, of which there must be none."""

    acknowledged: int
    dropped: int
    broken: int
    wrong: list[int]
    lost: Sequence[int] = ()  # nothing is kept that could be lost

    @property
    def clean(self) -> bool:
        return not self.wrong

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} lines came back, {self.dropped} new connections failed, {self.broken} kept ones broke, "
            f"{len(self.wrong)} wrong answers"
        )


def judge_connections(attempts: Sequence[Attempt]) -> Connections:
    """Writer 0's connections are new ones, a line each; the other writers keep theirs: one that was not made anew has failed
    to be made, not broken."""
    return Connections(
        acknowledged=sum(one.result == OK for one in attempts),
        dropped=sum(one.writer == 0 and one.result not in (OK, WRONG) for one in attempts),
        broken=sum(one.writer != 0 and one.result == UNKNOWN for one in attempts),
        wrong=[one.id for one in attempts if one.result == WRONG],
    )


def lost(attempts: Sequence[Attempt], present: Collection[int]) -> list[int]:
    """Ids that were acknowledged and are not there."""
    return sorted({attempt.id for attempt in attempts if attempt.result == OK} - set(present))


def phantoms(attempts: Sequence[Attempt], present: Collection[int]) -> list[int]:
    """Ids that were refused and are there nevertheless."""
    return sorted({attempt.id for attempt in attempts if attempt.result == FAIL} & set(present))


def terms(attempts: Sequence[Attempt]) -> list[Term]:
    """Who acknowledged, one after the other."""
    acknowledged = sorted((attempt for attempt in attempts if attempt.result == OK), key=lambda attempt: attempt.ended)
    return [Term(server, tuple(group)) for server, group in groupby(acknowledged, key=lambda attempt: attempt.server)]


def deposed(attempts: Sequence[Attempt], moves: int) -> list[Attempt]:
    """Acknowledgements by a server that another one had already replaced.

    `moves`: how often the writer was meant to move in this history. The server of each further term had been deposed
    before, or two servers acknowledged in overlapping times, which shows as terms that alternate. Nobody is meant to come back:
    one that was started anew has another id, and no fault moves the writer there and back.
    """
    found: list[Attempt] = []
    had: set[int | None] = set()
    for number, term in enumerate(terms(attempts)):
        if number > moves or term.server in had:
            found += term.acknowledged
        had.add(term.server)
    return found


def unsilenced(attempts: Sequence[Attempt], server: int | None, since: float) -> list[Attempt]:
    """What was begun after `since` (monotonic seconds) and acknowledged by this server."""
    return [one for one in attempts if one.result == OK and one.begun > since and one.server == server]


def write_gap(attempts: Sequence[Attempt], fault: float) -> Gap:
    """The longest time without an acknowledgement that ended after `fault` (monotonic seconds).

    Not simply the first after it: the acknowledgement of a write in flight may arrive just after the fault.
    """
    acknowledged = sorted(attempt.ended for attempt in attempts if attempt.result == OK)
    if not acknowledged:
        return Gap(fault, float("inf"))
    gaps = [Gap(last, first) for last, first in zip(acknowledged, acknowledged[1:]) if first > fault]
    longest = max(gaps, key=lambda gap: gap.seconds, default=Gap(fault, fault))
    silence = max(attempt.ended for attempt in attempts) - acknowledged[-1]
    return Gap(acknowledged[-1], float("inf")) if silence > longest.seconds else longest


def judge(
    attempts: Sequence[Attempt],
    samples: Sequence[Sample],
    present: Collection[int],
    moves: int,
    nodes: Sequence[str] = (),
) -> Verdict:
    """All checks over one run. nodes: those whose servers were to be sampled all the time."""
    results = [attempt.result for attempt in attempts]
    return Verdict(
        acknowledged=results.count(OK),
        failed=results.count(FAIL),
        unknown=len(results) - results.count(OK) - results.count(FAIL),
        lost=lost(attempts, present),
        phantoms=phantoms(attempts, present),
        both_writable=both_writable(samples),
        deposed=deposed(attempts, moves),
        holes=holes(samples, nodes),
        sampled=reached(samples),
    )
