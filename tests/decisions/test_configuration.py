"""Configurations as other tools write them, with templates, references, sets and tags, read as Pacemaker resolves them."""

from __future__ import annotations

import re

import pytest
from tests.decisions.cluster_values import TOGETHER, cluster, with_node  # type: ignore[import-not-found]
from tests.decisions.test_reading import MONITOR  # type: ignore[import-not-found]

from backstay.admin import preflight
from backstay.admin.diagnose import judge
from backstay.admin.preflight import Host
from backstay.admin.switchover_plan import Plan, plan
from backstay.cluster.model import Cluster, Constraint, Finding, Node, Rule
from backstay.cluster.xml import read
from backstay.services.catalogue import advices_of

TEMPLATE = """<template id="db" class="ocf" provider="backstay" type="mysql">
<instance_attributes id="db-p"><nvpair id="db-p-a" name="writer_address" value="10.0.0.1"/>
<nvpair id="db-p-d" name="datadir" value="/d"/></instance_attributes>
<operations><op id="db-m" name="monitor" interval="3s" timeout="15s" role="Promoted"/>
<op id="db-s" name="start" interval="0" timeout="120s"/></operations></template>
<clone id="set"><meta_attributes id="set-m"><nvpair id="set-m-p" name="promotable" value="true"/></meta_attributes>
<primitive id="one" template="db"><instance_attributes id="one-p"><nvpair id="one-p-d" name="datadir" value="/mine"/>
</instance_attributes><operations><op id="one-s" name="start" interval="0" timeout="200s"/></operations></primitive></clone>
<primitive id="ip" class="ocf" provider="backstay" type="vip"><instance_attributes id="ip-p">
<nvpair id-ref="shared" name="ip"/></instance_attributes><meta_attributes id-ref="ip-meta"/></primitive>
<primitive id="other" class="ocf" provider="backstay" type="vip"><instance_attributes id="other-p">
<nvpair id="shared" name="ip" value="10.0.0.1"/></instance_attributes><meta_attributes id="ip-meta">
<nvpair id="ip-meta-f" name="failure-timeout" value="30s"/></meta_attributes></primitive>"""
FORMS = {
    "plain": (
        '<rsc_colocation id="c" score="INFINITY" rsc="ip" with-rsc="set" with-rsc-role="Promoted"/>'
        '<rsc_order id="p" first="set" first-action="promote" then="ip" then-action="start"/>'
        '<rsc_order id="d" first="set" first-action="demote" then="ip" then-action="stop"/>'
    ),
    "by the primitive's name": (
        '<rsc_colocation id="c" score="INFINITY" rsc="ip" with-rsc="one" with-rsc-role="Master"/>'
        '<rsc_order id="p" first="one" first-action="promote" then="ip" then-action="start"/>'
        '<rsc_order id="d" first="one" first-action="demote" then="ip" then-action="stop"/>'
    ),
    "sets": (
        '<rsc_colocation id="c" score="INFINITY"><resource_set id="c1"><resource_ref id="ip"/><resource_ref id="other"/>'
        '</resource_set><resource_set id="c2" role="Promoted"><resource_ref id="set"/></resource_set></rsc_colocation>'
        '<rsc_order id="p" kind="Mandatory"><resource_set id="p1" action="promote"><resource_ref id="set"/></resource_set>'
        '<resource_set id="p2" action="start" sequential="false"><resource_ref id="other"/><resource_ref id="ip"/>'
        "</resource_set></rsc_order>"
        '<rsc_order id="d"><resource_set id="d1" action="demote"><resource_ref id="set"/></resource_set>'
        '<resource_set id="d2" action="stop"><resource_ref id="ip"/></resource_set></rsc_order>'
    ),
    "tags": (
        '<rsc_colocation id="c" score="INFINITY" rsc="addresses" with-rsc="set" with-rsc-role="Promoted"/>'
        '<rsc_order id="p" first="set" first-action="promote" then="addresses" then-action="start"/>'
        '<rsc_order id="d" first="set" first-action="demote" then="addresses" then-action="stop"/>'
    ),
    "the template's name": (
        '<rsc_colocation id="c" score="INFINITY" rsc="ip" with-rsc="db" with-rsc-role="Promoted"/>'
        '<rsc_order id="p" first="db" first-action="promote" then="ip" then-action="start"/>'
        '<rsc_order id="d" first="db" first-action="demote" then="ip" then-action="stop"/>'
    ),
}
TAGS = '<tags><tag id="addresses"><obj_ref id="ip"/><obj_ref id="other"/></tag></tags>'
NOT_MEMBERS: Rule = Rule("-INFINITY", "and", ({"attribute": "#kind", "operation": "ne", "value": "cluster"},))
OFF_REMOTES = Constraint("location", "on-members", {"rsc": "mysql-clone"}, NOT_MEMBERS)


