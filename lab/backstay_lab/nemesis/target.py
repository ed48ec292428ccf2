"""What a harm is done to: a system of a lab, and what all harms must know of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.ocf.errors import AgentError
from backstay_lab.machines.layout import LabError

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.checkers.evidence import Spoil
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.systems.system import System

    Undo = Callable[[], None]
    Harm = Callable[["Target", str, Injection], "Undo | None"]


class Target:
    """What a harm is done to: a system, or one part of several. leader: the last node that is known to have led. spoiled:
    when the run itself has an address on another node; all parts share it."""

    def __init__(self, system: System, spoiled: list[Spoil]) -> None:
        self.system = system
        self.lab: Lab = system.lab
        self.traits = system.traits
        self.leader = system.leader()
        self.spoiled = spoiled

    def look(self, calm: bool) -> None:
        """Who leads now; as before when that cannot be told, or would take long while not `calm`."""
        if calm or not self.traits.slow:
            with suppress(AgentError):
                self.leader = self.system.leader()

    def others(self, node: str) -> list[str]:
        """The cluster's other nodes, in order."""
        return [each for each in self.lab.nodes if each != node]

    def asked(self, but: str = "") -> str:
        """A node that is online, to be asked for something. Raises AgentError."""
        for node in sorted(self.lab.online() - {but}):
            return node
        raise AgentError("no node is online")

    def sh(self, node: str, script: str, *arguments: str) -> str:
        """What a script in the node prints. Raises AgentError."""
        return self.lab.run(node, ["sh", "-ec", script, "sh", *arguments]).out.strip()


def targets_of(system: System, spoiled: list[Spoil]) -> dict[str, Target]:
    """Part -> the target that it is; "" alone where the system has no parts. Raises AgentError when one has no leader."""
    parts = system.parts or {"": system}
    return {name: Target(part, spoiled) for name, part in parts.items()}


def with_nothing_left(do: Callable[[], object]) -> None:
    """A daemon that was ended meanwhile needs no signal, nor does one of a node that is off."""
    try:
        do()
    except LabError:
        return


def void(value: object) -> None:
    """For what is done, not asked."""
