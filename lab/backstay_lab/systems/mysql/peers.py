"""ocf:heartbeat:mysql and ocf:heartbeat:mariadb with a writer address, as their documentation has them.

Resources are named as in crm-templates/mysql.crm, so that the same faults and the same reading of the logs apply. What the
template sets for the whole cluster (load-threshold) is set here too.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.mysql.deploy import CONFIG, DATA, WRITER, empty
from backstay_lab.systems.mysql.workload import WRITER as ADDRESS
from backstay_lab.systems.mysql.workload import MysqlSet

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster
    from backstay_lab.machines.cluster import Lab

INSTALL_TIMEOUT = 60.0  # seconds for mariadb-install-db; about 3
SERVE_TIMEOUT = 120.0

# As durable as ours, and read-only until the agent promotes. Semi-synchronous as MariaDB ships it: a commit waits ten
# seconds for a replica before it goes on alone.
SETTINGS = {
    "log-slave-updates": "ON",
    "sync-binlog": "1",
    "innodb-flush-log-at-trx-commit": "1",
    "sync-relay-log": "1",
    "read-only": "ON",
    "skip-slave-start": "ON",
    "rpl-semi-sync-master-enabled": "ON",
    "rpl-semi-sync-slave-enabled": "ON",
    "rpl-semi-sync-master-wait-point": "AFTER_SYNC",
    "slave-net-timeout": "4",
}
# The accounts, with the same GTIDs on every node: ocf:heartbeat:mariadb elects by them, and refuses to without any.
INSTALL = """
mariadb-install-db --defaults-file={config} --user=mysql --skip-test-db > /dev/null
chown -R mysql:mysql /var/lib/mysql /var/log/mysql
mysqld --defaults-file={config} --user=mysql --skip-networking --skip-slave-start --read-only=OFF \\
    --rpl-semi-sync-master-enabled=OFF &
for turn in $(seq 300); do mysqladmin --defaults-file={config} ping 2> /dev/null && break; sleep 0.1; done
mysql --defaults-file={config} --user=root
mysqladmin --defaults-file={config} --user=root shutdown
wait
"""
ACCOUNTS = """
SET SESSION sql_log_bin = 0;
DELETE FROM mysql.global_priv WHERE User = '';
FLUSH PRIVILEGES;
CREATE DATABASE app;
CREATE USER 'app'@'%' IDENTIFIED BY '{app}';
GRANT ALL ON app.* TO 'app'@'%';
CREATE USER 'peer'@'%' IDENTIFIED BY '{peer}';
CREATE USER 'peer'@'localhost' IDENTIFIED BY '{peer}';
GRANT ALL PRIVILEGES ON *.* TO 'peer'@'%';
GRANT ALL PRIVILEGES ON *.* TO 'peer'@'localhost';
SET SESSION sql_log_bin = 1;
RESET MASTER;
SET SESSION server_id = 1;
CREATE TABLE app.marker (id INT PRIMARY KEY, value BIGINT NOT NULL);
SET GLOBAL gtid_slave_pos = '0-1-1';
"""

CLUSTER = """
property stonith-enabled=true no-quorum-policy=stop load-threshold=400%

primitive mysql ocf:heartbeat:{agent} \\
    params config={config} datadir=/var/lib/mysql binary=/usr/sbin/mysqld \\
        pid=/run/mysqld/mysqld.pid socket=/run/mysqld/mysqld.sock log=/var/log/mysql/error.log \\
        replication_user=peer replication_passwd={peer} test_user=peer test_passwd={peer} {more} \\
    meta migration-threshold=1 failure-timeout=30s \\
    op start interval=0 timeout=120s \\
    op stop interval=0 timeout=120s \\
    op promote interval=0 timeout=120s \\
    op demote interval=0 timeout=120s \\
    op notify interval=0 timeout=90s \\
    op monitor interval={promoted}s timeout=30s role=Promoted OCF_CHECK_LEVEL=1 \\
    op monitor interval={unpromoted}s timeout=30s role=Unpromoted OCF_CHECK_LEVEL=1

clone mysql-clone mysql \\
    meta promotable=true promoted-max=1 promoted-node-max=1 clone-max={nodes} clone-node-max=1 \\
        notify=true interleave=true resource-stickiness=1

