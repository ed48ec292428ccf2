"""When the set must not go on as if nothing were, what it does instead, on a real cluster: a promotion that cannot be
justified yet, and commits whose acknowledgement can never come."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from judged import is_clean
from moves import lead_from_the_coordinator

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.mysql.deploy import CONFIG
from backstay_lab.systems.mysql.faults import FAULTS
from backstay_lab.systems.mysql.workload import MysqlSet


def server(lab: Lab, node: str) -> str:
    """The pid of the node's server."""
    return lab.run(node, ["cat", "/run/mysqld/mysqld.pid"]).out.strip()


def attribute(lab: Lab, node: str, name: str) -> str:
    """A transient attribute of a node, asked on that node."""
    said = lab.run(node, ["attrd_updater", "-Q", "-n", name, "-N", node], check=False).out
    return said.partition(' value="')[2].rpartition('"')[0]


def test_a_refused_promotion_leaves_the_server_up_and_its_monitor_tries_again(three: Lab) -> None:
    """The primary's node and the server of one replica are lost: what that one acknowledged, nobody else may have."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    primary = mysql.primary()
    candidate, witness = (node for node in three.nodes if node != primary)
    three.run(candidate, ["crm_resource", "--ban", "--resource", mysql.clone, "--node", witness, "--promoted"])
    process = server(three, candidate)

    # Where the primary's node coordinated the cluster, the failure's count is lost with it, and Pacemaker would start the
    # witness again in place before it promotes.
    three.run(witness, ["mv", CONFIG, f"{CONFIG}.away"])
    three.power_off(primary)  # first, or it may yet take the witness out of the record, and the promotion be right
    three.fault("kill", witness, "mysql")
    assert f"sync={','.join(sorted([candidate, witness]))}" in mysql.facts().split()

    refusal = f"not promoted: {witness} may hold"
    poll(lambda: refusal in attribute(three, candidate, "mysql-state"), Deadline(60), "the refusal", interval=0.2)
    poll(lambda: mysql.in_role("Promoted") == [], Deadline(60), "the demotion", interval=0.2)
    assert attribute(three, candidate, "master-mysql") == "-INFINITY"
    poll(lambda: attribute(three, witness, "mysql-readable") == "0", Deadline(60), "the stop to say so", interval=0.2)
    assert server(three, candidate) == process

    three.run(witness, ["mv", f"{CONFIG}.away", CONFIG])
    mysql.cleanup(witness)
    # A cleanup may make Pacemaker 2.1.5 number the clone's instances anew and start the candidate's server again: no matter.
    poll(lambda: mysql.in_role("Promoted") == [candidate], Deadline(60), f"{candidate} to be promoted", interval=0.2)
    three.run(candidate, ["crm_resource", "--clear", "--resource", mysql.clone])
    three.power_on(primary)
    mysql.cleanup(candidate)
    mysql.wait_whole(120)


def commit_what_nobody_acknowledges(mysql: MysqlSet, primary: str, groups: int) -> dict[int, str]:
    """Have the replicas receive groups of commits before they acknowledge again; what each client was told at the end."""
    replicas = [node for node in mysql.lab.nodes if node != primary]
    restart = "STOP SLAVE IO_THREAD; START SLAVE IO_THREAD"
    for node in replicas:
        mysql.root(node, f"SET GLOBAL rpl_semi_sync_slave_enabled = 0; {restart}")
    ended: dict[int, str] = {}

    def write(number: int) -> None:
        create = f"--execute=CREATE TABLE app.stuck{number} (id INT)"
        ended[number] = mysql.lab.run(primary, ["mysql", create], timeout=90, check=False).err

    def held(number: int) -> bool:
        there = f"SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'stuck{number}'"
        return all(mysql.root(node, there) == "1" for node in replicas)

    writers = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(groups)]
    for number, writer in enumerate(writers):
        writer.start()
        if number < 2:  # the third is not even written
            poll(lambda number=number: held(number), Deadline(20), "the replicas to have it")
    for writer in writers:
        writer.join(60)
    assert len(ended) == groups, "a commit still waits"
    return ended


@pytest.mark.parametrize("groups", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_commits_that_nobody_can_acknowledge_are_let_go_once_a_replica_has_them(three: Lab, groups: int) -> None:
    """A replica never acknowledges what it received before it was told to. Nothing goes before it has it: the record never
    says solo. MariaDB writes nothing more behind the second group of commits that waits."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    primary = mysql.primary()
    marks, wall = mysql.log_marks(), time.time()
    # A replica's monitor may come between and have it acknowledge again too soon: then nothing is stuck, and it is done anew.
    for _ in range(5):
        ended = commit_what_nobody_acknowledges(mysql, primary, groups)
        if mysql.logged_since(marks, "acknowledgement that does not come: following them"):
            break
        for number in ended:
            mysql.root(primary, f"DROP TABLE app.stuck{number}")
        mysql.wait_whole(60)
    else:
        pytest.fail("nothing was stuck")
    mysql.wait_whole(60)
    assert "alone" not in mysql.phases_since(marks, wall)
    for number, complaint in ended.items():
        assert complaint == "" or "Lost connection" in complaint or "killed" in complaint, complaint
        mysql.root(primary, f"DROP TABLE IF EXISTS app.stuck{number}")


