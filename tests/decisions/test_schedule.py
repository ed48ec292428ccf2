"""A seed gives a schedule; a schedule goes to JSON and comes back; a failing one is shrunk to what makes it fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.ocf.errors import AgentError
from backstay_lab.bench.peers import CONTENDERS
from backstay_lab.campaign.cli import campaign
from backstay_lab.campaign.runner import Hit, missed
from backstay_lab.campaign.series import PACE, kept, parts, summary
from backstay_lab.campaign.shrink import shortest, shrink
from backstay_lab.nemesis.catalogue import KINDS, ROWS, kinds_of, may_fence, most_moves, parts_for
from backstay_lab.nemesis.schedule import (
    LONGEST,
    Injection,
    Schedule,
    draw,
    draw_calm,
    from_json,
    to_json,
    with_injections,
)
from backstay_lab.run.cli import command as rehearse
from backstay_lab.systems.catalogue import campaigned, rehearsed
from backstay_lab.systems.declaration import Campaigned

SYSTEMS = campaigned()
MYSQL = SYSTEMS["mysql"]
SYSTEM = st.sampled_from([SYSTEMS[name] for name in sorted(SYSTEMS)])
BARRED = {"node-hang", "disk-full", "disk-slow", "disk-frozen", "memory", "starvation"}
SEED = st.integers(min_value=0, max_value=2**40)
MYSQL_17 = "address-removed(leader, 0.0 s) power-off(follower, 13.2 s)"
OVER_SSH_1 = "new-agents(all, 0.0 s) duplicate-address(follower, 8.7 s)"
OPENSTACK_1 = "based-kill(coordinator, 0.0 s)"


@given(SYSTEM, SEED)
def test_a_seed_gives_the_same_schedule_again_and_json_keeps_it(system: Campaigned, seed: int) -> None:
    schedule = draw(system, seed)
    assert draw(system, seed) == schedule
    assert from_json(json.loads(json.dumps(to_json(schedule))), SYSTEMS) == schedule


@given(SYSTEM, SEED)
def test_a_schedule_stays_within_its_kinds(system: Campaigned, seed: int) -> None:
    schedule = draw(system, seed)
    assert 1 <= len(schedule.injections) <= LONGEST
    assert not schedule.injections[0].overlaps
    for one in schedule.injections:
        kind = KINDS[one.kind]
        assert one.part in system.traits and one.target in kind.targets
        assert kind.suits(one.part or system.name, system.traits[one.part])
        assert kind.lasts[0] <= one.lasts <= kind.lasts[1]
        assert 0 <= one.phase < 1.001


def test_a_hundred_seeds_reach_every_kind_and_target_and_overlap() -> None:
    for system in SYSTEMS.values():
        drawn = [one for seed in range(100) for one in draw(system, seed).injections]
        assert {one.kind for one in drawn} == {kind.name for kind in kinds_of(system)}
        assert {"leader", "follower", "coordinator"} <= {one.target for one in drawn}
        assert any(one.overlaps for one in drawn)
        hit = {part: {one.kind for one in drawn if one.part == part} for part in system.traits}
        assert all(len(kinds) > 15 for kinds in hit.values())


def test_the_schedules_of_seeds_that_have_been_run_stay_what_they_were() -> None:
    """docs/campaign.md names seeds; a new kind changes them, and then says so here."""
    assert str(draw(MYSQL, 17)) == MYSQL_17
    assert str(draw(SYSTEMS["openstack"], 1)) == OPENSTACK_1
    assert str(draw(MYSQL, 1, kinds_of(MYSQL, over_ssh=True))) == OVER_SSH_1


@given(SEED)
def test_what_ssh_does_not_allow_is_not_drawn_for_machines_behind_it(seed: int) -> None:
    drawn = draw(MYSQL, seed, kinds_of(MYSQL, over_ssh=True)).injections
    assert all(one.kind not in BARRED for one in drawn)


def test_what_ssh_does_not_allow_says_why() -> None:
    able = {kind.name for kind in kinds_of(MYSQL, over_ssh=True)}
    assert {kind.name for kind in kinds_of(MYSQL)} - able == BARRED
    drawn = [one for seed in range(100) for one in draw(MYSQL, seed, kinds_of(MYSQL, over_ssh=True)).injections]
    assert {one.kind for one in drawn} == able


@given(SYSTEM, SEED, st.integers(1, 9))
def test_faults_of_a_soak_come_one_by_one(system: Campaigned, seed: int, number: int) -> None:
    schedule = draw_calm(system, seed, number)
    assert len(schedule.injections) == number
    assert not any(one.overlaps for one in schedule.injections)
    assert from_json(json.loads(json.dumps(to_json(schedule))), SYSTEMS) == schedule


@pytest.mark.parametrize(("minutes", "sizes"), [(120, [5] * 12), (10, [5]), (14, [5, 2]), (1, [1])])
def test_a_soak_has_a_fault_for_every_two_minutes(minutes: float, sizes: list[int]) -> None:
    found = parts(MYSQL, 7, minutes)
    assert [len(one.injections) for one in found] == sizes
    assert len({one.seed for one in found}) == len(sizes)
    assert sum(sizes) * PACE >= minutes * 60


def test_every_part_has_traits_and_what_a_campaign_runs_on_is_rehearsed_too() -> None:
    assert set(SYSTEMS) <= set(rehearsed())
    for system in SYSTEMS.values():
        for part, traits in system.traits.items():
            kinds = {kind.name for kind in kinds_of(system) if part in parts_for(kind, system)}
            assert ("port-cut" in kinds) is (traits.peers != 0)
            assert ("address-removed" in kinds) is (traits.address != "")
            assert ("disk-full" in kinds) is (traits.data != "")


def test_what_each_system_can_suffer_goes_by_what_it_has() -> None:
    plane = SYSTEMS["openstack"]
    assert list(plane.traits) == ["mysql", "rabbitmq", "haproxy"]  # the order is part of what a seed gives
    assert parts_for(KINDS["kill"], plane) == list(plane.traits)
    assert parts_for(KINDS["port-cut"], plane) == parts_for(KINDS["disk-slow"], plane) == ["mysql", "rabbitmq"]
    assert parts_for(KINDS["address-removed"], plane) == ["mysql", "haproxy"]
    assert parts_for(KINDS["wrong-cookie"], plane) == ["rabbitmq"]
    assert parts_for(KINDS["move"], MYSQL) == [""] and parts_for(KINDS["move"], SYSTEMS["rabbitmq"]) == []


@pytest.mark.parametrize(
    "change",
    [{"kind": "meteorite"}, {"target": "moon"}, {"speed": 3}, {"part": "rabbitmq"}],
)
def test_a_schedule_of_another_version_is_refused(change: dict[str, object]) -> None:
    record = to_json(draw(MYSQL, 1))
    record["injections"][0].update(change)
    with pytest.raises(ValueError, match="not a"):
        from_json(record, SYSTEMS)


def test_a_fault_of_a_part_that_has_no_such_thing_is_refused() -> None:
    record = to_json(Schedule("openstack", 1, (Injection("wrong-cookie", "leader", 0.5, 0.0, part="rabbitmq"),)))
    assert from_json(record, SYSTEMS).injections[0].where == "rabbitmq leader"
    for part in ("mysql", "", "moon"):
        record["injections"][0]["part"] = part
        with pytest.raises(ValueError, match="not a fault"):
            from_json(record, SYSTEMS)
    with pytest.raises(ValueError, match="not a service"):
        from_json({**record, "service": "moon"}, SYSTEMS)


def test_every_row_of_the_catalogue_has_a_scenario_or_a_reason() -> None:
    assert [row.number for row in ROWS] == list(range(1, 31))
    for row in ROWS:
        assert row.expected
        assert row.kinds or row.elsewhere or row.reason, row
        for where in row.elsewhere:
            service, _, fault = where.partition(" ")
            assert fault in rehearsed()[service].faults if fault else (CHECKOUT / where).exists(), where
    assert {kind.row for kind in KINDS.values()} <= set(range(1, 31))


def test_rehearsals_and_the_bench_inflict_the_faults_that_campaigns_draw() -> None:
    """What a system's table has under a fault's own name is that fault, with a cost of its own; or it says what else it does."""
    own = {"standby", "upgrade", "blackout", "partition", "loss", "address-removed"}  # they wait for more, or tidy up
    for system in rehearsed().values():
        for fault in system.faults.values():
            name = fault.name.rpartition("-")[0] if fault.part else fault.name
            if name in KINDS and name not in own:
                assert fault.inflict == KINDS[name].fault.inflict, fault
    for contender in CONTENDERS.values():
        for fault in getattr(contender, "table", {}).values():
            assert fault.name not in ("kill", "hang") or fault.inflict == KINDS[fault.name].fault.inflict, (
                contender.name
            )
    assert all(fault.what and callable(fault.inflict) for fault in (kind.fault for kind in KINDS.values()))


def test_what_faults_justify_adds_up() -> None:
    assert most_moves((("kill", True), ("kill", False), ("kill-promoting", True), ("attrd-kill", True))) == 3
    assert not may_fence(("kill", "hang"))
    assert may_fence(("kill", "power-off"))


@given(st.sets(st.integers(0, 9), min_size=1), st.integers(10, 16))
def test_what_makes_it_fail_is_found_and_nothing_else(needed: set[int], size: int) -> None:
    tried: list[tuple[int, ...]] = []

    def fails(part: tuple[int, ...]) -> bool:
        tried.append(part)
        return needed <= set(part)

    assert shortest(range(size), fails) == tuple(sorted(needed))
    assert len(tried) == len(set(tried))


def test_one_of_two_causes_is_found() -> None:
    assert shortest("abcdefgh", lambda part: "c" in part or {"f", "g"} <= set(part)) in (("c",), ("f", "g"))


def test_order_counts() -> None:
    def fails(part: tuple[int, ...]) -> bool:
        return 3 in part and 7 in part and part.index(3) < part.index(7)

    assert shortest([1, 3, 5, 7, 3], fails) == (3, 7)


def test_what_does_not_fail_cannot_be_shrunk() -> None:
    with pytest.raises(ValueError, match="does not fail"):
        shortest([1, 2], lambda part: False)


KILL, HANG, OFF = (
    Injection("kill", "leader", 0.5, 0.0),
    Injection("hang", "follower", 0.1, 3.0, overlaps=True, after=1.0),
    Injection("power-off", "leader", 0.2, 5.0, overlaps=True, after=2.0),
)


def test_a_schedule_is_shrunk_to_its_cause() -> None:
    schedule = Schedule("mysql", 5, (KILL, HANG, OFF))
    found = shrink(schedule, lambda one: any(i.kind == "power-off" for i in one.injections))
    assert found.injections == (OFF._replace(overlaps=False, after=0.0),)


def test_an_overlap_that_is_the_cause_stays() -> None:
    def fails(schedule: Schedule) -> bool:
        return any(one.kind == "power-off" and one.overlaps for one in schedule.injections)

    found = shrink(Schedule("mysql", 5, (KILL, HANG, OFF)), fails)
    assert [one.kind for one in found.injections] in (["kill", "power-off"], ["hang", "power-off"])
    assert found.injections[1].overlaps


def test_the_first_of_a_part_overlaps_nothing() -> None:
    assert with_injections(Schedule("mysql", 5, (KILL, HANG)), [HANG]).injections == (
        HANG._replace(overlaps=False, after=0.0),
    )


def test_the_command_shows_the_catalogue_of_a_service() -> None:
    shown = CliRunner().invoke(campaign, ["rabbitmq", "--list"]).output
    assert "wrong-cookie" in shown and "duplicate-address" not in shown
    assert all(f"{row.number:2} {row.fault}" in shown for row in ROWS)
    shown = CliRunner().invoke(campaign, ["openstack", "--list"]).output
    assert "wrong-cookie: the broker is killed and its cookie replaced (rabbitmq)" in shown
    assert "kill: SIGKILL of the daemon (mysql, rabbitmq, haproxy)" in shown
    assert "not over ssh" not in shown
    shown = CliRunner().invoke(campaign, ["mysql", "--list", "--vagrant"]).output
    barred = [line.split(":")[0].strip() for line in shown.splitlines() if "; not over ssh: " in line]
    assert set(barred) == BARRED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "not a schedule"),
        ("[", "Expecting"),
        (json.dumps(to_json(draw(SYSTEMS["rabbitmq"], 1))), "schedule of rabbitmq"),
    ],
)
def test_the_command_refuses_what_is_no_schedule_of_the_service(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "schedule.json").write_text(text)
    done = CliRunner().invoke(campaign, ["mysql", "--replay", str(tmp_path / "schedule.json")])
    assert done.exit_code == 2
    assert words in done.output


def test_the_command_refuses_a_schedule_that_ssh_does_not_allow(tmp_path: Path) -> None:
    schedule = Schedule("mysql", 1, (Injection("kill", "leader", 0.5, 0.0), Injection("disk-full", "leader", 0.5, 5.0)))
    (tmp_path / "schedule.json").write_text(json.dumps(to_json(schedule)))
    done = CliRunner().invoke(campaign, ["mysql", "--vagrant", "--replay", str(tmp_path / "schedule.json")])
    assert done.exit_code == 2
    assert "disk-full" in done.output and KINDS["disk-full"].barred.split()[0] in done.output


@pytest.mark.parametrize("option", [["--shrink"], ["--replay", __file__]])
def test_a_soak_is_not_replayed_or_shrunk(option: list[str]) -> None:
    done = CliRunner().invoke(campaign, ["mysql", "--soak", *option])
    assert done.exit_code == 2 and "without --soak" in done.output


def hit(overlaps: bool = False, missed: str = "") -> dict[str, Any]:
    return {"injection": {"overlaps": overlaps}, "missed": missed}


CLEAN = {
    "clean": True,
    "schedule": {"seed": 2},
    "hits": [hit(), hit(), hit(overlaps=True), hit(missed="nothing runs"), hit(), hit()],
    "gaps": [
        ("kill leader", 0.5),
        ("hang leader + kill follower", 9.0),
        ("kill leader", 0.0),
        ("based-kill leader", float("inf")),  # not over when the next came
        ("move leader", 0.25),
    ],
    "operations": [
        {"database": {"done": 50, "failed": failed, "longest": 0.5, "errors": {"2003": failed}}}
        for failed in (80, 700, 0, 900, 50)
    ],
}
DIRTY = {
    "clean": False,
    "schedule": {"seed": 1},
    "hits": [hit()],
    "gaps": [("kill leader", 1.5)],
    "findings": [{"rule": "lost"}],
}


def test_the_summary_tells_the_gaps_of_faults_that_hit_alone() -> None:
    broken_off = {"clean": False, "schedule": {"seed": 3}, "error": "no lab"}
    lines = summary([CLEAN, DIRTY, broken_off])
    assert lines[:3] == ["3 schedules, 2 not clean", "    seed 1: lost", "    seed 3: no lab"]
    assert lines[3] == "    1 faults hit nothing: what they were to hit had ended"
    assert [line.split() for line in lines[5:]] == [
        ["kill", "leader", "2", "0.50", "/", "1.00", "/", "1.50", "/", "1.50", "80", "/", "80", "0.50"],
        ["move", "leader", "1", "0.25", "/", "0.25", "/", "0.25", "/", "0.25", "50", "/", "50", "0.50"],
        ["all", "of", "these", "3", "0.25", "/", "0.50", "/", "1.50", "/", "1.50", "65", "/", "80", "0.50"],
    ]


def test_a_campaign_that_ran_nothing_is_not_clean(tmp_path: Path) -> None:
    places = ["--dir", str(tmp_path / "lab"), "--histories", str(tmp_path)]
    done = CliRunner().invoke(campaign, ["mysql", "--minutes", "0", *places])
    assert done.exit_code == 1
    assert "no schedule was run" in done.output
    told = CliRunner().invoke(campaign, ["mysql", "--tell", "--histories", str(tmp_path / "none")])
    assert told.exit_code == 1 and "no schedule was run" in told.output


def test_rehearsals_that_ran_nothing_are_not_clean(tmp_path: Path) -> None:
    for command in (rehearse, campaign):
        done = CliRunner().invoke(command, ["mysql", "--runs", "0", "--dir", str(tmp_path / "lab")])
        assert done.exit_code == 2 and "x>=1" in done.output


def test_a_fault_that_was_not_inflicted_is_told() -> None:
    """But for one that came too late, since the one before had ended what it was to hit."""

    def hits(*found: tuple[bool, str]) -> list[Hit]:
        return [Hit(KILL._replace(overlaps=late), "n1", 1.0, True, reason) for late, reason in found]

    assert missed(hits((False, ""), (True, "nothing runs"))) == []
    assert missed(hits((False, "nothing runs"), (True, ""))) == ["kill (leader) on n1: nothing runs"]
    assert len(missed(hits((False, "nothing runs"), (True, "nothing runs")))) == 2
    assert missed([]) == ["no fault was inflicted"]


def test_runs_that_are_kept_are_told_together(tmp_path: Path) -> None:
    for name, record in (("mysql-2-010203", CLEAN), ("mysql-1-010102", DIRTY), ("rabbitmq-1-010102", CLEAN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps(record))
    (tmp_path / "mysql-3-010303").mkdir()  # broke off
    (tmp_path / "mysql-two-promotions-010303").mkdir()
    told = CliRunner().invoke(campaign, ["mysql", "--tell", "--histories", str(tmp_path)])
    off = "broke off, or is under way: no report"
    assert told.output.startswith(
        f"4 schedules, 3 not clean\n    two-promotions: {off}\n    seed 1: lost\n    seed 3: {off}\n"
    )
    assert told.exit_code == 1
    (tmp_path / "mysql-3-010303" / "report.json").write_text("{")
    with pytest.raises(AgentError, match=r"mysql-3-010303/report\.json is no record of a run"):
        kept(str(tmp_path), "mysql")
