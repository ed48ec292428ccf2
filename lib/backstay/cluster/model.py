"""A cluster as values: what crm_mon shows and what is configured, at one moment. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

IDLE = "S_IDLE"  # the coordinator's state when nothing is left to do
_ANY_ROLE = ("", "Started")  # a location of another role leaves the instance where it is
FENCING = ("stonith-enabled", "fencing-enabled")
_TRUE = ("true", "yes", "on", "1", "y")


def is_true(text: str) -> bool:
    """A boolean as Pacemaker reads it."""
    return text.lower() in _TRUE


def fencing_enabled(options: Mapping[str, str], unset: bool) -> bool:
    """Whether lost nodes are fenced: stonith-enabled, or fencing-enabled as Pacemaker 3 may call it. Where both are given, both
    must say so, for which of them counts depends on Pacemaker's version. unset: the answer where neither is given."""
    said = [options[name] for name in FENCING if name in options]
    return all(map(is_true, said)) if said else unset


class Finding(NamedTuple):
    """Something that is not as wanted. level: error when the service or its promise is broken, warning when it would be
    sooner or later, unknown where it could not be looked at. subject: a node, a resource, "mysql on n2". what: one sentence.
    remedy: what to do, a command where there is one."""

    level: str
    subject: str
    what: str
    remedy: str


class Node(NamedTuple):
    """attributes: transient ones, of the cluster's status; those of a node that is off are from before. utilization: what it
    has room for, as configured. id: Corosync's number; of a remote node its name. remote: no member, it runs Pacemaker Remote.
    guest: such a one that the cluster itself started, as a bundle's container: it is recovered, and not fenced."""

    name: str
    online: bool
    unclean: bool = False
    standby: bool = False
    maintenance: bool = False
    pending: bool = False
    shutdown: bool = False
    attributes: Mapping[str, str] = {}
    utilization: Mapping[str, int] = {}
    id: str = ""
    remote: bool = False
    guest: bool = False

    @property
    def kind(self) -> str:
        """As rules call it: #kind."""
        return "container" if self.guest else "remote" if self.remote else "cluster"

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
    ended: it failed on the node, and runs there no more. clone: of which it is itself an instance, "" when it is not. confirming:
    it was promoted, and whether it still is shows with its next monitor; `role` says Unpromoted until then. Pacemaker files a
    reload as a start, and so forgets the role for as long."""

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
    confirming: bool = False

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
    def names(self) -> set[str]:
        """All by which a constraint may call it."""
        return {self.id, *self.containers}

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


class Rule(NamedTuple):
    """Of a location. parts: rules, and the attributes of expressions; without `attribute` where it is about something else than
    a node, such as the date."""

    score: str
    operator: str
    parts: tuple[Rule | Mapping[str, str], ...]
    role: str = ""

    def holds(self, node: Node) -> bool | None:
        """Whether it is true of the node; None when that cannot be told from the node alone."""
        said = [one.holds(node) if isinstance(one, Rule) else _holds(one, node) for one in self.parts]
        decisive = self.operator == "or"
        if decisive in said:
            return decisive
        return None if None in said else not decisive


def _holds(expression: Mapping[str, str], node: Node) -> bool | None:
    """One expression, where it compares texts, or whole numbers."""
    name = expression.get("attribute", "")
    if not name or expression.get("value-source", "literal") != "literal":
        return None
    own = {"#uname": node.name, "#id": node.id, "#kind": node.kind}
    has, wanted = own.get(name, node.attributes.get(name)), expression.get("value", "")
    operation = expression.get("operation", "")
    if operation in ("defined", "not_defined"):
        return (has is not None) == (operation == "defined")
    if operation in ("eq", "ne"):
        return (has == wanted) == (operation == "eq")
    return None


class Constraint(NamedTuple):
    """kind: location, colocation, order or ticket. attributes: as in the CIB, but for old names of roles; of a constraint over
    sets, those of one of its pairs. rule: of a location that has one."""

    kind: str
    id: str
    attributes: Mapping[str, str]
    rule: Rule | None = None

    def score(self, node: Node) -> str:
        """Of a location, for whatever role on this node; "" where it says nothing."""
        if self.rule is not None:
            return self.rule.score if self.rule.holds(node) and self.rule.role in _ANY_ROLE else ""
        named = self.attributes.get("node", "").lower() == node.name.lower()
        return self.attributes.get("score", "") if named and self.attributes.get("role", "") in _ANY_ROLE else ""


def _is_for(attributes: Mapping[str, str], names: set[str]) -> bool:
    """Whether a location is for a resource of one of these names."""
    pattern = attributes.get("rsc-pattern")
    if pattern is None:
        return attributes.get("rsc") in names
    import re  # the agents have no use for it

    try:
        found = any(re.search(pattern.removeprefix("!"), name) for name in names)
    except re.error:
        return False  # Pacemaker complains of it, and goes on
    return found != pattern.startswith("!")


class Cluster(NamedTuple):
    """degraded: results of monitors that crm_mon lists among the failures, and that are none, as far as they still hold.
    options: as configured. facts: resource -> its durable record. private: attribute -> node -> value, of those that were asked
    for. state: of the coordinator, "" when it was not asked."""

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

    @property
    def fencing_option(self) -> str:
        """The name of the option that turns it off."""
        return next((name for name in FENCING if not is_true(self.options.get(name, "true"))), FENCING[0])

    @property
    def members(self) -> tuple[Node, ...]:
        """The nodes that vote; remote ones do not."""
        return tuple(node for node in self.nodes if not node.remote)

    @property
    def watchdog(self) -> bool:
        """Whether a lost node ends itself by its watchdog, which is fencing without a device (diskless SBD)."""
        old = self.options.get("stonith-watchdog-timeout", "0")
        period = self.options.get("fencing-watchdog-timeout", old).strip()  # as Pacemaker 3.0.3 calls it
        return is_true(self.options.get("have-watchdog", "false")) and period.strip("0smin") != ""

    def kept_off(self, resource: Resource, node: Node) -> bool:
        """Whether a location forbids the resource to run on the node, or, where nodes must be allowed, none allows it. A rule
        that cannot be judged here, such as one on the date, counts as not there."""
        names, allowed = resource.names, False
        for one in self.constraints:
            if one.kind == "location" and _is_for(one.attributes, names):
                score = one.score(node)
                if score == "-INFINITY":
                    return True
                allowed = allowed or (bool(score) and not score.startswith("-"))
        return not allowed and not is_true(self.options.get("symmetric-cluster", "true"))

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)

    def resource(self, name: str) -> Resource | None:
        """By its own name or by its clone's or group's."""
        return next((one for one in self.resources if name in one.names), None)

    def active(self, resource: str) -> list[Instance]:
        """Instances that run somewhere."""
        return [one for one in self.instances if one.resource == resource and one.node]

    def leaderless(self, resource: Resource) -> bool:
        """Whether it runs and nobody is promoted. Of a busy cluster, whoever serves through a reload counts as promoted."""
        active = self.active(resource.id)
        confirming = self.state != IDLE and any(one.confirming for one in active)
        return resource.promotable and bool(active) and not self.promoted(resource.id) and not confirming

    def promoted(self, resource: str) -> list[str]:
        return [one.node for one in self.active(resource) if one.role == "Promoted"]

    def attribute(self, node: str, name: str) -> str:
        """Of a node that is online, "" when unset."""
        found = self.node(node)
        return found.attributes.get(name, "") if found and found.online else ""