primitive mysql-writer ocf:heartbeat:IPaddr2 \\
    params ip={writer} cidr_netmask=24 \\
    op monitor interval=10s timeout=20s

colocation mysql-writer-with-primary inf: mysql-writer mysql-clone:Promoted
order mysql-promote-then-writer Mandatory: mysql-clone:promote mysql-writer:start
"""

COMMON_NOTES = (
    "binary=/usr/sbin/mysqld: under mysqld_safe, the default, a killed server starts again beside Pacemaker.",
    "migration-threshold=1, as ours has it: by default the killed server is started in place first, and the promotion of "
    "another waits for that.",
    "monitors every 5 s and 6 s, timeout 30 s as the agent advises; it advises intervals of 10 s and 30 s, with which the times "
    "would be longer.",
    "semi-synchronous replication (AFTER_SYNC), sync_binlog=1, innodb_flush_log_at_trx_commit=1 and sync_relay_log=1, as ours.",
    "slave_net_timeout=4, as ours: a replica takes a silent source for dead after 4 s; MariaDB's default is 60 s.",
    "The anonymous accounts are removed: they hide the replication account from local logins.",
    "The replication account has all privileges: since MariaDB 10.11, SUPER no longer implies READ ONLY ADMIN.",
)
MYSQL_NOTES = (
    *COMMON_NOTES,
    "OCF_CHECK_LEVEL=1: at level 0 the agent looks at the pid alone and not at replication.",
    "max_slave_lag=1: at level 1 the agent scores a replica max_slave_lag minus its lag, and the primary 2; with the default, "
    "3600, the role moves for ever.",
)
MARIADB_NOTES = (
    *COMMON_NOTES,
    "Every node begins with the same first GTID: the agent cannot elect a first primary among empty histories.",
    "bc is installed: the agent compares GTIDs with it.",
)


class PeerSet(MysqlSet):
    """A set that keeps no durable record: whole is a primary with the address, and replicas that follow it."""

    def incomplete(self, seen: Cluster) -> str:
        promoted = self.in_role("Promoted")  # asked again: a peer's role may have gone since
        if len(promoted) != 1 or ADDRESS not in self.lab.roles().get(promoted[0], {}):
            return "the writer address is not with the primary"
        return self._unreplicated()


def deploy(lab: Lab, agent: str, promoted: int = 5, unpromoted: int = 6) -> None:
    """A set under ocf:heartbeat:AGENT on empty disks; monitors every so many seconds. Raises LabError."""
    app, peer = secrets.token_hex(8), secrets.token_hex(12)
    for number, node in enumerate(lab.nodes, start=1):
        empty(lab, node, DATA, {"server-id": str(number), **SETTINGS})
        install = ["sh", "-ec", INSTALL.format(config=CONFIG)]
        lab.run(node, install, timeout=INSTALL_TIMEOUT, input=ACCOUNTS.format(app=app, peer=peer))
    nodes = lab.nodes
    text = CLUSTER.format(
        agent=agent,
        config=CONFIG,
        peer=peer,
        more=f'node_list="{" ".join(nodes)}"' if agent == "mariadb" else "max_slave_lag=1",
        promoted=promoted,
        unpromoted=unpromoted,
        nodes=len(nodes),
        writer=WRITER,
    )
    lab.put(nodes[0], "/root/peer.crm", text, mode=0o600)
    lab.run(nodes[0], ["crm", "configure", "load", "update", "/root/peer.crm"])

    def url(address: str) -> str:
        return f"mysql://app:{app}@{address}:3306/app"

    machines = lab.status()["nodes"]
    writes = ["python3", "-m", "backstay_lab.clients.query", "REPLACE INTO marker VALUES (1, 1)", url(WRITER)]

    def serves() -> bool:
        return '"rows"' in lab.run(CLIENT, writes, check=False).out

    try:
        poll(serves, Deadline(SERVE_TIMEOUT), "a write through the writer address", interval=0.3)
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late
    lab.endpoints = {"writer": url(WRITER), "readers": [url(machines[node]["address"]) for node in nodes]}
