"""What a look at the cluster means: everything that is not as wanted, with its reason and what to do. Pure.

Causes before consequences: the whole cluster, nodes, failures, then resources that do not run, then what the services say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.attributes import SCORE
from backstay.cluster.model import IDLE, Finding, is_true
from backstay.ocf.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backstay.cluster.model import Cluster, Failure, Instance, Resource
    from backstay.services.advice import Advice

_REPORTED = "asyncmon"  # the operation under which crm_resource --fail files a failure


def doing(cluster: Cluster) -> str:
    """What the coordinator does, in its own words: "transition engine", "election"; "" when it does not answer."""
    return cluster.state[2:].lower().replace("_", " ")


def judge(cluster: Cluster, services: Sequence[Advice]) -> list[Finding]:
    """All findings; empty when all is as wanted."""
    found = [*_whole(cluster), *_nodes(cluster), *_failures(cluster, services), *_degraded(cluster, services)]
    for resource in cluster.resources:
        found += _running(cluster, resource)
    for service in services:
        found += service.findings(cluster)
    return [*found, *leftovers(cluster)]


def _whole(cluster: Cluster) -> Iterator[Finding]:
    options = cluster.options
    if not cluster.quorum:
        remedy = "bring the missing nodes or the network between them back"
        yield Finding("error", "cluster", "this partition has no quorum, so it serves nothing", remedy)
    if is_true(options.get("maintenance-mode", "false")):
        what = "maintenance mode: nothing is monitored, started, stopped or moved"
        yield Finding("warning", "cluster", what, "crm_attribute -n maintenance-mode -D")
    if is_true(options.get("stop-all-resources", "false")):
        yield Finding("error", "cluster", "stop-all-resources is set", "crm_attribute -n stop-all-resources -D")
    if not cluster.state:
        what = f"the coordinator {cluster.dc} does not answer" if cluster.dc else "there is no coordinator"
        yield Finding("error", "cluster", what, "wait: the nodes elect one once they agree on who is there")
    elif cluster.state != IDLE:
        # What starts, stops or moves right now is not whole yet: who goes on to the next node must wait for it.
        yield Finding("warning", "cluster", f"is busy ({doing(cluster)})", "wait until it is idle")
    if not cluster.fencing:
        what = "fencing is off: a lost node is taken for dead without proof"
        yield Finding(
            "error",
            "cluster",
            what,
            f"configure a fence device, then crm_attribute -n {cluster.fencing_option} -v true",
        )


def _nodes(cluster: Cluster) -> Iterator[Finding]:
    remedies = {
        "unclean": ("error", "waits for its fencing: read pacemaker.log, test the fence device"),
        "offline": ("error", "start it, then: systemctl start corosync pacemaker"),
        "pending": ("warning", "it is joining: wait"),
        "shutting down": ("warning", "it is leaving: wait"),
        "maintenance": ("warning", "crm_attribute -N {node} -n maintenance -D"),
        "standby": ("warning", "crm_standby -N {node} -D, once the work on it is done"),
    }
    for node in cluster.nodes:
        if node.state in remedies:
            level, remedy = remedies[node.state]
            yield Finding(level, node.name, f"is {node.state}", remedy.format(node=node.name))


def _failures(cluster: Cluster, services: Sequence[Advice]) -> Iterator[Finding]:
    for one in cluster.failures:
        subject = f"{one.resource} on {one.node}"
        expected = next((each.expected(one) for each in services if each.resource.id == one.resource), "")
        if expected:
            yield Finding("warning", subject, one.reason, expected)
            continue
        when = f" at {one.at}" if one.at else ""
        what = f"{one.task} failed{when}: {one.reason}"
        if one.task == _REPORTED:
            what = f"its failure was reported{when}: by the watcher, which saw it die, or with crm_resource --fail"
        remedy = f"mend the cause, then: crm_resource --cleanup --resource {one.resource} --node {one.node}"
        running = any(instance.node == one.node and not instance.failed for instance in cluster.active(one.resource))
        yield Finding("warning" if running else "error", subject, what, remedy)


def _degraded(cluster: Cluster, services: Sequence[Advice]) -> Iterator[Finding]:
    """What a monitor's result says; a service whose roles change says it by an attribute, and some say it in both ways."""
    for one in cluster.degraded:
        remedy = "it serves, so the cluster does nothing: mend what its monitor names"
        for service in services:
            if service.resource.id == one.resource and service.resource.agent.startswith("ocf:backstay:"):
                remedy = "" if one.reason in service.complaint(cluster, one.node) else service.see
        if remedy:
            yield Finding("warning", f"{one.resource} on {one.node}", f"is degraded: {one.reason}", remedy)


