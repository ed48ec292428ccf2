"""One schedule, from a whole service to a whole service, and what is to be said of it."""

from __future__ import annotations

import heapq
import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.campaign.observers import AddressWatch
from backstay_lab.checkers.evidence import Evidence
from backstay_lab.checkers.messages import Outage
from backstay_lab.checkers.operations import as_json as as_told
from backstay_lab.checkers.rules import Finding, judge
from backstay_lab.checkers.sampling import reached
from backstay_lab.clients.application import none
from backstay_lab.machines import logs, timeline
from backstay_lab.nemesis.catalogue import KINDS, may_fence, most_moves
from backstay_lab.nemesis.fault import COORDINATOR, DAEMON, FOLLOWER, NODES
from backstay_lab.nemesis.schedule import Injection, Schedule, to_json
from backstay_lab.nemesis.target import targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backstay_lab.checkers.evidence import Spoil
    from backstay_lab.checkers.operations import Operations
    from backstay_lab.checkers.sampling import Reached
    from backstay_lab.clients.application import Application
    from backstay_lab.clients.workload import Load
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.target import Target
    from backstay_lab.systems.subject import Subject

STEADY = 30.0  # seconds for a whole service to take the load
PATIENCE = (
    180.0  # seconds until writes must be acknowledged again once nothing is broken any more: two failure-timeouts
)
WHOLE = 300.0  # seconds until all nodes are back; the same, and a boot
UNDO = 60.0  # seconds for the nodes to be there for what is still to be undone
MONITORS = 2  # of their intervals are waited for a monitor to begin


class Hit(NamedTuple):
    """What became of an injection. at: monotonic. leads: it may have reached the leader whose moves count. missed: why it hit
    nothing."""

    injection: Injection
    node: str
    at: float
    leads: bool
    missed: str = ""


class Report(NamedTuple):
    """gaps: of each group of overlapping injections, their kinds and targets, and the seconds without an acknowledgement.
    operations: an application's, of each group until the next.
    counted: how much was judged. sampled: how closely servers were watched, None where they are not."""

    schedule: Schedule
    findings: list[Finding]
    hits: list[Hit]
    gaps: list[tuple[str, float]]
    operations: list[dict[str, Operations]]
    counted: dict[str, int]
    seconds: float
    sampled: Reached | None = None

    @property
    def clean(self) -> bool:
        return not self.findings

    @property
    def rules(self) -> set[str]:
        """What was broken."""
        return {finding.rule for finding in self.findings}


