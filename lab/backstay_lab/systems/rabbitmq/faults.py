"""The faults that a RabbitMQ cluster must survive, as a table. The leader is the node with the queues' leaders."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.systems.faults import (
    BLACKOUT,
    HANG,
    KILL,
    PARTITION_LEADER,
    PARTITION_OTHER,
    POWER_OFF,
    UPGRADE,
    Fault,
    Stage,
    leader,
    nothing,
    other,
)

if TYPE_CHECKING:
    from backstay_lab.systems.rabbitmq.workload import RabbitSet

STOP_TIMEOUT = 90.0  # seconds, of the stop operation in crm-templates/rabbitmq.crm


def promoted(stage: Stage[RabbitSet]) -> str:
    """The node that was promoted when the fault came, and led no queue."""
    return stage.noted["promoted"]


def _move_role_off_the_leader(stage: Stage[RabbitSet]) -> None:
    """The role's node must lead no queue, else clients lose a leader and not just the role. A move is no event either."""
    service = stage.system
    if service.promoted() == stage.leader:
        where = ["--resource", service.clone]
        stage.lab.run(stage.others[0], ["crm_resource", "--move", "--promoted", "--node", stage.others[0], *where])
        poll(lambda: service.in_role("Promoted") == [stage.others[0]], Deadline(60), "the role to move", interval=0.2)
        stage.lab.run(stage.others[0], ["crm_resource", "--clear", *where])
    stage.noted["promoted"] = service.promoted()


def lose_promoted(stage: Stage[RabbitSet]) -> None:
    _move_role_off_the_leader(stage)
    stage.lab.fault("kill", promoted(stage), stage.system.name)


def _standby(stage: Stage[RabbitSet], node: str, on: bool) -> float:
    """Put a node on standby, or take it back; seconds until its broker is stopped, or serves."""
    begun = time.monotonic()
    asked = next(each for each in stage.lab.nodes if each != node)
    stage.lab.run(asked, ["crm_standby", "--node", node, "-v", "on" if on else "off"])

    def settled() -> bool:
        return (stage.system.name in stage.lab.roles().get(node, {})) != on

    state = "stopped" if on else "running"
    poll(settled, Deadline(2 * STOP_TIMEOUT), f"the broker on {node} to be {state}", interval=0.2)
    return time.monotonic() - begun


def standby(stage: Stage[RabbitSet]) -> None:
    stage.phases["stopped"] = _standby(stage, stage.leader, on=True)


def online(stage: Stage[RabbitSet]) -> None:
    stage.phases["started"] = _standby(stage, stage.leader, on=False)


def stop_after_start(stage: Stage[RabbitSet], count: int) -> None:
    """Brokers of 3.x have hung for minutes when they were stopped while mirrors of many queues were being set up."""
    boot = _boot_of_leader(stage)
    stage.system.queues("declare", stage.leader, *_many(count))
    _standby(stage, stage.leader, on=True)
    _standby(stage, stage.leader, on=False)
    taken = stage.phases["stopped"] = _standby(stage, stage.leader, on=True)
    if taken > STOP_TIMEOUT or _boot_of_leader(stage) != boot:
        raise AgentError(f"a stop right after a start took {taken:.0f} s, or {stage.leader} was fenced")


def _boot_of_leader(stage: Stage[RabbitSet]) -> int | None:
    """Which boot of the leader's node this is: its init, as the host sees it."""
    return stage.lab.layout.init_of(stage.leader)


def _many(count: int) -> list[str]:
    return [f"many-{number}" for number in range(count)]


def _delete_many(stage: Stage[RabbitSet], count: int) -> None:
    online(stage)
    stage.system.queues("delete", stage.others[0], *_many(count))


def early_stop(count: int) -> Fault:
    """The fault with so many mirrored queues. Declaring a thousand takes a minute or two."""
    return Fault(
        "stop-after-start",
        f"stop right after a start, {count} mirrored queues",
        partial(stop_after_start, count=count),
        partial(_delete_many, count=count),
        elsewhere=False,
        patience=240.0,
    )


