"""No order of events loses an acknowledged row; and each step and each row of a proof is what keeps one from doing so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mutants import MUTANTS
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.ocf.steps import FAILED, FAILURE, UNKNOWN, Steps, Verb
from backstay.services.mysql import duty_steps
from backstay.services.mysql.promotion_steps import PROMOTION, Candidate, Recorded
from backstay.services.mysql.record import Record
from backstay_lab.explorer.cli import explored
from backstay_lab.explorer.mysql.story import told, words
from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.mysql.world import Bounds, Code, Mysql
from backstay_lab.explorer.search import NoSuchEvent, replay, search

LIMITS = {"faults": 1, "promotions": 1, "commits": 1, "nodes": 3, "degrade": False, "disks": False}


def limits(**changes: object) -> dict[str, object]:
    return {**LIMITS, **changes}


@pytest.mark.parametrize(
    ("beginning", "bound"),
    [
        ("healthy", limits()),
        ("healthy", limits(degrade=True)),
        pytest.param("alone", limits(), marks=pytest.mark.slow),
        pytest.param("healthy", limits(faults=2), marks=pytest.mark.slow),
        pytest.param("alone", limits(faults=2), marks=pytest.mark.slow),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(f"{n}={v}" for n, v in one.items() if v != LIMITS[n]),
)
def test_no_order_of_events_loses_an_acknowledged_row(beginning: str, bound: dict[str, object]) -> None:
    found, lines = explored(beginning, 1000, 1200.0, bound)
    assert lines == []
    assert found.complete and found.states > 1000
    print(f"{found.states} states to depth {found.depth}")


FAST = {name for name, mutant in MUTANTS.items() if mutant.fast}


@pytest.mark.parametrize(
    "name", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in MUTANTS]
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


def test_one_that_starts_while_it_is_dropped_does_not_acknowledge() -> None:
    """It was found by the search: n2 was seen down, started, joined by the record as it still was, acknowledged a row alone, and
    was then taken off the record."""
    world = Mysql(bounds=Bounds(faults=2, promotions=1))
    story = ["review:n1", "kill:n2", "overview:n1", "record:n1", "start:n2", "join:n2"]
    before, after = (replay(world, story)[-number][1] for number in (2, 1))
    assert world.recorded(after).leaving == {"n2"}
    assert after[0][1][:7] == (0, 0, 1, 0, 1, 1, 0)  # connected, and it does not acknowledge
    assert before[0][1][2] == 1


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
    assert further.step == "ERRANT" and further != one
    assert one.step == "READ"  # told changes nothing
    with pytest.raises(AttributeError):
        one.known.me = "n3"  # type: ignore[attr-defined]


@pytest.mark.parametrize("answer", [FAILED, UNKNOWN])
def test_a_step_that_fails_or_is_not_answered_ends_its_protocol(answer: object) -> None:
    assert Steps(PROMOTION, Candidate("n2", False)).told(answer).next().kind == FAILURE  # type: ignore[union-attr]


def test_doubt_is_noted_before_each_write_of_the_record() -> None:
    for table in (duty_steps.ADMISSION, duty_steps.BEGINNING, duty_steps.END_SOLO, duty_steps.REVIEW):
        verbs = [row[1] for row in table]
        assert all(verbs[number - 1] == "doubt" for number, verb in enumerate(verbs) if verb == "record")


def test_a_world_without_code_of_its_own_runs_the_agents() -> None:
    assert Code().promotion is PROMOTION and Code().review is duty_steps.REVIEW
