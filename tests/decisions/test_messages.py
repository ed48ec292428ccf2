"""The checkers of messages are checked: each planted violation must be caught, what is legitimate must stay clean."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest

from backstay_lab.checkers import messages
from backstay_lab.checkers.history import (
    FAIL,
    OK,
    UNKNOWN,
    Attempt,
    Delivery,
    Execution,
    Request,
    parse_deliveries,
    parse_executions,
    parse_requests,
)

FAULT = 10.0


def published(*ends: float, writer: int = 0, result: str = OK, server: int | None = 1) -> list[Attempt]:
    """Attempts that took 5 ms each; the id is the end in milliseconds, plus the writer."""
    return [Attempt(writer, round(end * 1000) + writer, end - 0.005, end, result, server) for end in ends]


def delivered(*ids: int, session: str = "0.1", redelivered: bool = False, at: float | None = None) -> list[Delivery]:
    """Deliveries 10 ms after the attempt ended, unless `at` says otherwise."""
    return [Delivery("q", one, one / 1000 + 0.01 if at is None else at, redelivered, session) for one in ids]


@dataclass
class Run:
    attempts: list[Attempt]
    deliveries: list[Delivery]

    def judge(self) -> messages.Messages:
        return messages.judge(self.attempts, self.deliveries, FAULT)


@pytest.fixture
def run() -> Run:
    """Two confirmed before the fault, one of unknown end and one that was never sent, two confirmed after."""
    attempts = [*published(9.0, 9.9), *published(10.0, result=UNKNOWN), *published(10.1, result=FAIL, server=None)]
    return Run(attempts + published(10.5, 10.6, server=2), delivered(9000, 9900, 10500, 10600))


def test_a_clean_run_is_clean(run: Run) -> None:
    verdict = run.judge()
    assert verdict.clean
    assert (verdict.confirmed, verdict.failed, verdict.unknown, verdict.repeated) == (4, 1, 1, 0)
    assert verdict.consumer_gap == pytest.approx(0.6)


def test_a_message_of_unknown_end_may_be_there(run: Run) -> None:
    run.deliveries += delivered(10000)
    assert run.judge().clean


def test_a_lost_confirmed_message_is_found(run: Run) -> None:
    run.deliveries.pop(1)
    verdict = run.judge()
    assert verdict.lost == [9900]
    assert not verdict.clean


def test_a_message_that_was_never_sent_but_is_there_is_found(run: Run) -> None:
    run.deliveries += delivered(10100)
    verdict = run.judge()
    assert verdict.phantoms == [10100]
    assert not verdict.clean


def test_a_message_that_nobody_published_is_found(run: Run) -> None:
    run.deliveries += delivered(4711)
    verdict = run.judge()
    assert verdict.phantoms == [4711]
    assert not verdict.clean


@pytest.mark.parametrize(
    ("session", "redelivered", "count"),
    [
        ("0.1", True, 0),  # the broker says so
        ("0.2", False, 0),  # the connection that had it broke, and its acknowledgement with it
        ("drain", False, 0),
        ("0.1", False, 1),  # neither
    ],
)
def test_a_repeat_that_redelivery_does_not_allow_is_found(
    run: Run, session: str, redelivered: bool, count: int
) -> None:
    run.deliveries += delivered(9900, session=session, redelivered=redelivered, at=11.0)
    verdict = run.judge()
    assert len(verdict.duplicates) == count
    assert verdict.clean == (count == 0)
    assert verdict.repeated == 1


def test_the_confirm_gap_is_that_of_the_publisher_that_waited_longest() -> None:
    attempts = published(9.9, 10.2, writer=0) + published(9.8, 11.0, writer=1) + published(9.9, 10.1, writer=2)
    assert messages.confirm_gap(attempts, FAULT) == pytest.approx(1.2)


def test_a_publisher_that_is_never_confirmed_again_waits_for_ever() -> None:
    attempts = published(9.9, 10.2, writer=0) + published(9.8, writer=1) + published(30, writer=1, result=UNKNOWN)
    assert math.isinf(messages.confirm_gap(attempts, FAULT))
    assert math.isinf(messages.confirm_gap([], FAULT))


def test_the_drain_does_not_end_a_consumers_gap(run: Run) -> None:
    run.deliveries = delivered(9000, 9900) + delivered(10500, 10600, session="drain")
    verdict = run.judge()
    assert math.isinf(verdict.consumer_gap)
    assert not verdict.clean


def test_a_queue_that_is_only_drained_has_no_consumers_gap(run: Run) -> None:
    run.deliveries = [one._replace(session="drain") for one in run.deliveries]
    verdict = run.judge()
    assert verdict.consumer_gap == 0
    assert verdict.clean


@pytest.mark.parametrize(
    ("server", "result", "count"),
    [(2, UNKNOWN, 1), (2, FAIL, 1), (2, OK, 0), (1, UNKNOWN, 0)],
)
def test_what_clients_of_other_nodes_noticed_is_found(server: int, result: str, count: int) -> None:
    attempts = published(9.9, server=server) + published(10.1, result=result, server=server)
    assert len(messages.disturbed(attempts, FAULT, lost_server=1)) == count


def test_what_went_wrong_before_the_fault_is_not_its_doing() -> None:
    assert not messages.disturbed(published(9.8, result=FAIL, server=2) + published(9.9, server=2), FAULT, 1)


def requests(**changed: object) -> list[Request]:
    """A call and a cast that went well; `changed` is of the call, or of the cast with kind="cast"."""
    call, cast = Request(1, "call", 1.0, 1.2, OK), Request(2, "cast", 1.0, 1.1, OK)
    return [call, cast._replace(**changed)] if changed.get("kind") == "cast" else [call._replace(**changed), cast]  # type: ignore[arg-type]


DONE = [Execution(1, 1.1, "s1"), Execution(2, 1.1, "s2")]


def test_requests_that_went_well_are_clean() -> None:
    verdict = messages.judge_requests(requests(), DONE)
    assert verdict.clean
    assert (verdict.calls, verdict.casts, verdict.failed) == (1, 1, 0)
    assert verdict.slowest == pytest.approx(0.2)


@pytest.mark.parametrize("executions", [DONE, DONE[1:]])
def test_a_call_may_fail_if_it_says_so_executed_or_not(executions: list[Execution]) -> None:
    verdict = messages.judge_requests(requests(result=FAIL), executions)
    assert verdict.clean
    assert verdict.failed == 1


def test_a_request_may_be_executed_again_and_that_is_counted() -> None:
    verdict = messages.judge_requests(requests(), [*DONE, Execution(2, 1.3, "s2")])
    assert verdict.clean
    assert verdict.executed_again == 1


@pytest.mark.parametrize(
    ("ended", "outage", "finding"),
    [
        (5.0, 2.0, "unrouted"),  # its server went on at 6
        (5.0, math.inf, "vanished"),  # a broker was left, and with it a queue
        (1.5, 2.0, "vanished"),  # before
        (6.5, 2.0, "vanished"),  # the queue was back
        (30.0, 2.0, "vanished"),  # in a longer standstill later, which is not the outage's
    ],
)
def test_a_cast_may_vanish_only_until_its_server_went_on_after_all_brokers_were_lost(
    ended: float, outage: float, finding: str
) -> None:
    times = (1.0, 2.1, 6.0, 6.1, 7.0, 8.0, 40.0, 41.0)
    executions = [Execution(number, at, "s1") for number, at in enumerate(times, start=10)]
    asked = [Request(done.id, "cast", done.at, done.at, OK) for done in executions]
    outages = [messages.Outage(outage, outage)] if math.isfinite(outage) else []
    verdict = messages.judge_requests([*asked, Request(1, "cast", ended, ended, OK)], executions, outages)
    assert getattr(verdict, finding) == [1]
    assert verdict.clean == (finding == "unrouted")


@pytest.mark.parametrize(
    ("asked", "executions", "finding"),
    [
        (requests(ended=None, result=""), DONE, "unanswered"),
        (requests(result="wrong"), DONE, "misanswered"),
        (requests(), DONE[1:], "misanswered"),  # an answer though nobody executed it
        (requests(kind="cast"), DONE[:1], "vanished"),
        (requests(), [*DONE, Execution(3, 1.0, "s1")], "strange"),
    ],
)
def test_what_must_not_be_is_found(asked: list[Request], executions: list[Execution], finding: str) -> None:
    verdict = messages.judge_requests(asked, executions)
    assert len(getattr(verdict, finding)) == 1
    assert not verdict.clean
    whole = messages.judge([], [], FAULT)
    assert whole.clean
    assert not whole._replace(requests=verdict).clean


def test_histories_are_read_from_json_lines() -> None:
    delivery = '{"queue": "q", "id": 7, "at": 1.5, "redelivered": true, "session": "0.1", "server": 2}'
    assert parse_deliveries([delivery]) == [Delivery("q", 7, 1.5, True, "0.1", 2)]
    begun = '{"id": 1, "kind": "call", "begun": 1.0, "ended": null, "result": "", "error": ""}'
    ended = '{"id": 1, "kind": "call", "begun": 1.0, "ended": 1.5, "result": "ok", "error": ""}'
    assert parse_requests([begun]) == [Request(1, "call", 1.0)]
    assert parse_requests([begun, ended]) == [Request(1, "call", 1.0, 1.5, OK)]
    assert parse_executions(['{"id": 1, "at": 1.2, "server": "s1"}']) == [Execution(1, 1.2, "s1")]
