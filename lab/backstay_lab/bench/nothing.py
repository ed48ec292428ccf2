"""The floor as a contender: a role and an address by agents that do nothing (run.floor)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backstay_lab.bench.contender import Contender, record
from backstay_lab.checkers.floor import CONTENDER
from backstay_lab.run import floor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay_lab.machines.cluster import Lab


class Nothing(Contender):
    """What every service with a promoted role is compared with; so it has no service of its own, and comes with each."""

    name = service = CONTENDER
    client = "none"
    what = floor.WHAT
    notes = floor.NOTES
    faults = floor.FAULTS

    def deploy(self, lab: Lab) -> None:
        floor.deploy(lab)

    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        return record(**floor.measure(lab, fault), whole=True)

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from ()

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        yield from ()
