"""Schedules of faults. Pure: the same seed gives the same schedule; a schedule goes to JSON and comes back equal."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay_lab.nemesis.catalogue import KINDS, kinds_of, parts_for
from backstay_lab.nemesis.fault import FOLLOWER, LEADER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_lab.nemesis.fault import Kind
    from backstay_lab.nemesis.victim import Drawable

LONGEST = 4  # injections of one schedule: more take longer and find nothing that these do not
OVERLAPPING = 0.4  # the share of injections that come while the one before lasts


class Injection(NamedTuple):
    """One fault. kind: a key of KINDS. target: one of the kind's, a role or an order, resolved when it is inflicted.
    phase: when within the interval of the target's monitors, 0 to 1. lasts: seconds until it is undone. overlaps: it
    comes `after` seconds after the one before was inflicted, undone or not; otherwise once all before are undone and
    the service took the load again. part: of the system, whose role it is; "" where the system has no parts."""

    kind: str
    target: str
    phase: float
    lasts: float
    overlaps: bool = False
    after: float = 0.0
    part: str = ""

    @property
    def where(self) -> str:
        """The target, with its part if it is one's role."""
        return f"{self.part} {self.target}".strip() if self.target in (LEADER, FOLLOWER) else self.target


class Schedule(NamedTuple):
    """What one run does to a service. name: of a schedule that no seed gives. fresh: to one that was just made, at once."""

    service: str
    seed: int
    injections: tuple[Injection, ...]
    name: str = ""
    fresh: bool = False

    @property
    def title(self) -> str:
        return self.name or str(self.seed)

    def __str__(self) -> str:
        return " ".join(
            f"{'+ ' if one.overlaps else ''}{one.kind}({one.where}, {one.lasts:.1f} s)" for one in self.injections
        )


def draw(system: Drawable, seed: int, kinds: Sequence[Kind] = ()) -> Schedule:
    """The schedule of a seed. kinds: to draw from, by default all of the system; the seed gives another schedule with others."""
    chance = Random(f"{system.name} {seed}")  # noqa: S311  chance that repeats is the point
    able = list(kinds or kinds_of(system))
    number = chance.randint(1, LONGEST)
    return Schedule(
        system.name, seed, tuple(_draw(chance, system, able, OVERLAPPING if n else 0.0) for n in range(number))
    )


def draw_calm(system: Drawable, seed: int, number: int) -> Schedule:
    """So many faults of a seed, of which none overlaps another: a part of a soak."""
    chance = Random(f"{system.name} {seed} calm")  # noqa: S311  as above
    able = kinds_of(system)
    return Schedule(system.name, seed, tuple(_draw(chance, system, able, 0.0) for _ in range(number)))


def _draw(chance: Random, system: Drawable, able: Sequence[Kind], overlapping: float) -> Injection:
    kind = chance.choice(able)
    lasts = round(chance.uniform(*kind.lasts), 2)
    overlaps = overlapping > 0.0 and chance.random() < overlapping
    return Injection(
        kind.name,
        chance.choice(kind.targets),
        round(chance.random(), 3),
        lasts,
        overlaps,
        round(chance.uniform(0.0, 6.0), 2) if overlaps else 0.0,
        "" if "" in system.traits else chance.choice(parts_for(kind, system)),
    )


def to_json(schedule: Schedule) -> dict[str, Any]:
    """For json.dumps."""
    return {**schedule._asdict(), "injections": [one._asdict() for one in schedule.injections]}


def from_json(found: Mapping[str, Any], systems: Mapping[str, Drawable]) -> Schedule:
    """What json.loads gave. systems: those of this version, by name. Raises ValueError when it is no schedule of this version."""
    try:
        injections = tuple(Injection(**one) for one in found["injections"])
        known = str(found.get("name", "")), bool(found.get("fresh", False))
        schedule = Schedule(str(found["service"]), int(found["seed"]), injections, *known)
    except (KeyError, TypeError) as flaw:
        raise ValueError(f"not a schedule: {flaw}") from None
    if schedule.service not in systems:
        raise ValueError(f"not a service of this version: {schedule.service}")
    for one in injections:
        if one.kind not in KINDS or one.target not in KINDS[one.kind].targets:
            raise ValueError(f"not a fault of this version: {one.kind} on {one.target}")
        if one.part not in parts_for(KINDS[one.kind], systems[schedule.service]):
            raise ValueError(f"not a fault of this version: {one.kind} on a part {one.part!r} of {schedule.service}")
    return schedule


def with_injections(schedule: Schedule, injections: Sequence[Injection]) -> Schedule:
    """A part of the schedule. The first of its injections has none to overlap."""
    parts = list(injections)
    if parts:
        parts[0] = parts[0]._replace(overlaps=False, after=0.0)
    return schedule._replace(injections=tuple(parts))
