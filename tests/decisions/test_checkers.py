"""The checkers are checked: each planted violation must be caught, and a clean history must stay clean."""

from __future__ import annotations

import math

import pymysql
import pytest

from backstay_lab.checkers import writes
from backstay_lab.checkers.history import FAIL, OK, UNKNOWN, WRONG, Attempt, Sample, parse_attempts, parse_samples
from backstay_lab.clients.ledger import classify


def acks(server: int, *ends: float, result: str = OK) -> list[Attempt]:
    """Attempts that took 5 ms each; the id is the end in milliseconds."""
    return [Attempt(0, round(end * 1000), end - 0.005, end, result, server) for end in ends]


def ids(attempts: list[Attempt]) -> set[int]:
    return {attempt.id for attempt in attempts}


FAILOVER = acks(1, 1.0, 1.1, 1.2) + acks(1, 1.3, result=UNKNOWN) + acks(2, 1.4, result=FAIL) + acks(2, 3.0, 3.1)
FAULT = 1.25
STORED = ids([attempt for attempt in FAILOVER if attempt.result == OK])


def test_a_clean_failover_is_clean() -> None:
    verdict = writes.judge(FAILOVER, [], STORED, moves=1)
    assert verdict.clean
    assert (verdict.acknowledged, verdict.failed, verdict.unknown) == (5, 1, 1)


@pytest.mark.parametrize("present", [STORED | {1300}, STORED])
def test_an_attempt_of_unknown_end_may_be_there_or_not(present: set[int]) -> None:
    assert writes.judge(FAILOVER, [], present, moves=1).clean


def test_a_lost_row_is_found() -> None:
    verdict = writes.judge(FAILOVER, [], STORED - {1100}, moves=1)
    assert verdict.lost == [1100]
    assert not verdict.clean


def test_a_refused_row_that_is_there_is_found() -> None:
    verdict = writes.judge(FAILOVER, [], STORED | {1400}, moves=1)
    assert verdict.phantoms == [1400]
    assert not verdict.clean


@pytest.mark.parametrize(
    ("begun", "ended", "count"),
    [
        (1.00, 1.01, 0),  # over before the other begins
        (1.00, 1.05, 1),  # ends while the other is asked
        (1.04, 1.05, 1),  # within the other
        (1.05, 1.20, 1),  # begins within the other
        (1.07, 1.08, 0),  # after it
    ],
)
def test_two_servers_writable_in_overlapping_samples_are_found(begun: float, ended: float, count: int) -> None:
    samples = [Sample("n1", 1.03, 1.06, True), Sample("n2", begun, ended, True), Sample("n3", 1.0, 2.0, False)]
    assert len(writes.both_writable(samples)) == count


def test_a_server_may_be_writable_in_overlapping_samples_of_itself_and_unknown_is_not_writable() -> None:
    assert not writes.both_writable([Sample("n1", 1, 3, True), Sample("n1", 2, 4, True), Sample("n2", 1, 4, None)])


def test_a_long_sample_is_compared_with_all_that_it_overlaps() -> None:
    samples = [Sample("n1", 1.0, 9.0, True), Sample("n2", 2.0, 2.1, False), Sample("n2", 8.0, 8.1, True)]
    assert len(writes.both_writable(samples)) == 1


@pytest.mark.parametrize(
    ("history", "moves", "guilty"),
    [
        (acks(1, 1.0, 1.1) + acks(2, 2.0), 1, set()),
        (acks(1, 1.0, 1.1) + acks(2, 2.0), 0, {2000}),  # nothing was meant to move
        (acks(1, 1.0) + acks(2, 2.0) + acks(1, 2.1), 1, {2100}),  # the old one after the new one's first
        (acks(1, 1.0, 2.1) + acks(2, 2.0, 2.2), 1, {2100, 2200}),  # both at once
        (acks(1, 1.0) + acks(2, 2.0) + acks(1, 3.0), 2, {3000}),  # as many moves, and not in order
        (acks(1, 1.0) + acks(2, 2.0) + acks(1, 3.0) + acks(2, 4.0), 3, {3000, 4000}),
        (acks(1, 1.0) + acks(2, 2.0) + acks(11, 3.0), 2, set()),  # the first was started anew in between
    ],
)
def test_acknowledgements_by_a_deposed_server_are_found(history: list[Attempt], moves: int, guilty: set[int]) -> None:
    assert ids(writes.deposed(history, moves)) == guilty


