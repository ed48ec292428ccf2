"""Files of results, as values: what `backstay rehearse --json`, `backstay campaign --json` and the bench write.

A rehearsal or campaign is one JSON object, a bench a JSON object a line. A line's "kind" says what it is: about, contender,
run, monitor, node, growth. Readers ignore fields that they do not know.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.ocf.errors import AgentError
from backstay_lab.checkers.floor import CONTENDER
from backstay_lab.checkers.operations import Operations, from_json
from backstay_lab.checkers.recovery import alone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ACKNOWLEDGED = ("acknowledged", "confirmed", "accepted")  # what a verdict calls it: rows, messages, boots


class About(NamedTuple):
    """One file: how it came about. facts: label -> text. order in which the page tells of it: name."""

    name: str
    facts: dict[str, str]


class Contender(NamedTuple):
    name: str
    service: str
    what: str
    notes: tuple[str, ...]


class Run(NamedTuple):
    """One fault on one contender. gap: seconds without an acknowledgement, None when it did not end within `patience`
    seconds (None: the run broke off). inflicted: False when it broke off before the fault. phases: name -> seconds after the
    fault, up to the first write. lost: count of what was acknowledged and is gone, None when nobody was left to be asked.
    dropped: new connections that failed, None where they are not counted. load: the machine's load average when the fault
    came. operations: an application's because of it, None where they are not counted."""

    contender: str
    service: str
    fault: str
    gap: float | None
    phases: dict[str, float]
    lost: int | None
    acknowledged: int | None
    whole: bool
    error: str
    patience: float | None
    client: str = ""
    inflicted: bool = True
    dropped: int | None = None
    load: float | None = None
    operations: Operations | None = None


# What a floor's record in a rehearsal's file does not say.
_FLOOR: dict[str, Any] = {"contender": CONTENDER, "service": CONTENDER, "lost": None, "acknowledged": None}
_FLOOR.update(whole=True, patience=None)


class Monitor(NamedTuple):
    """One monitor of an agent: milliseconds of CPU and wall time, programs started, MiB of the largest process."""

    agent: str
    what: str
    cpu: float
    wall: float
    programs: int
    memory: float


class Node(NamedTuple):
    """A node at rest with a contender on it, configured as `what` says: seconds of CPU in a minute, by who used it, and MiB
    held by helpers that stay."""

    contender: str
    service: str
    what: str
    cpu: dict[str, float]
    memory: float


class Growth(NamedTuple):
    """A curve: what is measured over what, one line for each contender. points: (x, y)."""

    chart: str
    x: str
    y: str
    contender: str
    points: tuple[tuple[float, float], ...]


class Results(NamedTuple):
    about: list[About]
    contenders: list[Contender]
    runs: list[Run]
    monitors: list[Monitor]
    nodes: list[Node]
    growth: list[Growth]


def gather(directory: str) -> Results:
    """All results of a directory's .json and .jsonl files; other JSON in there is passed over.

    Raises AgentError when there are none, or a file is cut short.
    """
    found = Results([], [], [], [], [], [])
    try:
        names = sorted(os.listdir(directory))
    except OSError as failed:
        raise AgentError(f"cannot read {directory}: {failed.strerror}") from failed
    for name in names:
        if name.endswith((".json", ".jsonl")):
            with open(os.path.join(directory, name), encoding="utf-8") as source:
                text = source.read()
            try:
                add(found, name, text)
            except (ValueError, KeyError, TypeError) as failed:
                raise AgentError(f"{name} is not a whole file of results: {failed!r}") from failed
    if not (found.runs or found.monitors or found.nodes or found.growth):
        raise AgentError(
            f"{directory} holds no results; `backstay rehearse SERVICE --fault NAME --json FILE` writes some"
        )
    return found


