"""What happened, from Pacemaker's own log: lines in, events and the last failover out. Pure but for the time zone.

Every node's pacemaker.log has the changes of the CIB, and with them each operation on every node, to the millisecond. Only
the agents' own words are in the log of their node alone, and those have whole seconds.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from backstay.cluster.log_time import moment
from backstay.ocf.codes import DEGRADED_CODES
from backstay.ocf.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

QUIET = 60.0  # seconds without an event between what belongs together
AFTERWARDS = 120.0  # seconds after the promotion that are still shown, until the next one begins
SIGNS = ("lost", "failed", "moved", "standby", "scored")  # what a failover begins with, the most telling first
_COARSE = 1.1  # seconds by which an agent's time may be too early
_SOON = 3.0  # seconds from a score to the move that it causes
_DAY = 86400.0
_DEGRADED = tuple(map(str, DEGRADED_CODES))
_REPORTED = "asyncmon"


class Event(NamedTuple):
    """at: seconds since the epoch. node: that it is about. kind: one of SIGNS, or fencing, fenced, begun, ended, refused,
    said. resource, task: of begun, ended, refused and failed. text: for people. log: whose log it was read in. told:
    said by an action of what it does; warnings are the watcher's too."""

    at: float
    node: str
    kind: str
    text: str
    resource: str = ""
    task: str = ""
    log: str = ""
    told: bool = False


class Failover(NamedTuple):
    """Of one promotion. start: the time of the first sign. cause: in words. events: all that belongs to it, in order.
    phases: name -> seconds after the first sign; `promoted` is always among them. logs: nodes whose logs were read."""

    resource: str
    node: str
    start: float
    cause: str
    events: list[Event]
    phases: dict[str, float]
    logs: list[str]


_OPERATION = re.compile(
    r"cib_perform_op\) *\t?\w+: \+ +/cib/status/node_state\[@id='(?P<id>[^']+)'\].*"
    r"/lrm_resource\[@id='(?P<resource>[^':]+)[^']*'\]/lrm_rsc_op\[@id='(?P<op>[^']+)'\]:  (?P<change>.*)"
)
_CREATED = re.compile(
    r"cib_perform_op\) *\t?\w+: \+\+ /cib/status/node_state\[@id='(?P<id>[^']+)'\].*"
    r"/lrm_resource\[@id='(?P<resource>[^':]+)[^']*'\]:  <lrm_rsc_op id=\"(?P<op>[^\"]+)\" (?P<change>.*)/>"
)
_NODE = re.compile(r"\b[Nn]ode (?P<name>[\w.-]+)(?:\[(?P<id>\d+)\]| state is now \w+ \| nodeid=(?P<nodeid>\d+))")
_HOST = re.compile(r"^\w{3} [ \d]\d [\d:.]+ (?P<host>[\w.-]+) pacemaker")
_AGENT = re.compile(
    r"^\w{3} [ \d]\d [\d:]+  (?P<agent>\w+)\((?P<resource>[^)]+)\)\[\d+\]: +(?P<level>\w+): (?P<text>.*)"
)
_EXPECTED = re.compile(r"transition-magic=\"?-?\d+:\d+;\d+:\d+:(?P<code>\d+):")
_SIMPLE = {
    "lost": re.compile(r"controld.*Node (?P<node>\S+) state is now lost"),
    "fencing": re.compile(r"Requesting (?:peer )?fencing \(\w+\) (?:of node|targeting) (?P<node>\S+)"),
    "fenced": re.compile(r"Peer (?P<node>\S+) was terminated \(\w+\) by (?P<by>\S+) .*: OK"),
    "moved": re.compile(
        r"\+\+ /cib/configuration/constraints:  <rsc_location id=\"(?P<what>cli-(?:prefer|ban)-[^\"]+)\""
    ),
    "standby": re.compile(r"cib_perform_op\).*node\[@id='(?P<id>[^']+)'\].*standby.*value=\"?(?:on|true)\b"),
    "scored": re.compile(
        r"cib_perform_op\) *\t?\w+: \+ +/cib/status/node_state\[@id='(?P<id>[^']+)'\].*-master-(?P<what>[^']+)'\]:  "
        r"@value=(?P<score>\S+)"
    ),
}
# One look at each of some hundred thousand lines, before any closer one.
_WORTH = re.compile(
    r"/lrm_rsc_op\[|<lrm_rsc_op |state is now lost|[Rr]equesting (?:peer )?fencing|was terminated|cli-(?:prefer|ban)-"
    r"|standby|-master-|^\w{3} [ \d]\d [\d:]{8}  \w+\("
)
_WORDS = {
    "lost": "{node} left the cluster",
    "fencing": "its fencing is requested",
    "fenced": "fenced by {by}: surely off",
    "moved": "constraint {what}: an admin moves it",
    "standby": "put to standby",
    "scored": "promotion score of {what} is now {score}",
}