class Run:
    """One schedule on one service. `say` gets a line for each thing that happens. pace: seconds, at least, from one fault that
    does not overlap to the next, and from the last to the end of the load."""

    def __init__(
        self, subject: Subject, schedule: Schedule, directory: str, say: Callable[[str], None], pace: float = 0.0
    ) -> None:
        self.subject, self.schedule, self.directory, self.say, self.pace = subject, schedule, directory, say, pace
        self.system, self.lab = subject.system, subject.system.lab
        self.hits: list[Hit] = []
        self.pending: list[tuple[float, int, Injection, Undo]] = []  # a heap: when to undo what
        self.trouble: list[str] = []
        self.spoiled: list[Spoil] = []
        self.targets: dict[str, Target] = {}
        self.began = 0.0
        self.marks: dict[str, int] = {}  # of the nodes' logs when it began

    def run(self) -> Report:
        """Raises AgentError only when the service is not whole to begin with, or the workload is broken."""
        os.makedirs(self.directory, exist_ok=True)
        write(self.directory, "schedule.json", to_json(self.schedule))
        self.began = time.monotonic()
        self.marks = self.system.log_marks()
        if not self.schedule.fresh:
            self.system.wait_whole(WHOLE)
        marks, offset = self.system.log_marks(), time.time() - time.monotonic()
        watching = AddressWatch(self.lab, self.subject.addresses, self.directory)
        with self.subject.load(self.directory) as load, self._application() as application, watching as watch:
            load.wait_steady(0.0, STEADY)
            self.targets = targets_of(self.system, self.spoiled)
            counted = self._counted()
            first = "" if counted is None else counted.leader
            for injection in self.schedule.injections:
                self._inject(load, injection)
            self._undo(lambda due: True)
            self._rest()
            self._finish(load)
            application.finish()
            histories = load.finish()
        counts = application.counts([group[0].at for group in self._groups()], time.monotonic())
        self._try("whole again", lambda: self.system.wait_whole(WHOLE))
        evidence = self._evidence(histories)
        lines = logs.lines_since(marks)
        evidence = evidence._replace(
            promotions=self.subject.promotions(lines, first, offset),
            holdings=watch.seen,
            unlooked=watch.holes,
            spoiled=self.spoiled,
            unsettled=[*self.trouble, *self._ill()],
            fenced=timeline.fenced(lines),
            most_moves=most_moves(tuple((hit.injection.kind, hit.leads) for hit in self.hits)),
            may_fence=may_fence(tuple(hit.injection.kind for hit in self.hits)),
            missed=missed(self.hits),
        )
        report = self._report(evidence._replace(overdue=self._overdue(load)), load, counts)
        write(self.directory, "report.json", as_json(report))
        if not report.clean:
            self.keep_logs()
        return report

    def _application(self) -> Application:
        """None on a fresh set: what it is aimed at is over before an application has begun."""
        return none() if self.schedule.fresh else self.system.application(self.directory)

    def keep_logs(self) -> None:
        """What the nodes' logs say of this run, beside the histories."""
        self.system.keep_logs(self.marks, self.directory)

    # -- faults -------------------------------------------------------------------------------------------------------

    def _inject(self, load: Load, injection: Injection) -> None:
        target = self.targets[injection.part]
        calm = not injection.overlaps and (bool(self.hits) or not self.schedule.fresh)
        if not self.hits and self.schedule.fresh:
            pass  # at once: writes have come for a second
        elif calm:
            self._undo(lambda due: True)
            self._try("writes to resume", lambda: load.wait_steady(time.monotonic(), PATIENCE))
            self._rest()
        else:
            begin = self.hits[-1].at + injection.after
            self._undo(lambda due: due <= begin)
            time.sleep(max(0.0, begin - time.monotonic()))
        node = self._target(target, injection)
        if calm:
            self._meet_phase(target, node, injection.phase)
            # What the fault before costs may have begun meanwhile: a node that lost a Pacemaker daemon is fenced late.
            self._try("writes to resume", lambda: load.wait_steady(time.monotonic(), PATIENCE))
            node = self._target(target, injection)
        at, missed, undo = time.monotonic(), "", None
        try:
            undo = KINDS[injection.kind].fault.inflict(target.stage(load, node, injection))
        except AgentError as reason:
            missed = str(reason)
        self.hits.append(Hit(injection, node, at, self._leads(target, node, injection), missed))
        led = [name for name, each in self.targets.items() if each.leader == node]
        role = f", which {' '.join(['leads', *led]).strip()}" if led else ""
        what = f"{injection.kind} ({injection.where}) on {node}{role}"
        self.say(f"{at - self.began:7.1f} s  {what}{': missed, ' + missed if missed else ''}")
        if undo is not None:
            heapq.heappush(self.pending, (at + injection.lasts, len(self.hits), injection, undo))

    def _rest(self) -> None:
        """Until the next fault may come."""
        if self.hits:
            time.sleep(max(0.0, self.hits[-1].at + self.pace - time.monotonic()))

    def _counted(self) -> Target | None:
        """Of the service whose promotions count."""
        return next((target for target in self.targets.values() if target.system is self.subject.counted), None)

    def _leads(self, target: Target, node: str, injection: Injection) -> bool:
        """Whether it may have reached the leader whose moves count. What overlaps may come when nobody knows who leads."""
        counted, scope = self._counted() or target, KINDS[injection.kind].scope
        if scope == DAEMON and target is not counted:
            return False
        return scope == NODES or node == counted.leader or injection.overlaps

    def _target(self, target: Target, injection: Injection) -> str:
        """Who is to be hit as things are now."""
        for each in self.targets.values():
            each.look(not injection.overlaps)
        return self._resolve(target, injection.target)

    def _resolve(self, target: Target, role: str) -> str:
        """The node of a role; of the whole set, its leader stands for all."""
        others = [each for each in self.lab.nodes if each != target.leader]
        if role == COORDINATOR:
            return next((node for node in self.lab.nodes if self.system.is_dc(node)), target.leader)
        return others[0] if role == FOLLOWER else target.leader

    def _meet_phase(self, target: Target, node: str, phase: float) -> None:
        """The moment within the interval between two monitors there; any moment where none comes, or the node is lost."""
        interval = target.system.traits.interval
        with suppress(AgentError):
            if self.lab.wait_for_action(node, target.system.name, "monitor", MONITORS * interval):
                time.sleep(phase * interval)

    def _undo(self, wanted: Callable[[float], bool]) -> None:
        """In the order in which they are due; what cannot be undone yet waits for the end."""
        later = []
        while self.pending and wanted(self.pending[0][0]):
            due, number, injection, undo = heapq.heappop(self.pending)
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                undo()
                self.say(f"{time.monotonic() - self.began:7.1f} s  {injection.kind} undone")
            except AgentError:
                later.append((due, number, injection, undo))  # its node is off or resets: tried again at the end
        for one in later:
            heapq.heappush(self.pending, one)

    def _finish(self, load: Load) -> None:
        """Everything is undone, every node has power, and writes are acknowledged."""
        self._undo(lambda due: True)
        for node in self.lab.nodes:
            self.lab.power_on(node)

        def undone() -> bool:
            self._undo(lambda due: True)
            return not self.pending

        self._try(
            "all faults to be undone", lambda: poll(undone, Deadline(UNDO), "the rest to be undone", interval=1.0)
        )
        self._try("writes to resume", lambda: load.wait_steady(time.monotonic(), PATIENCE))
        self._try("the cluster to be told to forget", self.subject.clean_up)
        self._try("writes at the end", lambda: load.wait_steady(time.monotonic(), PATIENCE))

    def _try(self, what: str, do: Callable[[], object]) -> None:
        """What takes too long is a finding, and the run goes on to see what else there is."""
        try:
            do()
        except AgentError as failed:
            self.trouble.append(f"{what}: {failed}")
            self.say(f"{time.monotonic() - self.began:7.1f} s  {failed}")

    # -- judgement ----------------------------------------------------------------------------------------------------

    def _evidence(self, histories: list[list[str]]) -> Evidence:
        try:
            return self.subject.evidence(histories, self.hits[0].at, self._outages())
        except (AgentError, OSError) as failed:
            self.trouble.append(f"nothing to judge by: {failed}")
            return Evidence()

    def _outages(self) -> list[Outage]:
        """When faults may have left no broker: one that hits two, or one that another overlapped, since two lost nodes of three
        stop the third. The last of them may do so until it is undone."""
        groups = [
            [hit for hit in group if _reaches_broker(hit.injection) and not hit.missed] for group in self._groups()
        ]
        return [
            Outage(group[0].at, max(hit.at + (hit.injection.lasts if len(group) > 1 else 0.0) for hit in group))
            for group in groups
            if len(group) > 1 or any(KINDS[hit.injection.kind].cost.all_lost for hit in group)
        ]

    def _groups(self) -> list[list[Hit]]:
        """Those that overlap together."""
        groups: list[list[Hit]] = []
        for hit in self.hits:
            groups.append([hit]) if not hit.injection.overlaps else groups[-1].append(hit)
        return groups

    def _gaps(self, load: Load) -> list[float]:
        """The seconds without an acknowledgement of each group."""
        groups = self._groups()
        ends = [group[0].at for group in groups[1:]] + [float("inf")]
        return [
            self.system.gap([one for one in load.attempts if one.ended < end], group[0].at)
            for group, end in zip(groups, ends)
        ]

    def _overdue(self, load: Load) -> list[str]:
        """Groups that cost more than any of their faults may."""
        costs = [
            (hit.injection, seconds, KINDS[hit.injection.kind].cost.worst)
            for group, seconds in zip(self._groups(), self._gaps(load))
            for hit in group
        ]
        return [
            f"{one.kind} ({one.where}) cost {seconds:.1f} s, {worst:.0f} at most"
            for one, seconds, worst in costs
            if seconds > worst
        ]

    def _ill(self) -> list[str]:
        """Resources that are failed, blocked or unmanaged at the end, each told once."""
        seen = self.lab.cluster()
        if seen is None:
            return ["no node answers"]
        flaws = {
            f"{one.resource} is {flaw}"
            for one in seen.instances
            for flaw, true in (("failed", one.failed), ("blocked", one.blocked), ("unmanaged", not one.managed))
            if true
        }
        return sorted(flaws)

    def _report(self, evidence: Evidence, load: Load, counts: list[dict[str, Operations]]) -> Report:
        gaps = [
            (" + ".join(f"{hit.injection.kind} {hit.injection.where}" for hit in group), seconds)
            for group, seconds in zip(self._groups(), self._gaps(load))
        ]
        counted = {
            "attempts": len(evidence.attempts),
            "operations": len(evidence.operations),
            "samples": len(evidence.samples),
            "promotions": max(0, len(evidence.promotions) - 1),
            "fenced": len(evidence.fenced),
            "missed": sum(bool(hit.missed) for hit in self.hits),
        }
        if evidence.messages is not None:
            counted["confirmed"] = evidence.messages.confirmed
        if evidence.boots is not None:
            boots = evidence.boots
            counted.update(boots=boots.accepted, refused=boots.failed, unrouted=len(boots.unrouted))
        sampled = reached(evidence.samples) if evidence.sampled else None
        seconds = time.monotonic() - self.began
        return Report(self.schedule, judge(evidence), self.hits, gaps, counts, counted, seconds, sampled)


