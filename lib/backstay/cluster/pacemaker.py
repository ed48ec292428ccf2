"""The only way to Pacemaker: attributes, promotion scores, facts, membership, failures.

Each question is one process of 8 to 40 ms, so the callers ask little, and writes are remembered: an attribute is
written only when its value changed, since a changed public attribute aborts the running transition (controld_te_callbacks.c).
A value is forgotten before it is written: Pacemaker kills a recurring monitor that it cancels, and one that was killed between
its write and its note left a primary with a low score that everyone took for a full one.
What was written is trusted while the same executor runs, and for a minute at most: attrd forgets transient attributes when the
node leaves the cluster, and writing an equal value again is free of side effects. It is also without effect where it is needed:
a controller that ends, alone or with its executor, takes its node's attributes out of the CIB, and attrd, which is not told
(2.1.5), believes that they are there. A node would stay without promotion score until that changes. So what is not trusted any
more is written again, and before that all that attrd has is sent to the CIB (attrd_updater -R), which else changes nothing there.

Outside a cluster (ocf-tester, a shell; Pacemaker names the node, they do not) every tool exits 102 or 107: reads answer
None, writes do nothing. Inside one the same exit status means that a daemon is down for a moment. Then what matters for
safety (facts, membership) is an error: "nothing is recorded" must never be read from "nobody answered".
"""

import os
import time
from enum import Enum

from backstay.host import site_packages
from backstay.host.command import run
from backstay.host.deadline import Deadline
from backstay.host.state_files import Files, StateFile
from backstay.ocf.errors import AgentError, CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

NEVER = "-INFINITY"  # the promotion score that forbids; an absent score does not
_MISSING = {78, 105}  # attrd_updater 2.1.5 and crm_attribute: no such attribute (CRM_EX_CONFIG, CRM_EX_NOSUCH)
_NO_CLUSTER = {102, 107}  # CRM_EX_DISCONNECT, CRM_EX_NOHOST as attrd_updater 3.0 puts it
_TRUST = 180.0  # seconds; what is known to take attributes away is seen at once (the watcher), this is for the rest
_FACTS_SET = "backstay"  # id of the cluster property set that holds durable facts
MEMORY = StateFile(
    "attributes",
    "the executor, since when, and the attributes that were written, NAME=VALUE",
    lost="the next monitor writes equal values once more, which changes nothing",
)


class Attribute:
    """What an instance publishes in Pacemaker, declared once. name: with {resource}, and {part} where there are several.
    public: the scheduler hears of it, and rules can use it; a private one only the attribute daemon has. lost: as when the
    node leaves the cluster."""

    __slots__ = ("lost", "meaning", "name", "public")

    def __init__(self, name: str, meaning: str, *, lost: str, public: bool = True) -> None:
        self.name = name
        self.meaning = meaning
        self.lost = lost
        self.public = public

    def of(self, resource: str, part: str = "") -> str:
        """Its name for this resource."""
        return self.name.format(resource=resource, part=part)

    def __repr__(self) -> str:
        return f"Attribute({self.name!r})"


class Property(Attribute):
    """The same of the cluster's configuration: it survives every node's loss of power."""

    __slots__ = ()


RECORD = Property(
    "{resource}-facts",
    "the durable record: of MySQL who was promoted last and who acknowledges, of RabbitMQ the members",
    lost="the service counts as one that was never promoted, or never formed: restore it from a backup of the configuration",
)
# What several services publish, or an agent publishes and the admin's commands read.
SCORE = Attribute(
    "master-{resource}",
    "how much this instance is wanted as the promoted one, up to 1,000,000; -INFINITY forbids it",
    lost="it is not promoted until its next monitor; a promoted one may be demoted",
)
STATE = Attribute(
    "{resource}-state",
    "why the instance is not as wanted, ok once that is over; absent if it was always as wanted",
    lost="status says nothing of it until a monitor finds it again",
)
READABLE = Attribute(
    "{resource}-readable",
    "MySQL: 1 where readers may be sent, else 0",
    lost="addresses for readers go elsewhere until the next monitor",
)
LAG = Attribute(
    "{resource}-lag",
    "MySQL: seconds that a replica is behind at least, in steps",
    lost="status and switchover do not know the lag until the next monitor",
    public=False,
)
UP = Attribute(
    "{resource}-up-{part}",
    "HAProxy: 1 while a server of the backend is up, else 0",
    lost="rules that use it see no value until the next monitor",
)


