"""What Pacemaker prints, as values: `crm_mon --output-as=xml` and the CIB."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backstay.cluster.attributes import RECORD, RECORDS
from backstay.cluster.model import Cluster, Failure, Instance, Node
from backstay.ocf.codes import DEGRADED_CODES, ExitCode, role_name
from backstay.ocf.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FACTS = RECORD.of("")


def read(monitor: str, configuration: str) -> Cluster:
    """From crm_mon's XML and the CIB's. Raises AgentError when either is not that."""
    from backstay.cluster.configuration import Configuration  # agents look at what runs alone

    found, cib = seen(parse(monitor, "crm_mon")), parse(configuration, "cibadmin")
    configured = Configuration(cib)
    room = {str(node.get("uname")): configured.room(node) for node in cib.iterfind("configuration/nodes/node")}
    options, confirming, recovered = _options(cib), set(_confirming(cib)), set(_recovered(cib))
    return found._replace(
        name=options.get("cluster-name", ""),
        version=options.get("dc-version", "").partition("-")[0],
        nodes=tuple(node._replace(utilization=room.get(node.name, {})) for node in found.nodes),
        instances=tuple(
            one._replace(confirming=True) if (one.resource, one.node) in confirming else one for one in found.instances
        ),
        degraded=tuple(one for one in found.degraded if (one.resource, one.node) not in recovered),
        options=options,
        facts={
            str(pair.get("name"))[: -len(_FACTS)]: str(pair.get("value"))
            for pair in cib.iterfind(f"configuration/crm_config/cluster_property_set[@id='{RECORDS}']/nvpair")
            if str(pair.get("name")).endswith(_FACTS)
        },
        resources=tuple(configured.resources()),
        constraints=tuple(configured.constraints()),
    )


def seen(mon: Any) -> Cluster:
    """From crm_mon's XML alone: without what is configured, but for the options that crm_mon shows."""
    attributes = {
        str(node.get("name")): {str(one.get("name")): str(one.get("value")) for one in node.iterfind("attribute")}
        for node in mon.iterfind("node_attributes/node")
    }
    dc, options = mon.find("summary/current_dc"), mon.find("summary/cluster_options")
    results = tuple(_results(mon))
    return Cluster(
        quorum=dc is not None and dc.get("with_quorum") == "true",
        dc=str(dc.get("name") or "") if dc is not None else "",
        nodes=tuple(
            Node(
                name=str(node.get("name")),
                attributes=attributes.get(str(node.get("name")), {}),
                id=str(node.get("id") or ""),
                remote=node.get("type") == "remote",
                guest=bool(node.get("id_as_resource")),
                **{
                    word: node.get(word) == "true"
                    for word in ("online", "unclean", "standby", "maintenance", "pending", "shutdown")
                },
            )
            for node in mon.iterfind("nodes/node")
        ),
        instances=tuple(_instances(mon)),
        failures=tuple(one for one in results if one.code not in DEGRADED_CODES),
        degraded=tuple(one for one in results if one.code in DEGRADED_CODES),
        options={str(name): str(value) for name, value in options.items()} if options is not None else {},
    )


def library() -> Any:
    """lxml, loaded where XML is read."""
    from lxml import etree

    return etree


def parse(text: str, tool: str) -> Any:
    """The root element of what a tool printed. Raises AgentError when that is no XML."""
    etree = library()
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    try:
        return etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        raise AgentError(f"{tool} gave no readable XML: {error}") from None


def _options(cib: Any) -> dict[str, str]:
    """Cluster properties; ours for facts are not among them."""
    found: dict[str, str] = {}
    for group in cib.iterfind("configuration/crm_config/cluster_property_set"):
        if group.get("id") != RECORDS:
            found.update({str(pair.get("name")): str(pair.get("value")) for pair in group.iterfind("nvpair")})
    return found


