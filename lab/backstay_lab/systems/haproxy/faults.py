"""The faults that HAProxy must survive, as a table. The leader is the node that has its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.systems.faults import HANG, KILL, PARTITION_LEADER, POWER_OFF, UPGRADE, Fault, Stage, leader, nothing

if TYPE_CHECKING:
    from backstay_lab.systems.haproxy.workload import Balanced


def reload(stage: Stage[Balanced]) -> None:
    stage.system.reload()


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", "SIGKILL of HAProxy where its address is", *KILL, False, leader, median=0.5),
        Fault("reload", "a changed configuration loaded on all nodes", reload, nothing, elsewhere=False, moves=0),
        Fault("upgrade", "the agents installed anew on all nodes, one by one", *UPGRADE, elsewhere=False, moves=0),
        Fault("hang", "SIGSTOP of that HAProxy, SIGCONT later", *HANG, False, leader),
        Fault("power-off", "power-off of its node", *POWER_OFF, elsewhere=False),
        Fault("partition", "its node cut off from both others", *PARTITION_LEADER, elsewhere=False),
    )
}
