"""When what happened, from the logs of Pacemaker and Corosync. Pure: lines in, moments out.

The logs have wall-clock time to 4 ms (they are written with the kernel's coarse clock) and no year.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from backstay.cluster.log_time import moment

if TYPE_CHECKING:
    from collections.abc import Iterable

# Phase -> what the log says of a resource. The first match after the fault counts. Names as in crm-templates.
# Pacemaker 2 says that a result is "ok", Pacemaker 3 "OK".
PHASES = {
    "detected": r"Updating failcount for \S+ on|A new membership \(\S+\) was formed",
    "fenced": r"Peer \S+ was terminated .*: OK",
    "demoted": r"Result of demote operation for {resource} on \S+: (?:ok|OK)",
    "promoting": r"(Initiating|Requesting local execution of) promote operation",
    "promoted": r"Result of promote operation for {resource} on \S+: (?:ok|OK)",
    "alone": r"cib_perform_op.*{resource}-facts.*solo=yes",
    "address": r"Result of start operation for {resource}-writer on \S+: (?:ok|OK)",
}


def phases(lines: Iterable[str], fault: float, resource: str) -> dict[str, float]:
    """Phase -> seconds from `fault` (since the epoch) to its first sign in any log."""
    patterns = {phase: re.compile(pattern.replace("{resource}", resource)) for phase, pattern in PHASES.items()}
    found: dict[str, float] = {}
    for line in lines:
        for phase, pattern in patterns.items():
            if pattern.search(line):
                at = moment(line, fault)
                # The coarse clock may lag by one tick behind the fault's own time stamp.
                if at is not None and at >= fault - 0.004:
                    found[phase] = min(found.get(phase, at), at)
    return {phase: max(0.0, at - fault) for phase, at in sorted(found.items(), key=lambda pair: pair[1])}


_PROMOTED = r"Result of promote operation for {resource} on (\S+): (?:ok|OK)"
# The record is changed or made; what a node learns when it joins is written in another form.
_RECORDED = r"{resource}-facts(?:'\]:  @|\" )value=\"?epoch=(\d+) primary=(\S+)"
_FENCED = re.compile(r"Peer (\S+) was terminated \(.*\).*: OK")
_AT_ONCE = 5.0  # seconds within which two lines tell of one promotion: the node's own and the coordinator's
_RECORDING = 60.0  # seconds, at most, from the record of a promotion to its result: the action's timeout


def promotions(lines: Iterable[str], resource: str, near: float) -> list[tuple[str, float]]:
    """Node and wall-clock time of each promotion, in order: what ended well and was recorded. One that the agent refuses ends
    well too, and opens nothing (docs/decisions/0009). near: a time of the same year."""
    promoted, recorded = (
        re.compile(pattern.replace("{resource}", re.escape(resource))) for pattern in (_PROMOTED, _RECORDED)
    )
    told: list[tuple[float, str]] = []
    records: dict[str, tuple[str, float]] = {}  # epoch -> its primary, and when it was first seen
    for line in lines:
        match, record = promoted.search(line), recorded.search(line)
        at = moment(line, near) if match or record else None
        if match and at is not None:
            told.append((at, match[1]))
        if record and at is not None:
            records[record[1]] = record[2], min(at, records.get(record[1], ("", at))[1])
    found: list[tuple[str, float]] = []
    for at, node in sorted(told):
        if any(node == other and at - before <= _AT_ONCE for other, before in found):
            continue
        epochs = [one for one, (primary, seen) in records.items() if primary == node and 0 <= at - seen <= _RECORDING]
        if epochs:
            del records[min(epochs, key=int)]
            found.append((node, at))
    return found


def fenced(lines: Iterable[str]) -> list[str]:
    """The nodes that were fenced."""
    return sorted({match[1] for match in map(_FENCED.search, lines) if match})


class Action(NamedTuple):
    """An action of an agent that has ended. began: seconds after the fault, took: seconds that it ran, status: its exit code."""

    resource: str
    action: str
    node: str
    began: float
    took: float
    status: int


# The executor's own line of an action. It has the same number as exec-time in the status section, which forgets a demotion when
# the stop comes. Successful recurring monitors are not told.
_ENDED = re.compile(
    r"^.{15}\S* (?P<node>\S+) .*\(log_finished\)\s+info: (?P<resource>\S+) (?P<action>\S+) \(call \d+, PID \d+\) "
    r"exited with status (?P<status>\d+).*\(execution time (?P<took>[\d.hms]+)"
)
_PART = re.compile(r"([\d.]+)(ms|h|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def actions(lines: Iterable[str], fault: float) -> list[Action]:
    """The agents' actions that began after `fault` (since the epoch), in the order of their beginning."""
    found = []
    for match in filter(None, map(_ENDED.match, lines)):
        at = moment(match.string, fault)
        took = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(match["took"]))
        # Stamp and clock are coarse, and the executor notices an end later than it came.
        if at is not None and at - took >= fault - 0.01:
            began, took = round(max(0.0, at - took - fault), 3), round(took, 3)
            action = Action(match["resource"], match["action"], match["node"], began, took, int(match["status"]))
            found.append(action)
    return sorted(found, key=lambda one: one.began)