def add(found: Results, name: str, text: str) -> None:
    """Add a file's results. Raises ValueError, KeyError or TypeError for what is not one."""
    if name.endswith(".json"):
        _rehearsal(found, name, json.loads(text))
    else:
        _bench(found, name, [json.loads(line) for line in text.splitlines() if line.strip()])


def _rehearsal(found: Results, name: str, whole: Any) -> None:
    if isinstance(whole, dict) and "schedules" in whole:
        _campaign(found, name, whole)
    if not isinstance(whole, dict) or "runs" not in whole:
        return  # JSON of something else
    service = str(whole.get("service") or os.path.splitext(name)[0])
    client = str(whole.get("client", ""))
    for run in whole["runs"]:
        verdict = run.get("verdict") or {}
        found.runs.append(
            Run(
                contender=f"ocf:backstay:{service}" if whole.get("service") else service,
                service=service,
                fault=run["fault"],
                gap=run["gap"],
                phases=run.get("phases", {}),
                lost=len(verdict["lost"]) if "lost" in verdict else None,
                acknowledged=next((verdict[name] for name in ACKNOWLEDGED if name in verdict), None),
                whole=not run["error"],
                error=run["error"] or ("" if run["clean"] else "not clean"),
                patience=None,
                client=client,
                dropped=verdict.get("dropped"),
                operations=from_json(run.get("operations", {})),
            )
        )
    found.runs.extend(Run(**{**_FLOOR, **_known(Run._fields, run)}) for run in whole.get("floor", ()))
    facts = {"client": client, "image": str(whole.get("image", ""))}
    found.about.append(About(name, {label: text for label, text in facts.items() if text}))


def _campaign(found: Results, name: str, whole: dict[str, Any]) -> None:
    """What each fault cost that came alone."""
    service = str(whole["service"])
    for schedule in whole["schedules"]:
        rules = sorted({finding["rule"] for finding in schedule.get("findings", ())})
        for what, gap, operations in alone(schedule):
            found.runs.append(
                Run(
                    contender=f"ocf:backstay:{service}",
                    service=service,
                    fault=f"{what} (campaign)",
                    gap=gap if math.isfinite(gap) else None,
                    phases={},
                    lost=sum(finding["rule"] in ("lost", "message-lost") for finding in schedule["findings"]),
                    acknowledged=None,
                    whole="unsettled" not in rules,
                    error=", ".join(rules),
                    patience=None,
                    operations=from_json(operations),
                )
            )
    dirty = sum(not schedule["clean"] for schedule in whole["schedules"])
    facts = {"image": str(whole.get("image", "")), "schedules": str(len(whole["schedules"])), "not clean": str(dirty)}
    found.about.append(About(name, {label: text for label, text in facts.items() if text}))


def _bench(found: Results, name: str, lines: Sequence[dict[str, Any]]) -> None:
    facts = {}
    for line in lines:
        kind, rest = line["kind"], {key: value for key, value in line.items() if key != "kind"}
        if kind == "about":
            facts.update({key: str(value) for key, value in rest.items()})
        elif kind == "contender":
            contender = Contender(rest["name"], rest["service"], rest["what"], tuple(rest["notes"]))
            if contender not in found.contenders:
                found.contenders.append(contender)
        elif kind == "run":
            counted = from_json(rest.get("operations", {}))
            found.runs.append(Run(**{**_known(Run._fields, rest), "operations": counted}))
        elif kind == "monitor":
            found.monitors.append(Monitor(**_known(Monitor._fields, rest)))
        elif kind == "node":
            found.nodes.append(Node(**_known(Node._fields, rest)))
        elif kind == "growth":
            curve = _known(Growth._fields, rest)
            found.growth.append(Growth(**{**curve, "points": tuple((x, y) for x, y in curve["points"])}))
    found.about.append(About(name, facts))


def _known(fields: Iterable[str], values: dict[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in _in(fields, values)}


def _in(fields: Iterable[str], values: dict[str, Any]) -> Iterator[str]:
    return (field for field in fields if field in values)