def _running(cluster: Cluster, resource: Resource) -> Iterator[Finding]:
    active = cluster.active(resource.id)
    for one in active:
        yield from _instance(cluster, resource, one)
    if resource.meta.get("target-role") == "Stopped":
        remedy = f"crm_resource --resource {resource.handle} --meta --delete-parameter target-role"
        yield Finding("warning", resource.id, "is stopped by an admin (target-role)", remedy)
    elif cluster.quorum and resource.cloned:
        yield from _clone(cluster, resource, active)
    elif cluster.quorum and not active and any(one.resource == resource.id for one in cluster.instances):
        yield Finding("error", resource.id, f"runs nowhere{_why(cluster, resource)}", "mend what is named above")


def _clone(cluster: Cluster, resource: Resource, active: Sequence[Instance]) -> Iterator[Finding]:
    wanted = [node.name for node in cluster.nodes if node.state == "online" and not cluster.kept_off(resource, node)]
    most = whole(resource.meta.get("clone-max", ""))
    if most is None or len(active) < min(most, len(wanted)):
        failed = {one.node for one in cluster.failures if one.resource == resource.id}
        for name in wanted:
            if name not in failed and all(one.node != name for one in active):
                remedy = f"crm_resource --why --resource {resource.id} --node {name}"
                yield Finding("error", f"{resource.id} on {name}", "does not run, though its node is online", remedy)
    if cluster.leaderless(resource):
        what = f"nobody is promoted{_scores(cluster, resource, active)}"
        yield Finding("error", resource.id, what, "the reasons are with the instances")


def _instance(cluster: Cluster, resource: Resource, one: Instance) -> Iterator[Finding]:
    subject = f"{one.resource} on {one.node}"
    if one.blocked:
        remedy = f"end the resource there by hand, then: crm_resource --cleanup --resource {one.resource}"
        yield Finding("error", subject, "is blocked: its stop failed and the node cannot be fenced", remedy)
    elif not one.managed and not _in_maintenance(cluster, one.node):
        name = "maintenance" if is_true(resource.meta.get("maintenance", "false")) else "is-managed"
        remedy = f"crm_resource --resource {one.resource} --meta --delete-parameter {name}"
        yield Finding("warning", subject, "is not managed: its failure would go unanswered", remedy)
    if one.orphaned:
        remedy = f"crm_resource --cleanup --resource {one.resource}"
        yield Finding("warning", subject, "runs but is no longer configured", remedy)


def _in_maintenance(cluster: Cluster, name: str) -> bool:
    """Whether the cluster or the node is, which is told of them, and ended there."""
    node = cluster.node(name)
    return is_true(cluster.options.get("maintenance-mode", "false")) or bool(node and node.maintenance)


def _why(cluster: Cluster, resource: Resource) -> str:
    """For a resource that runs nowhere: the promoted role it has to be with, if nobody has that."""
    for one in cluster.constraints:
        of = one.attributes
        if one.kind == "colocation" and of.get("rsc") in resource.names and of.get("with-rsc-role") == "Promoted":
            other = cluster.resource(of.get("with-rsc", ""))
            if other and not cluster.promoted(other.id):
                return f": it goes with the promoted {other.id}, and nobody is promoted"
    failures = [one for one in cluster.failures if one.resource == resource.id]
    return f": {_told(failures[0])}" if failures else ""


def _told(failure: Failure) -> str:
    return f"it failed on {failure.node}"


def _scores(cluster: Cluster, resource: Resource, active: Sequence[Instance]) -> str:
    scores = {one.node: cluster.attribute(one.node, SCORE.of(resource.id)) or "unset" for one in active}
    return ": promotion scores " + ", ".join(f"{node} {score}" for node, score in sorted(scores.items()))


def leftovers(cluster: Cluster) -> Iterator[Finding]:
    """Constraints that crm_resource --move and --ban left: they still bind the scheduler."""
    for one in cluster.constraints:
        if one.kind == "location" and one.id.startswith(("cli-prefer-", "cli-ban-")):
            resource = one.attributes.get("rsc", "")
            what = f"the constraint {one.id} is left from a move or ban, and binds the scheduler"
            remedy = f"crm_resource --clear --resource {resource}"
            yield Finding("warning", resource, what, remedy)
