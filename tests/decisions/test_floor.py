"""What is compared with the floor, and that the floor is configured as the template is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from backstay.admin.templates import load, render
from backstay_lab.bench import cli as bench
from backstay_lab.bench.peers import CONTENDERS
from backstay_lab.checkers.floor import BEGINS, CONTENDER, Compared, compare, gap
from backstay_lab.run import cli as rehearse
from backstay_lab.run import floor
from backstay_lab.systems.catalogue import rehearsed

OURS = {"detected": 0.10, "demoted": 0.23, "promoting": 0.42, "promoted": 0.65, "address": 0.85, "first write": 0.98}
LOWEST = {"detected": 0.10, "demoted": 0.13, "promoting": 0.21, "promoted": 0.23, "address": 0.35}


@pytest.mark.parametrize(
    ("fault", "ours", "wanted"),
    [
        ("kill", OURS, ("detected", "address", 0.75, 0.25)),
        ("move", OURS, ("demoted", "address", 0.62, 0.22)),
        ("kill", {"detected": 0.10, "promoted": 0.50}, ("detected", "promoted", 0.40, 0.13)),  # a broker has no address
        ("power-off", OURS, None),  # nobody was fenced
        ("hang", OURS, None),  # the floor's agents cannot hang
        ("kill", {}, None),
    ],
)
def test_only_what_pacemaker_does_is_compared(
    fault: str, ours: dict[str, float], wanted: tuple[str, str, float, float] | None
) -> None:
    found = compare(fault, [ours], [LOWEST])
    assert (found is None) == (wanted is None)
    if found and wanted:
        assert found[:2] == wanted[:2]
        assert found[2:] == pytest.approx(wanted[2:])
        assert found.ratio == pytest.approx(wanted[2] / wanted[3])


def test_medians_are_compared_of_the_runs_that_have_both_ends() -> None:
    late = {**OURS, "address": 1.85}
    found = compare("kill", [OURS, late, late, {"detected": 0.1}], [LOWEST, {}])
    assert found is not None and (found.own, found.floor) == pytest.approx((1.75, 0.25))
    assert str(found) == "detected to address 1.75 s, 7.0 times the floor's 0.25"
    assert compare("kill", [OURS], []) is None
    # Another node's line that came first would make it end before it began.
    assert compare("kill", [{"detected": 0.5, "address": 0.4}], [LOWEST]) is None


def test_the_floors_gap_begins_with_the_fault_and_of_a_move_with_the_demotion() -> None:
    assert gap("kill", LOWEST) == 0.35
    assert gap("move", LOWEST) == pytest.approx(0.22)
    assert gap("kill", {"detected": 0.1}) is None
    assert gap("move", {"address": 0.3}) is None
    assert set(BEGINS) == set(floor.FAULTS)


def lines(text: str) -> list[str]:
    """Of a configuration, without comments and the blanks that lay it out."""
    return [line.strip(" \\") for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_floor_has_every_constraint_option_and_operation_of_the_template() -> None:
    given = {"writer_ip": "10.0.0.9", "nodes": "3", "monitor_password": "m", "replication_password": "r"}
    theirs = lines(re.sub(r"    params (?:.*\\\n)*?(?=    meta )", "", render(load("mysql"), given)))
    own = lines(floor.configuration(3))
    assert len(own) == len(theirs) > 15
    different = {(one, other) for one, other in zip(own, theirs) if one != other}
    assert not any("params" in one for one in own)
    for one, other in different:
        renamed = re.sub(r"ocf:backstay:(mysql|vip)", lambda agent: f"ocf:floor:{floor.AGENTS[agent[1]]}", other)
        assert one == re.sub(r"\bmysql\b", floor.ROLE, renamed)


def record(contender: str, phases: dict[str, float]) -> dict[str, Any]:
    known = {
        "contender": contender,
        "fault": "kill",
        "gap": 0.9,
        "operations": {},
        "clean": True,
        "verdict": {"lost": []},
    }
    return {**known, "phases": phases}


def test_the_floor_comes_with_every_service_and_with_a_name_only_when_it_is_named() -> None:
    names = [one.name for one in bench.chosen((), ("mysql",))]
    assert CONTENDER in names and "ocf:backstay:mysql" in names and "ocf:backstay:haproxy" not in names
    assert [one.name for one in bench.chosen(("ocf:backstay:mysql",), ())] == ["ocf:backstay:mysql"]
    assert {one.name for one in bench.chosen((), ())} == set(CONTENDERS)
    assert CONTENDERS[CONTENDER].faults == floor.FAULTS


def test_the_lines_of_a_bench_and_of_a_rehearsal_have_the_ratio() -> None:
    own, lowest = record("ocf:backstay:mysql", OURS), record(CONTENDER, LOWEST)
    told = str(Compared("detected", "address", 0.75, 0.25))
    [first, second] = bench.summary([own, lowest])
    assert told in first and "times" not in second
    assert "times" not in bench.summary([own])[0]
    took = [{"resource": "mysql", "action": "promote", "took": took} for took in (0.28, 0.31)]
    shown = "\n".join(rehearse.summary([{**own, "actions": took}], rehearsed()["mysql"], [lowest]))
    assert told in shown
    assert "actions, median / worst, ms: mysql promote 295 / 310" in shown
