"""A short schedule of a campaign on a real cluster: faults that overlap, more than one workload, all rules. `make campaign`
runs a hundred drawn from seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backstay.campaign.runner import Run
from backstay.campaign.schedule import Injection, Schedule, draw, from_json
from backstay.campaign.subjects import MysqlSubject
from backstay.lab.cluster import Lab

pytestmark = pytest.mark.lab

SHORT = Schedule(
    "mysql",
    0,
    (
        Injection("attrd-kill", "coordinator", 0.9, 0.0),
        Injection("kill", "leader", 0.5, 0.0, overlaps=True, after=0.2),
    ),
)
# What campaigns found, and what was wrong then.
FOUND = {
    "a replica refused its damaged relay log for ever": (
        Injection("torn-relay-log", "follower", 0.9, 0.0),
        Injection("attrd-kill", "coordinator", 0.0, 0.0, overlaps=True, after=4.0),
        Injection("kill", "leader", 0.5, 0.0),
    ),
    "clients sent to a rival that was gone": (Injection("duplicate-address", "follower", 0.3, 4.0),),
}


def test_a_schedule_is_run_and_judged_and_its_histories_are_kept(three: Lab, tmp_path: Path) -> None:
    told: list[str] = []
    report = Run(MysqlSubject(three), SHORT, str(tmp_path), told.append).run()
    assert report.clean, report.findings
    assert [hit.missed for hit in report.hits] == ["", ""]
    assert report.counted["attempts"] > 300 and report.counted["operations"] > 50 and report.counted["samples"] > 100
    assert report.counted["promotions"] == 1
    assert from_json(json.loads((tmp_path / "schedule.json").read_text())) == SHORT
    for name in ("ledger", "sampler", "transactions", "addresses"):
        assert [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
    assert len(told) == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_schedules_from_seeds_break_no_rule(three: Lab, tmp_path: Path, seed: int) -> None:
    report = Run(MysqlSubject(three), draw("mysql", seed), str(tmp_path), print).run()
    assert report.clean, report.findings


@pytest.mark.slow
@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_stays_mended(three: Lab, tmp_path: Path, what: str) -> None:
    report = Run(MysqlSubject(three), Schedule("mysql", 0, FOUND[what]), str(tmp_path), print).run()
    assert report.clean, report.findings
