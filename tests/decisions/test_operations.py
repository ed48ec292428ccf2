"""What an application's operations came to: which count, for which fault, as what kind of failure."""

from __future__ import annotations

import json
import math

import pytest

from backstay_lab.checkers.history import Operation, Request, parse_operations, parse_requests
from backstay_lab.checkers.operations import Operations, by_fault, count, kind, of_requests, total


def quick(*times: float) -> list[Operation]:
    """Done within a hundredth of a second each."""
    return [Operation(number, at, at + 0.01) for number, at in enumerate(times)]


# -- which count ------------------------------------------------------------------------------------------------------


def test_an_operation_that_failed_is_counted_by_its_kind() -> None:
    failed = [Operation(10, 5.1, 5.3, "2003"), Operation(11, 5.2, 5.21, "1290"), Operation(12, 5.4, 5.41, "2003")]
    found = count([*quick(5.0, 5.5), *failed], 4.0, 9.0)
    assert (found.done, found.failed) == (2, 3)
    assert found.errors == {"2003": 2, "1290": 1}
    assert found.longest == pytest.approx(0.2)


def test_one_that_never_returned_failed_and_is_as_long_as_the_run() -> None:
    found = count([*quick(4.1, 4.2), Operation(10, 4.5)], 4.0, 9.0)
    assert (found.done, found.failed, found.errors) == (2, 1, {"no end": 1})
    assert found.longest == pytest.approx(4.5)


def test_one_that_began_before_the_fault_counts_by_its_end() -> None:
    crossing, before = Operation(10, 3.9, 4.6, "2013"), Operation(11, 3.0, 3.99, "2013")
    found = count([crossing, before], 4.0, 9.0)
    assert (found.failed, found.longest) == (1, pytest.approx(0.7))


def test_one_that_was_stuck_when_the_fault_came_is_not_forgotten() -> None:
    assert count([Operation(10, 1.0)], 4.0, 9.0).failed == 1


def test_the_longest_is_one_that_was_done_too() -> None:
    assert count([Operation(10, 4.1, 7.1), Operation(11, 4.2, 4.3, "2003")], 4.0, 9.0).longest == pytest.approx(3.0)


def test_nothing_at_all_is_told_as_nothing() -> None:
    assert count([], 4.0, 9.0) == Operations(0, 0, 0.0, {})
    assert math.isfinite(count([], 4.0, 9.0).longest)


# -- several faults ---------------------------------------------------------------------------------------------------


def test_each_fault_has_what_ended_until_the_next_one() -> None:
    operations = [Operation(1, 0.5, 0.6, "early"), Operation(2, 4.1, 4.2, "2003"), Operation(3, 6.9, 7.1, "2013")]
    first, second = by_fault([*operations, *quick(5.0, 8.0)], [4.0, 7.0], 9.0)
    assert (first.errors, first.done) == ({"2003": 1}, 1)
    assert (second.errors, second.done) == ({"2013": 1}, 1)


@pytest.mark.parametrize(("begun", "guilty"), [(3.99, 0), (4.5, 0), (6.5, 1), (7.2, 1), (1.0, 0)])
def test_one_that_never_returned_belongs_to_the_fault_that_caught_it(begun: float, guilty: int) -> None:
    found = by_fault([Operation(1, begun)], [4.0, 7.0], 9.0)
    assert [one.failed for one in found] == [int(place == guilty) for place in (0, 1)]


def test_clients_are_added_up_and_none_is_no_count() -> None:
    both = total([Operations(5, 2, 0.3, {"2003": 2}), Operations(1, 3, 0.2, {"2003": 1, "MessagingTimeout": 2})])
    assert both == Operations(6, 5, 0.3, {"2003": 3, "MessagingTimeout": 2})
    assert total([]) is None


# -- what the clients note --------------------------------------------------------------------------------------------


def test_of_the_two_lines_of_an_operation_the_last_one_holds() -> None:
    begun = [{"id": number, "begun": 1.0 + number, "ended": None, "error": ""} for number in range(3)]
    ended = [{**begun[0], "ended": 1.5}, {**begun[1], "ended": 2.5, "error": "1290"}]
    found = parse_operations([json.dumps(line) for line in (*begun, *ended)])
    assert [(one.ended, one.error) for one in found] == [(1.5, ""), (2.5, "1290"), (None, "")]


def test_requests_are_operations_whose_driver_reported_an_error_or_gave_a_wrong_answer() -> None:
    requests = [
        Request(1, "call", 1.0, 1.1, "ok"),
        Request(2, "call", 1.0, 11.0, "fail", "MessagingTimeout('No reply in 10 s')"),
        Request(3, "call", 1.0, 1.2, "wrong"),
        Request(4, "cast", 1.0),
    ]
    lines = [json.dumps(one._asdict()) for one in requests]
    assert [one.error for one in of_requests(parse_requests(lines))] == ["", "MessagingTimeout", "wrong answer", ""]
    assert count(of_requests(requests), 0.5, 20.0).errors == {"MessagingTimeout": 1, "wrong answer": 1, "no end": 1}


class Wrapped(Exception):
    """As SQLAlchemy and oslo.db wrap what a driver raises."""

    def __init__(self, inner: BaseException | None = None, orig: BaseException | None = None) -> None:
        super().__init__("(pymysql.err.OperationalError) and what else they say")
        self.inner_exception, self.orig = inner, orig


def refused() -> Exception:
    error = Exception(2003, "Can't connect to MySQL server on '10.77.0.100'")
    error.original_exception = ConnectionRefusedError(111, "refused")  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception(1290, "read-only"), "1290"),
        (Wrapped(orig=Exception(2013, "lost")), "2013"),
        (Wrapped(inner=Wrapped(orig=Exception(2013, "lost"))), "2013"),
        (Wrapped(inner=Wrapped(orig=refused())), "2003 ConnectionRefusedError"),
        (Wrapped(), "Wrapped"),
        (TimeoutError("QueuePool limit reached"), "TimeoutError"),
        (ConnectionResetError(104, "reset"), "ConnectionResetError"),
        (Exception(), "Exception"),
    ],
)
def test_an_errors_kind_is_its_number_where_it_has_one(error: Exception, told: str) -> None:
    assert kind(error) == told
