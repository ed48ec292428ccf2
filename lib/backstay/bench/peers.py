"""The contenders, as a table."""

from __future__ import annotations

from functools import partial

from backstay.bench import mysqlpeers
from backstay.bench.addresses import Address
from backstay.bench.contender import Clustered, Contender
from backstay.lab.mysql import mysql
from backstay.rehearse import floor, mysqlfaults
from backstay.rehearse.mysqlset import MysqlSet

DATABASE = ("kill", "move", "power-off", "hang")  # the hang last: what it leaves may need a new lab
IP = f"ip={floor.ADDRESS}"

CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Clustered(
            "ocf:backstay:mysql",
            "mysql",
            "crm-templates/mysql.crm, monitors every 3 s and 5 s, with ocf:backstay:vip",
            mysql,
            MysqlSet,
            mysqlfaults.FAULTS,
            DATABASE,
        ),
        Clustered(
            "ocf:heartbeat:mysql",
            "mysql",
            "promotable with notify, replication by file and position, monitors every 5 s and 6 s, with ocf:heartbeat:IPaddr2",
            partial(mysqlpeers.deploy, agent="mysql"),
            mysqlpeers.PeerSet,
            mysqlfaults.FAULTS,
            DATABASE,
            mysqlpeers.MYSQL_NOTES,
        ),
        Clustered(
            "ocf:heartbeat:mariadb",
            "mysql",
            "promotable with notify, replication by GTID, monitors every 5 s and 6 s, with ocf:heartbeat:IPaddr2",
            partial(mysqlpeers.deploy, agent="mariadb"),
            mysqlpeers.PeerSet,
            mysqlfaults.FAULTS,
            DATABASE,
            mysqlpeers.MARIADB_NOTES,
        ),
        Address("ocf:backstay:vip", "an address alone, its monitor every 10 s: the floor of the stack", IP),
        Address("ocf:heartbeat:IPaddr2", "an address alone, its monitor every 10 s", f"{IP} cidr_netmask=24"),
    )
}
