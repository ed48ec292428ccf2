"""The faults that a MySQL set must survive, as a table. Each is a function over a Stage; nothing here measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backstay.deadline import Deadline, poll
from backstay.errors import AgentError
from backstay.lab.layout import LabError
from backstay.rehearse.mysqlset import CLONE, MysqlSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.lab.cluster import Lab
    from backstay.rehearse.workload import Load


class Stage:
    """What a fault may act upon. `replicas` is in the order of the nodes."""

    def __init__(self, mysql: MysqlSet, load: Load, order: tuple[str, ...] = ()) -> None:
        self.mysql = mysql
        self.load = load
        self.lab: Lab = mysql.lab
        self.primary = mysql.primary()
        self.replicas = [node for node in self.lab.nodes if node != self.primary]
        self.order = order or tuple(self.lab.nodes)


class Fault(NamedTuple):
    """inflict does it. heal undoes it while writers still write, once writes are acknowledged again. elsewhere: another
    server must take over; otherwise `moves` is the most often that one may. fails: the node whose failure the cluster
    remembers, which keeps its server stopped until failure-timeout or a cleanup. patience: seconds until writes must be
    acknowledged again. median, worst: bounds of the write gap, seconds, None where there is none. nodes: the size of
    the set it needs."""

    name: str
    what: str
    inflict: Callable[[Stage], None]
    heal: Callable[[Stage], None]
    elsewhere: bool
    fails: Callable[[Stage], str] | None = None
    moves: int = 1
    patience: float = 60.0
    median: float | None = None
    worst: float | None = None
    nodes: int = 3


def primary(stage: Stage) -> str:
    return stage.primary


def replica(stage: Stage) -> str:
    return stage.replicas[0]


def nothing(stage: Stage) -> None:
    """There is nothing to undo."""


def kill(stage: Stage) -> None:
    stage.lab.fault("kill", stage.primary, "mysql")


def power_off(stage: Stage) -> None:
    stage.lab.power_off(stage.primary)


def power_on(stage: Stage) -> None:
    stage.lab.power_on(stage.primary)


def move(stage: Stage) -> None:
    target = stage.replicas[0]
    argv = ["crm_resource", "--move", "--resource", CLONE, "--node", target, "--promoted"]
    stage.lab.run(target, argv)


def unmove(stage: Stage) -> None:
    """The move left a constraint; without it the role stays where it is."""
    stage.lab.run(stage.replicas[0], ["crm_resource", "--clear", "--resource", CLONE])


def hang(stage: Stage) -> None:
    stage.lab.fault("hang", stage.primary, "mysql")


def resume(stage: Stage) -> None:
    """The hung server gets going again, if nobody ended it meanwhile."""
    try:
        stage.lab.fault("resume", stage.primary, "mysql")
    except LabError:
        return


def kill_replica(stage: Stage) -> None:
    stage.lab.fault("kill", stage.replicas[0], "mysql")


def _cut_off(stage: Stage, node: str) -> None:
    """From the other nodes, not from the client: it must be the cluster that keeps the minority silent."""
    for other in stage.lab.nodes:
        if other != node:
            stage.lab.cut(node, other)


def partition_primary(stage: Stage) -> None:
    _cut_off(stage, stage.primary)


def partition_replica(stage: Stage) -> None:
    _cut_off(stage, stage.replicas[0])


def mend(stage: Stage) -> None:
    stage.lab.heal()


def mend_replica(stage: Stage) -> None:
    """Once the majority has dealt with the replica: a cut shorter than Corosync's token is no partition."""
    cut_off = stage.replicas[0]
    poll(lambda: cut_off not in stage.lab.online(), Deadline(30), f"the majority to notice {cut_off}", interval=0.2)
    stage.lab.heal()


def relay_log(stage: Stage) -> None:
    """Rows that were acknowledged and that no replica has applied; the replicas' servers crash; the primary is lost."""
    since = 0.0
    for node in stage.replicas:
        stop = "STOP REPLICA SQL_THREAD"
        stage.mysql.root(node, stop)
        since = max(since, stage.load.acknowledged()[-1].ended)
    stage.load.wait_steady(since, timeout=10)
    for node in stage.replicas:
        stage.lab.fault("kill", node, "mysql")
    stage.lab.power_off(stage.primary)


def blackout(stage: Stage) -> None:
    """All power fails; the nodes come back one by one, the next when the last one's cluster software answers."""
    for node in stage.lab.nodes:
        stage.lab.power_off(node)
    for node in stage.order:
        stage.lab.power_on(node)
        asked = ["crm_mon", "-1"]

        def answers(node: str = node, asked: list[str] = asked) -> bool:
            return stage.lab.run(node, asked, timeout=10, check=False).status == 0

        poll(answers, Deadline(60), f"Pacemaker on {node}", interval=0.2)


def lose_replica(stage: Stage) -> None:
    """The only replica goes; the primary must record that it is alone before it acknowledges alone."""
    stage.lab.power_off(stage.replicas[0])


def return_replica(stage: Stage) -> None:
    facts = stage.mysql.facts()
    if "solo=yes" not in facts.split():
        raise AgentError(f"the primary acknowledges alone and the record does not say so: {facts}")
    stage.lab.power_on(stage.replicas[0])
    poll(lambda: "solo=no" in stage.mysql.facts().split(), Deadline(120), "the record to say solo=no", interval=0.5)


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("kill", "SIGKILL of the primary's server", kill, nothing, True, primary, median=2.0, worst=4.0),
        Fault("power-off", "power-off of the primary's node", power_off, power_on, elsewhere=True),
        Fault("move", "planned move of the promoted role", move, unmove, elsewhere=True, median=1.0),
        Fault(
            "hang", "SIGSTOP of the primary's server, then SIGCONT", hang, resume, True, primary, median=5.0, worst=8.0
        ),
        Fault("replica-crash", "SIGKILL of a replica's server", kill_replica, nothing, False, replica, moves=0),
        Fault("partition-primary", "the primary cut off from both replicas", partition_primary, mend, elsewhere=True),
        Fault("partition-replica", "a replica cut off", partition_replica, mend_replica, elsewhere=False, moves=0),
        Fault(
            "relay-log",
            "acknowledged rows only in relay logs, replicas' servers crash, primary's node lost",
            relay_log,
            power_on,
            elsewhere=True,
            patience=180.0,
        ),
        Fault("blackout", "all nodes off, started one by one", blackout, nothing, elsewhere=False, patience=240.0),
        Fault(
            "lose-replica",
            "two nodes: the only replica's node is lost and returns",
            lose_replica,
            return_replica,
            elsewhere=False,
            moves=0,
            nodes=2,
        ),
    )
}
