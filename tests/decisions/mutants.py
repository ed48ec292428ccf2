"""The steps and decisions of MySQL with one thing taken out, by name: a search through orders of events must find each."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstay.cluster.overview import Ends, Overview
from backstay.services.mysql import duty_steps, election, next_step
from backstay.services.mysql.duty_steps import ADMISSION, END_SOLO, REVIEW
from backstay.services.mysql.promotion_steps import PROMOTION, protocol
from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.mysql.world import MEMBER, Bounds, Code

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.ocf.steps import Protocol


class Mutant(NamedTuple):
    """code: with something taken out. bounds: within which it falls. fast: in a second or two."""

    code: Code
    bounds: Bounds = Bounds(faults=1, promotions=1)
    fast: bool = False


def without(table: Protocol, *names: str) -> Protocol:
    assert {row[0] for row in table} >= set(names)
    return tuple(row for row in table if row[0] not in names)


def swapped(table: Protocol, one: str, other: str) -> Protocol:
    rows = {row[0]: row for row in table}
    exchanged = {one: rows[other], other: rows[one]}
    return tuple(exchanged.get(row[0], row) for row in table)


def moved(table: Protocol, name: str, after: str) -> Protocol:
    (row,) = (row for row in table if row[0] == name)
    rest = list(without(table, name))
    rest.insert(next(number for number, other in enumerate(rest) if other[0] == after) + 1, row)
    return tuple(rest)


def decided(**changes: Any) -> Code:
    return Code(promotion=protocol(**changes))


def trusting(me: str, mine: Any, record: Any, nodes: Any, reports: Any, _: Any, *more: Any) -> Any:
    """An answer is an answer, whatever the record has; and a candidate is one, whatever it lacks."""
    return election.decide(me, mine, record, nodes, reports, Rows(0), *more)


def weakened(proof: str, applies: Any) -> Code:
    """With another question in a row of the proofs. What it rests on is who answers."""

    def answers(i: Any) -> Any:
        return i.said if proof != "witnesses" else {node: i.said[node] for node in i.voters if node in i.said}

    table = tuple(((row[0][0], answers), applies, *row[2:]) if row[0][0] == proof else row for row in election.PROOFS)
    assert table != election.PROOFS
    return decided(decide=lambda *case: election.decide(*case, proofs=table))


def offline_is_dead(node: int, up: bool) -> Ends:
    if node == MEMBER:
        return Ends.STARTED if up else Ends.STOPPED
    return Ends.FENCED


def everybody(me: str, record: Any, mine: Any, reports: Any, admits: bool = True) -> frozenset[str]:
    """Whoever answers counts, and nobody else."""
    return frozenset(node for node, report in reports.items() if report.received is not None and report.gives)


def of_whoever_was_alone(me: str, record: Any, mine: Any, reports: Any, admits: bool = True) -> frozenset[str]:
    """Others count from a promotion on although the record before named nobody: one more may acknowledge by then."""
    answered = election.acknowledgers(me, None, mine, reports)
    return election.acknowledgers(me, record, mine, reports) or (answered if record.solo else frozenset())


def not_seen_is_gone(record: Any, followers: Any, overview: Overview, *more: Any) -> next_step.Review:
    """Who is not connected is dropped, whatever the cluster knows."""
    left = record.sync & followers
    return next_step.Review(left != record.sync, left, "not connected")


def who_is_seen(known: Any, overview: Overview) -> Any:
    """Of a primary that ends running alone: only nodes on which an instance is seen count."""
    seen = overview.nodes - overview.idle
    return known.but(new=known.record.changed((known.followers | seen) - {known.me}, solo=False))


def told(table: Protocol, name: str, answer: Any) -> Protocol:
    """With something else that follows from a step."""
    return tuple((*row[:3], answer, *row[4:]) if row[0] == name else row for row in table)


def judged(review: Any) -> Code:
    return Code(review=told(REVIEW, "OVERVIEW", duty_steps.reviewed(review)))


ALONE = Bounds(faults=2, promotions=1, alone=True)


def faults(*kinds: str, promotions: int = 1, number: int = 2, alone: bool = False, disks: bool = False) -> Bounds:
    return Bounds(faults=number, promotions=promotions, kinds=frozenset(kinds), alone=alone, disks=disks)


KILLS = faults("kill")
TWICE = faults("kill", promotions=2)
SOLO = faults("kill", number=1, alone=True)
DISKS = faults("kill", "empty", number=3, disks=True)

MUTANTS: dict[str, Mutant] = {
    "a candidate need not have what is on record": Mutant(decided(decide=trusting), TWICE, True),
    "the witnesses' proof without their answers": Mutant(
        weakened("witnesses", lambda i: not i.solo and i.counted), KILLS, True
    ),
    "the witnesses' proof of one that ran alone": Mutant(
        weakened("witnesses", lambda i: not i.missing and i.vouched), SOLO, True
    ),
    "a promotion without any proof": Mutant(weakened("none", lambda i: False), SOLO),
    "whoever left the cluster is dead": Mutant(Code(known_end=offline_is_dead), faults("leave", number=1), True),
    "who is not connected is dropped": Mutant(judged(not_seen_is_gone), faults("kill", "cut"), True),
    "others count after one that ran alone": Mutant(
        decided(acknowledgers=of_whoever_was_alone), faults("kill", promotions=2, alone=True)
    ),
    "those who answer count, and nobody else": Mutant(
        decided(acknowledgers=everybody), faults("kill", "cut", promotions=2)
    ),
    "only who is seen counts after running alone": Mutant(Code(end_solo=told(END_SOLO, "RUNNING", who_is_seen)), ALONE),
    "the witnesses' proof with an empty disk here": Mutant(
        weakened("witnesses", lambda i: not i.solo and not i.missing and i.counted), DISKS
    ),
    "the own record's proof with an empty disk": Mutant(weakened("own record", lambda i: i.primary == i.me), DISKS),
    "the primary's proof with an empty disk there": Mutant(weakened("primary", lambda i: i.primary in i.said), DISKS),
    "a promotion without DRAIN AGAIN": Mutant(
        Code(promotion=without(PROMOTION, "DRAIN AGAIN")), faults("leave", "kill", promotions=2)
    ),
    "a promotion without MEMBERS": Mutant(
        Code(promotion=without(PROMOTION, "MEMBERS")), faults("leave", number=1), True
    ),
    "a promotion without ASK": Mutant(
        Code(
            promotion=tuple(
                (*row[:3], lambda known, _: known.but(proof="none was asked"), *row[4:]) if row[0] == "ASK" else row
                for row in PROMOTION
            )
        ),
        faults("kill", number=1),
        True,
    ),
    "a promotion without FETCH": Mutant(
        Code(promotion=told(without(PROMOTION, "FETCH"), "WAIT", lambda known, _: known)),
        faults("kill", number=1),
        True,
    ),
    "a promotion without RECORD": Mutant(Code(promotion=without(PROMOTION, "RECORD")), TWICE),
    "a promotion without AWAIT": Mutant(Code(promotion=without(PROMOTION, "AWAIT")), TWICE),
    "a promotion that opens before it records": Mutant(Code(promotion=swapped(PROMOTION, "RECORD", "OPEN")), TWICE),
    "a promotion that asks who ended after the witnesses": Mutant(
        Code(promotion=moved(PROMOTION, "ENDS", "FETCH")), faults("leave", number=1)
    ),
    "an admission that is not recorded": Mutant(
        Code(admission=told(without(ADMISSION, "DOUBT"), "RECORD", lambda known, _: known)), faults("kill", "lose")
    ),
    "an end of running alone without a look at the others": Mutant(
        Code(end_solo=without(END_SOLO, "CATCH UP")), SOLO, True
    ),
    "an end of running alone that does not wait first": Mutant(Code(end_solo=without(END_SOLO, "AWAIT")), SOLO, True),
    "an end of running alone that records first": Mutant(
        Code(end_solo=moved(moved(END_SOLO, "DOUBT", "LOOK"), "RECORD", "DOUBT")), SOLO
    ),
    "an unanswered end of running alone taken as refused": Mutant(
        Code(end_solo=without(END_SOLO, "DOUBT")), faults("record", "kill", alone=True), True
    ),
    "a review without DISMISS": Mutant(Code(review=without(REVIEW, "DISMISS")), KILLS, True),
    "a review without LOOK AGAIN": Mutant(Code(review=without(REVIEW, "LOOK AGAIN")), KILLS, True),
    "a review without KEEP UP": Mutant(Code(review=without(REVIEW, "KEEP UP")), KILLS, True),
    "a review without RECORD": Mutant(Code(review=without(REVIEW, "RECORD")), faults("lose", "kill")),
    "a review that stops waiting before it records": Mutant(
        Code(review=swapped(REVIEW, "RECORD", "RELEASE")), faults("kill", number=3)
    ),
}