def missed(hits: Sequence[Hit]) -> list[str]:
    """What was not inflicted and should have been: a fault that overlaps none, all of them, or any where there are none."""
    if not hits:
        return ["no fault was inflicted"]
    nothing = all(hit.missed for hit in hits)
    return [
        f"{hit.injection.kind} ({hit.injection.where}) on {hit.node}: {hit.missed}"
        for hit in hits
        if hit.missed and (nothing or not hit.injection.overlaps)
    ]


def _reaches_broker(injection: Injection) -> bool:
    return KINDS[injection.kind].scope != DAEMON or injection.part in ("", "rabbitmq")


def as_json(report: Report) -> dict[str, Any]:
    """For json.dumps."""
    return {
        **report._asdict(),
        "schedule": to_json(report.schedule),
        "findings": [finding._asdict() for finding in report.findings],
        "hits": [{**hit._asdict(), "injection": hit.injection._asdict()} for hit in report.hits],
        "sampled": report.sampled and report.sampled._asdict(),
        "operations": [as_told(counted) for counted in report.operations],
        "clean": report.clean,
    }


def write(directory: str, name: str, value: dict[str, Any]) -> None:
    """A file of a run's directory, as JSON."""
    with open(os.path.join(directory, name), "w", encoding="utf-8") as sink:
        json.dump(value, sink, indent=1)
