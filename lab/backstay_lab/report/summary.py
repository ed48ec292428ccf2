"""What the tables and timelines show. Pure: results in, cells and segments out."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.floor import CONTENDER, Compared, compare

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_lab.report.results import Run

# What ends a stretch of a failover -> what the stretch is called. In the order of a failover; other phases are not drawn.
STRETCHES = {
    "detected": "detect",
    "fenced": "fence",
    "demoted": "demote",
    "promoting": "schedule, notify",
    "promoted": "promote",
    "address": "address",
    "first write": "client",
}
LONE = ("ocf:backstay:vip", "power-off")
FAULTS = ("kill", "hang", "pause", "power-off", "vip-floor", "move", "address-removed", "partition-primary", "loss")


class Cell(NamedTuple):
    """One fault on one contender. median, worst: seconds; infinite when (more than half of) the runs did not end, nan when
    none was measured. lost, acknowledged: sums. whole: median seconds until all nodes served again, of the runs after which
    they did, nan without one. astray: runs after which they did not, or copies differed. broken: runs that broke off before
    the fault, and count for nothing else. dropped: new connections that failed, a sum, None where they are not counted. failed,
    most_failed: an application's failed operations, median and worst; longest: seconds of its longest operation; nan where they
    are not counted. errors: kind of error -> how many operations failed so, a sum. compared: with the floor in the same results,
    None where one of the two was not measured."""

    runs: int
    median: float
    worst: float
    lost: int
    acknowledged: int
    whole: float
    unended: int
    astray: int
    broken: int
    dropped: int | None = None
    failed: float = math.nan
    most_failed: float = math.nan
    longest: float = math.nan
    errors: Mapping[str, int] = {}
    compared: Compared | None = None


class Stretch(NamedTuple):
    """A part of a failover, seconds after the fault."""

    name: str
    begin: float
    end: float


def services(runs: Sequence[Run]) -> list[str]:
    """In order of appearance. The floor is beside the others, and alone where it is beside none."""
    found = list(dict.fromkeys(run.service for run in runs))
    if any(name != CONTENDER and len(beside(runs, name)) > len(of(runs, service=name)) for name in found):
        found.remove(CONTENDER)
    return found


def of(runs: Sequence[Run], **wanted: str) -> list[Run]:
    """The runs with these values."""
    return [run for run in runs if all(getattr(run, name) == value for name, value in wanted.items())]


def faults(runs: Sequence[Run]) -> list[str]:
    """The faults of these runs: the usual ones first, then in order of appearance."""
    there = dict.fromkeys(run.fault for run in runs)
    return [name for name in FAULTS if name in there] + [name for name in there if name not in FAULTS]


def cell(runs: Sequence[Run]) -> Cell:
    """Of runs of one fault on one contender."""
    measured = [run for run in runs if run.inflicted]
    whole = [run.phases["whole"] for run in measured if "whole" in run.phases]
    gaps = [math.inf if run.gap is None else run.gap for run in measured]
    dropped = [run.dropped for run in measured if run.dropped is not None]
    counted = [run.operations for run in measured if run.operations is not None]
    failed = [one.failed for one in counted]
    errors: Counter[str] = Counter()
    for one in counted:
        errors.update(one.errors)
    return Cell(
        runs=len(measured),
        median=median(gaps) if gaps else math.nan,
        worst=max(gaps, default=math.nan),
        lost=sum(run.lost or 0 for run in measured),
        acknowledged=sum(run.acknowledged or 0 for run in measured),
        whole=median(whole) if whole else math.nan,
        unended=sum(run.gap is None for run in measured),
        astray=sum(run.gap is not None and bool(run.error) for run in measured),
        broken=len(runs) - len(measured),
        dropped=sum(dropped) if dropped else None,
        failed=median(failed) if failed else math.nan,
        most_failed=max(failed, default=math.nan),
        longest=max((one.longest for one in counted), default=math.nan),
        errors=dict(errors.most_common()),
    )


def cells(runs: Sequence[Run]) -> dict[tuple[str, str], Cell]:
    """(fault, contender) -> cell."""
    grouped: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        grouped[run.fault, run.contender].append(run)
    found = {}
    for (fault, name), group in grouped.items():
        own, lowest = ([run.phases for run in each] for each in (group, grouped.get((fault, CONTENDER), [])))
        compared = compare(fault, own, lowest) if name != CONTENDER else None
        found[fault, name] = cell(group)._replace(compared=compared)
    return found


def floors(runs: Sequence[Run], service: str) -> dict[str, float]:
    """Fault -> median gap, in seconds, of agents that do nothing, or of a lone address: what no agent can be faster than. None
    for an address itself."""
    if service == "address":
        return {}
    lowest: dict[str, list[float]] = defaultdict(list)
    lone: list[float] = []
    for run in runs:
        if run.gap is not None and run.contender == CONTENDER:
            lowest[run.fault].append(run.gap)
        elif run.gap is not None and ((run.contender, run.fault) == LONE or run.fault == "vip-floor"):
            lone.append(run.gap)
    return {fault: median(gaps) for fault, gaps in {"power-off": lone, **lowest}.items() if gaps}


def beside(runs: Sequence[Run], service: str) -> list[Run]:
    """The runs of a service, and those of the floor under the same faults."""
    own = of(runs, service=service)
    if service == "address":
        return own
    there = {run.fault for run in own}
    return own + [run for run in runs if run.contender == CONTENDER != service and run.fault in there]


def loads(runs: Sequence[Run]) -> dict[str, float]:
    """Contender -> median of the machine's load averages when its faults came. Who ran on the busier machine?"""
    known = {name: [run.load for run in of(runs, contender=name) if run.load is not None] for name in contenders(runs)}
    return {name: median(own) for name, own in known.items() if own}


def contenders(runs: Sequence[Run]) -> list[str]:
    """In order of appearance."""
    return list(dict.fromkeys(run.contender for run in runs))


def stretches(run: Run) -> list[Stretch]:
    """The failover's parts in the order of time, up to the first write; empty when it did not come to that.

    A stretch is named after what ends it. Something that the log does not tell belongs to the stretch after it.
    """
    end = run.phases.get("first write")
    if end is None:
        return []
    moments = sorted((at, name) for name, at in run.phases.items() if name in STRETCHES and at <= end)
    parts, begin = [], 0.0
    for at, name in moments:
        parts.append(Stretch(STRETCHES[name], begin, at))
        begin = at
    return parts
