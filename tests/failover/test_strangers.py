"""A replica outside the cluster, on a real one: what it has to say to a failover."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from test_record import recorded

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import CLIENT
from backstay_lab.systems.mysql.workload import MysqlSet

_SERVER = """
rm -rf /var/lib/reports; mkdir -p /run/mysqld; chown mysql: /run/mysqld
mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/reports --skip-test-db >/dev/null
setsid mariadbd --no-defaults --user=mysql --datadir=/var/lib/reports --socket=/run/mysqld/reports.sock --port=3306 \
    --server-id=77 --report-host=client --log-bin=binlog --log-slave-updates --gtid-strict-mode --log-error=/tmp/reports.log \
    --pid-file=/run/mysqld/reports.pid >/dev/null 2>&1 &
until mariadb -S /run/mysqld/reports.sock -e 'SELECT 1' >/dev/null 2>&1; do
    kill -0 $! || { cat /tmp/reports.log >&2; exit 1; }; sleep 0.1
done
"""


class Reports:
    """A server on the client."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        lab.run(CLIENT, ["sh", "-ec", _SERVER], timeout=90)

    def sql(self, statement: str) -> str:
        return self._lab.run(CLIENT, ["mariadb", "-S", "/run/mysqld/reports.sock", "-Ne", statement]).out.strip()

    def end(self) -> None:
        self._lab.run(CLIENT, ["sh", "-c", "kill -9 $(cat /run/mysqld/reports.pid)"], check=False)


@pytest.fixture
def reports(three: Lab) -> Iterator[Reports]:
    MysqlSet(three).wait_whole(120)
    server = Reports(three)
    yield server
    server.end()


def shown(mysql: MysqlSet, node: str) -> str:
    said = mysql.lab.run(node, ["attrd_updater", "-Q", "-n", f"{mysql.name}-state", "-N", node], check=False).out
    return said.partition(' value="')[2].rpartition('"')[0]


def test_a_replica_outside_the_cluster_counts_while_it_acknowledges_and_is_told(three: Lab, reports: Reports) -> None:
    mysql = MysqlSet(three)
    primary = mysql.primary()
    secret = three.run(primary, ["crm_resource", "-r", mysql.name, "-g", "replication_password"]).out.strip()
    reports.sql("SET GLOBAL gtid_strict_mode = 1")
    reports.sql(
        f"CHANGE MASTER TO master_host='{urlsplit(mysql.writer).hostname}', master_user='backstay_replication',"
        f" master_password='{secret}', master_use_gtid=slave_pos, master_connect_retry=1; START SLAVE"
    )
    connected = "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    poll(lambda: mysql.root(primary, connected) == "3", Deadline(60), "the replica to connect", 0.2)
    note = f"/run/backstay/{mysql.name}/nodes"
    poll(lambda: three.run(primary, ["test", "-e", note], check=False).status == 0, Deadline(60), "a look", 0.2)
    nodes = set(three.nodes) - {primary}
    assert set(recorded(mysql)["sync"].split(",")) == nodes

    reports.sql("SET GLOBAL rpl_semi_sync_slave_enabled = 1; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")
    poll(lambda: "client" in recorded(mysql)["sync"].split(","), Deadline(60), "it to be on record", 0.2)
    poll(lambda: "client acknowledges and is no node" in shown(mysql, primary), Deadline(60), "it to be told", 0.2)
    assert "client acknowledges and is no node" in three.run(primary, ["backstay", "status"], check=False).out

    reports.sql("SET GLOBAL rpl_semi_sync_slave_enabled = 0; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")
    poll(lambda: set(recorded(mysql)["sync"].split(",")) == nodes, Deadline(60), "it to be off the record", 0.2)
    reports.sql("SET GLOBAL rpl_semi_sync_slave_enabled = 1; STOP SLAVE IO_THREAD; START SLAVE IO_THREAD")
    poll(lambda: "client" in recorded(mysql)["sync"].split(","), Deadline(60), "it to be on record", 0.2)
    reports.end()
    poll(lambda: set(recorded(mysql)["sync"].split(",")) == nodes, Deadline(90), "it to be off the record", 0.2)
    three.fault("kill", primary, "mysql")
    poll(lambda: mysql.in_role("Promoted") not in ([], [primary]), Deadline(60), "another to be promoted", 0.1)
    mysql.wait_whole(120)