def configured(constraints: str) -> Cluster:
    return read(
        MONITOR,
        f"<cib><configuration><crm_config/><nodes/><resources>{TEMPLATE}</resources><constraints>{constraints}</constraints>"
        f"{TAGS}</configuration></cib>",
    )


def with_remote(*more: Constraint, guest: bool = False) -> Cluster:
    """n4 beside the three: a remote node, or a bundle's container."""
    whole = cluster()
    node = Node("n4", True, id="n4", remote=True, guest=guest)
    return whole._replace(nodes=(*whole.nodes, node), constraints=(*whole.constraints, *more))


def configuration_findings(of: Cluster, resource: str) -> list[Finding]:
    found = of.resource(resource)
    assert found is not None
    return [one for service in advices_of(of) if service.resource == found for one in service.configuration(of)]


def test_a_resource_made_of_a_template_has_what_the_template_says_unless_it_says_otherwise() -> None:
    one = configured("").resource("set")
    assert one is not None and (one.id, one.agent, one.promotable) == ("one", "ocf:backstay:mysql", True)
    assert one.parameters == {"writer_address": "10.0.0.1", "datadir": "/mine"}
    assert [(op.name, op.timeout) for op in one.operations] == [("start", 200.0), ("monitor", 15.0)]


def test_references_by_id_are_followed() -> None:
    one = configured("").resource("ip")
    assert one is not None and one.parameters == {"ip": "10.0.0.1"} and one.meta["failure-timeout"] == "30s"


@pytest.mark.parametrize("form", FORMS)
def test_an_address_is_bound_in_whatever_form_it_is_said(form: str) -> None:
    said = [one.what for one in configuration_findings(configured(FORMS[form]), "set")]
    assert [what for what in said if "bound" in what or "may st" in what] == []


@pytest.mark.parametrize("form", ["plain", "sets", "tags"])
def test_without_one_of_the_constraints_it_is_told(form: str) -> None:
    for name, told in (("c", "not bound"), ("p", "may start"), ("d", "may stop")):
        left = re.sub(rf'<(rsc_\w+) id="{name}"([^>]*/>|.*?</\1>)', "", FORMS[form])
        said = configuration_findings(configured(left), "set")
        assert any(told in one.what for one in said), (form, name)


def test_a_planned_move_takes_along_what_a_set_binds() -> None:
    sets = Constraint("colocation", "c", {**TOGETHER, "with-rsc": "mysql"})
    found = plan(of := cluster(constraints=(sets,)), advices_of(of))
    assert isinstance(found, Plan) and [one.id for one in found.followers] == ["mysql-writer"]


@pytest.mark.parametrize(
    "location",
    [
        Constraint("location", "away", {"rsc": "mysql-clone", "node": "n3", "score": "-INFINITY"}),
        Constraint("location", "away", {"rsc": "mysql", "node": "N3", "score": "-INFINITY"}),
        Constraint("location", "away", {"rsc-pattern": "^mysql-cl", "node": "n3", "score": "-INFINITY"}),
        Constraint(
            "location",
            "away",
            {"rsc": "mysql-clone"},
            Rule("-INFINITY", "or", ({"attribute": "#uname", "operation": "eq", "value": "n3"}, {})),
        ),
    ],
)
def test_a_clone_kept_from_a_node_by_a_location_is_not_missed_there(location: Constraint) -> None:
    whole = cluster()
    gone = whole._replace(
        instances=tuple(one for one in whole.instances if one.node != "n3"),
        facts={"mysql": "epoch=3 primary=n1 gtid=0-1-55 sync=n2 solo=no"},
    )
    assert any(one.subject == "mysql on n3" for one in judge(gone, advices_of(gone)))
    kept = gone._replace(constraints=(*gone.constraints, location))
    assert judge(kept, advices_of(kept)) == []
    two = kept.resources[1]._replace(meta={**kept.resources[1].meta, "clone-max": "2"})
    assert [
        one.what for one in configuration_findings(kept._replace(resources=(two, kept.resources[2])), "mysql")
    ] == []


