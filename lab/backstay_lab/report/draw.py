"""Charts, by matplotlib, as SVG: text stays text, and nothing is loaded from elsewhere."""

from __future__ import annotations

import io
import re
from statistics import median
from typing import TYPE_CHECKING, Any

from backstay.ocf.errors import NotInstalled
from backstay_lab.report import summary

try:
    import matplotlib
    from matplotlib.figure import Figure
except ImportError as missing:
    raise NotInstalled("the report's charts need matplotlib: apt-get install python3-matplotlib") from missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_lab.report.results import Growth, Monitor, Node, Run

WIDTH = 9.6  # inches, at 72 points
# Ours first and strong, then the peers; of Okabe and Ito's palette, which the colour-blind can tell apart.
OURS = "#0072B2"
PEERS = ("#D55E00", "#CC79A7", "#E69F00", "#009E73", "#999999")
PARTS = {
    "detect": "#b0b7bf",
    "fence": "#6b7680",
    "demote": "#F0E442",
    "schedule, notify": "#56B4E9",
    "promote": "#009E73",
    "address": "#E69F00",
    "client": "#CC79A7",
}
STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a9199",
    "xtick.color": "#57606a",
    "ytick.color": "#24292f",
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": "#e3e6ea",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


def is_ours(contender: str) -> bool:
    return contender.startswith("ocf:backstay:")


def colors(contenders: Sequence[str]) -> dict[str, str]:
    """A colour for each; the only one of ours, or the first, gets the strong one."""
    peers = iter(PEERS * (1 + len(contenders) // len(PEERS)))
    found: dict[str, str] = {}
    for name in sorted(contenders, key=lambda name: not is_ours(name)):
        found[name] = OURS if is_ours(name) and OURS not in found.values() else next(peers)
    return found


def seconds(value: float) -> str:
    """As an axis and a label have it: 0.05, 1.2, 12, 120."""
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def gaps(runs: Sequence[Run], contenders: Sequence[str], floors: Mapping[str, float]) -> str:
    """Every run a dot, the median a bar with its number; a log scale. Runs that did not end are arrows where patience ended.

    floors: fault -> seconds that no agent can be faster than, a dotted line.
    """
    cells = summary.cells(runs)
    rows: list[tuple[str, str]] = []  # a fault's name alone is a heading
    for fault in summary.faults(runs):
        there = [(fault, name) for name in contenders if (fault, name) in cells]
        rows += [(fault, ""), *there] if len(contenders) > 1 else there
    ended = [run.gap for run in runs if run.gap is not None]
    limit = max([*ended, *(run.patience or 0 for run in runs if run.gap is None)], default=1.0)
    low = min([*ended, *floors.values()], default=1.0)
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"gaps-{runs[0].service}"}):
        figure, axes = _rows(len(rows))
        axes.set_xscale("log")
        axes.set_xlim(max(low, 0.01) / 1.6, limit * 5)
        paint = colors(contenders)
        for place, (fault, name) in enumerate(rows):
            if name:
                _dots(axes, place, summary.of(runs, fault=fault, contender=name), paint[name], limit)
        for fault, value in floors.items():
            places = [place for place, (each, name) in enumerate(rows) if each == fault and name]
            if places:
                ends = [places[0] - 0.45, places[-1] + 0.45]
                axes.plot([value, value], ends, color="#24292f", linewidth=1, linestyle=":")
                _beside(axes, value, places[0] - 0.75, f"floor {seconds(value)} s", left=True)
        axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: seconds(value)))
        axes.set_xlabel("s without an acknowledgement, log scale")
        axes.set_yticks(range(len(rows)), [name if name and len(contenders) > 1 else fault for fault, name in rows])
        for tick, (_, name) in zip(axes.get_yticklabels(), rows):
            tick.set_color(paint[name] if name else "#24292f")
            tick.set_weight("normal" if name else "bold")
        return _svg(figure)


def _dots(axes: Any, place: int, own: Sequence[Run], color: str, limit: float) -> None:
    """One line of `gaps`."""
    done = [run.gap for run in own if run.gap is not None]
    spread = [place + 0.11 * (number % 5 - 2) for number in range(len(done))]  # equal values stay visible
    axes.scatter(done, spread, s=26, color=color, alpha=0.75, linewidth=0, zorder=3)
    if done:
        axes.plot([median(done)] * 2, [place - 0.36, place + 0.36], color=color, linewidth=2.4, zorder=4)
        _beside(axes, max(done), place, f"{seconds(median(done))} s")
    unended = [run for run in own if run.gap is None and run.inflicted]
    for run in unended[:1]:
        at = run.patience or limit
        axes.scatter([at], [place], s=44, marker=">", facecolor="white", edgecolor=color, zorder=4)
        told = f"not within {at:.0f} s" if run.patience else "broke off"
        _beside(axes, at, place, told + (f", {len(unended)} times" if len(unended) > 1 else ""))


def _beside(axes: Any, x: float, y: float, text: str, left: bool = False) -> None:
    shift, side = (-4, "right") if left else (8, "left")
    axes.annotate(text, (x, y), xytext=(shift, 0), textcoords="offset points", va="center", ha=side)


