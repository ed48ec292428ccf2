"""The faults that a control plane must survive while instances are booted, as a table: each service's, at its leader. The
leader of HAProxy is the node that has its address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.nemesis.fault import Cost, Fault, table
from backstay_lab.nemesis.harm import kill
from backstay_lab.systems.haproxy import faults as haproxyfaults
from backstay_lab.systems.mysql import faults as mysqlfaults
from backstay_lab.systems.rabbitmq import faults as rabbitfaults

if TYPE_CHECKING:
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.mysql.workload import MysqlSet

PARTS = {
    "mysql": [mysqlfaults.FAULTS[name] for name in ("kill", "hang", "power-off", "partition-primary")],
    "rabbitmq": [rabbitfaults.FAULTS[name] for name in ("kill", "hang", "power-off", "partition-leader")],
    "haproxy": [haproxyfaults.FAULTS[name] for name in ("kill", "hang", "power-off", "partition")],
}


def kill_while_a_broker_starts(stage: Stage[MysqlSet]) -> None:
    """The cluster plans anew only when all that it has begun is done, and a broker's start takes long."""
    broker, begun = stage.others[0], time.monotonic()
    marks = stage.system.log_marks()
    stage.lab.fault("kill", broker, "rabbitmq")
    starts = "Requesting local execution of start operation for rabbitmq on"
    poll(lambda: stage.system.logged_since(marks, starts), Deadline(30), "the broker's start", interval=0.05)
    stage.phases["killed"] = time.monotonic() - begun
    kill(stage)


def within(part: str, fault: Fault) -> Fault:
    """A part's fault, under the boot flow: what counts are boots, and those know no servers and no bounds."""
    name = fault.name.partition("-")[0] if fault.name.startswith("partition") else fault.name
    cost = Cost(fault.cost.moves, fails=fault.cost.fails)
    return fault._replace(name=f"{part}-{name}", cost=cost, part=part)


FAULTS = table(
    *(within(part, fault) for part, faults in PARTS.items() for fault in faults),
    Fault(
        "mysql-kill-in-start",
        "SIGKILL of the primary's server while a broker starts on another node",
        kill_while_a_broker_starts,
        Cost(fails=True),
        part="mysql",
    ),
)
