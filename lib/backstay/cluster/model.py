"""A cluster as values: what crm_mon shows and what is configured, at one moment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

IDLE = "S_IDLE"  # the coordinator's state when nothing is left to do
_TRUE = ("true", "yes", "on", "1", "y")


def is_true(text: str) -> bool:
    """A boolean as Pacemaker reads it."""
    return text.lower() in _TRUE


def fencing_enabled(options: Mapping[str, str], unset: bool) -> bool:
    """Whether lost nodes are fenced: stonith-enabled, or fencing-enabled as Pacemaker 3 may call it. Where both are given, both
    must say so, for which of them counts depends on Pacemaker's version. unset: the answer where neither is given."""
    said = [options[name] for name in ("stonith-enabled", "fencing-enabled") if name in options]
    return all(map(is_true, said)) if said else unset


class Finding(NamedTuple):
    """Something that is not as wanted. level: error when the service or its promise is broken, warning when it would be
    sooner or later. subject: a node, a resource, "mysql on n2". what: one sentence. remedy: what to do, a command where
    there is one."""

    level: str
    subject: str
    what: str
    remedy: str


class Node(NamedTuple):
    """attributes: transient ones, of the cluster's status; those of a node that is off are from before. utilization: what it
    has room for, as configured."""

    name: str
    online: bool
    unclean: bool = False
    standby: bool = False
    maintenance: bool = False
    pending: bool = False
    shutdown: bool = False
    attributes: Mapping[str, str] = {}
    utilization: Mapping[str, int] = {}

    @property
    def state(self) -> str:
        """In one word, the gravest first."""
        if self.unclean:
            return "unclean"
        if not self.online:
            return "offline"
        words = {"pending": self.pending, "shutting down": self.shutdown, "maintenance": self.maintenance}
        return next((word for word, true in words.items() if true), "standby" if self.standby else "online")


class Instance(NamedTuple):
    """node: "" when it runs nowhere. role: Started, Stopped, Promoted, Unpromoted, Starting, … managed: the cluster acts on it;
    false also where the node or the cluster is in maintenance. pending: what is being done to it, "Starting"; "" for nothing.
    ended: it failed on the node, and runs there no more. clone: of which it is itself an instance, "" when it is not."""

    resource: str
    node: str
    role: str
    managed: bool = True
    failed: bool = False
    blocked: bool = False
    orphaned: bool = False
    pending: str = ""
    ended: bool = False
    clone: str = ""

    @property
    def settled(self) -> bool:
        """Whether it runs, has not failed, and nothing is being done to it."""
        return bool(self.node) and not self.failed and not self.pending and not self.role.endswith("ing")


class Failure(NamedTuple):
    """An operation's result that the cluster remembers. at: as the cluster writes it."""

    resource: str
    node: str
    task: str
    code: int
    reason: str
    at: str = ""

    @property
    def told(self) -> str:
        """In one line."""
        return f"{self.task} of {self.resource} on {self.node}: {self.reason}"


class Operation(NamedTuple):
    """Of a resource's configuration. Seconds; timeout None when the default is used. id: in the CIB."""

    name: str
    interval: float = 0.0
    timeout: float | None = None
    role: str = ""
    on_fail: str = ""
    id: str = ""


class Resource(NamedTuple):
    """A configured primitive. agent: "ocf:backstay:mysql". containers: clone or group around it, innermost first. meta:
    its own attributes over its containers'. utilization: the room that it takes."""

    id: str
    agent: str
    containers: tuple[str, ...] = ()
    parameters: Mapping[str, str] = {}
    meta: Mapping[str, str] = {}
    operations: tuple[Operation, ...] = ()
    cloned: bool = False
    utilization: Mapping[str, int] = {}

    @property
    def handle(self) -> str:
        """The name by which constraints know it."""
        return self.containers[-1] if self.containers else self.id

    @property
    def promotable(self) -> bool:
        return self.meta.get("promotable") == "true"

    @property
    def fences(self) -> bool:
        return self.agent.startswith("stonith:")


class Constraint(NamedTuple):
    """kind: location, colocation or order. attributes: as in the CIB, but for old names of roles."""

    kind: str
    id: str
    attributes: Mapping[str, str]


class Cluster(NamedTuple):
    """degraded: results of monitors that crm_mon lists among the failures, and that are none. options: as configured. facts:
    resource -> its durable record. private: attribute -> node -> value, of those that were asked for. state: of the coordinator,
    "" when it was not asked."""

    name: str = ""
    version: str = ""
    quorum: bool = True
    dc: str = ""
    nodes: tuple[Node, ...] = ()
    instances: tuple[Instance, ...] = ()
    failures: tuple[Failure, ...] = ()
    degraded: tuple[Failure, ...] = ()
    options: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}
    resources: tuple[Resource, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    private: Mapping[str, Mapping[str, str]] = {}
    state: str = ""

    @property
    def online(self) -> list[str]:
        return [node.name for node in self.nodes if node.online and not node.unclean and not node.pending]

    @property
    def fencing(self) -> bool:
        """Whether it is enabled, as it is where nothing is configured."""
        return fencing_enabled(self.options, unset=True)

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)

    def resource(self, name: str) -> Resource | None:
        """By its own name or by its clone's or group's."""
        return next((one for one in self.resources if name == one.id or name in one.containers), None)

    def active(self, resource: str) -> list[Instance]:
        """Instances that run somewhere."""
        return [one for one in self.instances if one.resource == resource and one.node]

    def promoted(self, resource: str) -> list[str]:
        return [one.node for one in self.active(resource) if one.role == "Promoted"]

    def attribute(self, node: str, name: str) -> str:
        """Of a node that is online, "" when unset."""
        found = self.node(node)
        return found.attributes.get(name, "") if found and found.online else ""
