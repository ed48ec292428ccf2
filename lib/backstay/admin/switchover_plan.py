"""Whether the promoted role may be moved now, where to, and what comes with it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from backstay.admin.diagnose import doing, leftovers
from backstay.agent.degraded import WELL
from backstay.cluster.attributes import STATE
from backstay.cluster.model import IDLE, is_true

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster, Resource
    from backstay.services.advice import Advice


class Plan(NamedTuple):
    """resource moves from source to target; followers: resources that are bound to its promoted role."""

    resource: Resource
    source: str
    target: str
    followers: list[Resource]


class Refusal(NamedTuple):
    """Why not, a sentence each."""

    reasons: list[str]


def plan(cluster: Cluster, services: Sequence[Advice], resource: str = "", target: str = "") -> Plan | Refusal:
    """The move that was asked for, or every reason against it. resource: "" for the only promotable one. target: "" for the
    best candidate."""
    movable = [one for one in services if one.resource.promotable]
    chosen = [one for one in movable if resource in ("", one.resource.id, *one.resource.containers)]
    if len(chosen) != 1:
        there = ", ".join(one.resource.id for one in movable) or "none"
        wanted = f"no promotable resource {resource}" if resource else "one promotable resource must be named"
        return Refusal([f"{wanted}; there is: {there}"])
    service = chosen[0]
    moved = service.resource
    reasons = _cluster(cluster, moved)
    promoted = cluster.promoted(moved.id)
    if len(promoted) != 1:
        reasons.append(f"{moved.id} is promoted on {', '.join(promoted) or 'no node'}, and should be on one")
    source = promoted[0] if promoted else ""
    if not target:
        target, against = _best(cluster, service, source)
    elif target == source:
        against = [f"{moved.id} is promoted on {target} already"]
    else:
        against = candidate(cluster, service, target)
    if reasons or against:
        return Refusal([*reasons, *against])
    return Plan(moved, source, target, followers(cluster, moved))


def _best(cluster: Cluster, service: Advice, source: str) -> tuple[str, list[str]]:
    """The node to move to, or "" and what is against each."""
    others = [one.node for one in cluster.active(service.resource.id) if one.node != source]
    against = {node: candidate(cluster, service, node) for node in others}
    fit = sorted(node for node, obstacles in against.items() if not obstacles)
    if fit:
        return fit[0], []
    return "", [reason for obstacles in against.values() for reason in obstacles] or ["there is no other instance"]


def followers(cluster: Cluster, resource: Resource) -> list[Resource]:
    """What is colocated with the promoted role, such as the writer address."""
    bound = {
        one.attributes.get("rsc", "")
        for one in cluster.constraints
        if one.kind == "colocation"
        and one.attributes.get("with-rsc") in resource.names
        and one.attributes.get("with-rsc-role") == "Promoted"
        and one.attributes.get("score") == "INFINITY"
    }
    return [one for one in cluster.resources if one.names & bound]


def arrived(cluster: Cluster, of: Plan) -> bool:
    """Whether role and followers run on the target and nowhere else. What has failed or is still being started is not there."""
    there = [is_there(cluster, follower, of.target) for follower in of.followers]
    return cluster.promoted(of.resource.id) == [of.target] and all(there)


def is_there(cluster: Cluster, resource: Resource, node: str) -> bool:
    """Whether the resource runs on this node, settled, and on no other. Of one that cannot be promoted its state tells that what
    it stands for is not there: an address that another host has counts as started."""
    lacking = not resource.promotable and cluster.attribute(node, STATE.of(resource.id)) not in ("", WELL)
    return [(one.node, one.settled) for one in cluster.active(resource.id)] == [(node, True)] and not lacking


def _cluster(cluster: Cluster, moved: Resource) -> list[str]:
    found = []
    if not cluster.quorum:
        found.append("this partition has no quorum")
    if not cluster.fencing:
        found.append("fencing is off: should the move fail, nobody could be promoted safely")
    if cluster.state != IDLE:
        found.append(f"the cluster is busy (coordinator: {doing(cluster) or 'gives no answer'}): wait until it is idle")
    found += [f"{node.name} is {node.state}: wait" for node in cluster.nodes if node.state in ("pending", "unclean")]
    if is_true(cluster.options.get("maintenance-mode", "false")) or moved.meta.get("is-managed") == "false":
        found.append(f"{moved.id} is not managed now: end maintenance first")
    found += [f"{one.what}: {one.remedy}" for one in leftovers(cluster) if one.subject in (moved.id, moved.handle)]
    return found


def candidate(cluster: Cluster, service: Advice, target: str) -> list[str]:
    """What speaks against this node."""
    node = cluster.node(target)
    if node is None:
        return [f"there is no node {target}; there are {', '.join(one.name for one in cluster.nodes)}"]
    if node.state != "online":
        return [f"{target} is {node.state}"]
    own = [one for one in cluster.active(service.resource.id) if one.node == target]
    if not own or own[0].failed or own[0].role != "Unpromoted":
        return [
            f"{service.resource.id} is {own[0].role.lower() if own else 'not running'} on {target}, not ready for promotion"
        ]
    failures = [one for one in cluster.failures if (one.resource, one.node) == (service.resource.id, target)]
    found = [f"{target} has a failure on record ({one.reason}): clean it up first" for one in failures[:1]]
    return found + service.obstacles(cluster, target)
