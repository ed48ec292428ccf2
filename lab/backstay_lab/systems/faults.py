"""What a fault is, and the faults that every system must survive. Nothing here measures."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.system import Inflicted, System

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.clients.workload import Load
    from backstay_lab.machines.cluster import Lab

LOSS_LASTS = 20.0  # seconds
RENEWED = 90.0  # seconds for all watchers of a node to be renewed by monitors, whose longest interval is 10
# Program and pid of each daemon that a system runs; watchers that live, each as PID:START of its process.
_DAEMONS = "pgrep -lx '{programs}' | tr ' ' : || true"
_WATCHERS = """
for lock in /run/backstay/*/watch.lock; do
    read -r _ _ pid started _ < "$lock" || true
    [ -z "$started" ] || [ ! -e "/proc/$pid" ] || echo "$pid:$started"
done
"""

S = TypeVar("S", bound=System)


class Stage(Generic[S]):
    """What a fault may act upon. `leader` is the node whose loss stops the writers, `others` the rest in order. `began`
    is the monotonic time of the fault. What a fault measures itself goes to `phases`: phase -> seconds; what it has to
    remember to `noted`."""

    def __init__(self, system: S, load: Load, order: tuple[str, ...] = ()) -> None:
        self.system = system
        self.load = load
        self.lab: Lab = system.lab
        self.leader = system.leader()
        self.others = [node for node in self.lab.nodes if node != self.leader]
        self.order = order or tuple(self.lab.nodes)
        self.began = math.inf
        self.phases: dict[str, float] = {}
        self.noted: dict[str, str] = {}


def itself(system: System) -> System:
    """The system that is rehearsed has no parts."""
    return system


class Fault(NamedTuple):
    """inflict does it. heal undoes it while writers still write, once writes are acknowledged again. elsewhere: another
    server must take over; otherwise `moves` is the most often that one may. fails: the node whose failure the cluster
    remembers, which keeps its server stopped until failure-timeout or a cleanup. patience: seconds until writes must be
    acknowledged again. median, worst: bounds of the write gap, seconds, None where there is none. nodes: the size of
    the set it needs. unseen: the node whose loss clients of the others must not notice. silences: nothing that was begun
    after it may be acknowledged by the server that led before. hits: which part of the system that is rehearsed it acts
    upon; that part is the stage's system. all_lost: no server is left."""

    name: str
    what: str
    inflict: Callable[[Stage[Any]], None]
    heal: Callable[[Stage[Any]], None]
    elsewhere: bool
    fails: Callable[[Stage[Any]], str] | None = None
    moves: int = 1
    patience: float = 60.0
    median: float | None = None
    worst: float | None = None
    nodes: int = 3
    unseen: Callable[[Stage[Any]], str] | None = None
    silences: bool = False
    hits: Callable[[Any], System] = itself
    all_lost: bool = False

    def inflicted(self, stage: Stage[Any]) -> Inflicted:
        """What the verdict must know of it."""
        return Inflicted(stage.began, self.moves, self.unseen(stage) if self.unseen else "", self.all_lost)


def leader(stage: Stage[Any]) -> str:
    return stage.leader


def other(stage: Stage[Any]) -> str:
    """The one of the others that faults of a mere follower hit."""
    return stage.others[0]


def nothing(stage: Stage[Any]) -> None:
    """There is nothing to undo."""


def kill(stage: Stage[Any]) -> None:
    stage.lab.fault("kill", stage.leader, stage.system.name)


def kill_other(stage: Stage[Any]) -> None:
    stage.lab.fault("kill", other(stage), stage.system.name)


def hang(stage: Stage[Any]) -> None:
    stage.lab.fault("hang", stage.leader, stage.system.name)


def resume(stage: Stage[Any]) -> None:
    """The hung server gets going again, if nobody ended it meanwhile."""
    try:
        stage.lab.fault("resume", stage.leader, stage.system.name)
    except LabError:
        return


def power_off(stage: Stage[Any]) -> None:
    stage.lab.power_off(stage.leader)


def power_on(stage: Stage[Any]) -> None:
    stage.lab.power_on(stage.leader)


def _cut_off(stage: Stage[Any], node: str) -> None:
    """From the other nodes, not from the client: it must be the cluster that keeps the minority silent."""
    for each in stage.lab.nodes:
        if each != node:
            stage.lab.cut(node, each)


def partition_leader(stage: Stage[Any]) -> None:
    _cut_off(stage, stage.leader)


def partition_other(stage: Stage[Any]) -> None:
    _cut_off(stage, other(stage))


def lose_packets(stage: Stage[Any]) -> None:
    """On the leader's link, both ways, for a while; what it costs meanwhile is measured too."""
    others = [*stage.others, CLIENT]
    stage.lab.impair("lossy", stage.lab.between(stage.leader, others))
    time.sleep(LOSS_LASTS)


def mend(stage: Stage[Any]) -> None:
    stage.lab.heal()


def mend_leader(stage: Stage[Any]) -> None:
    _mend_once_noticed(stage, stage.leader)


def mend_other(stage: Stage[Any]) -> None:
    _mend_once_noticed(stage, other(stage))


def _mend_once_noticed(stage: Stage[Any], cut_off: str) -> None:
    """Once the majority has dealt with the node: a cut shorter than Corosync's token is no partition."""
    poll(lambda: cut_off not in stage.lab.online(), Deadline(30), f"the majority to notice {cut_off}", interval=0.2)
    stage.lab.heal()


def upgrade(stage: Stage[Any]) -> None:
    """The agents that run here installed on one node after the other, the leader's last, each once the watchers of the one
    before are of that installation. Daemons that ran must run on, and nothing may be on record as failed."""
    lab, begun = stage.lab, time.monotonic()
    failed = lab.complaints()
    running = _DAEMONS.format(programs="|".join(name for one in lab.daemons.values() for name in one.programs))
    for node in [*stage.others, stage.leader]:
        daemons, watchers = (set(lab.run(node, ["sh", "-c", ask]).out.split()) for ask in (running, _WATCHERS))
        lab.upgrade(node)

        def renewed(node: str = node, watchers: set[str] = watchers) -> bool:
            now = set(lab.run(node, ["sh", "-c", _WATCHERS]).out.split())
            return not now & watchers and len(now) >= len(watchers)

        poll(renewed, Deadline(RENEWED), f"new watchers on {node}", interval=0.5)
        ended = daemons - set(lab.run(node, ["sh", "-c", running]).out.split())
        if ended:
            raise LabError(f"{node}: {', '.join(sorted(ended))} did not outlive the upgrade")
    if lab.complaints() != failed:
        raise LabError(f"on record after the upgrade: {lab.complaints()}")
    stage.phases["all upgraded"] = time.monotonic() - begun


def blackout(stage: Stage[Any]) -> None:
    """All power fails; the nodes come back one by one, the next when the last one's cluster software answers."""
    for node in stage.lab.nodes:
        stage.lab.power_off(node)
    for node in stage.order:
        stage.lab.power_on(node)
        asked = ["crm_mon", "-1"]

        def answers(node: str = node, asked: list[str] = asked) -> bool:
            return stage.lab.run(node, asked, timeout=10, check=False).status == 0

        poll(answers, Deadline(60), f"Pacemaker on {node}", interval=0.2)


# What is done and what undoes it, as a Fault takes them: Fault(name, what, *KILL, …).
KILL = (kill, nothing)
KILL_OTHER = (kill_other, nothing)
HANG = (hang, resume)
POWER_OFF = (power_off, power_on)
PARTITION_LEADER = (partition_leader, mend_leader)
PARTITION_OTHER = (partition_other, mend_other)
PACKET_LOSS = (lose_packets, mend)
BLACKOUT = (blackout, nothing)
UPGRADE = (upgrade, nothing)