def remove_other(stage: Stage[RabbitSet]) -> None:
    """An admin takes a node out of the cluster for good: one parameter, and the agents do the rest."""
    node, begun = other(stage), time.monotonic()
    stage.lab.run(stage.leader, ["crm", "resource", "param", stage.system.name, "set", "removed", node])

    def forgotten() -> bool:
        status = json.loads(stage.system.ctl(stage.leader, "--formatter", "json", "cluster_status"))
        return f"rabbit@{node}" not in status["disk_nodes"]

    poll(forgotten, Deadline(120), f"the others to forget {node}", interval=0.5)
    stage.phases["forgotten"] = time.monotonic() - begun


def return_virgin(stage: Stage[RabbitSet]) -> None:
    """A new machine of the same name: it has no data, and joins the others by itself."""
    node, begun = other(stage), time.monotonic()
    stage.lab.run(node, ["rm", "-rf", "/var/lib/rabbitmq/mnesia"])
    stage.lab.run(stage.leader, ["crm", "resource", "param", stage.system.name, "delete", "removed"])
    stage.system.forget(node)
    poll(lambda: stage.system.serves(node), Deadline(180), f"the broker on {node} to serve", interval=0.5)
    stage.phases["joined"] = time.monotonic() - begun


def cold_start(stage: Stage[RabbitSet]) -> None:
    """All power fails, and returns for all nodes in the same moment."""
    for node in stage.lab.nodes:
        stage.lab.power_off(node)
    begun = time.monotonic()
    for node in stage.lab.nodes:
        stage.lab.power_on(node)

    poll(lambda: _serving(stage), Deadline(240), "all brokers to serve", interval=0.3)
    stage.phases["all serve after power-on"] = time.monotonic() - begun


def _serving(stage: Stage[RabbitSet]) -> bool:
    return len(stage.lab.online()) == len(stage.lab.nodes) and not stage.system.broken()


def late_member(stage: Stage[RabbitSet]) -> None:
    """All power fails. When it returns for the last node, the others' brokers boot already, and wait for its."""
    first, *others = stage.lab.nodes
    for node in stage.lab.nodes:
        stage.lab.power_off(node)
    begun = time.monotonic()
    for node in others:
        stage.lab.power_on(node)
    booting = ["pgrep", "-x", "beam.smp"]
    poll(lambda: all(not stage.lab.run(node, booting, check=False).status for node in others), Deadline(120), "boots")
    stage.lab.power_on(first)
    poll(lambda: _serving(stage), Deadline(240), "all brokers to serve", interval=0.3)
    stage.phases["all serve after power-on"] = time.monotonic() - begun


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", "SIGKILL of the broker that leads the queues", *KILL, False, leader, median=0.5),
        Fault("hang", "SIGSTOP of that broker, SIGCONT later", *HANG, False, leader, worst=15.0),
        Fault("power-off", "power-off of that broker's node", *POWER_OFF, elsewhere=False),
        Fault("partition-leader", "that node cut off from both others", *PARTITION_LEADER, elsewhere=False),
        Fault("partition-other", "another node cut off", *PARTITION_OTHER, elsewhere=False),
        Fault(
            "lose-promoted",
            "SIGKILL of the promoted broker, which leads no queue",
            lose_promoted,
            nothing,
            elsewhere=False,
            fails=promoted,
            unseen=promoted,
        ),
        Fault("standby", "planned stop of the broker that leads the queues", standby, online, elsewhere=False),
        Fault("upgrade", "the agents installed anew on all nodes, one by one", *UPGRADE, elsewhere=False, moves=0),
        Fault("blackout", "all nodes off, started one by one", *BLACKOUT, False, patience=300.0, all_lost=True),
        Fault(
            "cold-start", "all nodes off, started at once", cold_start, nothing, False, patience=300.0, all_lost=True
        ),
        Fault(
            "late-member",
            "all nodes off; the last returns when the others boot already",
            late_member,
            nothing,
            elsewhere=False,
            patience=300.0,
            all_lost=True,
        ),
        early_stop(1000),
        Fault(
            "replace-node",
            "a node is removed for good; a virgin one of the same name joins",
            remove_other,
            return_virgin,
            elsewhere=False,
            patience=120.0,
        ),
    )
}