def timelines(runs: Sequence[Run], fault: str, contenders: Sequence[str]) -> str:
    """Every failover of one fault a line of its stretches, the shortest of each contender first."""
    drawn = [run for run in runs if run.fault == fault and summary.stretches(run)]
    if not drawn:
        return ""
    rows: list[tuple[str, Run]] = []
    for name in contenders:
        own = sorted(summary.of(drawn, contender=name), key=lambda run: run.phases["first write"])
        rows += [(name, run) for run in own]
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"timelines-{fault}-{len(rows)}"}):
        figure, axes = _rows(len(rows), each=0.2, more=0.95)
        paint = colors(contenders)
        seen = set()
        for place, (_, run) in enumerate(rows):
            for part in summary.stretches(run):
                seen.add(part.name)
                axes.barh(
                    place, part.end - part.begin, left=part.begin, height=0.72, color=PARTS[part.name], linewidth=0
                )
        longest = max(run.phases["first write"] for _, run in rows)
        axes.set_xlim(0, longest * 1.04)
        axes.set_xlabel("s after the fault")
        _group(axes, [name for name, _ in rows], paint)
        handles = [matplotlib.patches.Patch(color=PARTS[name], label=name) for name in PARTS if name in seen]
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), handlelength=1, borderpad=0
        )
        return _svg(figure)


def monitors(measured: Sequence[Monitor]) -> str:
    """CPU of one monitor, a bar each, log scale."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "monitors"}):
        figure, axes = _rows(len(measured))
        paint = {True: OURS, False: PEERS[0]}
        for place, one in enumerate(measured):
            axes.barh(place, one.cpu, height=0.62, color=paint[is_ours(one.agent)])
            _beside(axes, one.cpu, place, f"{one.cpu:.0f} ms")
        axes.set_xscale("log")
        axes.set_xlim(1, max(one.cpu for one in measured) * 3)
        axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:.0f}"))
        axes.set_xlabel("ms of CPU for one monitor, log scale")
        axes.set_yticks(range(len(measured)), [f"{one.agent}  {one.what}" for one in measured])
        for tick, one in zip(axes.get_yticklabels(), measured):
            tick.set_color(paint[is_ours(one.agent)])
        return _svg(figure)


def nodes(measured: Sequence[Node]) -> str:
    """CPU of a node's cluster in a minute, by who used it."""
    users = list(dict.fromkeys(user for one in measured for user in one.cpu))
    palette = dict(zip(users, ("#0072B2", "#56B4E9", "#b0b7bf", "#6b7680", *PEERS)))
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": "nodes"}):
        figure, axes = _rows(len(measured), more=0.95)
        for place, one in enumerate(measured):
            left = 0.0
            for user in users:
                axes.barh(place, one.cpu.get(user, 0.0), left=left, height=0.62, color=palette[user])
                left += one.cpu.get(user, 0.0)
            _beside(axes, left, place, f"{left:.2f} s")
        axes.set_xlim(0, 1.12 * max(sum(one.cpu.values()) for one in measured))
        axes.set_xlabel("s of CPU in a minute, on one node at rest")
        axes.set_yticks(range(len(measured)), [f"{one.contender}  {one.what}" for one in measured])
        for tick, one in zip(axes.get_yticklabels(), measured):
            tick.set_color(OURS if is_ours(one.contender) else PEERS[0])
        handles = [matplotlib.patches.Patch(color=palette[user], label=user) for user in users]
        axes.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles), handlelength=1, borderpad=0
        )
        return _svg(figure)


def growth(curves: Sequence[Growth]) -> str:
    """Lines over a count, both axes linear."""
    with matplotlib.rc_context({**STYLE, "axes.grid.axis": "both", "svg.hashsalt": f"growth-{curves[0].chart}"}):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axes = figure.subplots()
        paint = colors([curve.contender for curve in curves])
        for curve in curves:
            xs, ys = zip(*curve.points)
            axes.plot(xs, ys, marker="o", markersize=4, color=paint[curve.contender], label=curve.contender)
        axes.set_xticks(sorted({x for curve in curves for x, _ in curve.points}))
        axes.set_xlabel(curves[0].x)
        axes.set_ylabel(curves[0].y)
        axes.set_ylim(bottom=0)
        axes.legend()
        return _svg(figure)


def _rows(count: int, each: float = 0.3, more: float = 0.65) -> tuple[Figure, Any]:
    """A figure for so many horizontal lines, the first on top."""
    figure = Figure(figsize=(WIDTH, each * max(count, 1) + more), layout="constrained")
    axes = figure.subplots()
    axes.set_ylim(count - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return figure, axes


def _group(axes: Any, names: Sequence[str], paint: Mapping[str, str]) -> None:
    """One label for all lines of a contender."""
    places = {name: [place for place, each in enumerate(names) if each == name] for name in dict.fromkeys(names)}
    axes.set_yticks([sum(own) / len(own) for own in places.values()], list(places))
    for tick, name in zip(axes.get_yticklabels(), places):
        tick.set_color(paint[name])
    for own in list(places.values())[1:]:
        axes.axhline(own[0] - 0.5, color="#d0d7de", linewidth=0.8)


def _svg(figure: Figure) -> str:
    """The svg element alone: neither the XML declaration nor the document type, nor a date."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return re.sub(r"^.*?(?=<svg )", "", text.getvalue(), flags=re.DOTALL)
