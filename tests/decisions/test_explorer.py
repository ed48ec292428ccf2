"""No order of events loses an acknowledged row; and each step and each row of a proof is what keeps one from doing so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mutants import HARMLESS, MUTANTS, SWAPPED, TABLES
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.ocf.steps import FAILED, FAILURE, UNKNOWN, Steps, Verb
from backstay.services.mysql import duty_steps
from backstay.services.mysql.election import Report, Round
from backstay.services.mysql.promotion_steps import PROMOTION, Candidate, Recorded
from backstay.services.mysql.record import Record
from backstay_lab.explorer.cli import BEGINNINGS, Search, bounds, explored
from backstay_lab.explorer.mysql.story import told, words
from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.mysql.world import Bounds, Code, Mysql
from backstay_lab.explorer.search import NoSuchEvent, replay, search

FAST_BOUNDS: list[dict[str, Any]] = [
    {"faults": 1},
    {"faults": 1, "promotions": 2},
    {"faults": 1, "degrade": True},
    {"faults": 1, "hands": True},
    {"faults": 1, "commits": 2},
]
SLOW_BOUNDS: list[dict[str, Any]] = [{"faults": 2}, {"faults": 2, "promotions": 2}]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize(
    "limits",
    [*FAST_BOUNDS, *(pytest.param(one, marks=pytest.mark.slow) for one in SLOW_BOUNDS)],
    ids=lambda one: " ".join(f"{name}={value}" for name, value in one.items()),
)
def test_no_order_of_events_loses_an_acknowledged_row(beginning: str, limits: dict[str, Any]) -> None:
    found, lines = explored(Search(beginning, bounds(beginning, limits), seconds=1200.0))
    assert lines == []
    assert found.complete and found.states > 300
    print(f"{found.states} states to depth {found.depth}")


FAST = {name for name, mutant in MUTANTS.items() if mutant.fast}


@pytest.mark.parametrize(
    "name",
    [
        name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
        for name in MUTANTS
        if not MUTANTS[name].story
    ],
)
def test_without_it_an_order_of_events_loses_a_row(name: str) -> None:
    mutant = MUTANTS[name]
    found = search(Mysql(mutant.code, mutant.bounds), 1000, 1200.0)
    assert found.wrong, f"none in {found.states} states to depth {found.depth}"
    print(
        f"depth {found.depth}, {found.states} states: {found.wrong}",
        *told(Mysql(mutant.code, mutant.bounds), found.story),
        sep="\n",
    )


@pytest.mark.parametrize("name", [name for name in MUTANTS if MUTANTS[name].story])
def test_without_it_a_story_loses_a_row(name: str) -> None:
    """With it, the same story cannot be told to its end."""
    mutant = MUTANTS[name]
    world = Mysql(mutant.code, mutant.bounds)
    assert world.wrong(replay(world, mutant.story.split())[-1][1])
    with pytest.raises(NoSuchEvent):
        replay(Mysql(bounds=mutant.bounds), mutant.story.split())


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_without_it_nothing_is_lost(name: str) -> None:
    """Else the reason that is given is wrong."""
    for limits in HARMLESS[name].bounds:
        found = search(Mysql(HARMLESS[name].code, limits), 1000, 1200.0)
        assert found.complete, "\n".join(told(Mysql(HARMLESS[name].code, limits), found.story))


def test_each_order_of_two_steps_was_swapped() -> None:
    neighbours = {(name, one[0], other[0]) for name, table in TABLES.items() for one, other in zip(table, table[1:])}
    assert neighbours == SWAPPED


def test_one_that_starts_while_it_is_dropped_does_not_acknowledge() -> None:
    """It was found by the search: n2 was seen down, started, joined by the record as it still was, acknowledged a row alone, and
    was then taken off the record."""
    world = Mysql(bounds=Bounds(faults=2, promotions=1))
    story = ["review:n1", "kill:n2", "overview:n1", "record:n1", "start:n2", "join:n2"]
    before, after = (replay(world, story)[-number][1] for number in (2, 1))
    assert world.recorded(after).leaving == {"n2"}
    assert after[0][1][:7] == (0, 0, 1, 0, 1, 1, 0)  # connected, and it does not acknowledge
    assert before[0][1][2] == 1


@pytest.mark.parametrize("beginning", ["healthy", pytest.param("alone", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["", "a promotion without ASK", "whoever left the cluster is dead"])
def test_nothing_wrong_comes_of_a_state_that_is_over(beginning: str, name: str) -> None:
    """Whatever can happen next is over as well, and not wrong. So nothing is lost where the search does not go on."""
    code = MUTANTS[name].code if name else Code()
    world = Mysql(code, bounds(beginning, {"faults": 1}))
    seen = level = {world.begin()}
    over = 0
    while level:
        following = set()
        for state in level:
            after = {one for _, one in world.events(state)}
            if world.over(state):
                over += 1
                assert all(world.over(one) and not world.wrong(one) for one in after), state
            following |= after
        level = following - seen
        seen = seen | level
    assert over > len(seen) / 4


def test_a_story_is_told_event_by_event() -> None:
    story = ["commit:n1", "receive:n2", "lose:n1", "fence:n1", "promote:n3"]
    world = Mysql(bounds=Bounds(faults=1))
    lines = told(world, story)
    assert lines[1] == "  2. n2 receives the next row: row 0 is acknowledged"
    assert words("ask-mute-n2:n3") == "n3 asks the witnesses (mute n2)"
    with pytest.raises(NoSuchEvent):
        told(world, ["promote:n2"])


def test_the_verdict_changes_with_a_step_of_the_code_and_nothing_else(tmp_path: Path) -> None:
    """In a copy of the code one question is taken out of a step. The explorer is the same."""
    shutil.copytree(CHECKOUT / "lib", tmp_path / "lib")
    steps = tmp_path / "lib/backstay/services/mysql/promotion_steps.py"
    text, question = steps.read_text(), "if record is None or not known.missed or "
    assert text.count(question) == 1
    steps.write_text(text.replace(question, "if True or "))
    for library, status in ((CHECKOUT / "lib", 0), (tmp_path / "lib", 1)):
        command = "from backstay_lab.explorer.cli import command; command()"
        argv = [sys.executable, "-c", command, "--faults=1", "--promotions=1", "--beginning=healthy"]
        path = os.pathsep.join([str(library), str(CHECKOUT / "lab")])
        done = subprocess.run(argv, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr


def test_steps_are_values() -> None:
    one, other = (Steps(PROMOTION, Candidate("n2", False)) for _ in range(2))
    assert one == other and hash(one) == hash(other) and len({one, other}) == 1
    assert one.next() == Verb("read", ())
    record = Record(1, "n1", "", ["n2", "n3"], False)
    further = one.told(Recorded(record, Rows(0), ()))
    assert further.step == "PRESENT" and further != one
    assert one.step == "READ"  # told changes nothing
    with pytest.raises(AttributeError):
        one.known.me = "n3"  # type: ignore[attr-defined]


def test_what_an_earlier_round_brought_counts_no_more() -> None:
    """A candidate that waited for a witness asks all of them again, as if for the first time."""
    record = Record(1, "n1", "", ["n2", "n3"], False)
    asks = Steps(PROMOTION, Candidate("n2", False))
    for answer in (Recorded(record, Rows(0), ()), frozenset(("n2", "n3")), "", Rows(0), "", frozenset()):
        asks = asks.told(answer)
    waits = [asks.told(Round({"n3": Report(None, why=why)})) for why in ("gives no answer", "starts")]
    assert [one.step for one in waits] == ["WAIT", "WAIT"] and waits[0] != waits[1]
    again = [one.told(0.1) for one in waits]
    assert again[0].step == "MEMBERS" and again[0] == again[1]


@pytest.mark.parametrize("answer", [FAILED, UNKNOWN])
def test_a_step_that_fails_or_is_not_answered_ends_its_protocol(answer: object) -> None:
    assert Steps(PROMOTION, Candidate("n2", False)).told(answer).next().kind == FAILURE  # type: ignore[union-attr]


def test_doubt_is_noted_before_each_write_of_the_record() -> None:
    for table in (duty_steps.ADMISSION, duty_steps.BEGINNING, duty_steps.END_SOLO, duty_steps.REVIEW):
        verbs = [row[1] for row in table]
        assert all(verbs[number - 1] == "doubt" for number, verb in enumerate(verbs) if verb == "record")


def test_a_world_without_code_of_its_own_runs_the_agents() -> None:
    assert Code().promotion is PROMOTION and Code().review is duty_steps.REVIEW
