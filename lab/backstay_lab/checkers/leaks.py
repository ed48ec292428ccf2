"""Whether what a soak has watched stays flat. Pure: readings in, trends out.

A reading is a value at a time in a *life*: of one process, of a node from boot to loss of power, of a disk for ever. Values of
different lives are never compared, so that a restart is neither a leak nor hides one. Of each life

1. the first WARM seconds are left out: caches fill and modules are loaded once;
2. the rest is cut into pieces of at least PIECE seconds, at most PIECES of them, and of each piece the median counts, so that
   what lasts for a moment (a failover, a collector of garbage) does not;
3. a running median of three takes out what lasts for one piece;
4. the largest rise from one piece to the next is taken out: something that is allocated once is no leak, a leak goes on.

The slope is the median of the slopes between all pairs of pieces of one life, of all lives together (Theil 1950, Sen 1968:
up to 29 % of the pieces may be anything). Growth is the slope times all the time that the lives were watched; what grows by
more than its bound is not flat. Not seen: a leak of which every life shows one step only.
"""

from __future__ import annotations

from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WARM = 60.0  # seconds
PIECE = 20.0  # seconds; four readings
PIECES = 30  # of one life
FEWEST = 3  # pieces of a life that is used
ENOUGH = 8  # pieces of all lives, to say anything

HELPER, DAEMON, NODE, RESOURCE, DISK = "helper", "daemon", "node", "resource", "disk"


class Reading(NamedTuple):
    """node, kind (HELPER, …), name (watch(mysql), rabbitmq) and measure make a series; life as above; at: monotonic seconds."""

    node: str
    kind: str
    name: str
    measure: str
    life: str
    at: float
    value: float


class Bound(NamedTuple):
    """Growth that is none: `least` of the measure's unit, or this share of where it began, whichever is more."""

    least: float
    share: float
    why: str


BOUNDS: Mapping[tuple[str, str], Bound] = {
    (HELPER, "memory, MiB"): Bound(
        2.0, 0.1, "a first failure loads modules that stay, and children's pages are touched"
    ),
    (HELPER, "descriptors"): Bound(2.0, 0.0, "a kept connection that is opened anew"),
    (HELPER, "processes"): Bound(1.0, 0.0, "one ends while the next begins"),
    (DAEMON, "memory, MiB"): Bound(64.0, 0.25, "caches fill; a broker keeps two queues until they are drained"),
    (DAEMON, "descriptors"): Bound(50.0, 0.25, "clients' connections, tables and logs"),
    (NODE, "processes"): Bound(5.0, 0.1, "the daemons' own children come and go"),
    (NODE, "agents"): Bound(2.0, 0.0, "those that happen to run"),
    (RESOURCE, "state files"): Bound(4.0, 0.0, "notes on what was told, and on what the agent ended itself"),
    (RESOURCE, "state, KiB"): Bound(16.0, 0.1, "the same"),
    (NODE, "temporary files"): Bound(3.0, 0.0, "a tool's, at the moment"),
    (DISK, "logged, KiB/min"): Bound(64.0, 1.0, "faults log more than quiet does, and come every two minutes"),
    (DISK, "configuration, KiB"): Bound(8.0, 0.1, "constraints of planned moves, ended by the run itself"),
}


class Trend(NamedTuple):
    """level: where it was last. growth: while it was watched, in the measure's unit; None when it was watched too short."""

    node: str
    kind: str
    name: str
    measure: str
    level: float
    growth: float | None
    seconds: float
    lives: int

    @property
    def allowed(self) -> float:
        bound = BOUNDS[self.kind, self.measure]
        return max(bound.least, bound.share * (self.level - (self.growth or 0.0)))

    @property
    def flat(self) -> bool | None:
        """None when nobody can tell."""
        return None if self.growth is None else self.growth <= self.allowed

    def __str__(self) -> str:
        grown = "watched too short" if self.growth is None else f"{self.growth:+.1f} in {self.seconds:.0f} s"
        return f"{self.name} on {self.node}, {self.measure}: {self.level:.1f}, {grown}, {self.allowed:.1f} allowed"


def trends(readings: Iterable[Reading]) -> list[Trend]:
    """One of each series, in order."""
    series: dict[tuple[str, str, str, str], dict[str, list[Reading]]] = {}
    for one in readings:
        series.setdefault(one[:4], {}).setdefault(one.life, []).append(one)
    return [_trend(key, lives) for key, lives in sorted(series.items())]


def unflat(found: Sequence[Trend]) -> list[str]:
    """What grows; and each measure of which no series was watched long enough to tell."""
    growing = [str(one) for one in found if one.flat is False]
    known = {(one.kind, one.measure) for one in found if one.flat is not None}
    return growing + [f"{measure} of every {kind}: watched too short" for kind, measure in sorted({*BOUNDS} - known)]


def _trend(key: tuple[str, str, str, str], lives: Mapping[str, Sequence[Reading]]) -> Trend:
    everything = sorted((one for life in lives.values() for one in life), key=lambda one: one.at)
    level = median(one.value for one in everything if one.at >= everything[-1].at - PIECE)
    used = [pieces for pieces in map(pieces_of, lives.values()) if len(pieces) >= FEWEST]
    if sum(map(len, used)) < ENOUGH:
        return Trend(*key, level, None, 0.0, len(lives))
    slopes = [
        (value - before) / (at - since)
        for pieces in map(settled, used)
        for (since, before), (at, value) in combinations(pieces, 2)
    ]
    seconds = sum(pieces[-1][0] - pieces[0][0] for pieces in used)
    return Trend(*key, level, median(slopes) * seconds, seconds, len(lives))


def pieces_of(life: Sequence[Reading]) -> list[tuple[float, float]]:
    """Time and value of each piece of one life: the medians of its readings."""
    ordered = sorted(life, key=lambda one: one.at)
    begin = ordered[0].at + WARM
    length = max(PIECE, (ordered[-1].at - begin) / PIECES)
    groups: dict[int, list[Reading]] = {}
    for one in ordered:
        if one.at >= begin:
            groups.setdefault(int((one.at - begin) / length), []).append(one)
    return [(median(one.at for one in group), median(one.value for one in group)) for group in groups.values()]


def settled(pieces: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without spikes of one piece, and without the largest rise."""
    values = [value for _, value in pieces]
    inner = [median(values[index - 1 : index + 2]) for index in range(1, len(values) - 1)]
    smooth = [values[0], *inner, values[-1]]
    rises = [after - before for before, after in zip(smooth, smooth[1:])]
    largest = max(0.0, *rises)
    where = rises.index(largest) if largest else len(smooth)
    return [
        (at, value - (largest if index > where else 0.0)) for index, ((at, _), value) in enumerate(zip(pieces, smooth))
    ]