class Instance:
    """One instance of a resource as the scheduler sees it: `active` somewhere on `node`, with its role. managed: the cluster
    acts on it; false also where the node or the cluster is in maintenance."""

    __slots__ = ("managed", "node", "role")

    def __init__(self, node: str, role: str, managed: bool = True) -> None:
        self.node = node
        self.role = role
        self.managed = managed


class Ends(Enum):
    """What the cluster knows of a resource's end on a node, from the history in the CIB's status section."""

    STOPPED = "stopped"  # the last thing done was a stop that succeeded, or a look that found it stopped
    FENCED = "fenced"  # the node's whole history was wiped, as the controller does when the node is known to be off
    STARTED = "started"  # anything else was done last: it may run, whether the node is in the cluster or not
    REFRESHED = "refreshed"  # no history, but the instance's attributes are there: it may run
    NEVER = "never"  # neither: nothing shows that it ever ran there


class Overview:
    """A snapshot from crm_mon, with histories where they were asked for.

    quorum: this partition has it. online, offline, unclean: node names. offline ones left cleanly or were fenced, and a node
    that left cleanly in maintenance goes on running what it ran; without fencing a node that was merely lost is offline, too.
    unclean ones may still run. instances: of the resource asked for. maintenance: the cluster is in maintenance mode.
    fencing: enabled. ends: per node what is known of the resource's end, of nodes without an instance.
    """

    def __init__(
        self,
        quorum: bool,
        online: "frozenset[str]",
        offline: "frozenset[str]",
        unclean: "frozenset[str]",
        instances: "tuple[Instance, ...]",
        maintenance: bool,
        fencing: bool = True,
        ends: "Optional[Mapping[str, Ends]]" = None,
    ) -> None:
        self.quorum = quorum
        self.online = online
        self.offline = offline
        self.unclean = unclean
        self.instances = instances
        self.maintenance = maintenance
        self.fencing = fencing
        self.ends = dict(ends or {})

    @property
    def nodes(self) -> "frozenset[str]":
        """All that the cluster knows."""
        return self.online | self.offline | self.unclean

    @property
    def idle(self) -> "frozenset[str]":
        """Nodes on which the cluster sees no instance of the resource."""
        return self.nodes - {instance.node for instance in self.instances}

    def surely_inactive(self, node: str) -> bool:
        """Whether the resource cannot be running on the node: its stop is confirmed, or the node was fenced. That the node is
        offline, or that no instance is seen there, is neither: after a clean stop of the cluster software in maintenance, and for
        a moment in a refresh, it runs on."""
        if node not in self.idle or node in self.unclean:
            return False
        end = self.ends.get(node, Ends.REFRESHED)
        return end is Ends.STOPPED or (end is Ends.FENCED and node in self.offline)

    def may_run(self, node: str) -> bool:
        """Whether the resource runs on the node, or may."""
        return not self.surely_inactive(node) and self.ends.get(node) is not Ends.NEVER


