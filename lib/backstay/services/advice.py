"""What a service tells an admin beyond what Pacemaker knows. A service has a class `Admin(Advice)` in its own `admin`
module (services/mysql/admin.py is the model; catalogue.py finds it); an agent without one is shown as Pacemaker sees it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.agent.degraded import WELL
from backstay.cluster.attributes import HELD, STATE
from backstay.cluster.model import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster, Failure, Instance, Resource

DOCUMENTATION = "/usr/share/doc/backstay/docs"  # where `make install` and the packages put it


def clients_held(cluster: Cluster, resource: str) -> str:
    """What became of clients that came while the address moved, for each node that it moved away from; "" for nothing."""
    told = cluster.private.get(HELD.of(resource), {})
    return "; ".join(
        f"clients when the address last left {node}: {what}" for node, what in sorted(told.items()) if what
    )


class Advice:
    """The part of one configured resource; these defaults say no more than why a promotable instance is not as wanted."""

    # What a planned move of the promoted role means to clients.
    moving = "clients are not touched, but by what goes with it"

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    def private(self) -> Sequence[str]:
        """Names of private attributes that the methods below want to see in `cluster.private`."""
        return ()

    def note(self, cluster: Cluster, instance: Instance) -> str:
        """Beside the role of an instance that runs: a few words."""
        return ""

    def summary(self, cluster: Cluster) -> str:
        """One line for the resource as a whole, "" for none."""
        return ""

    def findings(self, cluster: Cluster) -> list[Finding]:
        """What is not as wanted now."""
        told = ((one.node, self.complaint(cluster, one.node)) for one in cluster.active(self.resource.id))
        return [Finding("warning", f"{self.resource.id} on {node}", what, self.see) for node, what in told if what]

    def complaint(self, cluster: Cluster, node: str) -> str:
        """Why the instance on the node is not as wanted, "" when it is or cannot be promoted: then a monitor's result says it."""
        state = cluster.attribute(node, STATE.of(self.resource.id))
        return "" if state == WELL else state

    @property
    def see(self) -> str:
        """Where complaints are explained."""
        return f"see {DOCUMENTATION}/agents/{self.resource.agent.rpartition(':')[2]}.md"

    def expected(self, failure: Failure) -> str:
        """What to do about a failure that belongs to what the admin asked for, "" for one that does not."""
        return ""

    def configuration(self, cluster: Cluster) -> list[Finding]:
        """What in the configuration works against what the template explains."""
        return []

    def obstacles(self, cluster: Cluster, candidate: str) -> list[str]:
        """Why the promoted role should not be moved to the candidate now."""
        return []
