"""A short campaign on Vagrant's machines: what is done to a lab's nodes and seen of them from outside, is so over ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay.ocf.errors import AgentError
from backstay_lab.campaign.observers import records_of
from backstay_lab.campaign.runner import Run
from backstay_lab.machines.layout import LabError
from backstay_lab.machines.vagrant import Vagrant
from backstay_lab.nemesis.schedule import Injection, Schedule
from backstay_lab.systems.catalogue import topology
from backstay_lab.systems.mysql.campaign import MysqlSubject
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.mysql.workload import MysqlSet

pytestmark = pytest.mark.slow

SHORT = Schedule(
    "mysql",
    0,
    (
        Injection("new-agents", "all", 0.2, 0.0),
        Injection("tools-fail", "follower", 0.5, 4.0),
        Injection("kill", "leader", 0.5, 0.0, overlaps=True, after=0.2),
        Injection("duplicate-address", "follower", 0.5, 3.0),
        Injection("power-off", "leader", 0.9, 3.0),
    ),
)


def test_a_schedule_is_run_and_judged_over_ssh(tmp_path: Path) -> None:
    lab = Vagrant.up(str(tmp_path / "lab"), topology=topology("mysql"))
    try:
        mysql = MysqlSet(lab)
        mysql.wait_whole(240)
        follower = mysql.in_role("Unpromoted")[0]
        assert lab.wait_for_action(follower, "mysql", "monitor", 30.0)
        assert not lab.wait_for_action(follower, "mysql", "no-such-action", 0.3)
        with pytest.raises(LabError, match="over ssh"):
            lab.fault("hang", follower, "node")
        report = Run(MysqlSubject(lab), SHORT, str(tmp_path), print).run()
        lab.power_off(follower)
        with pytest.raises(AgentError, match="off"):
            lab.wait_for_action(follower, "mysql", "monitor", 1.0)
    finally:
        lab.down()
    assert report.clean, report.findings
    assert [hit.missed for hit in report.hits] == [""] * len(SHORT.injections)
    assert report.counted["attempts"] > 300 and report.counted["operations"] > 50
    assert report.counted["promotions"] == 2
    files = [records_of(path.read_text().splitlines()) for path in sorted(tmp_path.glob("addresses-*.jsonl"))]
    looked = [records for records in files if records]  # none of a program that met the end of its node
    assert all(records[0][0] == "" for records in looked)
    held = {sample.node for records in looked for address, sample in records if address == WRITER}
    assert {report.hits[0].node, report.hits[2].node, report.hits[4].node} <= held
    # Before and after each of its boots: it may come back before it is fenced.
    assert sum(records[0][1].node == report.hits[4].node for records in looked) >= 2
