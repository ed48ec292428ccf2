"""Aimed schedules are a list of their own: they are run by name, and no seed's schedule changes because of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from backstay_lab.campaign.cli import campaign
from backstay_lab.campaign.series import summary
from backstay_lab.checkers.evidence import Evidence
from backstay_lab.checkers.rules import judge
from backstay_lab.nemesis.aimed import aimed
from backstay_lab.nemesis.catalogue import KINDS, kinds_of, parts_for
from backstay_lab.nemesis.schedule import Schedule, draw, draw_calm, from_json, to_json
from backstay_lab.systems.catalogue import campaigned

SYSTEMS = campaigned()
MYSQL = SYSTEMS["mysql"]

# Of the schedules of seeds 1 to 20 as they have been since campaigns were run (docs/campaign.md names the seeds).
BEFORE = {
    "mysql": "aad0f2466f5e90cf",
    "openstack": "597faae4576f9a4a",
    "rabbitmq": "0f5c88d6e59d852f",
    "mysql over ssh": "224ce1597b2420b4",
    "mysql soak": "324312a1b1a3d384",
}


def digest(schedules: list[Schedule]) -> str:
    text = json.dumps([[list(one) for one in each.injections] for each in schedules])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_seeds_give_the_schedules_that_they_gave() -> None:
    seeds = range(1, 21)
    found = {name: digest([draw(system, seed) for seed in seeds]) for name, system in SYSTEMS.items()}
    found["mysql over ssh"] = digest([draw(MYSQL, seed, kinds_of(MYSQL, over_ssh=True)) for seed in seeds])
    found["mysql soak"] = digest([draw_calm(MYSQL, seed, 5) for seed in seeds])
    assert found == BEFORE


def test_no_seed_draws_what_is_aimed() -> None:
    for system in SYSTEMS.values():
        assert not any(kind.aimed for kind in kinds_of(system))


@pytest.mark.parametrize("service", sorted(SYSTEMS))
def test_aimed_schedules_are_of_their_service_and_come_back_from_json(service: str) -> None:
    for name, schedule in aimed(service).items():
        assert (schedule.service, schedule.name, schedule.title) == (service, name, name)
        assert from_json(json.loads(json.dumps(to_json(schedule))), SYSTEMS) == schedule
        for one in schedule.injections:
            assert parts_for(KINDS[one.kind], SYSTEMS[service]) and one.target in KINDS[one.kind].targets
        assert not schedule.injections[0].overlaps
    used = {one.kind for each in SYSTEMS for schedule in aimed(each).values() for one in schedule.injections}
    assert {kind.name for kind in KINDS.values() if kind.aimed} <= used


def test_a_schedule_that_was_kept_before_is_read_still() -> None:
    record = to_json(draw(MYSQL, 17))
    del record["name"], record["fresh"]
    assert from_json(record, SYSTEMS) == draw(MYSQL, 17)


def test_the_command_lists_them_and_refuses_others(tmp_path: Path) -> None:
    shown = CliRunner().invoke(campaign, ["mysql", "--aimed", "--list"]).output
    assert [line.partition(":")[0] for line in shown.splitlines()] == list(aimed("mysql"))
    for arguments, words in (
        (["--aimed", "moon"], "no aimed schedule moon"),
        (["--aimed", "--soak"], "leave --soak"),
        (["--aimed", "two-promotions", "--vagrant"], "leave --soak"),
    ):
        done = CliRunner().invoke(campaign, ["mysql", *arguments, "--histories", str(tmp_path)])
        assert done.exit_code == 2 and words in done.output
    assert CliRunner().invoke(campaign, ["openstack", "--aimed"]).exit_code == 2  # it has none


def test_what_is_kept_of_them_is_told_by_name(tmp_path: Path) -> None:
    record = {"clean": False, "schedule": to_json(aimed("mysql")["two-promotions"]), "findings": [{"rule": "lost"}]}
    assert summary([record])[:2] == ["1 schedules, 1 not clean", "    two-promotions: lost"]
    (tmp_path / "mysql-two-promotions-010203").mkdir()
    (tmp_path / "mysql-two-promotions-010203" / "report.json").write_text(json.dumps(record))
    told = CliRunner().invoke(campaign, ["mysql", "--tell", "--histories", str(tmp_path)])
    assert "two-promotions: lost" in told.output and told.exit_code == 1


def test_a_gap_beyond_the_bound_of_its_fault_is_found() -> None:
    assert [one.rule for one in judge(Evidence(overdue=["lost-when-new (leader) cost 80.0 s, 30 at most"]))] == [
        "unserved"
    ]
