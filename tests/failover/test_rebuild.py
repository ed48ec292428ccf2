"""rebuild=auto on real clusters of both families: a node with transactions of its own ends with the primary's data."""

from __future__ import annotations

import pytest
from labs import Labs

from backstay.host.deadline import Deadline, poll
from backstay_lab.systems.mysql.workload import MysqlSet

OLD = "ls -d /var/lib/mysql.errant-* 2>/dev/null || true"


@pytest.fixture(params=["bookworm", pytest.param("sid", marks=pytest.mark.slow)])
def mysql(request: pytest.FixtureRequest, labs: Labs) -> MysqlSet:
    lab = labs.get("mysql", image=request.param)
    lab.run("n1", ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    return MysqlSet(lab)


def part(mysql: MysqlSet, node: str) -> None:
    """What an admin does who takes the replica for the primary."""
    stop = "STOP SLAVE" if "MariaDB" in mysql.root(node, "SELECT @@version") else "STOP REPLICA"
    mysql.root(node, f"SET GLOBAL read_only = 0; {stop}; INSERT INTO app.ours VALUES (1000000)")


def test_an_errant_replica_gets_the_primarys_data_and_keeps_its_own_aside(mysql: MysqlSet) -> None:
    mysql.wait_whole(60)
    primary = mysql.primary()
    replica = next(node for node in mysql.lab.nodes if node != primary)
    mysql.root(primary, "CREATE TABLE app.ours (id INT PRIMARY KEY); INSERT INTO app.ours VALUES (1), (2), (3)")
    granted = "SHOW GRANTS FOR backstay_replication@'%'"  # the primary's next monitor grants what a copy needs
    poll(lambda: "SELECT" in mysql.root(primary, granted), Deadline(60), "the account to be able to copy")

    part(mysql, replica)
    poll(
        lambda: bool(mysql.lab.run(replica, ["sh", "-c", OLD]).out.strip()),
        Deadline(180),
        "the old data to be moved aside",
    )
    mysql.cleanup(replica)
    mysql.root(primary, "INSERT INTO app.ours VALUES (4)")
    mysql.wait_whole(180)

    rows = [mysql.root(node, "SELECT GROUP_CONCAT(id ORDER BY id) FROM app.ours") for node in mysql.lab.nodes]
    assert rows == ["1,2,3,4"] * 3
    assert len(mysql.lab.run(replica, ["sh", "-c", OLD]).out.split()) == 1
    assert mysql.lab.run(replica, ["sh", "-c", "ls -d /var/lib/mysql.rebuild || true"]).out == ""

    mysql.lab.run(replica, ["sh", "-c", "rm -r /var/lib/mysql.errant-*"])
    mysql.root(primary, "DROP TABLE app.ours")
    mysql.lab.run("n1", ["crm", "resource", "param", "mysql", "delete", "rebuild"])


def test_after_an_allowed_loss_it_is_left_to_the_admin(mysql: MysqlSet, labs: Labs) -> None:
    mysql.wait_whole(60)
    primary = mysql.primary()
    replica = next(node for node in mysql.lab.nodes if node != primary)
    mysql.root(primary, "CREATE TABLE app.ours (id INT PRIMARY KEY)")
    recorded = ["crm_attribute", "-t", "crm_config", "-s", "backstay", "-n", "mysql-facts", "-v"]
    mysql.lab.run(primary, [*recorded, f"{mysql.facts()} loss=9"])

    part(mysql, replica)
    state = ["attrd_updater", "-Q", "-n", "mysql-state", "-N", replica]
    poll(lambda: "not rebuilt: epoch 9" in mysql.lab.run(replica, state).out, Deadline(120), "the refusal to be shown")
    assert mysql.lab.run(replica, ["sh", "-c", OLD]).out == ""
    assert mysql.root(replica, "SELECT COUNT(*) FROM app.ours") == "1"

    # It is still a witness, since it may hold what others lack; what it wrote itself is no testimony.
    other = next(node for node in mysql.lab.nodes if node not in (primary, replica))
    assert replica in mysql.facts().partition("sync=")[2].split()[0].split(",")
    mysql.lab.fault("kill", primary, "mysql")
    poll(lambda: mysql.in_role("Promoted") == [other], Deadline(60), f"{other} to be promoted", interval=0.2)
    poll(lambda: mysql.root(other, "SELECT @@read_only") == "0", Deadline(60), f"{other} to be open")
    assert mysql.root(other, "SELECT COUNT(*) FROM app.ours") == "0"
    assert mysql.root(replica, "SELECT COUNT(*) FROM app.ours") == "1"
    labs.spoil()