def events(logs: Iterable[tuple[str, Iterable[str]]], near: float, names: Mapping[str, str]) -> list[Event]:
    """All events of the logs, each once, in order. logs: (name to use when a log does not name its host, lines). near: a
    time just after the logs' end, since they have no year. names: node id -> name, as far as known."""
    known = dict(names)
    found: list[Event] = []
    for title, lines in logs:
        host = ""
        tasks: dict[tuple[str, str, str], str] = {}
        own: list[Event] = []
        for line in lines:
            if not host and (named := _HOST.match(line)):
                host = named["host"]
            if "ode " in line:
                for node in _NODE.finditer(line):
                    known.setdefault(node["id"] or node["nodeid"], node["name"])
            event = _event(line, near, tasks) if _WORTH.search(line) else None
            if event:
                own.append(event)
        # The first lines may be an agent's, which do not name the host.
        found += [
            one._replace(log=host or title, node=one.node or (host or title if one.kind == "said" else ""))
            for one in own
        ]
    # Ids may be named later than they are used.
    named_events = [event._replace(node=known.get(event.node, event.node)) for event in found]
    return _once(sorted(_placed(named_events), key=lambda event: event.at))


def _placed(found: Sequence[Event]) -> list[Event]:
    """What an action said, in whole seconds, comes after that action's beginning where that lies in the same second."""
    begun = [event for event in found if event.kind == "begun"]

    def placed(event: Event) -> Event:
        if event.kind != "said" or not event.told:
            return event
        own = [one.at for one in begun if (one.node, one.resource) == (event.node, event.resource)]
        return event._replace(at=min((at for at in own if event.at <= at < event.at + 1), default=event.at))

    return [placed(event) for event in found]


def _event(line: str, near: float, tasks: dict[tuple[str, str, str], str]) -> Event | None:
    at = moment(line, near)
    if at is None:
        return None
    if at > near + _DAY:  # written before the turn of the year
        at = moment(line, near - time.localtime(near).tm_yday * _DAY) or at
    operation = _OPERATION.search(line) or _CREATED.search(line)
    if operation:
        return _operation(operation, at, tasks)
    agent = _AGENT.match(line)
    if agent:
        if agent["level"] not in ("NOTICE", "WARNING", "ERROR", "ERR"):
            return None
        text = f"{agent['agent']}: {agent['text']}"
        return Event(at, "", "said", text, agent["resource"], told=agent["level"] == "NOTICE")
    for kind, pattern in _SIMPLE.items():
        match = pattern.search(line)
        if match:
            groups = match.groupdict()
            node = groups.get("node") or groups.get("id") or ""
            return Event(at, node, kind, _WORDS[kind].format(**groups), groups.get("what") or "")
    return None


def _operation(found: re.Match[str], at: float, tasks: dict[tuple[str, str, str], str]) -> Event | None:
    """A begin has op-status -1; an end repeats only what changed, so what began is remembered. Monitors that succeed say
    nothing."""
    change, resource = found["change"], found["resource"]
    place = (found["id"], resource, found["op"])

    def value(name: str) -> str:
        pair = re.search(rf"(?:@| |^){name}=(?:\"([^\"]*)\"|(.*?)(?:, @|$))", change)
        return (pair[1] or pair[2] or "") if pair else ""

    task = value("operation") or tasks.get(place, "")
    expected = _EXPECTED.search(change)
    if expected and expected["code"] != "0":
        task = "monitor"  # a probe, whose beginning was written with the whole node: what ran before it is another operation
    tasks[place] = task
    code, status = value("rc-code"), value("op-status")
    if found["op"].endswith("_last_failure_0") or (task in ("monitor", _REPORTED) and found["op"].endswith("_last_0")):
        if (
            task not in ("monitor", _REPORTED)
            or code in ("", "0", "193", *_DEGRADED)
            or (task == "monitor" and code == "7")
        ):
            return None
        reason = value("exit-reason") or f"status {code}"
        text = f"{resource} failed: {reason}"
        if task == _REPORTED:
            text = f"the failure of {resource} is reported, by the watcher or with crm_resource --fail"
        return Event(at, found["id"], "failed", text, resource, task)
    if not found["op"].endswith("_last_0") or task not in ("start", "stop", "promote", "demote"):
        return None
    if status == "-1":
        return Event(at, found["id"], "begun", f"{task} of {resource} begins", resource, task)
    if code == "0":
        took = whole(value("exec-time"))
        text = f"{task} of {resource} done" + (f" in {took / 1000:.2f} s" if took is not None else "")
        return Event(at, found["id"], "ended", text, resource, task)
    if code:
        text = f"{task} of {resource} failed: {value('exit-reason') or f'status {code}'}"
        return Event(at, found["id"], "refused", text, resource, task)
    return None


