"""The steps and decisions of MySQL with one thing taken out, by name: a search through orders of events must find each."""

from __future__ import annotations

from typing import Any, NamedTuple

from backstay.cluster.overview import Ends
from backstay.services.mysql import election
from backstay.services.mysql.duty_steps import END_SOLO, REVIEW
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


def proven(known: Any, _: Any) -> Any:
    """Without having asked."""
    return known.but(proof="none was asked")


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


def of_whoever_was_alone(me: str, record: Any, mine: Any, reports: Any, admits: bool = True) -> frozenset[str]:
    """Others count from a promotion on although the record before named nobody: one more may acknowledge by then."""
    answered = election.acknowledgers(me, None, mine, reports)
    return election.acknowledgers(me, record, mine, reports) or (answered if record.solo else frozenset())


def told(table: Protocol, name: str, answer: Any) -> Protocol:
    """With something else that follows from a step."""
    return tuple((*row[:3], answer, *row[4:]) if row[0] == name else row for row in table)


def faults(*kinds: str, promotions: int = 1, number: int = 2, alone: bool = False, disks: bool = False) -> Bounds:
    return Bounds(faults=number, promotions=promotions, kinds=frozenset(kinds), alone=alone, disks=disks)


KILLS = faults("kill")
TWICE = faults("kill", promotions=2)
SOLO = faults("kill", number=1, alone=True)
ONE_LEAVES = faults("leave", number=1)

MUTANTS: dict[str, Mutant] = {
    "a candidate need not have what is on record": Mutant(decided(decide=trusting), TWICE),
    "the witnesses' proof without their answers": Mutant(
        weakened("witnesses", lambda i: not i.solo and i.counted), KILLS
    ),
    "the witnesses' proof of one that ran alone": Mutant(
        weakened("witnesses", lambda i: not i.missing and i.vouched), SOLO, True
    ),
    "whoever left the cluster is dead": Mutant(Code(known_end=offline_is_dead), ONE_LEAVES, True),
    "others count after one that ran alone": Mutant(
        decided(acknowledgers=of_whoever_was_alone), faults("kill", promotions=2, alone=True)
    ),
    "a promotion without ASK": Mutant(Code(promotion=told(PROMOTION, "ASK", proven)), faults("kill", number=1), True),
    "a promotion without FETCH": Mutant(
        Code(promotion=told(without(PROMOTION, "FETCH"), "WAIT", lambda known, _: known)),
        faults("kill", number=1),
        True,
    ),
    "a promotion that opens before it records": Mutant(Code(promotion=swapped(PROMOTION, "RECORD", "OPEN")), TWICE),
    "an end of running alone without a look at the others": Mutant(
        Code(end_solo=without(END_SOLO, "CATCH UP")), SOLO, True
    ),
    "an unanswered end of running alone taken as refused": Mutant(
        Code(end_solo=without(END_SOLO, "DOUBT")), faults("record", "kill", alone=True), True
    ),
    "a review without DISMISS": Mutant(Code(review=without(REVIEW, "DISMISS")), KILLS),
    "a review without LOOK AGAIN": Mutant(Code(review=without(REVIEW, "LOOK AGAIN")), KILLS, True),
    "a review without KEEP UP": Mutant(Code(review=without(REVIEW, "KEEP UP")), KILLS, True),
}
