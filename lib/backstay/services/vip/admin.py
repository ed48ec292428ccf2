"""What the admin's commands say of an address. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.services.advice import Advice

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Instance


class Admin(Advice):
    """An address is shown where it is."""

    def note(self, cluster: Cluster, instance: Instance) -> str:
        held = instance.role == ("Promoted" if self.resource.promotable else "Started")
        return self.resource.parameters.get("ip", "") if held else ""
