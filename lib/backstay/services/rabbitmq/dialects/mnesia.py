"""RabbitMQ 3.8 to 3.13: metadata in Mnesia, classic queues mirrored by policy."""

from __future__ import annotations

import os

from backstay.services.rabbitmq.dialects.base import (
    ACTOR,
    Dialect,
    Mirroring,
    beside_flags,
    checked,
    initialised,
    names,
)
from backstay.services.rabbitmq.distribution import CallFailed
from backstay.services.rabbitmq.etf import Atom, Malformed, Opaque, function, node_of, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any

    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.mirror_policy import Short

_MIRRORS = "rabbit_mirror_queue_misc"
_PATIENCE = 500  # milliseconds for another node's answer
POLICY = "backstay"
_PRIORITY = 0
# What makes a mirrored queue lose confirmed messages: a mirror that lacks some of them is promoted.
_SAFE = {
    "ha-sync-mode": "automatic",
    "ha-promote-on-failure": "when-synced",
    "ha-promote-on-shutdown": "when-synced",
}


# What is in a node's directory before there is anything in the database, and since when rabbit_mnesia:is_virgin_node
# overlooks it.
_OVERLOOKED = {
    "cluster_nodes.config": (3, 8),
    "nodes_running_at_shutdown": (3, 8),
    "quorum": (3, 8),
    "coordination": (3, 9),
    "stream": (3, 12),
    "msg_stores": (3, 13),
}


class Mnesia(Dialect):
    def has_data(self, names: AbstractSet[str]) -> bool:
        return any(self.version < _OVERLOOKED.get(name, (99,)) for name in beside_flags(names))

    def members_on_disk(self, directory: str) -> frozenset[str]:
        """From the broker's own file, which names all members and those with a disk."""
        from backstay.host import untrusted
        from backstay.services.rabbitmq import erlang_text as terms

        try:
            found = terms.parse(untrusted.text(os.path.join(directory, "cluster_nodes.config")))
        except (OSError, Malformed):
            return frozenset()
        every = found[0][0] if found and isinstance(found[0], tuple) and found[0] else []
        return (
            frozenset(str(name) for name in every if isinstance(name, Atom)) if isinstance(every, list) else frozenset()
        )

    def settled(self, node: Node) -> frozenset[str]:
        if self.version >= (3, 13):
            return initialised(self, node)
        found = node.call("rabbit_mnesia", "cluster_status_from_mnesia")
        return names(found[1][0]) if isinstance(found, tuple) and found[0] == "ok" else frozenset()

    def members(self, node: Node) -> frozenset[str]:
        return names(node.call("mnesia", "system_info", Atom("db_nodes")))

    def running(self, node: Node) -> frozenset[str]:
        return names(node.call("mnesia", "system_info", Atom("running_db_nodes")))

    def partitions(self, node: Node) -> frozenset[str]:
        return names(node.call("rabbit_node_monitor", "partitions"))

    def irreplaceable(self, node: Node) -> dict[str, int]:
        unsynced = node.call("rabbit_amqqueue", "list_local_mirrored_classic_without_synchronised_mirrors")
        minimum = node.call("rabbit_quorum_queue", "list_with_minimum_quorum")
        found = {"queue(s) without a synchronised mirror": unsynced, "quorum queue(s) at their minimum": minimum}
        return {what: len(queues) for what, queues in found.items() if isinstance(queues, list) and queues}

    def forget(self, node: Node, other: str) -> None:
        from backstay.services.rabbitmq import replicas

        replicas.take(node, other)
        checked(node.call("rabbit_mnesia", "forget_cluster_node", Atom(other), False), f"forgetting {other}")

    def ensure_mirroring(self, node: Node, wanted: Mirroring) -> list[str]:
        said: list[str] = []
        if wanted.mode == "none":
            return said
        vhosts = set(self.vhosts(node)) - {wanted.without}
        for vhost in sorted(vhosts & set(wanted.vhosts) if wanted.vhosts else vhosts):
            if self._ensure_policy(node, vhost, wanted):
                said.append(f"set policy {POLICY} in virtual host {vhost}")
        return said + self.unsafe_policies(node)

    def unsafe_policies(self, node: Node) -> list[str]:
        said: list[str] = []
        for policy in node.call("rabbit_policy", "list"):
            found = _plain(dict(policy))
            said += _unsafe(str(found.get("vhost")), found)
        return said

    def _ensure_policy(self, node: Node, vhost: str, wanted: Mirroring) -> bool:
        """Compare, then write: a policy that is written again, though equal, makes every queue look at it again."""
        definition = {"ha-mode": wanted.mode, **_SAFE}
        if wanted.mode == "exactly":
            definition["ha-params"] = wanted.count  # type: ignore[assignment]
        have = node.call("rabbit_policy", "lookup", vhost.encode(), POLICY.encode())
        if isinstance(have, list):
            found = _plain(dict(have))
            same = found.get("definition") == definition and found.get("pattern") == wanted.pattern
            if same and found.get("apply-to") == "queues" and found.get("priority") == _PRIORITY:
                return False
        terms = [(_binary(key), _binary(value)) for key, value in definition.items()]
        given = (vhost.encode(), POLICY.encode(), wanted.pattern.encode(), terms, _PRIORITY, b"queues", ACTOR)
        checked(node.call("rabbit_policy", "set", *given), f"policy {POLICY} in virtual host {vhost}")
        return True

    def short_of_mirrors(self, node: Node, running: AbstractSet[str], most: int) -> list[Short]:
        from backstay.services.rabbitmq.mirror_policy import wanted_mirrors

        wants = []
        for policy in node.call("rabbit_policy", "list"):
            found = _plain(dict(policy))
            wanted = wanted_mirrors(found.get("definition") or {}, running)
            if wanted and not _unsafe("", found):
                wants.append(_fewer(policy, wanted))
        if not wants:
            return []
        rows = node.call("ets", "select", Atom("rabbit_queue"), wants, most)
        return [_short(*row) for row in rows[0]] if isinstance(rows, tuple) else []  # else '$end_of_table'

    def stack(self, node: Node, pid: Opaque) -> list[tuple[str, str]]:
        found = _remotely(node, node_of(pid), "process_info", pid, Atom("current_stacktrace"))
        if not isinstance(found, tuple):
            raise CallFailed("its leader is gone", found)
        return [(str(frame[0]), str(frame[1])) for frame in found[1]]

    def mirror_state(self, node: Node, pid: Opaque) -> str:
        from backstay.services.rabbitmq.mirror_policy import BEHIND, GONE, UNKNOWN

        try:
            return BEHIND if _remotely(node, node_of(pid), "is_process_alive", pid) is True else GONE
        except CallFailed:
            return UNKNOWN

    def update_mirrors(self, node: Node, short: Short) -> None:
        _taken(node.call("rabbit_amqqueue", "with", short.name, function(_MIRRORS, "update_mirrors", 1)))

    def add_mirrors(self, node: Node, short: Short, places: list[str]) -> None:
        node.call(_MIRRORS, "add_mirrors", short.name, list(map(Atom, places)), Atom("async"))

    def drop_mirror(self, node: Node, pid: Opaque) -> None:
        node.call(
            "erlang", "exit", pid, (Atom("shutdown"), Atom("dropped"))
        )  # as drop_mirror/2 does, which is not exported

    def settings(self, partition_handling: str, queue_type: str) -> list[str]:
        return [f"cluster_partition_handling = {partition_handling}"]

    def default_mirroring(self, mode: str) -> str:
        return mode or "all"

    def can_force(self, directory: str) -> bool:
        return os.path.exists(os.path.join(directory, "schema.DAT"))


