"""What the admin's commands say of an address. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import HELD
from backstay.cluster.model import Finding, is_true
from backstay.services.advice import Advice, clients_held

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Instance, Resource


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
        found = []
        home = self.resource.parameters.get("home", "")
        if home and cluster.node(home) is None:
            what = f"home={home} is no node of the cluster, so every node resets its clients"
            remedy = f"crm_resource -r {self.resource.id} -p home -v NODE"
            found.append(Finding("error", self.resource.id, what, remedy))
        knows = cluster.resource(self.resource.parameters.get("clients_of", ""))
        if home and self.resource.parameters.get("clients_of") and (knows is None or not _notes(knows)):
            name = self.resource.parameters["clients_of"]
            what = f"clients_of={name}, which notes no clients: they learn of a loss when they send something"
            found.append(Finding("warning", self.resource.id, what, f"crm_resource -r {name} -p note_clients -v true"))
        return found


def _notes(resource: Resource) -> bool:
    return is_true(resource.parameters.get("note_clients", "false"))
