"""What the nemesis must know of the system that it hits. Each class is one capability; most faults need the first alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from backstay_lab.machines.cluster import Lab


class Traits(NamedTuple):
    """What the nemesis must know of a system that has no parts. port: of clients. peers: of the daemons among themselves, 0 where
    they do not talk. configuration: a file; nonsense: a line that it cannot hold. interval: seconds between two monitors of the
    leader, in crm-templates. address: where clients come to, that is where the leader is, "" where they know all nodes. data: the
    directory, on the node's volume where it has one; "" where there is nothing to lose. slow: asking who leads takes a second
    where all is well, and a minute where a daemon hangs."""

    port: int
    peers: int
    configuration: str
    nonsense: str
    interval: float = 3.0
    address: str = ""
    data: str = ""
    slow: bool = False


class Victim(Protocol):
    """Any system of a lab. name: the daemon's, as `lab fault` knows it, and the primitive's; clone: its clone's."""

    lab: Lab
    name: str
    clone: str
    traits: Traits


class Led(Victim, Protocol):
    """One of whose instances leads."""

    def leader(self) -> str:
        """The node whose loss stops the writers. Raises AgentError when there is not exactly one."""

    def in_role(self, role: str) -> list[str]:
        """The nodes whose instance has this role."""

    def log_marks(self) -> dict[str, int]:
        """Where the nodes' logs end now: path -> size."""

    def forget(self, failed: str) -> None:
        """Forget the failures on a node. Raises AgentError when no node can be told to."""


class Composed(Led, Protocol):
    """One that may consist of several."""

    @property
    def parts(self) -> Mapping[str, Led]:
        """Name -> the part; none where it is one itself."""


class Database(Led, Protocol):
    """A set of database servers with a durable record. writer: URL of the primary."""

    writer: str

    def facts(self) -> str:
        """The record's text."""

    def sql(self, sql: str, *urls: str) -> list[list[list[Any]] | None]:
        """The rows of each server, None for one that gave no answer."""


class Broker(Led, Protocol):
    """A cluster of brokers."""

    def ctl(self, node: str, *arguments: str) -> str:
        """What rabbitmqctl prints there. Raises AgentError."""


class Drawable(Protocol):
    """What schedules are drawn for. traits: of each part, by its name; of a system that has no parts, its own by the name "".
    The order of the parts is part of what a seed gives."""

    @property
    def name(self) -> str: ...

    @property
    def traits(self) -> Mapping[str, Traits]: ...