class Pacemaker:
    """The cluster as one resource on one node sees it. `deadline` bounds every call."""

    def __init__(self, resource: str, node: str, state_directory: str, deadline: Deadline) -> None:
        self.resource = resource
        self._node = node
        self._clustered = bool(node)
        self._unwritten: list[str] = []
        self._files = Files(state_directory, self._unwritten)
        self._since = ""  # when the oldest that is remembered was written
        self._deadline = deadline

    # -- membership ---------------------------------------------------------------------------------------------------

    def node(self) -> str:
        """The local node's name; the host's name outside a cluster."""
        if not self._node:
            self._node = (self._ask(["crm_node", "-n"]) or os.uname().nodename).strip()
        return self._node

    def members(self) -> "list[str]":
        """Names of the nodes in this partition, the local one included; empty outside a cluster. Raises AgentError."""
        return (self._ask(["crm_node", "-p"], strict=True) or "").split()

    def nodes(self) -> "list[str]":
        """Names of all nodes the cluster knows, whether they are up or not. Raises AgentError."""
        listing = self._ask(["crm_node", "-l"], strict=True) or ""
        return sorted(fields[1] for fields in map(str.split, listing.splitlines()) if len(fields) > 1)

    def overview(self, ends: bool = False) -> "Optional[Overview]":
        """The scheduler's view; None outside a cluster. ends: also how the resource ended where it is not seen, which is
        another process where it is not seen somewhere. Raises AgentError when the tools say what we cannot read."""
        text = self._ask(["crm_mon", "-1", "--output-as=xml"], meanwhile=_xml)
        overview = parse_overview(text, self.resource) if text else None
        if overview and ends and overview.idle:
            overview.ends = {node: end for node, end in self.ends().items() if node in overview.idle}
        return overview

    def ends(self) -> "dict[str, Ends]":
        """What the cluster knows of the resource's end, of every node it has seen since it started; empty outside a cluster.
        Raises AgentError."""
        text = self._ask(["cibadmin", "--query", "--scope=status"], strict=True, meanwhile=_xml)
        return parse_ends(text, self.resource) if text else {}

    # -- transient attributes and scores ------------------------------------------------------------------------------

    def attribute(self, attribute: Attribute, node: str = "") -> "Optional[str]":
        """A transient attribute as the attribute daemon has it, None when unset or outside a cluster."""
        said = self._ask(["attrd_updater", "-Q", "-n", attribute.of(self.resource), "-N", node or self.node()])
        value = (said or "").partition(' value="')[2].rpartition('"')[0]
        return value or None

    def set_attribute(self, attribute: Attribute, value: str, part: str = "") -> None:
        """Set a transient attribute of this node, if that changes it. A private one makes the scheduler look at nothing."""
        known, name = self._known(), attribute.of(self.resource, part)
        if known.get(name) == value:
            return
        update = ["attrd_updater", "-n", name, "-N", self.node(), "-U", value]
        self._remember(known, but=name)
        if self._ask(update if attribute.public else [*update, "-p"]) is not None:
            self._remember({**known, name: value})

    def forget_attribute(self, attribute: Attribute) -> None:
        """Delete a transient attribute of this node, if it may be set."""
        known, name = self._known(), attribute.of(self.resource)
        if known.get(name) != "":
            self._remember(known, but=name)
            self._ask(["attrd_updater", "-n", name, "-N", self.node(), "-D"])
            self._remember({**known, name: ""})

    def send_again(self) -> None:
        """Send all attributes that attrd has to the CIB, if any was written here. It changes those that had left it."""
        if self._lines():
            self._ask(["attrd_updater", "-R"])

    def set_promotion_score(self, score: "int | str") -> None:
        """The wish to be promoted here, up to 1,000,000, or NEVER. Note that 0 promotes too."""
        self.set_attribute(SCORE, str(score))

    def has_promotion_score(self, score: int) -> bool:
        """Whether this was the score that was set last, as far as it is remembered. Asks nobody."""
        return f"{SCORE.of(self.resource)}={score}" in self._lines()

    # -- durable facts ------------------------------------------------------------------------------------------------

    def facts(self) -> str:
        """The resource's durable record, "" when there is none. It survives the loss of every node's power. Raises
        AgentError."""
        name = RECORD.of(self.resource)
        said = self._ask(["crm_attribute", "-t", "crm_config", "-s", _FACTS_SET, "-n", name, "-G", "-q"], strict=True)
        return (said or "").strip()

    def set_facts(self, text: str) -> None:
        """Write the durable record; on return the cluster has it. Raises AgentError."""
        name = RECORD.of(self.resource)
        self._ask(["crm_attribute", "-t", "crm_config", "-s", _FACTS_SET, "-n", name, "-v", text], strict=True)

    # -- failures -----------------------------------------------------------------------------------------------------

    def fail(self, node: str = "") -> None:
        """Tell the cluster that the resource failed on this node, or another, now, without waiting for a monitor."""
        run(["crm_resource", "--fail", "-r", self.resource, "-N", node or self.node()], timeout=10)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _ask(
        self, argv: "list[str]", strict: bool = False, meanwhile: "Optional[Callable[[], object]]" = None
    ) -> "Optional[str]":
        """Standard output, or None when there is no cluster or no such thing. Raises CommandFailed otherwise; `strict`:
        also when a cluster should be there and does not answer."""
        done = run(argv, timeout=self._deadline.within(5).remaining(), check=False, meanwhile=meanwhile)
        if done.status == 0:
            return done.out
        connected = "ould not connect" not in done.err  # 105 is also what a CIB in a missing file gives
        if done.status in _MISSING and connected:
            return None
        if (done.status in _NO_CLUSTER or not connected) and not (strict and self._clustered):
            return None
        said = (done.err or done.out).strip().splitlines()
        raise CommandFailed(f"{argv[0]} failed with status {done.status}: {said[-1] if said else ''}", done.status)

    def _lines(self) -> "list[str]":
        """What is remembered: the executor and since when (CLOCK_MONOTONIC, seconds), then NAME=VALUE; empty on a node that has
        just booted."""
        return self._files.read(MEMORY).splitlines()

    def _known(self) -> "dict[str, str]":
        """What was written and is there. What is not to be trusted any more is sent to the CIB again, and then unknown."""
        lines = self._lines()
        executor, _, self._since = lines[0].partition(" ") if lines else ("", "", "")
        if not lines:
            return {}
        if executor == _incarnation() and self._since and 0 <= time.monotonic() - float(self._since) < _TRUST:
            return dict(line.split("=", 1) for line in lines[1:] if "=" in line)
        self._since = ""
        self._ask(["attrd_updater", "-R"])
        self._files.remove(MEMORY)
        return {}

    def _remember(self, values: "dict[str, str]", but: str = "") -> None:
        """Without `but`, if that is among them. The trust in all ends with that in the oldest. To know nothing is harmless, the
        next write repeats an equal value; so what cannot be noted, as on a full disk, is forgotten, and fails no action."""
        if but and values.pop(but, None) is None:
            return
        self._since = self._since or str(time.monotonic())
        lines = [f"{_incarnation()} {self._since}", *(f"{name}={value}" for name, value in values.items())]
        self._unwritten.clear()
        self._files.write(MEMORY, "\n".join(lines))
        if self._unwritten:
            self._files.remove(MEMORY)


