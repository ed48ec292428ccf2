"""`backstay bench`: contenders side by side, in turn, each on a lab of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import click

from backstay import __version__
from backstay.ocf.errors import AgentError
from backstay_lab.bench.contender import record as blank
from backstay_lab.bench.peers import CONTENDERS
from backstay_lab.checkers import floor, operations
from backstay_lab.machines.cluster import NONE, Lab
from backstay_lab.systems.catalogue import topology

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backstay_lab.bench.contender import Contender

MONITORS = 20  # runs of each, of which the least counts
PROGRAMS = {
    "Pacemaker": ["pacemakerd", "--version"],
    "Corosync": ["corosync", "-v"],
    "resource-agents": ["dpkg-query", "-W", "-f", "resource-agents ${Version}", "resource-agents"],
    "server": ["mysqld", "--version"],
    "broker": ["dpkg-query", "-W", "-f", "rabbitmq-server ${Version}", "rabbitmq-server"],
}


class Sink:
    """The file of results: a JSON object a line, written when it is known, so that a bench cut short loses one run."""

    def __init__(self, path: str) -> None:
        self._path = path
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)

    def keep(self, directory: str, name: str) -> str:
        """Copy a run's records and logs beside the file; where to."""
        evidence = os.path.join(os.path.dirname(os.path.abspath(self._path)), "evidence")
        os.makedirs(evidence, exist_ok=True)
        place = tempfile.mkdtemp(prefix=f"{name}-", dir=evidence)
        return shutil.copytree(directory, place, dirs_exist_ok=True)

    def write(self, kind: str, record: dict[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **record}) + "\n")


def about(lab: Lab, image: str) -> dict[str, Any]:
    """What the figures are to be read with."""
    node = lab.nodes[0]
    versions = {name: lab.run(node, argv, check=False).out.splitlines()[:1] for name, argv in PROGRAMS.items()}
    return {
        "when": time.strftime("%Y-%m-%d"),
        "Backstay": __version__,
        "cluster": f"{len(lab.nodes)} nodes in namespaces of one machine with {os.cpu_count()} cores, real fencing, "
        f"Corosync's token 1 s, image {image}",
        **{name: line[0] for name, line in versions.items() if line},
    }


def chosen(names: Sequence[str], services: Sequence[str]) -> list[Contender]:
    """The contenders with these names, of these services; all where none is given. The floor comes along unless it could
    be named and is not: every report shows the ratio to it."""
    return [
        one
        for one in CONTENDERS.values()
        if (not names or one.name in names) and (not services or one.service in (*services, floor.CONTENDER))
    ]


def turns(contenders: Sequence[Contender], runs: int) -> Iterator[tuple[int, Contender]]:
    """Rounds, in each of which every contender has its turn; each round begins with another one."""
    for number in range(runs):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            yield number, contender


class Turn:
    """A contender's turn: its faults on a fresh lab, and on another one when the last was not whole again."""

    def __init__(self, contender: Contender, directory: str, image: str, patience: float, sink: Sink) -> None:
        self.contender = contender
        self.directory, self.image = directory, image
        self.patience = patience
        self.sink = sink
        self._lab: Lab | None = None

    def take(self, number: int, faults: Sequence[str]) -> list[dict[str, Any]]:
        """The records of this turn, each written when it is known."""
        records = []
        try:
            for fault in faults:
                records.append(self._suffer(fault, number))
        finally:
            self.end()
        return records

    def _suffer(self, fault: str, number: int) -> dict[str, Any]:
        record: dict[str, Any] = {"contender": self.contender.name, "service": self.contender.service, "fault": fault}
        record.update(round=number, patience=self.patience, load=round(os.getloadavg()[0], 2))
        with tempfile.TemporaryDirectory(prefix="backstay-bench-") as histories:
            try:
                record.update(self.contender.suffer(self.lab(), fault, histories, self.patience))
            except AgentError as failed:
                record.update(blank(error=str(failed)), inflicted=False)
            if record["error"]:
                name = f"{number}-{self.contender.name.rpartition(':')[2]}-{fault}"
                record["evidence"] = self.sink.keep(histories, name)
        if not record["whole"]:
            self.end()
        self.sink.write("run", record)
        click.echo(f"{number + 1}  {self.contender.name:24} {fault:16} {tell(record)}")
        return record

    def costs(self, runs: int) -> None:
        """What it costs while nothing goes wrong; a record each."""
        try:
            for kind, record in self.contender.costs(self.lab(), runs):
                self.sink.write(kind, record)
                click.echo(f"   {self.contender.name:24} {json.dumps(record)}")
        finally:
            self.end()

    def growth(self) -> None:
        """How that grows; a record each."""
        try:
            for record in self.contender.growth(self.lab()):
                self.sink.write("growth", record)
                click.echo(f"   {self.contender.name:24} {record['chart']}: {record['points']}")
        finally:
            self.end()

    def lab(self) -> Lab:
        """The lab of this turn, booted and deployed when there is none. Raises AgentError."""
        if self._lab is None:
            lab = Lab.up(self.directory, image=self.image, topology=topology(NONE.name))
            try:
                self.contender.deploy(lab)
                self.sink.write("about", about(lab, self.image))
            except BaseException:
                lab.down()
                raise
            self._lab = lab
        return self._lab

    def end(self) -> None:
        """Take the lab down."""
        if self._lab is not None:
            lab, self._lab = self._lab, None
            lab.down()


