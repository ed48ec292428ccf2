"""Five short schedules of a campaign on a real cluster: faults that overlap, more than one workload, all rules. `make campaign`
runs a hundred drawn from seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judged import broken_rules
from moves import lead_from_the_coordinator

from backstay.host.deadline import Deadline, poll
from backstay_lab.campaign.resources import EVERY, ResourceWatch
from backstay_lab.campaign.runner import Report, Run
from backstay_lab.campaign.series import VOLUME
from backstay_lab.checkers.leaks import BOUNDS, DAEMON, HELPER, Reading
from backstay_lab.checkers.sampling import CLOSE
from backstay_lab.machines.cluster import Lab
from backstay_lab.nemesis.aimed import aimed
from backstay_lab.nemesis.schedule import Injection, Schedule, draw, from_json
from backstay_lab.systems.catalogue import campaigned, topology
from backstay_lab.systems.mysql.campaign import MysqlSubject

SHORT = Schedule(
    "mysql",
    0,
    (
        Injection("attrd-kill", "coordinator", 0.9, 0.0),
        Injection("kill", "leader", 0.5, 0.0, overlaps=True, after=0.2),
    ),
)
PLANNED = "planned work"  # test_admin has an admin's switchover, and a standby
# Four more, of what is soon over; each touches another part: planned work, addresses and files, a node, data and daemons.
SMOKE = {
    PLANNED: (Injection("standby", "leader", 0.2, 2.0), Injection("move", "leader", 0.1, 1.0)),
    "an address and all files": (
        Injection("address-removed", "leader", 0.4, 0.0),
        Injection("new-agents", "all", 0.0, 0.0, overlaps=True, after=0.1),
    ),
    "a node": (
        Injection("power-off", "leader", 0.1, 3.0),
        Injection("client-cut", "follower", 0.0, 4.0, overlaps=True, after=0.5),
    ),
    "a relay log and a daemon": (
        Injection("torn-relay-log", "follower", 0.3, 0.0),
        Injection("schedulerd-kill", "coordinator", 0.0, 0.0, overlaps=True, after=0.2),
    ),
}
PLANE = Schedule(
    "openstack",
    0,
    (
        Injection("kill", "leader", 0.5, 0.0, part="rabbitmq"),
        Injection("kill", "leader", 0.5, 0.0, overlaps=True, after=0.5, part="haproxy"),
        Injection("address-removed", "leader", 0.5, 0.0, part="haproxy"),
        Injection("kill", "leader", 0.5, 0.0, part="mysql"),
        Injection("standby", "leader", 0.5, 5.0, part="mysql"),  # once the workers took its refusals for the last word
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
    assert broken_rules(report) == []
    assert [hit.missed for hit in report.hits] == ["", ""]
    assert report.counted["attempts"] > 300 and report.counted["operations"] > 50 and report.counted["samples"] > 100
    assert report.counted["promotions"] == 1
    assert report.sampled is not None and report.sampled.usual < CLOSE
    assert all(counted["database"].done for counted in report.operations) and len(report.operations) == len(report.gaps)
    assert from_json(json.loads((tmp_path / "schedule.json").read_text()), campaigned()) == SHORT
    for name in ("ledger", "sampler", "transactions", "dbclient", *(f"addresses-{node}" for node in three.nodes)):
        assert [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
    assert len(told) == 2


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=pytest.mark.slow) if what == PLANNED else what for what in SMOKE]
)
def test_a_smoke_of_schedules_breaks_no_rule(three: Lab, tmp_path: Path, what: str) -> None:
    report = Run(MysqlSubject(three), Schedule("mysql", 0, SMOKE[what]), str(tmp_path), print).run()
    assert broken_rules(report) == []
    assert [hit.missed for hit in report.hits] == ["", ""]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_schedules_from_seeds_break_no_rule(three: Lab, tmp_path: Path, seed: int) -> None:
    report = Run(MysqlSubject(three), draw(campaigned()["mysql"], seed), str(tmp_path), print).run()
    assert broken_rules(report) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", FOUND)
def test_what_was_found_stays_mended(three: Lab, tmp_path: Path, what: str) -> None:
    report = Run(MysqlSubject(three), Schedule("mysql", 0, FOUND[what]), str(tmp_path), print).run()
    assert broken_rules(report) == []


@pytest.mark.slow
def test_a_primary_keeps_its_role_when_the_controller_of_its_node_ends(three: Lab, tmp_path: Path) -> None:
    """As it does with the scheduler, where the node is the coordinator. Its score leaves the CIB then, and the next coordinator
    would promote another, or the same once more."""
    lead_from_the_coordinator(three)
    schedule = Schedule("mysql", 0, (Injection("schedulerd-kill", "leader", 0.5, 0.0),))
    report = Run(MysqlSubject(three), schedule, str(tmp_path), print).run()
    assert broken_rules(report) == []
    assert report.counted["promotions"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, one in aimed("mysql").items() if not one.fresh])
def test_aimed_schedules_break_no_rule(three: Lab, tmp_path: Path, name: str) -> None:
    report = Run(MysqlSubject(three), aimed("mysql")[name], str(tmp_path), print).run()
    assert broken_rules(report) == []
    assert report.counted["missed"] == 0


@pytest.mark.slow
def test_the_primary_of_a_set_that_was_just_made_may_be_lost(tmp_path: Path) -> None:
    on_a_lab_of_its_own(aimed("mysql")["lost-when-new"], tmp_path)


def on_a_lab_of_its_own(schedule: Schedule, directory: Path) -> Report:
    """A clean run, with volumes that can be full."""
    lab = Lab.up(str(directory / "lab"), topology=topology(schedule.service), volume=VOLUME)
    try:
        report = Run(campaigned()[schedule.service].subject(lab), schedule, str(directory / "run"), print).run()
    finally:
        lab.down()
    assert broken_rules(report) == []
    return report


@pytest.mark.slow
def test_the_role_leaves_a_server_whose_disk_is_full(tmp_path: Path) -> None:
    """It waits for room, a minute at a time, and answers all questions meanwhile."""
    report = on_a_lab_of_its_own(Schedule("mysql", 0, (Injection("disk-full", "leader", 0.1, 60.0),)), tmp_path)
    assert report.counted["promotions"] == 1
    assert report.gaps[0][1] < 20  # 8 with the machine busy; 33 to 63 where the role stays at first


@pytest.mark.slow
def test_faults_of_every_part_of_a_control_plane_are_run_and_judged(tmp_path: Path) -> None:
    report = on_a_lab_of_its_own(PLANE, tmp_path)
    assert [hit.missed for hit in report.hits] == ["", "", "", "", ""]
    assert report.counted["boots"] > 200 and report.counted["samples"] > 100
    assert report.counted["promotions"] == 2  # by the last of them, the only ones that justify it


@pytest.mark.slow
def test_what_a_soak_watches_is_there_to_be_watched(three: Lab, tmp_path: Path) -> None:
    """And is what it says: a file that is left in an agent's state, and one in /tmp, are counted."""

    def now(watch: ResourceWatch) -> dict[tuple[str, str], float]:
        return {(one.name, one.measure): one.value for one in watch.seen if one.node == "n1"}

    with ResourceWatch(three, str(tmp_path)) as watch:
        poll(lambda: len({one.at for one in watch.seen if one.node == "n1"}) > 2, Deadline(4 * EVERY), "looks")
        before = now(watch)
        three.run("n1", ["sh", "-c", "echo 1 > /run/backstay/mysql/left; touch /tmp/left"])
        files = ("all", "temporary files")
        poll(lambda: now(watch)[files] == before[files] + 1, Deadline(4 * EVERY), "the next look")
        after = now(watch)
    three.run("n1", ["rm", "/run/backstay/mysql/left", "/tmp/left"])
    assert after["mysql", "state files"] >= before["mysql", "state files"] + 1
    assert after["watch(mysql)", "processes"] == 1
    assert {(one.kind, one.measure) for one in watch.seen} == set(BOUNDS)
    helpers = {one.name for one in watch.seen if one.kind == HELPER}
    assert {"watch(mysql)", "watch(mysql-writer)"} <= helpers
    assert {(one.node, one.name) for one in watch.seen if one.kind == DAEMON} == {(n, "mysql") for n in three.nodes}
    assert all(one.value > 0 for one in watch.seen if one.kind in (HELPER, DAEMON))
    lines = (tmp_path / "resources.jsonl").read_text().splitlines()
    assert [Reading(**json.loads(line)) for line in lines] == watch.seen