def _incarnation() -> str:
    """Which executor started us: it is restarted with the cluster stack on this node, and attrd's memory with it."""
    parent = os.getppid()
    try:
        with open(f"/proc/{parent}/stat", encoding="ascii", errors="replace") as source:
            return f"{parent}:{source.read().rpartition(')')[2].split()[19]}"
    except OSError:
        return ""


def _xml() -> "Any":
    """lxml, which takes about as long to load as crm_mon to answer."""
    site_packages.reach()
    from lxml import etree

    return etree


def _parsed(text: str, tool: str) -> "Any":
    """Raises AgentError when the text is no XML."""
    etree = _xml()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise AgentError(f"{tool} gave no readable XML: {error}") from None


def parse_ends(text: str, resource: str) -> "dict[str, Ends]":
    """Read the CIB's status section. Raises AgentError when the text is no XML."""
    published = {SCORE.of(resource), READABLE.of(resource)}  # by the first monitor that looked; gone with the node
    ends = {}
    for state in _parsed(text, "cibadmin").iter("node_state"):
        own = [
            operation
            for found in state.iter("lrm_resource")
            if str(found.get("id")).partition(":")[0] == resource
            for operation in found.findall("lrm_rsc_op")
        ]
        if own:
            end = Ends.STOPPED if _stopped(own) else Ends.STARTED
        elif any(pair.get("name") in published for pair in state.iter("nvpair")):
            end = Ends.REFRESHED
        else:
            end = Ends.NEVER if state.find("lrm") is not None else Ends.FENCED
        ends[str(state.get("uname"))] = end
    return ends


def _stopped(operations: "list[Any]") -> bool:
    """Whether the last of a resource's operations on a node left it stopped. Operations are numbered as they begin; one under way
    has status -1 and counts."""
    if any(operation.get("op-status") == "-1" and operation.get("operation") != "monitor" for operation in operations):
        return False
    last = max(operations, key=_call)
    return (last.get("operation"), last.get("rc-code")) in (("stop", "0"), ("monitor", "7"))


def _call(operation: "Any") -> int:
    """An operation's number, -1 for one under way."""
    number = str(operation.get("call-id"))
    return int(number) if number.isascii() and number.isdigit() else -1


def parse_overview(text: str, resource: str) -> Overview:
    """Read `crm_mon --output-as=xml`. Raises AgentError when the text is not that."""
    root = _parsed(text, "crm_mon")
    dc = root.find("summary/current_dc")
    options = root.find("summary/cluster_options")
    nodes = {str(node.get("name")): node for node in root.findall("nodes/node")}
    online = frozenset(name for name, node in nodes.items() if node.get("online") == "true")
    unclean = frozenset(name for name, node in nodes.items() if node.get("unclean") == "true")
    offline = frozenset(nodes) - online - unclean
    own = [found for found in root.iter("resource") if str(found.get("id")).partition(":")[0] == resource]
    instances = tuple(
        Instance(str(node.get("name")), str(found.get("role")), found.get("managed") != "false")
        for found in own
        if found.get("active") == "true"
        for node in found.findall("node")
    )
    in_maintenance = options is not None and options.get("maintenance-mode") == "true"
    return Overview(
        quorum=dc is not None and dc.get("with_quorum") == "true",
        online=online - unclean,
        offline=offline,
        unclean=unclean,
        instances=instances,
        maintenance=in_maintenance,
        fencing=options is not None and options.get("stonith-enabled") == "true",
    )
