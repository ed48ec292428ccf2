"""The faults that HAProxy must survive, as a table. The leader is the node that has its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.nemesis.fault import Cost, Fault, table
from backstay_lab.nemesis.measured import HANG, KILL, PARTITION, POWER_OFF, UPGRADE

if TYPE_CHECKING:
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.haproxy.workload import Balanced


def reload(stage: Stage[Balanced]) -> None:
    stage.system.reload()


FAULTS = table(
    KILL.there("SIGKILL of HAProxy where its address is", Cost(fails=True, median=0.5)),
    Fault("reload", "a changed configuration loaded on all nodes", reload, Cost(moves=0)),
    UPGRADE.there("the agents installed anew on all nodes, one by one", Cost(moves=0)),
    HANG.there("SIGSTOP of that HAProxy, SIGCONT later", Cost(fails=True)),
    POWER_OFF.there("power-off of its node"),
    PARTITION.there("its node cut off from both others"),
)
