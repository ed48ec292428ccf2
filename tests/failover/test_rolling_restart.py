"""All nodes restarted one after the other, by the signal that the guide to operations names: `status` ends with 0."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from judged import is_clean
from moves import backstay, candidates

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.nemesis.fault import Cost, Fault
from backstay_lab.nemesis.stage import Stage
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.mysql.workload import MysqlSet

ROUNDS = 20
PATIENCE = 120.0


def copies(mysql: MysqlSet) -> str:
    """What is wrong with the number of copies that a commit has now, "" for nothing."""
    facts = dict(pair.split("=", 1) for pair in mysql.facts().split())
    primary = facts["primary"]
    told = mysql.root(primary, "SHOW STATUS LIKE 'Rpl_semi_sync_master_%'")
    state = dict(line.split("\t") for line in told.splitlines())
    if facts["solo"] != "no":
        return f"{primary} is on record as running alone"
    if state["Rpl_semi_sync_master_status"] != "ON" or int(state["Rpl_semi_sync_master_clients"]) < 1:
        return f"nobody acknowledges to {primary}: {state}"
    return ""


def left(mysql: MysqlSet, node: str) -> bool:
    return node not in mysql.in_role("Unpromoted")


@pytest.mark.slow
def test_who_goes_by_status_never_leaves_a_row_with_one_copy(three: Lab, tmp_path: Path) -> None:
    mysql = MysqlSet(three)
    wrong: list[str] = []

    def as_wanted(node: str) -> bool:
        wrong.extend(filter(None, [copies(mysql)]))
        return backstay(three, node, "status").status == 0

    def restart_all(stage: Stage[Any]) -> None:
        first = mysql.primary()
        for node in sorted(three.nodes, key=lambda node: (node == first, node)):  # replicas before the primary
            if node == mysql.primary():
                candidates(three)
                moved = backstay(three, node, "switchover", "--yes", next(one for one in three.nodes if one != node))
                assert moved.status == 0, moved.out + moved.err
            other = next(one for one in three.nodes if one != node)
            three.run(node, ["crm_standby", "-v", "on", "-N", node])
            gone = partial(left, mysql, node)
            poll(gone, Deadline(PATIENCE), f"{node}'s server to stop", 0.2)
            wrong.extend(filter(None, [copies(mysql)]))
            three.run(node, ["crm_standby", "-D", "-N", node])
            poll(partial(as_wanted, other), Deadline(PATIENCE), "all to be as wanted", 0.2)

    for number in range(ROUNDS):
        directory = tmp_path / str(number)
        directory.mkdir()
        rolling = Fault("rolling-restart", "all nodes, one after the other", restart_all, Cost(elsewhere=True))
        outcome = rehearse(mysql, rolling, str(directory))
        assert is_clean(outcome), outcome.verdict
        assert wrong == [], f"round {number}"
