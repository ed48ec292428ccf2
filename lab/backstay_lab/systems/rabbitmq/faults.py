"""The faults that a RabbitMQ cluster must survive, as a table. The leader is the node with the queues' leaders."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.nemesis import harm
from backstay_lab.nemesis.fault import FOLLOWER, Cost, Fault, table
from backstay_lab.nemesis.measured import BLACKOUT, HANG, KILL, PARTITION, POWER_OFF, STANDBY, UPGRADE

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.rabbitmq.workload import RabbitSet

STOP_TIMEOUT = 90.0  # seconds, of the stop operation in crm-templates/rabbitmq.crm


def _move_role_off_the_leader(stage: Stage[RabbitSet]) -> None:
    """The role's node must lead no queue, else clients lose a leader and not just the role. A move is no event either."""
    service = stage.system
    if service.promoted() == stage.leader:
        where = ["--resource", service.clone]
        stage.lab.run(stage.others[0], ["crm_resource", "--move", "--promoted", "--node", stage.others[0], *where])
        poll(lambda: service.in_role("Promoted") == [stage.others[0]], Deadline(60), "the role to move", interval=0.2)
        stage.lab.run(stage.others[0], ["crm_resource", "--clear", *where])


def lose_promoted(stage: Stage[RabbitSet]) -> None:
    """It is the node that is hit then, and led no queue."""
    _move_role_off_the_leader(stage)
    stage.node = stage.system.promoted()
    harm.kill(stage)


def _settled(stage: Stage[RabbitSet], running: bool, begun: float) -> float:
    """Seconds from `begun` until the broker of the node that is hit runs, or is stopped."""

    def settled() -> bool:
        return (stage.system.name in stage.lab.roles().get(stage.node, {})) == running

    state = "running" if running else "stopped"
    poll(settled, Deadline(2 * STOP_TIMEOUT), f"the broker on {stage.node} to be {state}", interval=0.2)
    return time.monotonic() - begun


def standby(stage: Stage[RabbitSet]) -> Undo:
    begun = time.monotonic()
    back = harm.standby(stage)
    stage.phases["stopped"] = _settled(stage, running=False, begun=begun)

    def online() -> None:
        returns = time.monotonic()
        back()
        stage.phases["started"] = _settled(stage, running=True, begun=returns)

    return online


def stop_after_start(stage: Stage[RabbitSet], count: int) -> Undo:
    """Brokers of 3.x have hung for minutes when they were stopped while mirrors of many queues were being set up."""
    boot, many = _boot_of_leader(stage), [f"many-{number}" for number in range(count)]
    stage.system.queues("declare", stage.leader, *many)
    standby(stage)()
    online = standby(stage)
    if stage.phases["stopped"] > STOP_TIMEOUT or _boot_of_leader(stage) != boot:
        taken = stage.phases["stopped"]
        raise AgentError(f"a stop right after a start took {taken:.0f} s, or {stage.leader} was fenced")

    def delete() -> None:
        online()
        stage.system.queues("delete", stage.others[0], *many)

    return delete


def _boot_of_leader(stage: Stage[RabbitSet]) -> int | None:
    """Which boot of the leader's node this is: its init, as the host sees it."""
    return stage.lab.layout.init_of(stage.leader)


def early_stop(count: int) -> Fault:
    """The fault with so many mirrored queues. Declaring a thousand takes a minute or two."""
    return Fault(
        "stop-after-start",
        f"stop right after a start, {count} mirrored queues",
        partial(stop_after_start, count=count),
        patience=240.0,
    )


def replace(stage: Stage[RabbitSet]) -> Undo:
    """An admin takes a node out of the cluster for good: one parameter, and the agents do the rest. Then a new machine of the
    same name comes: it has no data, and joins the others by itself."""
    node, begun = stage.node, time.monotonic()
    stage.lab.run(stage.leader, ["crm", "resource", "param", stage.system.name, "set", "removed", node])

    def forgotten() -> bool:
        status = json.loads(stage.system.ctl(stage.leader, "--formatter", "json", "cluster_status"))
        return f"rabbit@{node}" not in status["disk_nodes"]

    poll(forgotten, Deadline(120), f"the others to forget {node}", interval=0.5)
    stage.phases["forgotten"] = time.monotonic() - begun

    def join() -> None:
        came = time.monotonic()
        stage.lab.run(node, ["rm", "-rf", "/var/lib/rabbitmq/mnesia"])
        stage.lab.run(stage.leader, ["crm", "resource", "param", stage.system.name, "delete", "removed"])
        stage.system.forget(node)
        poll(lambda: stage.system.serves(node), Deadline(180), f"the broker on {node} to serve", interval=0.5)
        stage.phases["joined"] = time.monotonic() - came

    return join


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


FAULTS = table(
    KILL.there("SIGKILL of the broker that leads the queues", Cost(fails=True, median=0.5)),
    HANG.there("SIGSTOP of that broker, SIGCONT later", Cost(fails=True, worst=15.0)),
    POWER_OFF.there("power-off of that broker's node"),
    PARTITION.there("that node cut off from both others", name="partition-leader"),
    PARTITION.there("another node cut off", name="partition-other", target=FOLLOWER),
    Fault(
        "lose-promoted",
        "SIGKILL of the promoted broker, which leads no queue",
        lose_promoted,
        Cost(fails=True, unseen=True),
    ),
    STANDBY.there("planned stop of the broker that leads the queues", inflict=standby),
    UPGRADE.there("the agents installed anew on all nodes, one by one", Cost(moves=0)),
    BLACKOUT.there("all nodes off, started one by one", Cost(all_lost=True), patience=300.0),
    Fault("cold-start", "all nodes off, started at once", cold_start, Cost(all_lost=True), patience=300.0),
    Fault(
        "late-member",
        "all nodes off; the last returns when the others boot already",
        late_member,
        Cost(all_lost=True),
        patience=300.0,
    ),
    early_stop(1000),
    Fault(
        "replace-node",
        "a node is removed for good; a virgin one of the same name joins",
        replace,
        target=FOLLOWER,
        patience=120.0,
    ),
)
