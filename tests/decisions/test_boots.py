"""The checker of the boot flow is checked: each planted violation must be caught, what is legitimate must stay clean."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from backstay_lab.checkers import boots
from backstay_lab.checkers.boots import ACTIVE, BUILDING, ERROR, FAILED
from backstay_lab.checkers.history import FAIL, OK, Boot, Final, Instance, parse_boots, parse_finals
from backstay_lab.checkers.messages import Outage
from backstay_lab.systems.openstack.workload import BootLoad


def active(number: int) -> tuple[Boot, Final, Instance]:
    """A boot that went well, as all three saw it."""
    begun = float(number)
    return (
        Boot(number, number % 4, begun, begun + 0.02, begun + 0.3, ACTIVE),
        Final(number, begun + 0.1, ACTIVE, "compute1"),
        Instance(number, ACTIVE, (ACTIVE,)),
    )


@dataclass
class Run:
    """What the callers, the workers and the database say, by the instance's id."""

    boots: dict[int, Boot] = field(default_factory=dict)
    finals: list[Final] = field(default_factory=list)
    rows: dict[int, Instance] = field(default_factory=dict)

    def judge(self) -> boots.Boots:
        return boots.judge(list(self.boots.values()), self.finals, list(self.rows.values()))


@pytest.fixture
def run() -> Run:
    """Boots 1 to 5 went well."""
    made = Run()
    for number in range(1, 6):
        made.boots[number], final, made.rows[number] = active(number)
        made.finals.append(final)
    return made


def findings(verdict: boots.Boots) -> dict[str, list[int]]:
    """The lists that are not empty."""
    names = ("lost", "twice", "torn", "unended", "unseen", "strange")
    return {name: list(getattr(verdict, name)) for name in names if getattr(verdict, name)}


def test_a_clean_run_is_clean(run: Run) -> None:
    verdict = run.judge()
    assert verdict.clean
    assert (verdict.accepted, verdict.failed, verdict.in_error) == (5, 0, 0)
    assert verdict.slowest == pytest.approx(0.3)


def test_an_instance_may_end_in_error(run: Run) -> None:
    run.boots[3] = run.boots[3]._replace(state=ERROR)
    run.finals[2] = run.finals[2]._replace(state=ERROR, worker="scheduler")
    run.rows[3] = Instance(3, ERROR, (ERROR,))
    verdict = run.judge()
    assert verdict.clean
    assert verdict.in_error == 1


def test_a_commit_without_an_answer_is_found_done_and_noted_by_nobody(run: Run) -> None:
    del run.finals[2]
    assert run.judge().clean


@pytest.mark.parametrize("row", [None, Instance(9, BUILDING), Instance(9, ACTIVE, (ACTIVE,))])
def test_what_was_reported_as_failed_may_be_there_or_not(run: Run, row: Instance | None) -> None:
    run.boots[9] = Boot(9, 1, 9.0, None, 9.5, FAILED, "MessageDeliveryFailure()")
    if row:
        run.rows[9] = row
    verdict = run.judge()
    assert verdict.clean
    assert verdict.failed == 1


def test_an_accepted_boot_whose_row_is_gone_is_found(run: Run) -> None:
    del run.rows[3], run.finals[2]
    assert findings(run.judge()) == {"lost": [3]}


def test_an_accepted_boot_without_a_final_state_is_found(run: Run) -> None:
    run.rows[3] = Instance(3, BUILDING)
    run.boots[3] = run.boots[3]._replace(ended=None, state="")
    del run.finals[2]
    assert findings(run.judge()) == {"lost": [3], "unseen": [3]}


OUTAGE = Outage(2.5, 2.5)  # the second boot was done before, the workers go on with the fifth


@pytest.mark.parametrize(
    ("accepted", "row", "excused"),
    [
        (3.0, Instance(3, BUILDING), True),
        (1.0, Instance(3, BUILDING), True),  # under way when all brokers were lost
        (0.1, Instance(3, BUILDING), False),  # long before
        (6.0, Instance(3, BUILDING), False),  # long after
        (3.0, None, False),  # the database lost it
        (3.0, Instance(3, ACTIVE), False),  # something was done
    ],
)
def test_what_was_cast_while_no_queue_was_up_is_told_apart(
    run: Run, accepted: float, row: Instance | None, excused: bool
) -> None:
    del run.boots[4], run.rows[4], run.rows[3], run.finals[2:4]  # from 2.1 to 5.1 nothing was done
    run.boots[3] = run.boots[3]._replace(accepted=accepted, ended=None, state="")
    if row:
        run.rows[3] = row
    run.finals = [final._replace(worker="compute1") for final in run.finals]
    verdict = boots.judge(list(run.boots.values()), run.finals, list(run.rows.values()), [OUTAGE])
    assert verdict.clean is excused
    assert list(verdict.unrouted) == ([3] if excused else [])
    assert not run.judge().clean  # without an outage nothing is excused