def _instances(mon: Any) -> Iterator[Instance]:
    for element in mon.iterfind("resources//resource"):
        active, around = element.get("active") == "true", element.getparent()
        made = Instance(
            resource=str(element.get("id")).partition(":")[0],
            node="",
            role=role_name(str(element.get("role"))),
            managed=element.get("managed") != "false",
            failed=element.get("failed") == "true",
            blocked=element.get("blocked") == "true",
            orphaned=element.get("orphaned") == "true",
            pending=str(element.get("pending") or ""),
            clone=str(around.get("id")) if around.tag == "clone" else "",
        )
        nodes = element.findall("node") if active or made.failed else []
        if not nodes:
            yield made
        for node in nodes:
            yield made._replace(node=str(node.get("name")), ended=not active)


def _confirming(cib: Any) -> Iterator[tuple[str, str]]:
    """Resource and node where the last that was done is a start, or a reload under way, of which the monitor that it brings has
    not yet told that it was a reload of a promoted instance. A history keeps monitors of before a stop, so one that has ended
    proves nothing."""
    for state in cib.iterfind("status/node_state"):
        for resource in state.iter("lrm_resource"):
            operations = resource.findall("lrm_rsc_op")
            last = next((one for one in operations if str(one.get("id")).endswith("_last_0")), None)
            if last is None or not (_reloading(last) or (last.get("operation"), last.get("rc-code")) == ("start", "0")):
                continue
            monitors = [one for one in operations if one.get("operation") == "monitor" and one.get("interval") != "0"]
            since = [one for one in monitors if _pending(one) or (_number(one) > _number(last) and not _pending(last))]
            if any(map(_of_promoted, monitors)) and all(_pending(one) and _of_promoted(one) for one in since):
                yield str(resource.get("id")).partition(":")[0], str(state.get("uname"))


def _reloading(last: Any) -> bool:
    """A reload under way. Pacemaker 2.1.5 files it as a monitor that it does once and expects to succeed; a probe is expected to
    find nothing (7)."""
    name, expected = str(last.get("operation")), _expected(last)
    return _pending(last) and (
        name.startswith("reload") or (name == "monitor" and expected == str(int(ExitCode.SUCCESS)))
    )


def _recovered(cib: Any) -> Iterator[tuple[str, str]]:
    """Resource and node where the degraded result that the history keeps, until a cleanup, is of the past: the same monitor found
    something else since, or the resource was started, stopped or reloaded."""
    for state in cib.iterfind("status/node_state"):
        for resource in state.iter("lrm_resource"):
            operations = resource.findall("lrm_rsc_op")
            kept = next((one for one in operations if str(one.get("id")).endswith("_last_failure_0")), None)
            if kept is None or _code(str(kept.get("rc-code"))) not in DEGRADED_CODES:
                continue
            since = [one for one in operations if _changed(one) > _changed(kept) and not _pending(one)]
            if any(one.get("operation") != "monitor" or one.get("interval") == kept.get("interval") for one in since):
                yield str(resource.get("id")).partition(":")[0], str(state.get("uname"))


def _changed(operation: Any) -> int:
    """When its result became what it is, in seconds; 0 where that is not said."""
    return _code(str(operation.get("last-rc-change")))


def _pending(operation: Any) -> bool:
    return bool(operation.get("op-status") == "-1")


def _number(operation: Any) -> int:
    return _code(str(operation.get("call-id")))


def _of_promoted(operation: Any) -> bool:
    return _expected(operation) == str(int(ExitCode.RUNNING_PROMOTED))


def _expected(operation: Any) -> str:
    """The result that the scheduler expected: ACTION:TRANSITION:EXPECTED:UUID."""
    return "".join(str(operation.get("transition-key")).split(":")[2:3])


def _results(mon: Any) -> Iterator[Failure]:
    for one in mon.iterfind("failures/failure"):
        # op_key is RESOURCE_TASK_INTERVAL, and a resource's name may have underscores
        resource, *task = str(one.get("op_key") or "").rsplit("_", 2)
        if resource:
            yield Failure(
                resource=resource,
                node=str(one.get("node")),
                task=str(one.get("task") or "".join(task[:1])),
                code=_code(str(one.get("exitcode"))),
                reason=str(one.get("exitreason") or one.get("exitstatus") or ""),
                at=str(one.get("last-rc-change") or ""),
            )


def _code(text: str) -> int:
    """0 for none, and for what is no number."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
