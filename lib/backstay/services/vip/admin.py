"""What the admin's commands say of an address. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import HELD
from backstay.cluster.model import Finding
from backstay.services.advice import Advice, clients_held

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Instance


class Admin(Advice):
    """An address is shown where it is."""

    def note(self, cluster: Cluster, instance: Instance) -> str:
        held = instance.role == ("Promoted" if self.resource.promotable else "Started")
        return self.resource.parameters.get("ip", "") if held else ""

    def private(self) -> list[str]:
        return [HELD.of(self.resource.id)] if self.resource.parameters.get("on_loss") == "hold" else []

    def summary(self, cluster: Cluster) -> str:
        return clients_held(cluster, self.resource.id)

    def configuration(self, cluster: Cluster) -> list[Finding]:
        home = self.resource.parameters.get("home", "")
        if not home or cluster.node(home) is not None:
            return []
        what = f"home={home} is no node of the cluster, so every node resets its clients"
        return [Finding("error", self.resource.id, what, f"crm_resource -r {self.resource.id} -p home -v NODE")]
