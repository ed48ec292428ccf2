"""What in a configuration works against what the templates explain, where several services share it: a promotable clone, the
address that follows its promoted role. Pure. A remedy that begins with a command is one that can be run as it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.cluster.model import Finding, is_true
from backstay.ocf.parameters import whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.cluster.model import Cluster, Resource


def promotable(cluster: Cluster, resource: Resource) -> Iterator[Finding]:
    """The clone of a service with one primary, as the templates have it."""
    meta = resource.meta
    if meta.get("migration-threshold") != "1":
        what = "migration-threshold is not 1: a failed primary is restarted in place before another is promoted"
        yield Finding("warning", resource.id, what, set_meta(resource, "migration-threshold", "1"))
    if is_true(meta.get("notify", "false")):
        what = "notify=true: each failover waits for rounds of notifications that the agent does not use"
        yield Finding("warning", resource.id, what, set_meta(resource, "notify", "false", resource.handle))
    if not is_true(meta.get("interleave", "false")):
        what = "interleave is not true: what depends on one instance waits for all of them"
        yield Finding("warning", resource.id, what, set_meta(resource, "interleave", "true", resource.handle))
    stickiness = meta.get("resource-stickiness", "0")
    sticks = 1_000_000 if stickiness in ("INFINITY", "+INFINITY") else whole(stickiness) or 0
    if sticks < 1:
        what = "resource-stickiness is 0: the role may move between equal candidates for no reason"
        yield Finding("warning", resource.id, what, set_meta(resource, "resource-stickiness", "1", resource.handle))
    elif sticks > 20:
        what = f"resource-stickiness={stickiness} keeps the role with a lagging or detached node"
        yield Finding("warning", resource.id, what, set_meta(resource, "resource-stickiness", "1", resource.handle))
    nodes = sum(not cluster.kept_off(resource, node) for node in cluster.members)
    most = whole(meta.get("clone-max", ""))
    if most is not None and most < nodes:
        what = f"clone-max={most} and {nodes} nodes: {nodes - most} node carries no copy"
        yield Finding("warning", resource.id, what, set_meta(resource, "clone-max", str(nodes), resource.handle))
    monitors = {one.role: one.interval for one in resource.operations if one.name == "monitor" and one.interval}
    for role in ("Promoted", "Unpromoted"):
        if role not in monitors:
            what = f"there is no monitor with role={role}: a {role.lower()} instance is never looked at"
            remedy = f"add: op monitor interval={'3' if role == 'Promoted' else '5'}s timeout=15s role={role}"
            yield Finding("error", resource.id, what, remedy)


def set_meta(resource: Resource, name: str, value: str, owner: str = "") -> str:
    """The command that sets a meta attribute. owner: of the clone or group that carries it, the resource itself by default."""
    return f"crm_resource --resource {owner or resource.id} --meta --set-parameter {name} --parameter-value {value}"


def together(cluster: Cluster, resource: Resource, address: str) -> Iterator[Finding]:
    """The address that follows a promoted role: configured, colocated, started after and stopped last."""
    floating = [one for one in cluster.resources if one.parameters.get("ip") == address]
    if not floating:
        what = f"no resource holds the writer address {address}"
        yield Finding(
            "error", resource.id, what, f"configure ocf:backstay:vip with ip={address}, as crm-templates has it"
        )
        return
    name, clone = floating[0].handle, resource.handle

    def there(kind: str, one: str, other: str, **wanted: str) -> bool:
        """Whether a constraint binds the two, by their attributes of these names."""
        attributes = [each.attributes for each in cluster.constraints if each.kind == kind]
        return any(
            each.get(one) in (floating[0] if one == "rsc" else resource).names
            and each.get(other) in (resource if one == "rsc" else floating[0]).names
            and wanted.items() <= {key.replace("-", "_"): value for key, value in each.items()}.items()
            for each in attributes
        )

    if not there("colocation", "rsc", "with-rsc", with_rsc_role="Promoted"):
        what = f"{name} is not bound to the promoted {clone}: clients may reach a read-only server"
        xml = f'<rsc_colocation id="{name}-with-primary" score="INFINITY" rsc="{name}" with-rsc="{clone}"'
        yield Finding("error", name, what, _create(f'{xml} with-rsc-role="Promoted"/>'))
    if not there("order", "first", "then", first_action="promote"):
        what = f"{name} may start before the promotion: clients reach a server that is not open"
        xml = f'<rsc_order id="{clone}-promote-then-{name}" kind="Mandatory" symmetrical="false" first="{clone}"'
        yield Finding("error", name, what, _create(f'{xml} first-action="promote" then="{name}" then-action="start"/>'))
    if not there("order", "first", "then", first_action="demote", then_action="stop"):
        what = f"{name} may stop before the demotion: commits under way lose the replicas that acknowledge them"
        xml = f'<rsc_order id="{clone}-demote-then-{name}" kind="Optional" symmetrical="false" first="{clone}"'
        yield Finding("warning", name, what, _create(f'{xml} first-action="demote" then="{name}" then-action="stop"/>'))


def _create(xml: str) -> str:
    return f"cibadmin --create --scope constraints --xml-text '{xml}'"
