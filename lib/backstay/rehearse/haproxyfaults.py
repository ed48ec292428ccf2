"""The faults that HAProxy must survive, as a table. The leader is the node that has its address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.rehearse.faults import (
    Fault,
    Stage,
    hang,
    kill,
    leader,
    mend_leader,
    nothing,
    partition_leader,
    power_off,
    power_on,
    resume,
)

if TYPE_CHECKING:
    from backstay.rehearse.balanced import Balanced


def reload(stage: Stage[Balanced]) -> None:
    stage.service.reload(stage)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", "SIGKILL of HAProxy where its address is", kill, nothing, False, leader, median=0.5),
        Fault("reload", "a changed configuration loaded on all nodes", reload, nothing, elsewhere=False, moves=0),
        Fault("hang", "SIGSTOP of that HAProxy, SIGCONT later", hang, resume, False, leader),
        Fault("power-off", "power-off of its node", power_off, power_on, elsewhere=False),
        Fault("partition", "its node cut off from both others", partition_leader, mend_leader, elsewhere=False),
    )
}
