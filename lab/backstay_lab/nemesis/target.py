"""Whom a schedule hits: a system of a lab, or one part of several, and who is known to lead it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.ocf.errors import AgentError
from backstay_lab.nemesis.fault import ORDERS
from backstay_lab.nemesis.stage import Stage

if TYPE_CHECKING:
    from backstay_lab.checkers.evidence import Spoil
    from backstay_lab.clients.workload import Load
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.nemesis.victim import Composed, Led


class Target:
    """leader: the last node that is known to have led. spoiled: when the run itself has an address on another node; all parts
    share it."""

    def __init__(self, system: Led, spoiled: list[Spoil]) -> None:
        self.system = system
        self.leader = system.leader()
        self.spoiled = spoiled

    def look(self, calm: bool) -> None:
        """Who leads now; as before when that cannot be told, or would take long while not `calm`."""
        if calm or not self.system.traits.slow:
            with suppress(AgentError):
                self.leader = self.system.leader()

    def stage(self, load: Load, node: str, injection: Injection) -> Stage[Led]:
        """For an injection that hits the node."""
        ordered = injection.target.split()[1:] if injection.target in ORDERS else ()
        order = tuple(f"n{number}" for number in ordered)
        return Stage(self.system, self.leader, node, load, injection.lasts, order, self.spoiled)


def targets_of(system: Composed, spoiled: list[Spoil]) -> dict[str, Target]:
    """Part -> the target that it is; "" alone where the system has no parts. Raises AgentError when one has no leader."""
    parts = system.parts or {"": system}
    return {name: Target(part, spoiled) for name, part in parts.items()}
