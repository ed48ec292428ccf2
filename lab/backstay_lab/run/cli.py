"""`backstay rehearse`: inflict faults on a lab again and again, and print what they cost."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from backstay.ocf.errors import AgentError
from backstay_lab.checkers import operations
from backstay_lab.checkers.floor import compare
from backstay_lab.machines import drivers
from backstay_lab.machines.cluster import NONE, Lab
from backstay_lab.machines.drivers import driver
from backstay_lab.machines.layout import LabError
from backstay_lab.run import baseline, floor
from backstay_lab.run.rehearsal import Manner, Outcome, Unserved, rehearse
from backstay_lab.systems.catalogue import rehearsed, topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from backstay_lab.nemesis.fault import Fault
    from backstay_lab.systems.declaration import Rehearsed
    from backstay_lab.systems.system import System

FLOOR = "vip-floor"
BLACKOUT_ORDERS = ["123", "132", "213", "231", "312", "321"]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def distribution(values: Sequence[float]) -> str:
    """Seconds as min / median / p95 / worst."""
    shown = (min(values), statistics.median(values), percentile(values, 0.95), max(values))
    return " / ".join(f"{value:.2f}" for value in shown)


@contextmanager
def laboratory(
    directory: str, nodes: int, image: str, name: str, kind: type[Lab] = Lab, volume: int = 0
) -> Iterator[Lab]:
    """A lab for the length of the block. name: of its topology. One that is up in the directory is used if it has that many
    nodes. Raises LabError."""
    try:
        lab = drivers.attach(directory, kind)
    except LabError:
        lab = kind.up(directory, nodes=nodes, image=image, topology=topology(name), volume=volume, say=click.echo)
        try:
            yield lab
        finally:
            lab.down()
        return
    if len(lab.nodes) != nodes or lab.topology != name:
        raise LabError(f"the lab in {directory} is not a {name} lab of {nodes} nodes; give another --dir")
    yield lab


def plain(value: Any) -> Any:
    """A verdict for JSON: named tuples as objects, at any depth."""
    if hasattr(value, "_asdict"):
        return {name: plain(one) for name, one in value._asdict().items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value


def describe(outcome: Outcome) -> str:
    """One run in one line."""
    phases = "  ".join(f"{phase} {seconds:.2f}" for phase, seconds in outcome.phases.items())
    place = f"{outcome.was}{'*' if outcome.coordinator else ''} -> {outcome.now}"
    unsilenced = f"; {len(outcome.unsilenced)} acknowledged by the one that was hit" if outcome.unsilenced else ""
    clients = "".join(f"\n    {client}: {one}" for client, one in outcome.operations.items())
    return f"{outcome.fault}: gap {outcome.gap:.2f} s, {place}; {outcome.verdict}{unsilenced}{clients}\n    {phases}"


def rehearse_all(
    subject: Rehearsed,
    faults: list[Fault],
    runs: int,
    directory: str,
    image: str,
    manner: Manner,
    kind: type[Lab] = Lab,
) -> list[dict[str, Any]]:
    """Every fault `runs` times; a record of each run. Histories and logs of a run that is not clean are kept."""
    records: list[dict[str, Any]] = []
    for nodes in sorted({fault.nodes for fault in faults}, reverse=True):
        place = directory if nodes == 3 else f"{directory}-{nodes}"
        with laboratory(place, nodes, image, subject.topology, kind) as lab:
            system = subject.attach(lab)
            first = int(time.time())  # of the orders of a blackout: short series begin with different ones
            for fault in (one for one in faults if one.nodes == nodes):
                for number in range(runs):
                    order = tuple(f"n{digit}" for digit in BLACKOUT_ORDERS[(first + number) % len(BLACKOUT_ORDERS)])
                    records.append(_run(system, fault, manner._replace(order=order)))
    return records


def _run(system: System, fault: Fault, manner: Manner) -> dict[str, Any]:
    histories = tempfile.mkdtemp(prefix=f"backstay-{fault.name}-")
    marks = system.log_marks()
    try:
        outcome = rehearse(system, fault, histories, manner)
    except AgentError as error:
        system.keep_logs(marks, histories)
        _mend(system.lab)
        click.echo(f"{fault.name}: {error}\n    histories: {histories}")
        record = {"fault": fault.name, "clean": False, "gap": None, "error": str(error), "histories": histories}
        record["operations"] = operations.as_json(error.operations) if isinstance(error, Unserved) else {}
        return record
    click.echo(describe(outcome))
    record = {"fault": fault.name, "clean": outcome.clean, "gap": outcome.gap, "phases": outcome.phases}
    record.update(order=manner.order, was=outcome.was, now=outcome.now, coordinator=outcome.coordinator, error="")
    record["verdict"] = plain(outcome.verdict)
    record["unsilenced"] = plain(outcome.unsilenced)
    record["operations"] = operations.as_json(outcome.operations)
    record["actions"] = plain(outcome.actions)
    if outcome.clean:
        shutil.rmtree(histories)
    else:
        system.keep_logs(marks, histories)
        click.echo(f"    NOT CLEAN; histories: {histories}")
        record["histories"] = histories
    return record


def _mend(lab: Lab) -> None:
    """Undo what a run that broke off may have left: the next one begins with all nodes, and waits until they serve."""
    lab.heal()
    for node in lab.nodes:
        lab.power_on(node)


def measure_floor(runs: int, directory: str, image: str, kind: type[Lab] = Lab) -> list[dict[str, Any]]:
    """The floor, `runs` times, on a lab of its own."""
    records = []
    with laboratory(f"{directory}-floor", 3, image, NONE.name, kind) as lab, tempfile.TemporaryDirectory() as histories:
        baseline.prepare(lab)
        for _ in range(runs):
            measured = baseline.measure(lab, histories)
            click.echo(f"{FLOOR}: gap {measured.gap:.2f} s{' (DC lost)' if measured.coordinator else ''}")
            records.append({"fault": FLOOR, "clean": True, "error": "", **measured._asdict()})
    return records


def measure_nothing(
    faults: Sequence[str], runs: int, directory: str, image: str, kind: type[Lab] = Lab
) -> list[dict[str, Any]]:
    """Each of these faults `runs` times on agents that do nothing, on a lab of its own: the floor of a failover."""
    records = []
    with laboratory(f"{directory}-floor", 3, image, NONE.name, kind) as lab:
        floor.deploy(lab)
        for fault in faults:
            for _ in range(runs):
                record = floor.record(lab, fault)
                told = record["error"] or "  ".join(f"{phase} {at:.2f}" for phase, at in record["phases"].items())
                click.echo(f"{fault}, the floor: {told}")
                records.append(record)
    return records


def summary(records: list[dict[str, Any]], subject: Rehearsed, lowest: Sequence[dict[str, Any]] = ()) -> list[str]:
    """Of each fault a line: the gaps, an application's failed operations and the longest one, what was lost, and whether the
    bounds hold; below it the ratio to the floor, and what the agents' actions took. lowest: the floor's records."""
    lines = [
        f"{'fault':18} {'runs':>4}  {'min / median / p95 / worst, s':32} "
        f"{'failed operations, median / worst':>33} {'longest, s':>10} lost  not clean"
    ]
    for name in dict.fromkeys(record["fault"] for record in records):
        own = [record for record in records if record["fault"] == name]
        gaps = [record["gap"] for record in own if record["gap"] is not None]
        lost = sum(len(record["verdict"]["lost"]) for record in own if "verdict" in record)
        dirty = sum(not record["clean"] for record in own)
        shown = distribution(gaps) if gaps else "no run ended"
        failed = counted([record.get("operations", {}) for record in own])
        bounds = _bounds(subject.faults.get(name), gaps)
        lines.append(f"{name:18} {len(own):4}  {shown:32} {failed} {lost:4}  {dirty:4}{bounds}")
        phases = [[one.get("phases", {}) for one in ran if one["fault"] == name] for ran in (own, lowest)]
        lines += [f"    {told}" for told in (compare(name, *phases), executed(own)) if told]
    return lines


def counted(runs: Sequence[Mapping[str, Any]]) -> str:
    """An application's failed operations in some runs, median and worst, and seconds of the longest: 45 columns wide."""
    known = [one for one in map(operations.from_json, runs) if one is not None]
    if not known:
        return f"{'':33} {'':10}"
    failed = [one.failed for one in known]
    return f"{f'{statistics.median(failed):g} / {max(failed)}':>33} {max(one.longest for one in known):10.2f}"