def test_the_gap_runs_from_the_last_acknowledgement_before_the_fault_to_the_first_after() -> None:
    assert writes.write_gap(FAILOVER, FAULT) == writes.Gap(1.2, 3.0)


def test_an_acknowledgement_in_flight_at_the_fault_does_not_end_the_gap() -> None:
    assert writes.write_gap(acks(1, 1.0, 1.26) + acks(2, 3.0), FAULT) == writes.Gap(1.26, 3.0)


def test_a_pause_before_the_fault_is_no_gap_of_the_fault() -> None:
    assert writes.write_gap(acks(1, 0.1, 1.2) + acks(2, 1.5, 1.6), FAULT).seconds == pytest.approx(0.3)


@pytest.mark.parametrize(
    "history",
    [
        [],
        acks(1, 1.0, 1.2) + acks(2, 9.0, result=FAIL),
        acks(1, 1.0, 1.2, 1.26) + acks(2, 9.0, result=UNKNOWN),
    ],
)
def test_writes_that_never_resume_are_an_endless_gap(history: list[Attempt]) -> None:
    assert math.isinf(writes.write_gap(history, FAULT).seconds)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (pymysql.err.OperationalError(1290, "--read-only"), FAIL),
        (pymysql.err.IntegrityError(1062, "duplicate"), FAIL),
        (pymysql.err.OperationalError(1053, "shutdown in progress"), UNKNOWN),
        (pymysql.err.OperationalError(2013, "lost connection"), UNKNOWN),
        (pymysql.err.InterfaceError(0, ""), UNKNOWN),
        (TimeoutError(), UNKNOWN),
    ],
)
def test_only_what_the_server_reported_counts_as_refused(error: Exception, result: str) -> None:
    assert classify(error) == result


def test_histories_are_read_from_json_lines_in_order() -> None:
    later = '{"writer": 1, "id": 8, "begun": 2.0, "ended": 2.5, "result": "fail", "server": null, "error": "no"}'
    sooner = '{"writer": 0, "id": 7, "begun": 1.0, "ended": 1.5, "result": "ok", "server": 3, "error": ""}'
    assert [attempt.id for attempt in parse_attempts([later, "", sooner])] == [7, 8]
    [sample] = parse_samples(['{"node": "n1", "begun": 1.0, "ended": 1.1, "writable": null}'])
    assert sample == Sample("n1", 1.0, 1.1, None)
    with pytest.raises(ValueError, match="Expecting"):
        parse_attempts(['{"writer":'])


def test_what_a_silenced_server_acknowledges_is_found() -> None:
    late = acks(1, 1.25, 1.3)  # begun 5 ms before they ended
    assert writes.unsilenced(FAILOVER + late, server=1, since=1.247) == late[1:]
    assert writes.unsilenced(FAILOVER, server=1, since=FAULT) == []


def test_new_connections_that_fail_are_counted_apart_from_kept_ones_that_break() -> None:
    new = [Attempt(0, number, 1.0, 1.1, result) for number, result in enumerate([OK, FAIL, UNKNOWN, OK])]
    kept = [Attempt(1, number, 1.0, 1.1, result) for number, result in enumerate([OK, UNKNOWN, FAIL, FAIL, OK], 10)]
    found = writes.judge_connections(new + kept)
    assert (found.acknowledged, found.dropped, found.broken, found.clean) == (4, 2, 1, True)
    mistaken = writes.judge_connections([*new, Attempt(0, 7, 1.0, 1.1, WRONG)])
    assert (mistaken.dropped, mistaken.wrong, mistaken.clean) == (2, [7], False)
