"""What a fault is inflicted on: a system of a lab under load, and the node that is hit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Generic, TypeVar

from backstay.ocf.errors import AgentError
from backstay_lab.clients.workload import Load
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.victim import Victim

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.checkers.evidence import Spoil
    from backstay_lab.machines.cluster import Lab

S_co = TypeVar("S_co", bound=Victim, covariant=True)


class Stage(Generic[S_co]):
    """system: what is hit, or the part of it. load: of its writers, without any where it has none. leader: the node whose loss
    stops them, as far as is known. node: the one that is hit, by default the leader. lasts: seconds until what is inflicted is
    undone, where a schedule says it. order: of power-on. spoiled: when the fault itself had an address on another node.

    began: the monotonic time of the fault. What a fault measures itself goes to `phases`: phase -> seconds."""

    def __init__(
        self,
        system: S_co,
        leader: str,
        node: str = "",
        load: Load | None = None,
        lasts: float = 0.0,
        order: tuple[str, ...] = (),
        spoiled: list[Spoil] | None = None,
    ) -> None:
        self.system = system
        self.lab: Lab = system.lab
        self.traits = system.traits
        self.leader = leader
        self.node = node or leader
        self.load = load or Load([])
        self.lasts = lasts
        self.order = order or tuple(self.lab.nodes)
        self.spoiled: list[Spoil] = [] if spoiled is None else spoiled
        self.began = math.inf
        self.phases: dict[str, float] = {}

    @property
    def others(self) -> list[str]:
        """The cluster's nodes but the one that is hit, in order."""
        return [each for each in self.lab.nodes if each != self.node]

    def asked(self, but: str = "") -> str:
        """A node that is online, to be asked for something. Raises AgentError."""
        for node in sorted(self.lab.online() - {but}):
            return node
        raise AgentError("no node is online")

    def sh(self, node: str, script: str, *arguments: str) -> str:
        """What a script in the node prints. Raises AgentError."""
        return self.lab.run(node, ["sh", "-ec", script, "sh", *arguments]).out.strip()


def with_nothing_left(do: Callable[[], object]) -> None:
    """A daemon that was ended meanwhile needs no signal, nor does one of a node that is off."""
    try:
        do()
    except LabError:
        return


def void(value: object) -> None:
    """For what is done, not asked."""