def test_a_boot_that_vanishes_in_a_longer_standstill_later_is_not_excused(run: Run) -> None:
    del run.boots[4], run.rows[4], run.finals[2:4]
    run.boots[3] = run.boots[3]._replace(accepted=30.0, ended=None, state="")
    run.rows[3] = Instance(3, BUILDING)
    run.boots[9], final, run.rows[9] = active(9)
    run.finals = [one._replace(worker="compute1") for one in (*run.finals, final._replace(at=60.0))]
    verdict = boots.judge(list(run.boots.values()), run.finals, list(run.rows.values()), [OUTAGE])
    assert list(verdict.unrouted) == [] and list(verdict.lost) == [3]


def test_a_final_state_that_was_acknowledged_and_is_gone_is_found(run: Run) -> None:
    run.rows[3] = Instance(3, BUILDING)
    assert findings(run.judge()) == {"lost": [3]}


def test_a_final_state_that_was_done_again_after_a_loss_is_found(run: Run) -> None:
    run.finals.append(Final(3, 4.0, ACTIVE, "compute2"))
    assert findings(run.judge()) == {"twice": [3]}


def test_two_final_states_in_the_log_are_found(run: Run) -> None:
    run.rows[3] = Instance(3, ACTIVE, (ACTIVE, ACTIVE))
    assert findings(run.judge()) == {"twice": [3]}


@pytest.mark.parametrize("who", ["caller", "worker", "log"])
def test_two_different_final_states_are_found_whoever_saw_the_other(run: Run, who: str) -> None:
    if who == "caller":
        run.boots[3] = run.boots[3]._replace(state=ERROR)
    elif who == "worker":
        run.finals.append(Final(3, 4.0, ERROR, "scheduler"))
        run.rows[3] = Instance(3, ACTIVE, (ERROR, ACTIVE))
    else:
        run.rows[3] = Instance(3, ACTIVE, (ERROR,))
        del run.finals[2]
    assert findings(run.judge()) == {"twice": [3]}


@pytest.mark.parametrize("row", [Instance(3, ACTIVE), Instance(3, BUILDING, (ACTIVE,))])
def test_a_row_and_a_log_that_contradict_each_other_are_found(run: Run, row: Instance) -> None:
    run.rows[3] = row
    del run.finals[2]
    assert findings(run.judge())["torn"] == [3]


def test_a_boot_that_was_neither_accepted_nor_refused_is_found(run: Run) -> None:
    run.boots[9] = Boot(9, 1, 9.0)
    assert findings(run.judge()) == {"unended": [9]}


def test_a_caller_that_never_saw_the_end_is_found(run: Run) -> None:
    run.boots[3] = run.boots[3]._replace(ended=None, state="")
    assert findings(run.judge()) == {"unseen": [3]}


def test_an_instance_that_nobody_asked_for_is_found(run: Run) -> None:
    _, final, run.rows[7] = active(7)
    run.finals.append(final)
    assert findings(run.judge()) == {"strange": [7]}


def test_copies_that_differ_are_not_clean(run: Run) -> None:
    verdict = run.judge()._replace(copies_differ=["n2"])
    assert not verdict.clean
    assert "rows differ on n2" in str(verdict)


def test_histories_are_read_from_json_lines_and_the_last_word_on_a_boot_counts() -> None:
    begun = '{"id": 7, "caller": 1, "begun": 1.0, "accepted": null, "ended": null, "state": "", "error": ""}'
    accepted = begun.replace('"accepted": null', '"accepted": 1.1')
    ended = accepted.replace('"ended": null, "state": ""', '"ended": 1.5, "state": "active"')
    assert parse_boots([begun]) == [Boot(7, 1, 1.0)]
    assert parse_boots([begun, accepted, ended]) == [Boot(7, 1, 1.0, 1.1, 1.5, ACTIVE)]
    assert parse_finals(['{"id": 7, "at": 1.2, "state": "active", "worker": "compute1"}']) == [
        Final(7, 1.2, ACTIVE, "compute1")
    ]


def test_a_boot_is_acknowledged_when_its_caller_has_seen_it_active() -> None:
    line = '{{"id": {}, "caller": 1, "begun": 1.0, "accepted": 1.1, "ended": {}, "state": "{}", "error": ""}}'
    lines = [line.format(1, 1.9, ACTIVE), line.format(2, 1.5, ERROR), line.format(3, "null", "")]
    assert [(one.id, one.ended, one.result) for one in BootLoad([]).attempts_of(lines)] == [
        (2, 1.5, FAIL),
        (1, 1.9, OK),
    ]