def _once(found: Sequence[Event]) -> list[Event]:
    """Of what several logs say, and of what a daemon says twice, the first."""
    kept: list[Event] = []
    last: dict[tuple[str, str, str, str], float] = {}
    for event in found:
        key = (event.node, event.kind, event.resource, event.task or event.text)
        if event.at - last.get(key, float("-inf")) > (0.0 if event.kind == "said" else 1.0):
            kept.append(event)
        last[key] = event.at
    return kept


def failovers(found: Sequence[Event], resource: str = "") -> list[Failover]:
    """Every promotion that succeeded, with what led to it; of one resource if named. In order."""
    logs = sorted({event.log for event in found if event.log})
    promotions = [
        at
        for at, event in enumerate(found)
        if (event.kind, event.task) == ("ended", "promote") and resource in ("", event.resource)
    ]
    return [
        _failover(found, at, before, promotions[number + 1] if number + 1 < len(promotions) else len(found), logs)
        for number, (at, before) in enumerate(zip(promotions, [-1, *promotions]))
    ]


def _failover(found: Sequence[Event], at: int, before: int, after: int, logs: list[str]) -> Failover:
    promoted = found[at]
    first = at
    for number in range(at - 1, before, -1):
        if found[first].at - found[number].at > QUIET:
            break
        if found[number].kind == "scored" and found[first].at - found[number].at > _SOON:
            continue  # replicas that come and go; a score that moves the role does so at once
        if _concerns(found[number], promoted):
            first = number
    last = at
    for number in range(at + 1, after):
        event = found[number]
        if event.at - promoted.at > AFTERWARDS or (event.kind in SIGNS[:4] and event.at - promoted.at > 1):
            break
        last = number
    start = found[first].at
    # The agents' whole seconds lie up to a second before what they led to.
    said = [event for event in found[before + 1 : first] if event.kind == "said" and start - event.at < _COARSE]
    own = [*said, *found[first : last + 1]]
    cause, phases = _cause(own, promoted), _phases(own, promoted, start)
    return Failover(promoted.resource, promoted.node, start, cause, own, phases, logs)


def _concerns(event: Event, promoted: Event) -> bool:
    """Whether a failover may have begun with this: other resources' failures do not."""
    if event.kind in ("lost", "fencing", "fenced", "standby"):
        return True
    if event.kind in ("moved", "scored"):
        return promoted.resource in event.resource and event.at > promoted.at - QUIET
    return event.resource == promoted.resource and (event.kind == "failed" or event.task in ("demote", "promote"))


def _cause(own: Sequence[Event], promoted: Event) -> str:
    begun = [event for event in own if event.at <= promoted.at]
    for kind in SIGNS:
        for event in begun:
            if event.kind == kind and _concerns(event, promoted):
                return f"{event.node}: {event.text}" if event.node and event.node not in event.text else event.text
    if any(event.task == "demote" for event in begun):
        return "a demotion, for which these logs give no reason"
    return "the first promotion since the cluster started"


def _phases(own: Sequence[Event], promoted: Event, start: float) -> dict[str, float]:
    """The moments that make up the time without a primary."""

    def first(kind: str, task: str = "", since: float = start, node: str = "") -> float | None:
        for event in own:
            fits = event.kind == kind and task in ("", event.task) and node in ("", event.node)
            if fits and event.at >= since and (not task or task == "start" or event.resource == promoted.resource):
                return event.at
        return None

    moments = {
        "lost": first("lost"),
        "failed": first("failed"),
        "fenced": first("fenced"),
        "demotion": first("begun", "demote"),
        "demoted": first("ended", "demote"),
        "promotion": first("begun", "promote", node=promoted.node),
        "promoted": promoted.at,
        "address": first("ended", "start", promoted.at, promoted.node),
    }
    return {name: at - start for name, at in sorted(moments.items(), key=lambda pair: pair[1] or 0) if at is not None}


def pause(failover: Failover) -> float:
    """Seconds without service as the cluster saw it: from the first of failure, loss and demotion until the address was
    there, or until the promotion where no address followed."""
    began = [failover.phases[name] for name in ("failed", "lost", "demotion") if name in failover.phases]
    return failover.phases.get("address", failover.phases["promoted"]) - min(began, default=0.0)
