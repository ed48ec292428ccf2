"""One rehearsal of one fault, from a whole system to a whole system again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.ocf.errors import AgentError, TimedOut
from backstay_lab.checkers.writes import unsilenced
from backstay_lab.clients.application import none
from backstay_lab.machines import logs
from backstay_lab.nemesis.fault import FOLLOWER
from backstay_lab.nemesis.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_lab.checkers.history import Attempt
    from backstay_lab.checkers.operations import Operations
    from backstay_lab.clients.application import Application
    from backstay_lab.clients.workload import Load
    from backstay_lab.machines.timeline import Action
    from backstay_lab.nemesis.fault import Fault
    from backstay_lab.systems.system import System, Verdict

STEADY_TIMEOUT = 30.0  # seconds for a whole system to take the load
WHOLE_TIMEOUT = 240.0  # seconds until all nodes are back; includes booting and, unless cleaned up, failure-timeout


class Outcome(NamedTuple):
    """What one fault cost. gap: seconds without an acknowledgement. phases: seconds after the fault; `first write` and
    `whole` among them. was, now: the leader before and after. coordinator: the one before was the cluster's DC too.
    unsilenced: acknowledgements by the old leader of what was begun after a fault that silences it. operations: those of an
    application's clients, from the fault to the end of the load. actions: those of agents that began before the first write."""

    fault: str
    gap: float
    verdict: Verdict
    phases: dict[str, float]
    was: str
    now: str
    coordinator: bool
    unsilenced: list[Attempt]
    operations: Mapping[str, Operations] = {}
    actions: Sequence[Action] = ()

    @property
    def clean(self) -> bool:
        return self.verdict.clean and not self.unsilenced


class Unserved(TimedOut):
    """Writes were not acknowledged again within the fault's patience. operations: as in Outcome, until then."""

    def __init__(self, message: str, operations: Mapping[str, Operations]) -> None:
        super().__init__(message)
        self.operations = operations


class Suffered(NamedTuple):
    """One fault as the clients suffered it, when the system need not be whole yet. inflicted: the monotonic time when that
    was done. before: the server that acknowledged last. trouble: what went wrong after writes were acknowledged again. The
    rest as in Outcome."""

    stage: Stage[Any]
    attempts: list[Attempt]
    histories: list[list[str]]
    gap: float
    phases: dict[str, float]
    coordinator: bool
    inflicted: float
    before: int | None
    trouble: AgentError | None
    operations: Mapping[str, Operations]
    actions: Sequence[Action]


class Manner(NamedTuple):
    """How a fault is rehearsed. order: of power-on in a blackout. clean_up: forget failures once writes work, as an admin
    would, instead of waiting for failure-timeout. until_whole: the load lasts until the system is whole again, not only until
    it is acknowledged again; the gap includes the return of what was hit. application: its operations are counted too."""

    order: tuple[str, ...] = ()
    clean_up: bool = True
    until_whole: bool = False
    application: bool = True


ADMINS = Manner()  # the usual one


def rehearse(system: System, fault: Fault, directory: str, manner: Manner = ADMINS) -> Outcome:
    """Inflict the fault under load, wait until the system is whole, and judge.

    `directory` gets the histories. Raises TimedOut when writes or the system do not come back.
    """
    system.wait_whole(WHOLE_TIMEOUT)
    return conclude(system, fault, suffer(system, fault, directory, manner))


def suffer(system: System, fault: Fault, directory: str, manner: Manner = ADMINS) -> Suffered:
    """The first half of `rehearse`: from a whole system until writes are acknowledged again, or it is whole. Raises
    Unserved, and other AgentErrors before the fault."""
    hit = system.parts[fault.part] if fault.part else system
    with system.load(directory) as load, _application(system, directory, manner) as application:
        load.wait_steady(0.0, STEADY_TIMEOUT)
        stage = on_stage(hit, fault, load, manner.order)
        before = load.acknowledged()[-1].server
        coordinator = hit.is_dc(stage.leader)
        marks = hit.log_marks()
        wall, start = time.time(), time.monotonic()
        stage.began = start
        undo = fault.inflict(stage)
        inflicted = time.monotonic()
        # In-flight writes of the old leader may be acknowledged just after the fault; a planned move ends later.
        since = start if fault.cost.elsewhere else time.monotonic()
        try:
            first = load.wait_steady(since, fault.patience, not_by=before if fault.cost.elsewhere else None)
        except TimedOut as late:
            raise Unserved(str(late), application.counts([start], time.monotonic())[0]) from late
        trouble = None
        try:
            if manner.clean_up and fault.cost.fails:
                hit.cleanup(stage.node)
            if undo:
                undo()
            load.wait_steady(time.monotonic(), fault.patience)
            if manner.until_whole:
                system.wait_whole(WHOLE_TIMEOUT)
        except AgentError as failed:
            trouble = failed  # what the clients suffered is known all the same
        application.finish()
        histories = load.finish()
    return Suffered(
        stage=stage,
        attempts=load.attempts,
        histories=histories,
        gap=system.gap(load.attempts, start),
        phases={**hit.phases_since(marks, wall), **stage.phases, "first write": first.ended - start},
        coordinator=coordinator,
        inflicted=inflicted,
        before=before,
        trouble=trouble,
        operations=application.counts([start], time.monotonic())[0],
        actions=[one for one in logs.actions_since(marks, wall) if one.began < first.ended - start],
    )


def on_stage(hit: System, fault: Fault, load: Load, order: tuple[str, ...] = ()) -> Stage[System]:
    """Where the fault is inflicted, with whom it hits. order: of power-on."""
    leader = hit.leader()
    followers = [node for node in hit.lab.nodes if node != leader]
    return Stage(hit, leader, followers[0] if fault.target == FOLLOWER else leader, load, order=order)


def _application(system: System, directory: str, manner: Manner) -> Application:
    return system.application(directory) if manner.application else none()


def conclude(system: System, fault: Fault, suffered: Suffered, timeout: float = WHOLE_TIMEOUT) -> Outcome:
    """The second half: once the system is whole again, in `timeout` seconds, the verdict. Raises TimedOut, or the trouble."""
    if suffered.trouble:
        raise suffered.trouble
    system.wait_whole(timeout)
    whole = time.monotonic() - suffered.stage.began
    silenced = unsilenced(suffered.attempts, suffered.before, suffered.inflicted) if fault.cost.silences else []
    return Outcome(
        fault=fault.name,
        gap=suffered.gap,
        verdict=system.judge(suffered.histories, fault.inflicted(suffered.stage)),
        phases={**suffered.phases, "whole": whole},
        was=suffered.stage.leader,
        now=suffered.stage.system.leader(),
        coordinator=suffered.coordinator,
        unsilenced=silenced,
        operations=suffered.operations,
        actions=suffered.actions,
    )
