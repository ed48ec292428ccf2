"""The checker of real nova is checked: what stays in BUILD is caught, wherever it is, and so is an error without a reason."""

from __future__ import annotations

import json

import pytest

from backstay_lab.checkers import builds
from backstay_lab.checkers.boots import ACTIVE, BUILDING, ERROR, FAILED
from backstay_lab.checkers.builds import Server
from backstay_lab.checkers.history import Boot, Operation

BOOTS = {number: Boot(number, 0, float(number), number + 0.5, number + 3.0, ACTIVE) for number in range(1, 5)}
SERVERS = {number: Server(number, "cell1", ACTIVE, "compute1") for number in BOOTS}
NO_HOST = "No valid host was found."


def judged(boots: dict[int, Boot] | None = None, servers: dict[int, list[Server]] | None = None) -> builds.Builds:
    """Boots 1 to 4 went well, but for these."""
    rows = {number: [server] for number, server in SERVERS.items()} | (servers or {})
    return builds.judge([*(BOOTS | (boots or {})).values()], [one for row in rows.values() for one in row])


def findings(verdict: builds.Builds) -> dict[str, list[int]]:
    names = ("lost", "twice", "unended", "strange", "unexplained", "late")
    return {name: list(getattr(verdict, name)) for name in names if getattr(verdict, name)}


def test_a_clean_run_is_clean() -> None:
    verdict = judged()
    assert verdict.clean and findings(verdict) == {}
    assert (verdict.accepted, verdict.failed, verdict.in_error, verdict.slowest) == (4, 0, 0, pytest.approx(3.0))


UNSEEN = BOOTS[3]._replace(ended=None, state="")
STUCK = {
    "in no cell": [Server(3, "", BUILDING)],
    "in a cell, no host, scheduling": [Server(3, "cell1", BUILDING, task="scheduling")],
    "in a cell, on compute1, spawning": [Server(3, "cell1", BUILDING, "compute1", "spawning")],
    "nowhere": [],
}


@pytest.mark.parametrize("place", STUCK)
def test_an_accepted_boot_that_stays_in_build_is_lost_and_it_is_told_where_it_is(place: str) -> None:
    verdict = judged({3: UNSEEN}, {3: STUCK[place]})
    assert not verdict.clean
    assert findings(verdict) == {"lost": [3]}
    assert verdict.stuck == [f"1 {place}"] and f"1 stay in BUILD (1 {place})" in str(verdict)


def test_what_nova_gave_up_after_its_caller_did_is_late_and_wants_a_reason_too() -> None:
    expired = Server(3, "cell1", ERROR, "compute1")
    assert findings(judged({3: UNSEEN}, {3: [expired]})) == {"unexplained": [3], "late": [3]}
    verdict = judged({3: UNSEEN}, {3: [expired._replace(reason="Build timed out")]})
    assert verdict.clean and findings(verdict) == {"late": [3]} and verdict.in_error == 1


@pytest.mark.parametrize(("read", "recorded"), [(NO_HOST, ""), ("", NO_HOST), ("", "")])
def test_an_error_has_a_reason_for_its_caller_or_on_record(read: str, recorded: str) -> None:
    failed = BOOTS[2]._replace(state=ERROR, error=read)
    verdict = judged({2: failed}, {2: [Server(2, "cell0", ERROR, reason=recorded)]})
    assert findings(verdict) == ({} if read or recorded else {"unexplained": [2]})
    assert verdict.in_error == 1


@pytest.mark.parametrize("left", [[], [Server(9, "", BUILDING)], [Server(9, "cell1", ACTIVE, "compute1")]])
def test_what_was_refused_may_be_there_or_not(left: list[Server]) -> None:
    verdict = judged({9: Boot(9, 0, 9.0, None, 9.2, FAILED, "HTTP 500")}, {9: left})
    assert verdict.clean and verdict.failed == 1


def test_a_stored_request_may_outlive_its_server_for_a_moment() -> None:
    assert findings(judged(servers={2: [SERVERS[2], Server(2, "", BUILDING)]})) == {}


def test_a_boot_in_both_cells_ended_twice() -> None:
    both = [SERVERS[2], Server(2, "cell0", ERROR, reason=NO_HOST)]
    assert findings(judged(servers={2: both})) == {"twice": [2]}


def test_a_caller_that_read_active_of_a_server_in_error_saw_two_ends() -> None:
    assert findings(judged(servers={2: [Server(2, "cell1", ERROR, reason="lost")]})) == {"twice": [2]}


def test_nobody_asked_for_it_and_nobody_answered() -> None:
    assert findings(judged(servers={7: [Server(7, "cell1", ACTIVE)]})) == {"strange": [7]}
    assert findings(judged({7: Boot(7, 0, 7.0)})) == {"unended": [7]}


def test_what_is_open_still_is_waited_for() -> None:
    asked = [*BOOTS.values(), Boot(9, 0, 9.0, None, 9.2, FAILED)]
    rows = [*SERVERS.values()]
    assert builds.open_still(asked, rows) == []
    assert builds.open_still(asked, [*rows[:3], Server(4, "", ACTIVE)]) == [4]
    assert builds.open_still(asked, rows[:3]) == [4]


def test_the_number_is_in_the_name() -> None:
    assert builds.number_of("boot-17") == 17
    assert [builds.number_of(name) for name in ("boot-", "boot-x", "17", "reboot-17")] == [-1] * 4


def test_a_request_is_an_operation_until_its_answer() -> None:
    asked = [BOOTS[1], Boot(2, 0, 2.0, None, 2.4, FAILED, "HTTP 500"), Boot(3, 0, 3.0)]
    assert builds.operations_of(asked) == [
        Operation(1, 1.0, 1.5),
        Operation(2, 2.0, 2.4, "HTTP 500"),
        Operation(3, 3.0),
    ]


def test_each_service_has_its_own_questions() -> None:
    told = [("nova", Operation(1, 1.0)), ("glance", Operation(2, 1.1)), ("nova", Operation(1, 1.0, 1.2, "HTTP 503"))]
    lines = [json.dumps({"service": service, **one._asdict()}) for service, one in told]
    assert builds.reads_of("nova", lines) == [Operation(1, 1.0, 1.2, "HTTP 503")]
    assert builds.reads_of("keystone", lines) == []
