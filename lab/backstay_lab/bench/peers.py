"""The contenders, as a table: every way of every system, and what is compared beside the systems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.bench import stacks
from backstay_lab.bench.addresses import Managed
from backstay_lab.bench.contender import Clustered
from backstay_lab.bench.keepalived import Keepalived
from backstay_lab.bench.nothing import Nothing
from backstay_lab.bench.stacks import Stack
from backstay_lab.run import baseline
from backstay_lab.systems.catalogue import benched, rehearsed, topology

if TYPE_CHECKING:
    from backstay_lab.bench.contender import Contender

IP = f"ip={baseline.ADDRESS}"

CONTENDERS: dict[str, Contender] = {
    contender.name: contender
    for contender in (
        Nothing(),
        *(Clustered(name, rehearsed()[name], way, one.faults) for name, one in benched().items() for way in one.ways),
        Managed("ocf:backstay:vip", "an address alone, its monitor every 10 s: the floor of the stack", IP),
        Managed("ocf:heartbeat:IPaddr2", "an address alone, its monitor every 10 s", f"{IP} cidr_netmask=24"),
        Keepalived(),
        Stack(
            "ocf:backstay:all",
            "crm-templates/openstack.crm: MySQL with readers, HAProxy, RabbitMQ",
            topology("openstack").deploy,
        ),
        Stack(
            "peers:all",
            "ocf:heartbeat:mysql and IPaddr2, ocf:pidfile:haproxy and IPaddr2, ocf:heartbeat:rabbitmq-cluster",
            stacks.peers,
            stacks.PEERS_NOTES,
        ),
    )
}
