"""No order of events loses an acknowledged row; and each rule is what keeps one from doing so."""

from __future__ import annotations

from typing import Any

import pytest
from orders import Bounds, Rules, Transactions, World, alone, begin, explore

from backstay.cluster.overview import Ends, Overview
from backstay.services.mysql import election

SMALL = Bounds(commits=1, faults=2, depth=9)
REPLACED = Bounds(commits=1, faults=3, depth=8, empty_disks=True)


@pytest.mark.parametrize(
    "bounds",
    [
        SMALL,
        REPLACED,
        pytest.param(Bounds(commits=2, faults=3, promotions=3, depth=12, empty_disks=True), marks=pytest.mark.slow),
    ],
    ids=["small", "replaced", "large"],
)
def test_no_order_of_events_loses_an_acknowledged_row(bounds: Bounds) -> None:
    worlds, story = explore(Rules(), bounds)
    assert story == []
    assert worlds > 1000
    print(f"{worlds} worlds to depth {bounds.depth}")


def trusting(me: str, mine: Any, record: Any, nodes: Any, reports: Any, _: Any, loss: bool) -> Any:
    """An answer is an answer, whatever the record has."""
    return election.decide(me, mine, record, nodes, reports, Transactions(frozenset()), loss)


def unvouched(me: str, mine: Any, record: Any, nodes: Any, reports: Any, promoted_with: Any, loss: bool) -> Any:
    """The candidate's own disk is taken for the one that acknowledged."""
    if record.primary != me and not mine.includes(promoted_with):
        for node, report in reports.items():
            if report.received and report.received.includes(promoted_with):
                return election.Fetch(node, "")
    return election.decide(me, mine, record, nodes, reports, promoted_with, loss)


def offline_is_dead(world: World, name: str) -> Ends:
    return Ends.STOPPED if world.of(name).member else Ends.FENCED


def of_whoever_was_alone(me: str, record: Any, mine: Any, reports: Any) -> frozenset[str]:
    """Others count from a promotion on although the record before named nobody: one more may acknowledge by then."""
    answered = election.acknowledgers(me, None, mine, reports)
    return election.acknowledgers(me, record, mine, reports) or (answered if record.solo else frozenset())


def who_is_seen(overview: Overview, name: str) -> bool:
    return name not in overview.idle


HISTORY = begin(frozenset((1,)))


@pytest.mark.parametrize(
    ("mutant", "bounds", "first"),
    [
        (Rules(decide=trusting), SMALL, None),
        (Rules(decide=trusting), REPLACED, HISTORY),
        (Rules(decide=unvouched), REPLACED, HISTORY),
        (Rules(ended=offline_is_dead), SMALL, None),
        (Rules(may_run=who_is_seen), SMALL, alone()),
        (Rules(acknowledgers=of_whoever_was_alone), SMALL._replace(commits=2), alone()),
        (Rules(begins=False), Bounds(commits=1, faults=3, depth=8, empty_disks=True, always=True), None),
    ],
    ids=["trusting", "empty", "unvouched", "offline", "seen", "eager", "unbegun"],
)
def test_without_a_rule_there_is_an_order_that_loses_one(mutant: Rules, bounds: Bounds, first: World | None) -> None:
    worlds, story = explore(mutant, bounds, first)
    assert story, f"none in {worlds} worlds"
    print(*story, sep="\n")
