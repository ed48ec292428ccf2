"""What a failover takes, beside what Pacemaker takes with agents that do nothing (the floor). Pure.

Only a part of a failover can be compared: from the moment when Pacemaker has work to do until the address is on another node,
or, where the service has no address, until the role is. Before it comes what notices or fences, after it the clients.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONTENDER = "floor"  # its name, in every file of results
# Fault -> the phase with which the part begins. A planned move: the old primary has given up the role.
BEGINS = {"kill": "detected", "move": "demoted", "power-off": "fenced"}
ENDS = ("address", "promoted")


class Compared(NamedTuple):
    """begins, ends: phases. own, floor: medians of the seconds between them."""

    begins: str
    ends: str
    own: float
    floor: float

    @property
    def ratio(self) -> float:
        return self.own / self.floor

    def __str__(self) -> str:
        return f"{self.begins} to {self.ends} {self.own:.2f} s, {self.ratio:.1f} times the floor's {self.floor:.2f}"


def compare(fault: str, own: Sequence[Mapping[str, float]], floor: Sequence[Mapping[str, float]]) -> Compared | None:
    """Of the phases (name -> seconds) of some runs of one fault; None where no run of each has both ends."""
    begins = BEGINS.get(fault)
    if begins is None:
        return None
    for ends in ENDS:
        took = [_between(runs, begins, ends) for runs in (own, floor)]
        if all(took):
            return Compared(begins, ends, *map(median, took))
    return None


def gap(fault: str, phases: Mapping[str, float]) -> float | None:
    """How long nobody could write, had the floor had writers: until the address is there. A planned move begins with the
    demotion, any other fault at once."""
    since = phases.get(BEGINS[fault]) if fault == "move" else 0.0
    return None if since is None or "address" not in phases else phases["address"] - since


def _between(runs: Sequence[Mapping[str, float]], begins: str, ends: str) -> list[float]:
    """Seconds, of the runs in which the one came after the other."""
    spans = [run[ends] - run[begins] for run in runs if begins in run and ends in run]
    return [span for span in spans if span > 0]
