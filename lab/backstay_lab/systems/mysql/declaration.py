"""What the proving ground knows of the MySQL set."""

from __future__ import annotations

from functools import partial

from backstay_lab.machines.faults import Daemon
from backstay_lab.systems.declaration import Benched, Campaigned, Declaration, Rehearsed, Show, Way
from backstay_lab.systems.mysql import peers
from backstay_lab.systems.mysql.campaign import MysqlSubject
from backstay_lab.systems.mysql.deploy import mysql
from backstay_lab.systems.mysql.faults import FAULTS
from backstay_lab.systems.mysql.workload import MysqlSet

WAYS = (
    Way(
        "ocf:backstay:mysql",
        "crm-templates/mysql.crm, monitors every 3 s and 5 s, with ocf:backstay:vip",
        mysql,
        MysqlSet,
    ),
    Way(
        "ocf:heartbeat:mysql",
        "promotable with notify, replication by file and position, monitors every 5 s and 6 s, with ocf:heartbeat:IPaddr2",
        partial(peers.deploy, agent="mysql"),
        peers.PeerSet,
        peers.MYSQL_NOTES,
        in_place=True,
    ),
    Way(
        "ocf:heartbeat:mariadb",
        "promotable with notify, replication by GTID, monitors every 5 s and 6 s, with ocf:heartbeat:IPaddr2",
        partial(peers.deploy, agent="mariadb"),
        peers.PeerSet,
        peers.MARIADB_NOTES,
        in_place=True,
    ),
)
SYSTEM = Declaration(
    title="MySQL and MariaDB",
    topologies={"mysql": mysql},
    daemons={"mysql": Daemon(("mysqld", "mariadbd"))},
    rehearsed=Rehearsed(
        MysqlSet,
        "mysql",
        FAULTS,
        "four writers, an attempt every 10 ms, 1 s to connect, send and receive, a fresh connection after an error; "
        "failed operations are those of ten threads on oslo.db, each with a transaction every 100 ms",
    ),
    campaigned=Campaigned("mysql", {"": MysqlSet.traits}, MysqlSubject),
    # The hang last: what it leaves may need a new lab.
    benched=Benched(WAYS, ("kill", "move", "power-off", "partition-primary", "loss", "hang")),
    show=Show(
        "three nodes: Pacemaker, Corosync, fencing, MariaDB, the writer address",
        "every replica acknowledges",
        "four clients write through the writer address",
        {"kill": "kill -9 of the primary's server", "power-off": "power cut of the primary's node"},
        {
            "detected": "the cluster notices",
            "fenced": "the lost node is confirmed dead",
            "promoted": "a replica is promoted",
            "address": "the writer address is there",
            "first write": "the first write is acknowledged",
            "whole": "the old node has rejoined as a replica, all servers hold the same rows",
        },
        "The ledger: {acknowledged} rows acknowledged, {lost} lost; two servers writable at once: {both_writable} times; "
        "no write was acknowledged for {gap:.2f} s",
    ),
)
