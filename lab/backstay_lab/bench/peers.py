"""The contenders, as a table."""

from __future__ import annotations

from functools import partial

from backstay_lab.bench import stacks
from backstay_lab.bench.addresses import Managed
from backstay_lab.bench.contender import Clustered, Contender
from backstay_lab.bench.keepalived import Keepalived
from backstay_lab.bench.stacks import Stack
from backstay_lab.run import baseline
from backstay_lab.systems.haproxy import faults as haproxyfaults
from backstay_lab.systems.haproxy import peers as haproxypeers
from backstay_lab.systems.haproxy.deploy import haproxy
from backstay_lab.systems.haproxy.workload import Balanced
from backstay_lab.systems.mysql import faults as mysqlfaults
from backstay_lab.systems.mysql import peers as mysqlpeers
from backstay_lab.systems.mysql.deploy import mysql
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.openstack.deploy import openstack
from backstay_lab.systems.rabbitmq import faults as rabbitfaults
from backstay_lab.systems.rabbitmq import peers as rabbitpeers
from backstay_lab.systems.rabbitmq.deploy import rabbitmq
from backstay_lab.systems.rabbitmq.workload import RabbitSet

# The hang last: what it leaves may need a new lab.
DATABASE = ("kill", "move", "power-off", "partition-primary", "loss", "hang")
BROKER = ("kill", "power-off", "hang")
# The reload first: once a failure was cleaned up, Pacemaker restarts that instance instead (docs/agents/haproxy.md).
BALANCER = ("reload", "kill", "hang")
IP = f"ip={baseline.ADDRESS}"

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
            in_place=True,
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
            in_place=True,
        ),
        Clustered(
            "ocf:backstay:rabbitmq",
            "rabbitmq",
            "crm-templates/rabbitmq.crm, monitors every 3 s and 4 s",
            rabbitmq,
            RabbitSet,
            rabbitfaults.FAULTS,
            BROKER,
        ),
        Clustered(
            "ocf:heartbeat:rabbitmq-cluster",
            "rabbitmq",
            "a plain clone with notify, monitors every 10 s",
            rabbitpeers.cluster,
            rabbitpeers.PeerCluster,
            rabbitfaults.FAULTS,
            BROKER,
            rabbitpeers.CLUSTER_NOTES,
        ),
        Clustered(
            "ocf:heartbeat:rabbitmq-server-ha",
            "rabbitmq",
            "promotable with notify, monitors every 27 s and 30 s",
            rabbitpeers.server_ha,
            rabbitpeers.PeerSet,
            rabbitfaults.FAULTS,
            BROKER,
            rabbitpeers.SERVER_HA_NOTES,
        ),
        Clustered(
            "ocf:backstay:haproxy",
            "haproxy",
            "crm-templates/haproxy.crm, monitors every 10 s, with ocf:backstay:vip",
            haproxy,
            Balanced,
            haproxyfaults.FAULTS,
            BALANCER,
        ),
        Clustered(
            "ocf:pidfile:haproxy",
            "haproxy",
            "a plain clone, monitors every 10 s, with ocf:heartbeat:IPaddr2",
            haproxypeers.deploy,
            haproxypeers.PeerBalanced,
            haproxyfaults.FAULTS,
            BALANCER,
            haproxypeers.NOTES,
        ),
        Managed("ocf:backstay:vip", "an address alone, its monitor every 10 s: the floor of the stack", IP),
        Managed("ocf:heartbeat:IPaddr2", "an address alone, its monitor every 10 s", f"{IP} cidr_netmask=24"),
        Keepalived(),
        Stack("ocf:backstay:all", "crm-templates/openstack.crm: MySQL with readers, HAProxy, RabbitMQ", openstack),
        Stack(
            "peers:all",
            "ocf:heartbeat:mysql and IPaddr2, ocf:pidfile:haproxy and IPaddr2, ocf:heartbeat:rabbitmq-cluster",
            stacks.peers,
            stacks.PEERS_NOTES,
        ),
    )
}
