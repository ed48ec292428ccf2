"""The page: tables and charts of all results, in one HTML file that loads nothing."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from lxml import etree
from lxml.builder import E

from backstay_lab.report import draw, summary
from backstay_lab.systems import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lxml.etree import _Element

    from backstay_lab.report.results import Contender, Results, Run
    from backstay_lab.report.summary import Cell

TITLES = {
    "address": "An address",
    "floor": "The floor",
    **{name: one.title for name, one in catalogue.declared().items()},
}
FAULTS = {
    "kill": "SIGKILL of the leading server",
    "hang": "SIGSTOP of the leading server",
    "pause": "SIGSTOP of the leading server, SIGCONT as soon as it was noticed",
    "power-off": "power-off of its node",
    "vip-floor": "power-off of the node of a lone address: the floor of the stack",
    "move": "planned move",
    "address-removed": "the address deleted behind the cluster's back",
    "partition-primary": "the primary cut off from both replicas",
    "loss": "30 of a hundred packets of the leading server's node lost, for 20 s",
    "reload": "a changed configuration loaded",
    "keeper-kill": "SIGKILL of what decides where the address is: Corosync, keepalived",
}
CSS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "page.css")


def render(results: Results, title: str) -> str:
    """The whole page."""
    body = [E.h1(title), *_about(results)]
    for service in summary.services(results.runs):
        body += _service(results, service)
    if results.monitors:
        body += _monitors(results)
    if results.nodes:
        body += _nodes(results)
    if results.growth:
        body += _growth(results)
    body += _contenders(results)
    body.append(E.footer("Made by backstay report. Every dot is one run; medians are of the runs that ended."))
    with open(CSS, encoding="utf-8") as source:
        style = E.style(source.read())
    head = E.head(E.meta(charset="utf-8"), E.meta(name="viewport", content="width=device-width"), E.title(title), style)
    page: bytes = etree.tostring(
        E.html(head, E.body(*body), lang="en"),
        method="html",
        encoding="utf-8",
        doctype="<!DOCTYPE html>",
        pretty_print=True,
    )
    return page.decode()


def _about(results: Results) -> Iterator[_Element]:
    told: set[tuple[str, str]] = set()
    for about in results.about:
        new = [fact for fact in about.facts.items() if fact not in told]
        told.update(new)
        if new:
            yield E.dl(*(part for label, text in new for part in (E.dt(label), E.dd(text))))


def _service(results: Results, service: str) -> Iterator[_Element]:
    runs = summary.beside(results.runs, service)
    contenders = sorted(summary.contenders(runs), key=lambda name: not draw.is_ours(name))
    yield E.h2(TITLES.get(service, service))
    clients = dict.fromkeys(run.client for run in runs if run.client)
    for client in clients:
        yield E.p(f"The client: {client}.")
    loads = summary.loads(runs)
    if loads:
        told = ", ".join(f"{name} {loads[name]:.1f}" for name in contenders if name in loads)
        yield E.p(f"Median of the machine's load average when the faults came: {told}.")
    yield E.div(_faults(runs, contenders), {"class": "wide"})
    yield E.figcaption(
        "Failed operations: those of an application that its libraries gave back an exception for, from the fault to the end of "
        "the load. For databases ten threads on oslo.db, each with a transaction every 100 ms; for brokers ten calls and ten "
        "casts a second on oslo.messaging. Amiss: a node did not come back in time, rows differ between servers, or the role "
        "moved more often than it was asked to. Pacemaker's part: from the moment when it has work to do until the address, or "
        "without one the role, is on another node; the floor's is the same with agents that do nothing."
    )
    yield _figure(
        draw.gaps(runs, contenders, summary.floors(results.runs, service)),
        "Longest time without an acknowledgement; the bar is the median.",
    )
    for fault in summary.faults(runs):
        chart = draw.timelines(runs, fault, contenders)
        if chart:
            yield E.h3(f"Each failover: {FAULTS.get(fault, fault)}")
            yield _figure(
                chart, "From the fault to the first write after it. A silence that follows counts in the gap above."
            )


class Column(NamedTuple):
    """Of the table of faults: what a cell says, and whether that is bad. A column that says nothing anywhere is left out."""

    title: str
    say: Callable[[Cell], str]
    bad: Callable[[Cell], bool] = lambda _: False


COLUMNS = (
    Column("runs", lambda cell: str(cell.runs)),
    Column("median, s", lambda cell: _seconds(cell.median), lambda cell: math.isinf(cell.median)),
    Column("worst, s", lambda cell: _seconds(cell.worst), lambda cell: math.isinf(cell.worst)),
    Column("Pacemaker's part", lambda cell: _part(cell)),
    Column("times the floor", lambda cell: f"{cell.compared.ratio:.1f}" if cell.compared else ""),
    Column("acknowledged", lambda cell: f"{cell.acknowledged:,}" if cell.acknowledged else ""),
    Column("of these lost", lambda cell: str(cell.lost) if cell.acknowledged else "", lambda cell: cell.lost > 0),
    Column("failed operations, median / worst", lambda cell: _failed(cell)),
    Column("kinds of error", lambda cell: ", ".join(f"{kind}: {count}" for kind, count in cell.errors.items())),
    Column("longest operation, s", lambda cell: "" if math.isnan(cell.longest) else f"{cell.longest:.2f}"),
    Column("new connections failed", lambda cell: "" if cell.dropped is None else f"{cell.dropped:,}"),
    Column("whole again, s", lambda cell: "" if math.isnan(cell.whole) else f"{cell.whole:.0f}"),
    Column("amiss after", lambda cell: _count(cell.unended + cell.astray)),
    Column("broke off before", lambda cell: _count(cell.broken)),
)


def _faults(runs: Sequence[Run], contenders: Sequence[str]) -> _Element:
    cells = summary.cells(runs)
    columns = [column for column in COLUMNS if any(column.say(cell) for cell in cells.values())]
    rows = [_row("th", ["fault", "", *(column.title for column in columns)])]
    for fault in summary.faults(runs):
        told = FAULTS.get(fault, fault)
        for name in contenders:
            if (fault, name) not in cells:
                continue
            cell = cells[fault, name]
            row = _row("td", [told, name, *(column.say(cell) for column in columns)])
            row[1].set("class", "text ours" if draw.is_ours(name) else "text")
            for column, shown in zip(columns, row[2:]):
                if column.bad(cell):
                    shown.set("class", "bad")
            if told:
                row.set("class", "first")
            rows.append(row)
            told = ""
    return E.table(*rows)


def _monitors(results: Results) -> Iterator[_Element]:
    yield E.h2("What one monitor costs")
    yield E.p(
        "On a node that serves, with the environment that Pacemaker gives; the least of the runs, which others on the machine "
        "disturb least. "
        "CPU is user and system, with all descendants; programs counts successful execve calls."
    )
    rows = [_row("th", ["agent", "", "CPU, ms", "wall, ms", "programs", "largest process, MiB"])]
    measured = sorted(results.monitors, key=lambda one: one.cpu)
    for one in measured:
        values = [one.agent, one.what, f"{one.cpu:.1f}", f"{one.wall:.1f}", str(one.programs), f"{one.memory:.1f}"]
        row = _row("td", values)
        row[1].set("class", "text")
        if draw.is_ours(one.agent):
            row[0].set("class", "ours")
        rows.append(row)
    yield E.div(E.table(*rows), {"class": "wide"})
    yield _figure(draw.monitors(measured), "")


def _nodes(results: Results) -> Iterator[_Element]:
    yield E.h2("What a node at rest costs")
    yield E.p(
        "CPU of everything but the server itself, mean of the cluster's nodes: agents with their descendants, helpers that stay "
        "(watchers), Pacemaker's and Corosync's daemons."
    )
    yield _figure(draw.nodes(sorted(results.nodes, key=lambda one: (one.what, one.service, sum(one.cpu.values())))), "")
    resident = dict.fromkeys(f"{one.contender} {one.memory:.0f} MiB" for one in results.nodes if one.memory)
    if resident:
        yield E.p(f"Memory of helpers that stay, on one node: {', '.join(resident)}.")


def _growth(results: Results) -> Iterator[_Element]:
    yield E.h2("Growth")
    for chart in dict.fromkeys(curve.chart for curve in results.growth):
        yield E.h3(chart)
        yield _figure(draw.growth([curve for curve in results.growth if curve.chart == chart]), "")


def _contenders(results: Results) -> Iterator[_Element]:
    told: list[Contender] = list(results.contenders)
    if told:
        yield E.h2("How each was configured")
    for contender in told:
        yield E.h3(contender.name)
        yield E.p(contender.what)
        if contender.notes:
            yield E.ul(*(E.li(note) for note in contender.notes))


def _figure(svg: str, caption: str) -> _Element:
    parts: list[Any] = [etree.fromstring(svg.encode())]
    if caption:
        parts.append(E.figcaption(caption))
    return E.figure(*parts)


def _row(kind: str, values: Sequence[str]) -> _Element:
    return E.tr(*(E(kind, value) for value in values))


def _count(number: int) -> str:
    return str(number) if number else ""


def _part(cell: Cell) -> str:
    return f"{cell.compared.begins} to {cell.compared.ends} {cell.compared.own:.2f} s" if cell.compared else ""


def _failed(cell: Cell) -> str:
    return "" if math.isnan(cell.failed) else f"{cell.failed:g} / {cell.most_failed:g}"


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "not measured"
    return "not in time" if math.isinf(value) else f"{value:.2f}"
