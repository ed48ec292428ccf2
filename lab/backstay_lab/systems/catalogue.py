"""The services that can be rehearsed, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.systems.haproxy import faults as haproxyfaults
from backstay_lab.systems.haproxy.workload import Balanced
from backstay_lab.systems.mysql import faults as mysqlfaults
from backstay_lab.systems.mysql.workload import MysqlSet
from backstay_lab.systems.openstack import faults as openstackfaults
from backstay_lab.systems.openstack.workload import ControlPlane
from backstay_lab.systems.rabbitmq import faults as rabbitfaults
from backstay_lab.systems.rabbitmq.workload import RabbitSet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.systems.faults import Fault
    from backstay_lab.systems.system import Service


class Rehearsed(NamedTuple):
    """attach: the service of a lab. topology: the lab's that has it. client: what the figures are to be read with."""

    attach: Callable[[Lab], Service]
    topology: str
    faults: Mapping[str, Fault]
    client: str


SERVICES = {
    "mysql": Rehearsed(
        MysqlSet,
        "mysql",
        mysqlfaults.FAULTS,
        "four writers, an attempt every 10 ms, 1 s to connect, send and receive, a fresh connection after an error; "
        "failed operations are those of ten threads on oslo.db, each with a transaction every 100 ms",
    ),
    "rabbitmq": Rehearsed(
        RabbitSet,
        "rabbitmq",
        rabbitfaults.FAULTS,
        "four publishers, an attempt every 20 ms each, 1 s to connect, 2 s for a confirm, the next node after an error; the "
        "gap is that of the publisher that waited longest; failed operations are those of ten calls and ten casts a second on "
        "oslo.messaging",
    ),
    "haproxy": Rehearsed(
        Balanced,
        "haproxy",
        haproxyfaults.FAULTS,
        "two hundred new connections a second, each with a line that must come back, and four that are kept; 1 s to connect "
        "and 1 s for the line; the gap is the new ones'",
    ),
    "openstack": Rehearsed(
        ControlPlane,
        "openstack",
        openstackfaults.FAULTS,
        "four callers, twenty boots a second; a boot is done when its caller reads from a replica that the instance is active; "
        "failed operations are those of clients on oslo.db and oslo.messaging beside them, which try nothing again",
    ),
}
