"""What the admin's commands say of a RabbitMQ cluster: its members, and what in the configuration delays it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import NEVER, SCORE
from backstay.cluster.model import Finding, is_true
from backstay.services.advice import Advice
from backstay.services.rabbitmq.record import MalformedRecord, Record

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster, Instance

# Meta attribute -> what it has to be, and why.
_META = {
    "notify": ("true", "the others wait out net_ticktime for a fenced node"),
    "interleave": ("true", "what depends on the clone waits for all its instances"),
    "ordered": ("false", "brokers that wait for each other at a cold start are started one after the other"),
}


class Admin(Advice):
    """A cluster: its record, and who serves."""

    def note(self, cluster: Cluster, instance: Instance) -> str:
        record = self._record(cluster)
        words = [] if record is None or instance.node in record.members else ["not yet a recorded member"]
        if cluster.attribute(instance.node, SCORE.of(self.resource.id)) == NEVER:
            words.append("does not serve")
        return ", ".join(words)

    def summary(self, cluster: Cluster) -> str:
        record = self._record(cluster)
        if record is None or not record.members:
            return "never begun"
        text = f"members {', '.join(sorted(record.members))}"
        return text + (f"; removed {', '.join(sorted(record.removed))}" if record.removed else "")

    def findings(self, cluster: Cluster) -> list[Finding]:
        name = self.resource.id
        try:
            record = Record.parse(cluster.facts.get(name, ""))
        except MalformedRecord as error:
            return [Finding("error", name, str(error), "restore the property from a backup of the CIB")]
        up = {one.node for one in cluster.active(name)}
        found = super().findings(cluster)
        for node in sorted(set(record.members) - up):
            what = f"{node} is a member and runs no broker: its queues have a copy less"
            found.append(Finding("warning", name, what, f"start it, or name {node} in removed if it is gone for good"))
        for node in sorted(up):
            if cluster.attribute(node, SCORE.of(name)) == NEVER:
                what = "the broker does not serve"
                found.append(Finding("error", f"{name} on {node}", what, self.see))
        return found

    def configuration(self, cluster: Cluster) -> list[Finding]:
        found = []
        for key, (wanted, why) in _META.items():
            has = self.resource.meta.get(key, "false")
            if is_true(has) != is_true(wanted):
                remedy = f"crm_resource --resource {self.resource.handle} --meta --set-parameter {key} --parameter-value {wanted}"
                found.append(Finding("warning", self.resource.id, f"{key}={has}: {why}", remedy))
        others = [one.id for one in cluster.resources if one.promotable and one.id != self.resource.id]
        if others and self.resource.parameters.get("start_wait", "0").rstrip("mins") in ("", "0"):
            what = f"start_wait is 0: a failover of {', '.join(others)} waits until a broker that boots serves"
            remedy = f"crm_resource --resource {self.resource.id} --set-parameter start_wait --parameter-value 1s"
            found.append(Finding("warning", self.resource.id, what, remedy))
        return found

    def _record(self, cluster: Cluster) -> Record | None:
        try:
            return Record.parse(cluster.facts.get(self.resource.id, ""))
        except MalformedRecord:
            return None  # `findings` says so
