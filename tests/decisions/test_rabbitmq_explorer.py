"""No order of events makes two clusters of brokers; and each step and each row of a plan is what keeps one from doing so."""

from __future__ import annotations

import random

import pytest
from rabbitmq_mutants import HARMLESS, MUTANTS

from backstay.ocf.steps import FAILED, FAILURE, UNKNOWN
from backstay.services.rabbitmq.boot_steps import BEGINNING, Disk, Looked, beginning
from backstay.services.rabbitmq.membership_steps import KEEPING
from backstay.services.rabbitmq.record import Record
from backstay_lab.explorer.cli import Search, explored
from backstay_lab.explorer.rabbitmq.story import told, words
from backstay_lab.explorer.rabbitmq.world import BEGINNINGS, Bounds, Code, Rabbitmq
from backstay_lab.explorer.search import NoSuchEvent, heals, replay, search

SAMPLE, RUNS, LONG = 30, 2, 300  # states from which it must heal, tries from each, events of a try


def wrong(code: Code, bounds: Bounds) -> str:
    """What a search finds, or that a state does not heal."""
    world = Rabbitmq(code, bounds)
    found = search(world, 1000, 1200.0, every=7)
    if found.wrong:
        return "\n".join([f"depth {found.depth}: {found.wrong}", *told(world, found.story)])
    assert found.complete
    calm = Rabbitmq(code, bounds._replace(faults=0, admin=True), like=world)
    chance = random.Random(1)  # noqa: S311 - the same each time
    for state in chance.sample(found.sample, min(SAMPLE, len(found.sample))):
        if not any(heals(calm, state, calm.whole, LONG, chance.choice) for _ in range(RUNS)):
            return f"not whole again after {state}"
    return ""


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("faults", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_no_order_of_events_makes_a_second_cluster(beginning: str, faults: int) -> None:
    found, lines = explored(Search(beginning, Bounds(faults, beginning), seconds=1200.0))
    assert lines == [] and found.complete
    print(f"{found.states} states to depth {found.depth}")


@pytest.mark.parametrize(
    "name", [name if one.fast else pytest.param(name, marks=pytest.mark.slow) for name, one in MUTANTS.items()]
)
def test_without_it_there_are_two_clusters_or_none_is_whole(name: str) -> None:
    found = wrong(MUTANTS[name].code, MUTANTS[name].bounds)
    assert found
    print(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS)
def test_without_it_nothing_is_wrong(name: str) -> None:
    """Else the reason that is given is wrong."""
    assert wrong(HARMLESS[name].code, HARMLESS[name].bounds) == ""


# Stories that a search told, and what closed them: decision 55.
IMPATIENT = (
    "start:n2 look-impatient:n2 start:n3 start:n1 record:n1 begin:n1 let-in:n1 record:n2 begin:n2 let-in:n2",
    "record-changed:n2",
)
ANEW = (
    "start:n2 start:n3 start:n1 record:n1 lose:n1 fence:n1 look:n2 back:n1 start:n1 record:n1 begin:n1 let-in:n1"
    " record:n2 begin:n2 let-in:n2",
    "record-changed:n2",
)


@pytest.mark.parametrize(
    ("name", "story", "instead"),
    [("who begins is recorded over another", *IMPATIENT), ("a seed that begins anew leaves no trace", *ANEW)],
)
def test_of_two_that_would_begin_one_finds_the_record_changed(name: str, story: str, instead: str) -> None:
    mutant = MUTANTS[name]
    world = Rabbitmq(mutant.code, mutant.bounds)
    assert world.wrong(replay(world, story.split())[-1][1]) == "two clusters serve: n1 and n2"
    events = story.split()
    with pytest.raises(NoSuchEvent, match=instead):
        replay(Rabbitmq(bounds=mutant.bounds), events)


LEFT_BEFORE_RECORDED = (
    "start:n2 start:n3 start:n1 record:n1 begin:n1 let-in:n1 record:n1 promote:n1 look:n2 join:n2 let-in:n2 leave:n2"
    " back:n2"
)


def test_a_member_that_left_before_it_was_recorded_says_its_name_once_more() -> None:
    bounds = Bounds(1, "nothing")
    for code, there in ((Code(tells_again=False), False), (Code(), True)):
        world = Rabbitmq(code, bounds)
        state = replay(world, LEFT_BEFORE_RECORDED.split())[-1][1]
        calm = Rabbitmq(code, bounds._replace(faults=0, admin=True), like=world)
        chance = random.Random(1)  # noqa: S311
        assert heals(calm, state, calm.whole, LONG, chance.choice) is there


def test_a_story_is_told_event_by_event() -> None:
    world = Rabbitmq(bounds=Bounds(0, "nothing"))
    lines = told(world, ["start:n2", "start:n3", "start:n1", "record:n1"])
    assert lines[-1] == "  4. n1 writes the record: on record: seed=n1 version=1"
    assert words("late-write") == "the write that was late is done"


def test_who_begins_does_it_in_order() -> None:
    steps = beginning("n1", "rabbit@n1", frozenset(), False)
    empty = Record({}, {})
    answers = [False, False, Disk(False), None]
    looked = Looked(empty, frozenset(), {"n2": ("rabbit@n2", "empty", frozenset())}, frozenset(), True)
    for answer in [*answers, looked]:
        steps = steps.told(answer)
    assert steps.next().arguments == (empty, Record({}, {}, "n1", version=1))  # type: ignore[union-attr]
    again = steps.told(False)
    assert again.step == "LOOK" and steps.told(True).step == "LAUNCH"
    assert all(steps.told(answer).next().kind == FAILURE for answer in (FAILED, UNKNOWN))  # type: ignore[union-attr]
    serves = steps.told(True).told(None).told(True)
    assert serves.next().arguments[1] == Record({"n1": "rabbit@n1"}, {}, version=2)  # type: ignore[union-attr]
    assert serves.told(False).step == "END" and serves.told(True).step == "MEMBERS"


def test_each_write_changes_the_record() -> None:
    first = Record.parse("members=n1:rabbit@n1")
    again = first.with_member("n2", "rabbit@n2").following(first)
    assert str(again) == "members=n1:rabbit@n1,n2:rabbit@n2 version=1" and Record.parse(str(again)) == again
    back = again.without("n2", "rabbit@n2").following(again)
    assert back.members == first.members and back.version == 2 and not first.differs({"rabbit@n1"}, set())
    assert first.differs({"rabbit@n1", "rabbit@n2"}, set()) and first.differs({"rabbit@n1"}, {"n1"})


LATE = (
    "tell:n1 promote:n1 start:n3 remove:n3 keep:n1 forget:n1 record-late:n1 keep:n1 record:n1 take-back:n3 start:n3 join:n3"
    " keep:n1 record:n1 let-in:n3"
)


def test_a_write_that_is_late_changes_nothing_that_was_written_since() -> None:
    world = Rabbitmq(bounds=Bounds(1, "replacement"))
    last = replay(world, [*LATE.split(), "late-write-refused"])[-1][1]
    assert set(world.recorded(last).members) == {"n1", "n2", "n3"}


def test_a_world_without_code_of_its_own_runs_the_agents() -> None:
    assert Code().beginning is BEGINNING and Code().keeping is KEEPING
