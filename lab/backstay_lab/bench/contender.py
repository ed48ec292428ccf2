"""A contender of the bench: one way to keep a service alive, on a lab that is up and holds nothing but fencing.

The ledger, the faults and the checkers are those of `rehearse`, the same for all contenders of a service.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from backstay.ocf.errors import AgentError
from backstay_lab.bench import costs, growth
from backstay_lab.checkers import operations
from backstay_lab.run import rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Fault
    from backstay_lab.systems.declaration import Rehearsed, Way
    from backstay_lab.systems.system import System, Verdict

SERVE_TIMEOUT = 120.0  # seconds from a configured cluster to a service that is whole
WHOLE_TIMEOUT = 120.0  # seconds until it is whole before a fault, and before costs are measured


def record(**known: Any) -> dict[str, Any]:
    """A run's record (see Contender.suffer) of which this much is known."""
    empty: dict[str, Any] = {"gap": None, "phases": {}, "lost": None, "acknowledged": None, "dropped": None}
    empty.update(operations={}, actions=[])
    return {**empty, "whole": False, "was": "", "now": "", "coordinator": False, "error": "", **known}


def _counts(verdict: Verdict) -> dict[str, Any]:
    told = verdict._asdict()
    acknowledged = told.get("acknowledged", told.get("confirmed"))
    return {"lost": len(verdict.lost), "acknowledged": acknowledged, "dropped": told.get("dropped")}


class Contender(ABC):
    """`name` is the agent's. `service` groups what is compared. `what` is its configuration in a line; `notes` what had to
    be done so that it works, and what its times owe to our choice of settings. `client`: who asks it, in a line. `faults` are
    the names of those it takes."""

    name: str
    service: str
    client: str
    what: str
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...]

    @abstractmethod
    def deploy(self, lab: Lab) -> None:
        """Configure it; returns when it serves. Raises AgentError."""

    @abstractmethod
    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        """One fault, as a record: gap (seconds, None when writes did not come back within `patience`), phases (name ->
        seconds), lost (acknowledged and gone; None: unknown), acknowledged, dropped (new connections that failed; None: not
        counted), operations (client of an application -> its counts, as operations.Operations has them), actions (of agents, as
        timeline.Action has them), whole (all nodes serve again within `patience`), was, now, coordinator, error (what is not
        as it should be). Raises AgentError when it was not whole before the fault. `histories`: a directory for the client's
        records and the nodes' logs."""

    @abstractmethod
    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """What it costs while nothing goes wrong: records of the kinds `monitor` (so many runs each) and `node`."""

    @abstractmethod
    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        """How costs grow: records of the kind `growth`."""

    def _nodes(self, lab: Lab) -> Iterator[tuple[str, dict[str, Any]]]:
        base = {"contender": self.name, "service": self.service}
        yield "node", {**base, "what": "as configured", **costs.at_rest(lab)}
        costs.slow_down(lab)
        yield "node", {**base, "what": "monitors every 10 s", **costs.at_rest(lab)}


class Clustered(Contender):
    """A way to keep a system of `rehearse` alive. Its faults come from that system's table."""

    def __init__(self, service: str, rehearsed: Rehearsed, way: Way, faults: tuple[str, ...]) -> None:
        self.name, self.service, self.what, self.notes, self.faults = way.name, service, way.what, way.notes, faults
        self._deploy, self._attach, self._in_place = way.deploy, way.attach, way.in_place
        self.table, self.client = rehearsed.faults, rehearsed.client

    def deploy(self, lab: Lab) -> None:
        self._deploy(lab)
        self._attach(lab).wait_whole(SERVE_TIMEOUT)

    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        system = self._attach(lab)
        system.wait_whole(WHOLE_TIMEOUT)
        what = self.table[fault]._replace(patience=patience)
        if what.cost.silences and self._in_place:
            what = what._replace(cost=what.cost._replace(elsewhere=False, silences=False))
        marks = system.log_marks()
        try:
            return self._suffer(system, what, histories, patience)
        finally:
            system.keep_logs(marks, histories)  # evidence, if it went wrong

    def _suffer(self, system: System, what: Fault, histories: str, patience: float) -> dict[str, Any]:
        try:
            suffered = rehearsal.suffer(system, what, histories)
        except rehearsal.Unserved as late:
            counted = operations.as_json(late.operations)
            return record(error=f"{late}; {system.lab.complaints()}", operations=counted)
        known = record(gap=suffered.gap, phases=suffered.phases, operations=operations.as_json(suffered.operations))
        known.update(was=suffered.stage.leader, coordinator=suffered.coordinator)
        known["actions"] = [action._asdict() for action in suffered.actions]
        try:
            outcome = rehearsal.conclude(system, what, suffered, patience)
        except AgentError as failed:
            known["error"] = str(failed)
            # What was acknowledged must be there, whether the others came back or not.
            with suppress(AgentError):  # unless nobody is left to be asked
                known.update(_counts(system.judge(suffered.histories, what.inflicted(suffered.stage))))
            return known
        known.update(_counts(outcome.verdict), phases=outcome.phases, now=outcome.now, whole=True)
        if not outcome.clean:
            known["error"] = f"{outcome.verdict}; {len(outcome.unsilenced)} acknowledged by the one that was hit"
        return known

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        system = self._attach(lab)
        system.wait_whole(WHOLE_TIMEOUT)
        for role in ("Promoted", "Unpromoted", "Started"):
            for node in system.in_role(role)[:1]:
                cost = costs.monitor(lab, system.name, node, role, runs)
                yield "monitor", {"agent": self.name, "what": role.lower(), **cost}
        yield from self._nodes(lab)

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        points = growth.scheduling(lab, self._attach(lab).name)
        base = {"x": "nodes", "service": self.service, "contender": self.name}
        title = "Losing the leading node"
        cpu, steps = [(at.nodes, at.cpu) for at in points], [(at.nodes, at.steps) for at in points]
        yield {**base, "chart": f"{title}: the scheduler", "y": "s of CPU", "points": cpu}
        yield {**base, "chart": f"{title}: the transition", "y": "steps", "points": steps}
