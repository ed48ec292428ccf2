"""What Pacemaker prints, as values: `crm_mon --output-as=xml` and the CIB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backstay.cluster.model import Cluster, Constraint, Failure, Instance, Node, Operation, Resource
from backstay.cluster.pacemaker import RECORD
from backstay.ocf.errors import AgentError
from backstay.ocf.parameters import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_ROLES = {
    "Master": "Promoted",
    "Slave": "Unpromoted",
}  # as Pacemaker before 2.1 reports them, and old CIBs have them
_DEGRADED = (190, 191)  # of monitors: no failures, though crm_mon lists them, and goes on doing so afterwards
_FACTS = RECORD.of("")


def read(monitor: str, configuration: str) -> Cluster:
    """From crm_mon's XML and the CIB's. Raises AgentError when either is not that."""
    mon, cib = _parse(monitor, "crm_mon"), _parse(configuration, "cibadmin")
    attributes = {
        str(node.get("name")): {str(one.get("name")): str(one.get("value")) for one in node.iterfind("attribute")}
        for node in mon.iterfind("node_attributes/node")
    }
    room = {str(node.get("uname")): _room(node) for node in cib.iterfind("configuration/nodes/node")}
    dc = mon.find("summary/current_dc")
    options = _options(cib)
    return Cluster(
        name=options.get("cluster-name", ""),
        version=options.get("dc-version", "").partition("-")[0],
        quorum=dc is not None and dc.get("with_quorum") == "true",
        dc=str(dc.get("name") or "") if dc is not None else "",
        nodes=tuple(
            Node(
                name=str(node.get("name")),
                attributes=attributes.get(str(node.get("name")), {}),
                utilization=room.get(str(node.get("name")), {}),
                **{
                    word: node.get(word) == "true"
                    for word in ("online", "unclean", "standby", "maintenance", "pending", "shutdown")
                },
            )
            for node in mon.iterfind("nodes/node")
        ),
        instances=tuple(_instances(mon)),
        failures=tuple(_failures(mon)),
        options=options,
        facts={
            str(pair.get("name"))[: -len(_FACTS)]: str(pair.get("value"))
            for pair in cib.iterfind("configuration/crm_config/cluster_property_set[@id='backstay']/nvpair")
            if str(pair.get("name")).endswith(_FACTS)
        },
        resources=tuple(_resources(cib)),
        constraints=tuple(
            Constraint(str(one.tag).removeprefix("rsc_"), str(one.get("id")), {str(k): str(v) for k, v in one.items()})
            for one in cib.iterfind("configuration/constraints/*")
        ),
    )


def _parse(text: str, what: str) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise AgentError(f"{what} gave no readable XML: {error}") from None


def _options(cib: Any) -> dict[str, str]:
    """Cluster properties; ours for facts are not among them."""
    found: dict[str, str] = {}
    for group in cib.iterfind("configuration/crm_config/cluster_property_set"):
        if group.get("id") != "backstay":
            found.update({str(pair.get("name")): str(pair.get("value")) for pair in group.iterfind("nvpair")})
    return found


def _instances(mon: Any) -> Iterator[Instance]:
    for element in mon.iterfind("resources//resource"):
        role = str(element.get("role"))
        made = Instance(
            resource=str(element.get("id")).partition(":")[0],
            node="",
            role=_OLD_ROLES.get(role, role),
            managed=element.get("managed") != "false",
            failed=element.get("failed") == "true",
            blocked=element.get("blocked") == "true",
            orphaned=element.get("orphaned") == "true",
            pending=str(element.get("pending") or ""),
        )
        nodes = element.findall("node") if element.get("active") == "true" or element.get("failed") == "true" else []
        if not nodes:
            yield made
        for node in nodes:
            yield made._replace(node=str(node.get("name")))


def _failures(mon: Any) -> Iterator[Failure]:
    for one in mon.iterfind("failures/failure"):
        code = int(one.get("exitcode") or 0)
        if code not in _DEGRADED and one.get("op_key"):
            yield Failure(
                # op_key is RESOURCE_TASK_INTERVAL, and a resource's name may have underscores
                resource=str(one.get("op_key")).rsplit("_", 2)[0],
                node=str(one.get("node")),
                task=str(one.get("task") or str(one.get("op_key")).rsplit("_", 2)[1]),
                code=code,
                reason=str(one.get("exitreason") or one.get("exitstatus") or ""),
                at=str(one.get("last-rc-change") or ""),
            )


def _pairs(element: Any, kind: str) -> dict[str, str]:
    return {str(pair.get("name")): str(pair.get("value")) for pair in element.iterfind(f"{kind}/nvpair")}


def _room(element: Any) -> dict[str, int]:
    return {name: int(value) for name, value in _pairs(element, "utilization").items() if value.isdigit()}


def _seconds(text: str | None) -> float | None:
    """None for no time, and for one that we cannot read: Pacemaker knows more notations."""
    try:
        return parse_time(text) if text else None
    except ValueError:
        return None


def _resources(cib: Any) -> Iterator[Resource]:
    for element in cib.iterfind("configuration/resources//primitive"):
        around = [parent for parent in element.iterancestors() if parent.tag in ("clone", "master", "group", "bundle")]
        meta: dict[str, str] = {}
        for holder in [*reversed(around), element]:
            meta.update({"promotable": "true"} if holder.tag == "master" else {})
            meta.update(_pairs(holder, "meta_attributes"))
        kind = [str(element.get(part)) for part in ("class", "provider", "type") if element.get(part)]
        yield Resource(
            id=str(element.get("id")),
            agent=":".join(kind),
            containers=tuple(str(parent.get("id")) for parent in around),
            parameters=_pairs(element, "instance_attributes"),
            meta=meta,
            utilization=_room(element),
            cloned=any(parent.tag in ("clone", "master") for parent in around),
            operations=tuple(
                Operation(
                    name=str(op.get("name")),
                    interval=_seconds(op.get("interval")) or 0.0,
                    timeout=_seconds(op.get("timeout")),
                    role=_OLD_ROLES.get(str(op.get("role")), str(op.get("role") or "")),
                    on_fail=str(op.get("on-fail") or ""),
                    id=str(op.get("id") or ""),
                )
                for op in element.iterfind("operations/op")
            ),
        )