def _unsafe(vhost: str, policy: dict[str, Any]) -> list[str]:
    """What a policy of the admin's risks. The agent's own is never unsafe; it is put right."""
    definition = policy.get("definition")
    if not isinstance(definition, dict) or "ha-mode" not in definition or policy.get("name") == POLICY:
        return []
    defaults = {"ha-sync-mode": "manual", "ha-promote-on-failure": "always", "ha-promote-on-shutdown": "when-synced"}
    wrong = [f"{key}={definition.get(key, defaults[key])}" for key in _SAFE]
    wrong = [word for word, (key, value) in zip(wrong, _SAFE.items()) if word != f"{key}={value}"]
    if not wrong:
        return []
    return [f"policy {policy.get('name')} in virtual host {vhost} can lose confirmed messages: {', '.join(wrong)}"]


def _fewer(policy: Any, wanted: int) -> Any:
    """A clause of a match specification: name, leader, mirrors and synchronised mirrors of the classic queues that live, belong
    to nobody, have this policy and fewer synchronised mirrors than wanted. A record of another shape does not match."""
    anything = Atom("_")
    name, leader, mirrors, synchronised = (Atom(f"${number}") for number in range(1, 5))
    record = (  # amqqueue, version 2, 3.8 to 3.13
        Atom("amqqueue"), name, anything, anything, Atom("none"), anything, leader, mirrors, synchronised, anything, policy,
        anything, anything, anything, Atom("live"), anything, anything, anything, anything, Atom("rabbit_classic_queue"),
        anything,
    )  # fmt: skip
    few = (Atom("<"), (Atom("length"), synchronised), wanted)
    return record, [few], [((name, leader, mirrors, synchronised, wanted),)]


def _short(name: Any, leader: Opaque, mirrors: list[Opaque], synchronised: list[Opaque], wanted: int) -> Short:
    from backstay.services.rabbitmq.mirror_policy import Mirror, Short

    _, vhost, _, queue = name  # {resource, VirtualHost, queue, Name}
    have = [Mirror(pid, node_of(pid), pid in synchronised) for pid in mirrors]
    return Short(name, _words(vhost), _words(queue), leader, have, wanted)


def _words(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")


def _taken(answer: Any) -> None:
    """Raises CallFailed for an answer that says that the queue is not there any more, or has no leader."""
    if isinstance(answer, tuple) and answer[:1] == ("error",):
        raise CallFailed(f"the broker says {answer[1]!r:.80}", answer)


def _remotely(node: Node, place: str, question: str, *arguments: Any) -> Any:
    """Erlang's own function, evaluated on the node `place`. Raises CallFailed when that gives no answer in time."""
    return node.call("rpc", "call", Atom(place), Atom("erlang"), Atom(question), list(arguments), _PATIENCE)


def _plain(term: Any) -> Any:
    """A policy in plain Python: property lists as dicts, names as str."""
    if isinstance(term, dict):
        return {text(key): _plain(value) for key, value in term.items()}
    if isinstance(term, list) and term and all(isinstance(pair, tuple) and len(pair) == 2 for pair in term):
        return {text(key): _plain(value) for key, value in term}
    if isinstance(term, list):
        return list(map(_plain, term))
    return term.decode("utf-8", "replace") if isinstance(term, bytes) else term


def _binary(value: str | int) -> bytes | int:
    return value.encode() if isinstance(value, str) else value
