"""What the admin's commands say of HAProxy: which backends have servers. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import HELD, UP
from backstay.cluster.model import Finding
from backstay.services.advice import Advice, clients_held
from backstay.services.promoted_role import promotable

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Instance


class Admin(Advice):
    """By the attributes that its agent publishes: RESOURCE-up-BACKEND is 1 while a server of the backend is up."""

    def private(self) -> list[str]:
        return [HELD.of(self.resource.id)] if self.resource.parameters.get("address") else []

    def summary(self, cluster: Cluster) -> str:
        return clients_held(cluster, self.resource.id)

    def note(self, cluster: Cluster, instance: Instance) -> str:
        backends = self._backends(cluster, instance.node)
        words = [f"{name} {'up' if up else 'DOWN'}" for name, up in sorted(backends.items())]
        return ", ".join(words)

    def findings(self, cluster: Cluster) -> list[Finding]:
        found = super().findings(cluster)
        for one in cluster.active(self.resource.id):
            for name, up in sorted(self._backends(cluster, one.node).items()):
                if not up:
                    subject = f"{self.resource.id} on {one.node}"
                    remedy = "look at its servers: they are down, drained, or this node does not reach them"
                    found.append(Finding("error", subject, f"no server of backend {name} is up", remedy))
        return found

    def configuration(self, cluster: Cluster) -> list[Finding]:
        return list(promotable(cluster, self.resource)) if self.resource.promotable else []

    def _backends(self, cluster: Cluster, node: str) -> dict[str, bool]:
        known = cluster.node(node)
        prefix = UP.of(self.resource.id)
        attributes = known.attributes if known and known.online else {}
        return {name[len(prefix) :]: value == "1" for name, value in attributes.items() if name.startswith(prefix)}
