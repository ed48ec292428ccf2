"""Where harms are done: a lab with a service, and what all harms must know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backstay.errors import AgentError
from backstay.lab.layout import LabError
from backstay.lab.mysql import CONFIG as MYSQL_CONFIG
from backstay.lab.rabbitmq import CONFIG as RABBITMQ_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.campaign.schedule import Injection
    from backstay.lab.cluster import Lab
    from backstay.rehearse.service import Service

    Undo = Callable[[], None]
    Harm = Callable[["Scene", str, Injection], "Undo | None"]


class Traits(NamedTuple):
    """What harms must know of a service. port: of clients. peers: of the daemons among themselves. configuration: a file;
    nonsense: a line that it cannot hold."""

    port: int
    peers: int
    configuration: str
    nonsense: str


TRAITS = {
    "mysql": Traits(3306, 3306, MYSQL_CONFIG, "[mysqld]\nno-such-option = 1"),
    "rabbitmq": Traits(5672, 25672, RABBITMQ_CONFIG, "no.such.option = 1"),
}


class Scene:
    """Where harms are done. leader: the last node that is known to have led. spoiled: times in which the run itself has the
    writer address on another node."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.lab: Lab = service.lab
        self.traits = TRAITS[service.name]
        self.leader = service.leader()
        self.spoiled: list[tuple[float, float]] = []

    def others(self, node: str) -> list[str]:
        """The cluster's other nodes, in order."""
        return [each for each in self.lab.nodes if each != node]

    def asked(self, but: str = "") -> str:
        """A node that is online, to be asked for something. Raises AgentError."""
        for node in sorted(self.lab.online() - {but}):
            return node
        raise AgentError("no node is online")

    def init(self, node: str) -> int:
        """Raises LabError when the node is off."""
        init = self.lab.layout.init_of(node)
        if init is None:
            raise LabError(f"{node} is off")
        return init

    def sh(self, node: str, script: str, *arguments: str) -> str:
        """What a script in the node prints. Raises AgentError."""
        return self.lab.run(node, ["sh", "-ec", script, "sh", *arguments]).out.strip()


def with_nothing_left(do: Callable[[], object]) -> None:
    """A daemon that was ended meanwhile needs no signal."""
    try:
        do()
    except LabError:
        return


def void(value: object) -> None:
    """For what is done, not asked."""
