"""Who has when a turn, and what a run that broke off leaves in the file of results."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backstay.ocf.errors import AgentError
from backstay_lab.bench import cli
from backstay_lab.bench.contender import Clustered
from backstay_lab.bench.peers import CONTENDERS
from backstay_lab.bench.stacks import Stack
from backstay_lab.report.results import gather
from backstay_lab.systems.haproxy.peers import AGENT


def test_every_round_has_every_contender_and_begins_with_another() -> None:
    three = list(CONTENDERS.values())[:3]
    taken = [(number, contender.name) for number, contender in cli.turns(three, 4)]
    first, second, third = (contender.name for contender in three)
    assert [name for _, name in taken] == [
        *(first, second, third),
        *(second, third, first),
        *(third, first, second),
        *(first, second, third),
    ]
    assert [number for number, _ in taken] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize("name", CONTENDERS)
def test_faults_that_a_contender_takes_are_in_its_table(name: str) -> None:
    contender = CONTENDERS[name]
    assert contender.name == name and bool(contender.faults) != isinstance(contender, Stack)
    if isinstance(contender, Clustered):
        assert set(contender.faults) <= set(contender.table)


def test_the_same_faults_come_to_all_contenders_of_a_service() -> None:
    for service in {contender.service for contender in CONTENDERS.values()}:
        assert len({contender.faults for contender in CONTENDERS.values() if contender.service == service}) == 1


def test_the_agent_that_nobody_packages_is_beside_what_deploys_it() -> None:
    assert Path(AGENT).read_text().startswith("#!/bin/sh")


def test_a_contender_that_cannot_be_deployed_is_recorded_and_costs_the_next_nothing(tmp_path: Path) -> None:
    sink = cli.Sink(str(tmp_path / "deep" / "bench.jsonl"))
    turn = cli.Turn(CONTENDERS["ocf:heartbeat:mysql"], str(tmp_path / "lab"), "no-such-image", 60.0, sink)
    records = turn.take(0, ["kill", "move"])
    assert [record["fault"] for record in records] == ["kill", "move"]
    assert all(record["error"] for record in records)
    found = gather(str(tmp_path / "deep"))
    assert [(run.gap, run.inflicted, run.whole) for run in found.runs] == [(None, False, False)] * 2


def test_costs_that_cannot_be_measured_are_told_at_the_end_and_stop_nothing(tmp_path: Path) -> None:
    names = [word for name in ("ocf:heartbeat:mysql", "ocf:heartbeat:IPaddr2") for word in ("--contender", name)]
    place = ["--image", "no-such-image", "--dir", str(tmp_path / "lab"), "--output", str(tmp_path / "bench.jsonl")]
    result = CliRunner().invoke(cli.bench, [*names, *place, "--costs", "--fault", "move"])
    assert isinstance(result.exception, AgentError)
    assert "ocf:heartbeat:mysql: " in str(result.exception) and "ocf:heartbeat:IPaddr2: " in str(result.exception)
    assert [run.fault for run in gather(str(tmp_path)).runs] == ["move", "move"]