def executed(runs: Sequence[Mapping[str, Any]]) -> str:
    """What the agents' actions took in some runs, median and worst in milliseconds; "" without any."""
    took: dict[str, list[float]] = {}
    for action in (one for run in runs for one in run.get("actions", ())):
        took.setdefault(f"{action['resource']} {action['action']}", []).append(1000 * action["took"])
    shown = ", ".join(f"{name} {statistics.median(own):.0f} / {max(own):.0f}" for name, own in took.items())
    return f"actions, median / worst, ms: {shown}" if shown else ""


def _bounds(fault: Fault | None, gaps: list[float]) -> str:
    if fault is None or not gaps:
        return ""
    broken = []
    if statistics.median(gaps) > fault.cost.median:
        broken.append(f"median above {fault.cost.median} s")
    if max(gaps) > fault.cost.worst:
        broken.append(f"worst above {fault.cost.worst} s")
    return f"  {', '.join(broken)}" if broken else ""


@click.command("rehearse")
@click.argument("service", type=click.Choice(sorted(rehearsed())), default="mysql")
@click.option("--fault", "names", multiple=True, metavar="NAME", help="As --list has it, or all. May be repeated.")
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Of each fault.")
@click.option("--json", "path", type=click.Path(dir_okay=False, writable=True), help="Write a record of every run.")
@click.option(
    "--dir", "directory", default=".lab-rehearse", show_default=True, help="The lab; one is booted if none is."
)
@click.option("--image", default="bookworm", show_default=True)
@click.option("--vagrant", is_flag=True, help="On machines that Vagrant makes, as `lab up --vagrant`.")
@click.option("--patient", is_flag=True, help="Wait for failure-timeout, where an admin would clean up.")
@click.option("--until-whole", is_flag=True, help="Keep the load on until the service is whole again.")
@click.option(
    "--no-application", is_flag=True, help="Without the client that counts failed operations, which costs the gap some."
)
@click.option(
    "--floor/--no-floor",
    "beside",
    default=True,
    show_default=True,
    help=f"Measure {', '.join(floor.FAULTS)} on agents that do nothing too, and show the ratio.",
)
@click.option("--list", "listing", is_flag=True, help="Name the faults and end.")
def command(
    service: str,
    names: tuple[str, ...],
    runs: int,
    path: str | None,
    directory: str,
    image: str,
    vagrant: bool,
    patient: bool,
    until_whole: bool,
    no_application: bool,
    beside: bool,
    listing: bool,
) -> None:
    """Inflict faults on a service under load and print what they cost.

    The gap is the longest time without an acknowledgement, at the client that the first line describes.
    """
    subject = rehearsed()[service]
    if listing or not names:
        for fault in subject.faults.values():
            click.echo(f"{fault.name:18} {fault.what}")
        click.echo(f"{FLOOR:18} power-off of the node of a lone address: the floor of the stack")
        return
    unknown = sorted(set(names) - {*subject.faults, FLOOR, "all"})
    if unknown:
        raise click.BadParameter(f"{service} has no fault {', '.join(unknown)}; --list names them")
    # `timeout` and CI end a program so; as an exception it takes the lab down on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    wanted = [*subject.faults, FLOOR] if "all" in names else list(names)
    click.echo(f"client: {subject.client}")
    # The floor comes first, while no other lab takes its share of the machine.
    records = measure_floor(runs, os.path.abspath(directory), image, driver(vagrant)) if FLOOR in wanted else []
    faults = [subject.faults[name] for name in wanted if name in subject.faults]
    also = [fault.name for fault in faults if fault.name in floor.FAULTS] if beside else []
    lowest = measure_nothing(also, runs, os.path.abspath(directory), image, driver(vagrant)) if also else []
    if faults:
        place, manner = os.path.abspath(directory), Manner(clean_up=not patient, until_whole=until_whole)
        manner = manner._replace(application=not no_application)
        records += rehearse_all(subject, faults, runs, place, image, manner, driver(vagrant))
    if path:
        with open(path, "w", encoding="utf-8") as sink:
            told = {"service": service, "client": subject.client, "image": image, "runs": records, "floor": lowest}
            json.dump(told, sink, indent=1)
    click.echo("\n".join(["", *summary(records, subject, lowest)]))
    sys.exit(0 if all(record["clean"] for record in records) else 1)
