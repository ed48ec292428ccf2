"""RabbitMQ 4: no mirrored queues; quorum queues, and metadata that a majority of the nodes agrees on (Mnesia until 4.1)."""

from __future__ import annotations

import os

from backstay.ocf.errors import Misconfigured
from backstay.services.rabbitmq.dialects.base import Dialect, Mirroring, beside_flags, checked, initialised, names
from backstay.services.rabbitmq.distribution import CallFailed
from backstay.services.rabbitmq.etf import Atom

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from backstay.services.rabbitmq.distribution import Node


class Khepri(Dialect):
    def has_data(self, names: AbstractSet[str]) -> bool:
        """Whether its metadata store is empty no file tells. So what might be data boots, and is told whom to join: RabbitMQ
        asks nobody when it finds data."""
        return bool(beside_flags(names))

    def settled(self, node: Node) -> frozenset[str]:
        return initialised(self, node)

    def members(self, node: Node) -> frozenset[str]:
        return names(node.call("rabbit_nodes", "list_members"))

    def running(self, node: Node) -> frozenset[str]:
        # Not rabbit_nodes:list_running, which asks each of them and waits for one that has just lost its power.
        return (self.connected(node) | {node.node}) & self.members(node)

    def partitions(self, node: Node) -> frozenset[str]:
        try:
            return names(node.call("rabbit_node_monitor", "partitions"))
        except CallFailed:
            return frozenset()  # 4.3 has none: a minority cannot go on

    def partition_handling(self, node: Node) -> str:
        return super().partition_handling(node) if self.version < (4, 3) else ""

    def irreplaceable(self, node: Node) -> dict[str, int]:
        minimum = node.call("rabbit_quorum_queue", "list_with_minimum_quorum")
        return {"quorum queue(s) at their minimum": len(minimum)} if isinstance(minimum, list) and minimum else {}

    def forget(self, node: Node, other: str) -> None:
        from backstay.services.rabbitmq import replicas

        replicas.take(node, other)
        checked(node.call("rabbit_db_cluster", "forget_member", Atom(other), False), f"forgetting {other}")

    def ensure_mirroring(self, node: Node, wanted: Mirroring) -> list[str]:
        return []

    def settings(self, partition_handling: str, queue_type: str) -> list[str]:
        lines = [f"default_queue_type = {queue_type}"]
        if self.version < (4, 3):
            lines.append(f"cluster_partition_handling = {partition_handling}")
        return lines

    def default_mirroring(self, mode: str) -> str:
        if mode in ("", "none"):
            return "none"
        version = ".".join(map(str, self.version))
        raise Misconfigured(
            f"ha_mode={mode}: RabbitMQ {version} has no mirrored queues: unset ha_mode, and declare quorum queues"
        )

    def can_force(self, directory: str) -> bool:
        return self.version < (4, 2) and os.path.exists(os.path.join(directory, "schema.DAT"))