def tell(record: dict[str, Any]) -> str:
    """A run in a line."""
    counted = operations.from_json(record["operations"])
    failed = f"; {counted}" if counted else ""
    if record["gap"] is None:
        return f"writes did not come back: {record['error']}{failed}"
    lost = "" if record["acknowledged"] is None else f", {record['lost']} of {record['acknowledged']} lost"
    dropped = "" if record["dropped"] is None else f", {record['dropped']} new connections failed"
    return f"gap {record['gap']:.2f} s{lost}{dropped}{failed}{'; ' + record['error'] if record['error'] else ''}"


def summary(records: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each contender and fault, with the ratio to the floor."""
    lines = []
    lowest = {fault: _phases(records, fault, floor.CONTENDER) for fault in floor.BEGINS}
    for key in dict.fromkeys((record["fault"], record["contender"]) for record in records):
        own = [record for record in records if (record["fault"], record["contender"]) == key]
        gaps = [record["gap"] for record in own if record["gap"] is not None]
        shown = f"{statistics.median(gaps):.2f} / {max(gaps):.2f}" if gaps else "none ended"
        counted = [one for one in (operations.from_json(record["operations"]) for record in own) if one]
        failed = [one.failed for one in counted]
        told = f"; failed operations {statistics.median(failed):g} / {max(failed)}" if failed else ""
        compared = None
        if key[1] != floor.CONTENDER:
            compared = floor.compare(key[0], _phases(records, *key), lowest.get(key[0], []))
        told += f"; {compared}" if compared else ""
        lines.append(
            f"{key[0]:16} {key[1]:24} {len(own):3} runs, median / worst of {len(gaps)} that ended: {shown} s{told}"
        )
    return lines


def _phases(records: Sequence[dict[str, Any]], fault: str, contender: str) -> list[dict[str, float]]:
    return [one["phases"] for one in records if (one["fault"], one["contender"]) == (fault, contender)]


@click.command()
@click.option(
    "--contender", "names", multiple=True, metavar="NAME", help="As --list has it; default: all. May be repeated."
)
@click.option("--service", multiple=True, type=click.Choice(sorted({one.service for one in CONTENDERS.values()})))
@click.option("--fault", "faults", multiple=True, metavar="NAME", help="Default: all that the contender takes.")
@click.option("--runs", default=1, show_default=True, help="Rounds: in each, every contender has every fault once.")
@click.option("--costs", is_flag=True, help="Also what a monitor and a node at rest cost.")
@click.option("--growth", is_flag=True, help="Also how the scheduler's and the monitors' costs grow.")
@click.option(
    "--patience", default=60.0, show_default=True, help="Seconds for writes to come back, and then for all nodes to."
)
@click.option(
    "--dir", "directory", default=".lab-bench", show_default=True, help="The lab; it is taken down at the end."
)
@click.option(
    "--output", default="bench-results/bench.jsonl", show_default=True, help="Results are added to this file."
)
@click.option("--image", default="bookworm", show_default=True)
@click.option("--list", "listing", is_flag=True, help="Name contenders and faults and end.")
def bench(
    names: tuple[str, ...],
    service: tuple[str, ...],
    faults: tuple[str, ...],
    runs: int,
    costs: bool,
    growth: bool,
    patience: float,
    directory: str,
    output: str,
    image: str,
    listing: bool,
) -> None:
    """Backstay beside the agents that people use today: the same lab, load and faults, in turn.

    One lab is up at a time, and has the machine to itself. `backstay report` makes a page of the results.
    """
    unknown = sorted(set(names) - set(CONTENDERS))
    if unknown:
        raise click.BadParameter(f"no contender {', '.join(unknown)}; --list names them")
    contenders = chosen(names, service)
    if listing:
        for one in contenders:
            click.echo(f"{one.name:28} {', '.join(one.faults)}")
        return
    # `timeout` and CI end a program so; as an exception it takes the lab down on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sink = Sink(output)
    for one in contenders:
        sink.write("contender", {"name": one.name, "service": one.service, "what": one.what, "notes": one.notes})
        sink.write("about", {f"client ({one.service})": one.client})
    unmeasured = []
    for one in contenders:
        try:
            if costs:
                Turn(one, directory, image, patience, sink).costs(MONITORS)
            if growth:
                Turn(one, directory, image, patience, sink).growth()
        except AgentError as failed:
            unmeasured.append(f"{one.name}: {failed}")  # the others are measured all the same
    records: list[dict[str, Any]] = []
    for number, one in turns(contenders, runs):
        wanted = [fault for fault in one.faults if not faults or fault in faults]
        records += Turn(one, directory, image, patience, sink).take(number, wanted)
    click.echo("\n".join(["", *summary(records)]))
    if unmeasured:
        raise AgentError(f"costs are not complete: {'; '.join(unmeasured)}")
