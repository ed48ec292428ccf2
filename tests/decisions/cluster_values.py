"""A whole cluster with a MySQL set, as values. A test states what differs from it."""

from __future__ import annotations

from backstay.cluster.model import Cluster, Constraint, Instance, Node, Operation, Resource

NODES = ("n1", "n2", "n3")
MYSQL = Resource(
    id="mysql",
    agent="ocf:backstay:mysql",
    containers=("mysql-clone",),
    parameters={"writer_address": "10.77.0.100", "monitor_password": "lrm://", "replication_password": "lrm://"},
    meta={
        "promotable": "true",
        "clone-max": "3",
        "notify": "false",
        "interleave": "true",
        "migration-threshold": "1",
        "failure-timeout": "30",
        "resource-stickiness": "1",
    },
    operations=(
        Operation("start", timeout=120),
        Operation("stop", timeout=60),
        Operation("promote", timeout=60, on_fail="demote"),
        Operation("demote", timeout=30),
        Operation("monitor", 3, 15, "Promoted"),
        Operation("monitor", 5, 15, "Unpromoted"),
    ),
    cloned=True,
)
WRITER = Resource("mysql-writer", "ocf:backstay:vip", parameters={"ip": "10.77.0.100"})
FENCING = Resource("fencing", "stonith:fence_x", parameters={"pcmk_host_list": "n1 n2 n3"})
TOGETHER = {"rsc": "mysql-writer", "with-rsc": "mysql-clone", "with-rsc-role": "Promoted", "score": "INFINITY"}
AFTER = {"first": "mysql-clone", "first-action": "promote", "then": "mysql-writer", "then-action": "start"}
BEFORE = {"first": "mysql-clone", "first-action": "demote", "then": "mysql-writer", "then-action": "stop"}


def attributes(**differing: str) -> dict[str, str]:
    """What the agent on a healthy node publishes; `score` and the like differ."""
    values = {"score": "100", "readable": "1", "state": "ok", **differing}
    return {("master-mysql" if name == "score" else f"mysql-{name}"): value for name, value in values.items()}


def cluster(**differing: object) -> Cluster:
    """n1 is primary, n2 and n3 acknowledge, the address is on n1; nothing is wrong."""
    whole = Cluster(
        name="test",
        quorum=True,
        dc="n1",
        nodes=tuple(Node(name, True, attributes=attributes()) for name in NODES),
        instances=(
            Instance("fencing", "n2", "Started"),
            Instance("mysql", "n1", "Promoted"),
            Instance("mysql", "n2", "Unpromoted"),
            Instance("mysql", "n3", "Unpromoted"),
            Instance("mysql-writer", "n1", "Started"),
        ),
        options={"stonith-enabled": "true", "no-quorum-policy": "stop", "load-threshold": "400%"},
        facts={"mysql": "epoch=3 primary=n1 gtid=0-1-55 sync=n2,n3 solo=no"},
        resources=(FENCING, MYSQL, WRITER),
        constraints=(
            Constraint("colocation", "together", TOGETHER),
            Constraint("order", "after", AFTER),
            Constraint("order", "before", BEFORE),
        ),
        state="S_IDLE",
    )
    return whole._replace(**differing)  # type: ignore[arg-type]


def with_node(name: str, whole: Cluster | None = None, **differing: object) -> Cluster:
    """One node differs. A node that is not online runs nothing."""
    whole = whole or cluster()
    nodes = tuple(node._replace(**differing) if node.name == name else node for node in whole.nodes)  # type: ignore[arg-type]
    found = whole._replace(nodes=nodes)
    changed = found.node(name)
    if changed and changed.state in ("offline", "unclean", "standby"):
        found = found._replace(instances=tuple(one for one in found.instances if one.node != name))
    return found


def with_attributes(name: str, **differing: str) -> Cluster:
    return with_node(name, attributes=attributes(**differing))
