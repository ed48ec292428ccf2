"""Quorum queues and streams: their copies on a node that leaves the cluster for good, and on one that returns.

RabbitMQ takes no copies away from a node that it forgets, and gives none to a node that joins. Its command does the first
(rabbitmqctl forget_cluster_node), an admin's commands do the second (rabbitmq-queues grow, rabbitmq-streams add_replica).
Without them a queue goes on counting a member that is gone, and a member that was replaced votes with an empty log.
"""

from __future__ import annotations

from backstay.services.rabbitmq.distribution import CallFailed
from backstay.services.rabbitmq.etf import Atom, function, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from backstay.services.rabbitmq.distribution import Node

_QUORUM, _STREAM = "rabbit_quorum_queue", "rabbit_stream_queue"
_SIZE = {_QUORUM: b"x-quorum-initial-group-size", _STREAM: b"x-initial-cluster-size"}
_ADD = 5000  # milliseconds for a quorum queue to take a member


class Replicated:
    """A queue. nodes: that have a copy. wanted: how many copies it was declared with, at most one on each member."""

    __slots__ = ("kind", "name", "nodes", "state", "vhost", "wanted")

    def __init__(self, kind: str, vhost: bytes, name: bytes, state: dict[Any, Any], wanted: int) -> None:
        self.kind = kind
        self.vhost = vhost
        self.name = name
        self.state = state
        self.nodes = {text(node) for node in state.get("nodes", ())}  # a list; from 4.2 a map with the nodes as keys
        self.wanted = wanted


def replicated(node: Node, kind: str, members: int) -> Iterator[Replicated]:
    """All of a kind. Raises AgentError."""
    queues = node.call("rabbit_amqqueue", "list_by_type", Atom(kind))
    if not queues:
        return
    given = (node.call("lists", "map", function("amqqueue", f"get_{what}", 1), queues) for what in _PARTS)
    usual = members if kind == _STREAM else _number(node.call("application", "get_env", *_USUAL))
    for (_, vhost, _, name), arguments, state in zip(*given):
        declared = [value for key, _, value in arguments if key == _SIZE[kind]] or [usual]
        if isinstance(state, dict):
            yield Replicated(kind, vhost, name, state, min(members, declared[0]))


_PARTS = ("name", "arguments", "type_state")
_USUAL = (Atom("rabbit"), Atom("quorum_cluster_size"))


def _number(answer: Any) -> int:
    """RabbitMQ's own default where the setting is not there."""
    return answer[1] if isinstance(answer, tuple) and isinstance(answer[1], int) else 3


def take(node: Node, leaver: str) -> None:
    """From a node that is about to be forgotten, as RabbitMQ's own command does. It can be done again. Raises AgentError."""
    node.call(_QUORUM, "shrink_all", Atom(leaver))
    try:
        node.call(_STREAM, "delete_all_replicas", Atom(leaver))
    except CallFailed:  # before 3.12
        for stream in replicated(node, _STREAM, 1):
            if leaver in stream.nodes:
                node.call("rabbit_stream_coordinator", "delete_replica", stream.state["name"], Atom(leaver))
    try:
        node.call("rabbit_stream_coordinator", "forget_node", Atom(leaver))
    except CallFailed:
        return  # before 3.12: the coordinator finds out by itself


def give(node: Node, returned: str, members: int) -> tuple[int, int]:
    """To a node that has returned, of the queues that have fewer copies than they were declared with: how many, and how many
    of those failed. Raises AgentError, after some of them when the time is over."""
    added = failed = 0
    for kind in (_QUORUM, _STREAM):
        for queue in replicated(node, kind, members):
            if returned in queue.nodes or len(queue.nodes) >= queue.wanted:
                continue
            if kind == _QUORUM:
                answer = node.call(_QUORUM, "add_member", queue.vhost, queue.name, Atom(returned), _ADD)
            else:
                answer = node.call(_STREAM, "add_replica", queue.vhost, queue.name, Atom(returned))
            added += 1
            failed += isinstance(answer, tuple) and answer[0] != "ok"
    return added, failed