@pytest.mark.parametrize(
    "location",
    [
        Constraint("location", "rather", {"rsc": "mysql-clone", "node": "n3", "score": "-100"}),
        Constraint("location", "role", {"rsc": "mysql-clone", "node": "n3", "score": "-INFINITY", "role": "Promoted"}),
        Constraint("location", "other", {"rsc": "other", "node": "n3", "score": "-INFINITY"}),
        Constraint("location", "at night", {"rsc": "mysql-clone"}, Rule("-INFINITY", "and", ({},))),
    ],
)
def test_one_that_only_advises_does_not_excuse_it(location: Constraint) -> None:
    whole = cluster()
    gone = whole._replace(instances=tuple(one for one in whole.instances if one.node != "n3"), constraints=(location,))
    assert any(one.subject == "mysql on n3" for one in judge(gone, advices_of(gone)))


def test_where_nodes_must_be_allowed_the_others_are_not_missed() -> None:
    allowed = tuple(
        Constraint("location", name, {"rsc": "mysql-clone", "node": name, "score": "0"}) for name in ("n1", "n2")
    )
    whole = cluster(options={"stonith-enabled": "true", "symmetric-cluster": "false"}, constraints=allowed)
    mysql = whole.resource("mysql")
    assert mysql is not None and [whole.kept_off(mysql, node) for node in whole.nodes] == [False, False, True]


def test_remote_nodes_that_a_rule_keeps_free_are_no_fault() -> None:
    of = with_remote(OFF_REMOTES)
    mysql = of.resource("mysql")
    assert mysql is not None and judge(of, advices_of(of)) == []
    assert list(preflight.remotes(of, mysql)) == [] and configuration_findings(of, "mysql") == []


def test_remote_nodes_on_which_the_set_would_start_are_named() -> None:
    of = with_remote()
    mysql = of.resource("mysql")
    assert mysql is not None
    [found] = preflight.remotes(of, mysql)
    assert found.level == "error" and found.what.startswith("n4 runs Pacemaker Remote") and "#kind" in found.remedy


def test_a_container_needs_no_fence_device_and_a_remote_node_does() -> None:
    assert [one.what for one in preflight.fencing(with_remote(guest=True), frozenset({"n1", "n2", "n3"}))] == []
    assert any("for n4" in one.what for one in preflight.fencing(with_remote(), None))


def test_a_remote_node_is_spared_the_advice_on_corosync() -> None:
    assert [one.what for one in preflight.host(Host("n4", remote=True))] == []
    assert any("corosync.conf" in one.what for one in preflight.host(Host("n1")))


def test_a_watchdog_is_fencing_without_a_device() -> None:
    options = {"stonith-enabled": "true", "have-watchdog": "true", "stonith-watchdog-timeout": "10s"}
    without = tuple(one for one in cluster().resources if not one.fences)
    assert list(preflight.fencing(cluster(options=options, resources=without), None)) == []
    new = {
        name.replace("stonith-", "fencing-"): value for name, value in options.items()
    }  # as Pacemaker 3.0.3 calls them
    assert list(preflight.fencing(cluster(options=new, resources=without), None)) == []
    for lacking in ({"have-watchdog": "false"}, {"stonith-watchdog-timeout": "0s"}):
        found = preflight.fencing(cluster(options={**options, **lacking}, resources=without), None)
        assert any("no fence device" in one.what for one in found)


def test_a_cluster_that_trusts_what_it_has_not_seen_is_told() -> None:
    options = {"stonith-enabled": "true", "startup-fencing": "false"}
    assert any("startup-fencing=false" in one.what for one in preflight.fencing(cluster(options=options), None))
    assert with_node("n1").options.get("startup-fencing") is None


def test_crm_mon_tells_remote_nodes_and_containers() -> None:
    nodes = '<node name="n4" id="n4" type="remote"/><node name="b-0" type="remote" id_as_resource="b"/>'
    found = read(MONITOR.replace("</nodes>", f"{nodes}</nodes>"), "<cib><configuration/></cib>").nodes
    assert [(one.name, one.kind) for one in found[2:]] == [("n4", "remote"), ("b-0", "container")]


@pytest.mark.parametrize(("policy", "told"), [("stop", True), ("kill", True), ("continue", False), ("", False)])
def test_one_process_killed_for_memory_must_not_end_them_all(policy: str, told: bool) -> None:
    found = [one for one in preflight.host(Host("n1", remote=True, oom_policy=policy)) if "OOMPolicy" in one.what]
    assert [one.remedy for one in found] == ([preflight.CONTINUE] if told else [])
