"""Where harms are done: a lab with a service, and what all harms must know of it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from backstay.ocf.errors import AgentError
from backstay_lab.machines.layout import LabError
from backstay_lab.systems.mysql.deploy import CONFIG as MYSQL_CONFIG
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.rabbitmq.deploy import CONFIG as RABBITMQ_CONFIG
from backstay_lab.systems.readers import deploy

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.checkers.evidence import Spoil
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.systems.system import Service

    Undo = Callable[[], None]
    Harm = Callable[["Scene", str, Injection], "Undo | None"]


class Traits(NamedTuple):
    """What harms must know of a service that has no parts. port: of clients. peers: of the daemons among
    themselves, 0 where they do not talk. configuration: a file; nonsense: a line that it cannot hold. interval: seconds
    between two monitors of the leader, in crm-templates. address: where clients come to, "" where they know all nodes.
    slow: asking who leads takes a second where all is well, and a minute where a daemon hangs."""

    port: int
    peers: int
    configuration: str
    nonsense: str
    interval: float = 3.0
    address: str = ""
    slow: bool = False


TRAITS = {
    "mysql": Traits(3306, 3306, MYSQL_CONFIG, "[mysqld]\nno-such-option = 1", address=WRITER),
    "rabbitmq": Traits(5672, 25672, RABBITMQ_CONFIG, "no.such.option = 1", slow=True),
    "haproxy": Traits(deploy.PORT, 0, deploy.PROXY, "no such keyword", interval=10.0, address=deploy.BALANCER),
}


class Scene:
    """Where harms are done: a service, or one part of several. leader: the last node that is known to have led. spoiled:
    when the run itself has an address on another node; all parts share it."""

    def __init__(self, service: Service, spoiled: list[Spoil]) -> None:
        self.service = service
        self.lab: Lab = service.lab
        self.traits = TRAITS[service.name]
        self.leader = service.leader()
        self.spoiled = spoiled

    def look(self, calm: bool) -> None:
        """Who leads now; as before when that cannot be told, or would take long while not `calm`."""
        if calm or not self.traits.slow:
            with suppress(AgentError):
                self.leader = self.service.leader()

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


def scenes_of(service: Service, spoiled: list[Spoil]) -> dict[str, Scene]:
    """Part -> where harm is done to it; "" alone where the service has no parts. Raises AgentError when one has no leader."""
    parts = service.parts or {"": service}
    return {name: Scene(part, spoiled) for name, part in parts.items()}


def with_nothing_left(do: Callable[[], object]) -> None:
    """A daemon that was ended meanwhile needs no signal, nor does one of a node that is off."""
    try:
        do()
    except LabError:
        return


def void(value: object) -> None:
    """For what is done, not asked."""