def test_a_replica_that_complains_is_promoted_at_once_when_the_coordinator_is_lost(three: Lab, tmp_path: Path) -> None:
    """With a degraded result as the last one of its monitor Pacemaker would wait 80 s before it promotes (decision 28)."""
    mysql = MysqlSet(three)
    coordinator = lead_from_the_coordinator(three)
    replicas = mysql.in_role("Unpromoted")
    three.run(coordinator, ["crm", "resource", "param", "mysql", "set", "reader_check_port", "3306"])  # taken
    try:
        for node in replicas:
            poll(
                lambda node=node: "cannot be used" in attribute(three, node, "mysql-state"),  # type: ignore[misc]
                Deadline(60),
                f"{node} to complain",
                interval=0.2,
            )
        outcome = rehearse(mysql, FAULTS["power-off"], str(tmp_path))
    finally:
        three.run(replicas[0], ["crm", "resource", "param", "mysql", "delete", "reader_check_port"])
    assert is_clean(outcome), outcome.verdict
    assert outcome.coordinator and outcome.now in replicas
    assert outcome.gap <= 30  # seconds: membership and fencing on any machine, and not the 80 more
    for node in three.nodes:
        poll(
            lambda node=node: attribute(three, node, "mysql-state") in ("", "ok"),  # type: ignore[misc]
            Deadline(60),
            f"{node} to be well again",
            interval=0.2,
        )


def test_commits_wait_until_a_lost_replica_is_fenced(two: Lab) -> None:
    """Its connection seems alive, and so do its acknowledgements; in a set of two it may be the one to survive."""
    mysql = MysqlSet(two)
    mysql.wait_whole(120)
    primary = mysql.primary()
    replica = next(node for node in two.nodes if node != primary)
    marks, wall = mysql.log_marks(), time.time()
    two.fault("hang", replica, "mysql")
    two.fault("hang", replica, "pacemaker-execd")  # or its monitor would end the server
    writer = threading.Thread(target=lambda: mysql.root(primary, "CREATE TABLE app.alone (id INT)"), daemon=True)
    writer.start()
    poll(lambda: "following them" in mysql_log(two, primary), Deadline(30), "the primary to find that it is stuck")
    assert writer.is_alive(), "a commit was let go"
    assert "solo=no" in mysql.facts().split()
    two.power_off(replica)
    writer.join(60)
    assert not writer.is_alive(), "the commit still waits"
    at = mysql.phases_since(marks, wall)
    assert at["fenced"] < at["alone"]
    two.power_on(replica)
    mysql.cleanup(replica)
    mysql.wait_whole(120)
    mysql.root(primary, "DROP TABLE app.alone")


def mysql_log(lab: Lab, node: str) -> str:
    """What the agent on a node said."""
    return lab.run(node, ["grep", "-a", "mysql(mysql)", "/var/log/pacemaker/pacemaker.log"], check=False).out
