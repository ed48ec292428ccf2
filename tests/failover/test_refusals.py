"""When the set must not go on as if nothing were, what it does instead, on a real cluster: a promotion that cannot be
justified yet, and commits whose acknowledgement can never come."""

from __future__ import annotations

import threading
import time

from backstay.deadline import Deadline, poll
from backstay.lab.cluster import Lab
from backstay.rehearse.mysqlset import MysqlSet


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

    three.fault("kill", witness, "mysql")
    three.power_off(primary)

    refusal = f"not promoted: {witness} may hold"
    poll(lambda: refusal in attribute(three, candidate, "mysql-state"), Deadline(60), "the refusal", interval=0.2)
    assert mysql.in_role("Promoted") == []
    assert attribute(three, candidate, "master-mysql") == "-INFINITY"
    assert attribute(three, witness, "mysql-readable") == "0"
    assert server(three, candidate) == process

    mysql.cleanup(witness)
    poll(lambda: mysql.in_role("Promoted") == [candidate], Deadline(60), f"{candidate} to be promoted", interval=0.2)
    assert server(three, candidate) == process
    three.run(candidate, ["crm_resource", "--clear", "--resource", mysql.clone])
    three.power_on(primary)
    mysql.cleanup(candidate)
    mysql.wait_whole(120)


def test_commits_that_nobody_can_acknowledge_are_let_go_once_that_is_recorded(three: Lab) -> None:
    """A replica never acknowledges what it received before it was told to."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    primary = mysql.primary()
    replicas = [node for node in three.nodes if node != primary]
    marks, wall = mysql.log_marks(), time.time()
    restart = "STOP SLAVE IO_THREAD; START SLAVE IO_THREAD"
    for node in replicas:
        mysql.root(node, f"SET GLOBAL rpl_semi_sync_slave_enabled = 0; {restart}")
    ended: list[float] = []

    def write() -> None:
        mysql.root(primary, "CREATE TABLE app.stuck (id INT PRIMARY KEY)")
        ended.append(time.time() - wall)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    there = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'stuck'"
    poll(lambda: all(mysql.root(node, there) == "1" for node in replicas), Deadline(20), "the replicas to have it")
    assert not ended, "it was acknowledged after all: nothing was stuck"

    writer.join(60)
    assert ended, "the commit still waits"
    mysql.wait_whole(60)
    assert mysql.phases_since(marks, wall)["alone"] <= ended[0]
    mysql.root(primary, "DROP TABLE app.stuck")
