"""The cluster as one resource's agent needs it to decide: where instances run, and how they ended elsewhere. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from backstay.cluster.attributes import READABLE, SCORE
from backstay.cluster.model import fencing_enabled, is_true
from backstay.cluster.xml import parse, seen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from backstay.cluster.model import Instance


class Ends(Enum):
    """What the cluster knows of a resource's end on a node, from the history in the CIB's status section."""

    STOPPED = "stopped"  # the last thing done was a stop that succeeded, or a look that found it stopped
    FENCED = "fenced"  # the node's whole history was wiped, as the controller does when the node is known to be off
    STARTED = "started"  # anything else was done last: it may run, whether the node is in the cluster or not
    REFRESHED = "refreshed"  # no history, but the instance's attributes are there: it may run
    NEVER = "never"  # neither: nothing shows that it ever ran there


class Overview(NamedTuple):
    """A snapshot from crm_mon, with histories where they were asked for.

    quorum: this partition has it. online, offline, unclean: node names. offline ones left cleanly or were fenced, and a node
    that left cleanly in maintenance goes on running what it ran; without fencing a node that was merely lost is offline, too.
    unclean ones may still run. instances: of the resource asked for. maintenance: the cluster is in maintenance mode.
    fencing: enabled. ends: per node what is known of the resource's end, of nodes without an instance.
    """

    quorum: bool
    online: frozenset[str]
    offline: frozenset[str]
    unclean: frozenset[str]
    instances: tuple[Instance, ...]
    maintenance: bool
    fencing: bool = True
    ends: Mapping[str, Ends] = {}

    @property
    def nodes(self) -> frozenset[str]:
        """All that the cluster knows."""
        return self.online | self.offline | self.unclean

    @property
    def idle(self) -> frozenset[str]:
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

    def may_have_run(self, node: str) -> bool:
        """Whether the resource ever ran on the node, so that it may be starting there now."""
        return self.ends.get(node) is not Ends.NEVER


def parse_ends(text: str, resource: str) -> dict[str, Ends]:
    """Read the CIB's status section. Raises AgentError when the text is no XML."""
    published = {SCORE.of(resource), READABLE.of(resource)}  # by the first monitor that looked; gone with the node
    ends = {}
    for state in parse(text, "cibadmin").iter("node_state"):
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


def _stopped(operations: list[Any]) -> bool:
    """Whether the last of a resource's operations on a node left it stopped. Operations are numbered as they begin; one under way
    has status -1 and counts."""
    if any(operation.get("op-status") == "-1" and operation.get("operation") != "monitor" for operation in operations):
        return False
    last = max(operations, key=_call)
    return (last.get("operation"), last.get("rc-code")) in (("stop", "0"), ("monitor", "7"))


def _call(operation: Any) -> int:
    """An operation's number, -1 for one under way."""
    number = str(operation.get("call-id"))
    return int(number) if number.isascii() and number.isdigit() else -1


def parse_overview(text: str, resource: str) -> Overview:
    """Read `crm_mon --output-as=xml`. Raises AgentError when the text is no XML."""
    cluster = seen(parse(text, "crm_mon"))
    unclean = frozenset(node.name for node in cluster.nodes if node.unclean)
    online = frozenset(node.name for node in cluster.nodes if node.online) - unclean
    return Overview(
        quorum=cluster.quorum,
        online=online,
        offline=frozenset(node.name for node in cluster.nodes) - online - unclean,
        unclean=unclean,
        instances=tuple(one for one in cluster.active(resource) if not one.ended),
        maintenance=is_true(cluster.options.get("maintenance-mode", "false")),
        fencing=fencing_enabled(cluster.options, unset=False),
    )
