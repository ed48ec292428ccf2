"""An existing database becomes a set, on real clusters of both families: whatever node is asked first, the set begins with its
data, the others get copies, and it is all there after a move. docs/agents/mysql.md has the way."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from labs import Labs

from backstay.host.deadline import Deadline, poll
from backstay.services.mysql.dialects import dialect_for
from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.mysql.deploy import await_writes, prepare
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.topology import configure

# As a distribution's own service has it: no binary log, and so nothing of it in any history.
MAKE = """
chown mysql:mysql /var/lib/mysql
if command -v mariadb-install-db >/dev/null; then mariadb-install-db --user=mysql --skip-test-db >/dev/null
else mysqld --no-defaults --initialize-insecure --user=mysql --datadir=/var/lib/mysql; fi
mysqld --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-log-bin --socket=/run/mysqld/mysqld.sock \
    --pid-file=/run/mysqld/mysqld.pid >/tmp/other 2>&1 &
until mysql --socket=/run/mysqld/mysqld.sock -u root -e 'SELECT 1' >/dev/null 2>&1; do kill -0 $! && sleep 0.1; done
mysql --socket=/run/mysqld/mysqld.sock -u root
mysqladmin --socket=/run/mysqld/mysqld.sock -u root shutdown; wait
"""
DATA = """
CREATE DATABASE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY) ENGINE=InnoDB; INSERT INTO shop.orders VALUES (1), (2), (3);
CREATE USER keeper@localhost IDENTIFIED BY 'kept-as-it-was';
"""


@pytest.fixture(params=["bookworm", pytest.param("sid", marks=pytest.mark.slow)])
def lab(request: pytest.FixtureRequest, labs: Labs) -> Iterator[Lab]:
    yield labs.get("none", image=request.param)
    labs.spoil()


def shown(lab: Lab, node: str) -> str:
    """What the cluster shows of the node's server."""
    said = lab.run(node, ["attrd_updater", "-Q", "-n", "mysql-state", "-N", node], check=False).out
    return said.partition(' value="')[2].rpartition('"')[0]


def test_the_set_begins_with_the_data_and_the_others_get_copies(lab: Lab) -> None:
    values = prepare(lab)
    first, *others = lab.nodes
    dialect = dialect_for(lab.run(first, ["mysqld", "--version"]).out)
    accounts = (
        ("backstay_monitor", values["monitor_password"]),
        ("backstay_replication", values["replication_password"]),
    )
    socket = [] if dialect.family == "MariaDB" else ["INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'",
              "ALTER USER root@localhost IDENTIFIED WITH auth_socket"]  # fmt: skip
    statements = [*dialect.account_statements(*accounts, rebuild=False), *socket]
    lab.run(first, ["sh", "-ec", MAKE], input=DATA + ";\n".join(statements), timeout=90)
    # Whoever is asked first is no matter: here it is the wrong one.
    wrong = others[0]
    rule = ["location", "wrong", "mysql-clone", "rule", "$role=Promoted", "50:", "#uname", "eq", wrong]
    lab.run(first, ["crm", "configure", "property", "maintenance-mode=true"])
    configure(lab, "mysql", values)
    lab.run(first, ["crm", "configure", *rule])
    lab.run(first, ["crm", "configure", "property", "maintenance-mode=false"])
    await_writes(lab)
    mysql = MysqlSet(lab)
    lab.run(first, ["crm", "configure", "delete", "wrong"])
    assert mysql.primary() == first
    assert mysql.root(first, "SELECT COUNT(*) FROM shop.orders") == "3"

    # Without leave to copy they say what to do, and take no part.
    for node in others:
        poll(
            lambda node=node: "set rebuild=auto, or restore a copy" in shown(lab, node),  # type: ignore[misc]
            Deadline(60),
            f"{node} to say that it lacks the data",
            interval=0.2,
        )
    lab.run(first, ["crm", "resource", "param", "mysql", "set", "rebuild", "auto"])
    for node in others:
        copied = f"monitor of mysql on {node}: rebuilt: restarting on the new data"
        poll(lambda copied=copied: copied in lab.complaints(), Deadline(120), f"{node} to have a copy", interval=0.2)  # type: ignore[misc]
        mysql.cleanup(node)  # or Pacemaker would let the failure rest for half a minute
    mysql.wait_whole(120)
    assert [mysql.root(node, "SELECT COUNT(*) FROM shop.orders") for node in lab.nodes] == ["3"] * 3

    lab.run(first, ["backstay", "switchover", "--yes", wrong], timeout=120)
    assert mysql.primary() == wrong
    mysql.root(wrong, "INSERT INTO shop.orders VALUES (4)")
    mysql.wait_whole(120)
    for node in lab.nodes:
        assert mysql.root(node, "SELECT COUNT(*) FROM shop.orders") == "4"
        assert mysql.root(node, "SELECT COUNT(*) FROM mysql.user WHERE User = 'keeper'") == "1"
