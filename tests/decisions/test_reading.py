"""crm_mon's XML and the CIB as Pacemaker 2.1 writes them, read into values."""

from __future__ import annotations

import pytest

from backstay.cluster.model import Failure, Instance, Operation
from backstay.cluster.xml import parse, read, seen
from backstay.ocf.errors import AgentError

MONITOR = """<pacemaker-result api-version="2.25"><summary>
<current_dc present="true" version="2.1.5" name="n3" id="3" with_quorum="true"/></summary>
<nodes>
<node name="n1" online="true" standby="false" maintenance="false" pending="false" unclean="false" shutdown="false"/>
<node name="n2" online="false" standby="true" maintenance="false" pending="false" unclean="true" shutdown="false"/>
</nodes>
<resources>
<clone id="db_x-clone" multi_state="true"><resource id="db_x" resource_agent="ocf:backstay:mysql" role="Master"
 active="true" orphaned="false" blocked="false" managed="false" failed="false"><node name="n1"/></resource>
<resource id="db_x" resource_agent="ocf:backstay:mysql" role="Stopped" active="false" orphaned="false" blocked="false"
 managed="true" failed="false"/></clone>
</resources>
<node_attributes><node name="n1"><attribute name="db_x-state" value="ok"/></node></node_attributes>
<failures>
<failure op_key="db_x_monitor_3000" node="n1" exitstatus="promoted (degraded)" exitreason="alone" exitcode="191"/>
<failure op_key="db_x_start_0" node="n2" exitstatus="error" exitreason="no space" exitcode="1" task="start"
 last-rc-change="2026-11-24 22:31:22Z"/>
</failures></pacemaker-result>"""
CIB = """<cib><configuration><crm_config>
<cluster_property_set id="cib-bootstrap-options"><nvpair name="cluster-name" value="lab"/>
<nvpair name="dc-version" value="2.1.5-a3f44"/></cluster_property_set>
<cluster_property_set id="backstay"><nvpair name="db_x-facts" value="epoch=1"/></cluster_property_set>
</crm_config><nodes/><resources><clone id="db_x-clone"><meta_attributes><nvpair name="promotable" value="true"/>
<nvpair name="resource-stickiness" value="1"/></meta_attributes><primitive id="db_x" class="ocf" provider="backstay"
 type="mysql"><!-- a word --><instance_attributes><nvpair name="datadir" value="/d"/></instance_attributes>
<meta_attributes><nvpair name="resource-stickiness" value="5"/></meta_attributes>
<operations><op name="monitor" interval="3s" timeout="1min" role="Master" on-fail="demote"/></operations>
</primitive></clone></resources>
<constraints><rsc_location id="cli-prefer-db" rsc="db_x-clone" node="n1" score="INFINITY"/>
<rsc_colocation id="with" rsc="ip" with-rsc="db_x-clone" with-rsc-role="Master" score="INFINITY"/></constraints>
</configuration></cib>"""


def test_both_are_read() -> None:
    cluster = read(MONITOR, CIB)
    assert (cluster.name, cluster.version, cluster.quorum, cluster.dc) == ("lab", "2.1.5", True, "n3")
    assert [(node.name, node.state) for node in cluster.nodes] == [("n1", "online"), ("n2", "unclean")]
    assert cluster.attribute("n1", "db_x-state") == "ok"
    assert cluster.instances == (
        Instance("db_x", "n1", "Promoted", managed=False, clone="db_x-clone"),
        Instance("db_x", "", "Stopped", clone="db_x-clone"),
    )
    assert cluster.degraded == (Failure("db_x", "n1", "monitor", 191, "alone"),)
    assert cluster.failures == (Failure("db_x", "n2", "start", 1, "no space", "2026-11-24 22:31:22Z"),)
    assert cluster.facts == {"db_x": "epoch=1"}
    [resource] = cluster.resources
    assert (resource.agent, resource.handle, resource.promotable) == ("ocf:backstay:mysql", "db_x-clone", True)
    assert resource.meta["resource-stickiness"] == "5"  # its own before its clone's
    assert resource.operations == (Operation("monitor", 3.0, 60.0, "Promoted", "demote"),)
    assert [(one.kind, one.id) for one in cluster.constraints] == [
        ("location", "cli-prefer-db"),
        ("colocation", "with"),
    ]
    assert cluster.constraints[1].attributes["with-rsc-role"] == "Promoted"


def test_what_is_no_xml_is_an_error() -> None:
    with pytest.raises(AgentError, match="crm_mon gave no readable XML"):
        read("oops", CIB)


def test_defaults_of_all_resources_count_where_a_resource_says_nothing() -> None:
    defaults = """<rsc_defaults><meta_attributes id="d"><nvpair name="failure-timeout" value="60s"/>
<nvpair name="resource-stickiness" value="9"/></meta_attributes><meta_attributes id="e"><rule id="r"/>
<nvpair name="migration-threshold" value="7"/></meta_attributes></rsc_defaults></configuration>"""
    of = read(MONITOR, CIB.replace("</configuration>", defaults)).resource("db_x")
    assert of is not None and of.meta["failure-timeout"] == "60s" and of.meta["resource-stickiness"] == "5"
    assert "migration-threshold" not in of.meta  # for some of them alone


def test_what_is_being_done_to_an_instance_is_seen() -> None:
    starting = MONITOR.replace('role="Master"', 'role="Started" pending="Starting"')
    found = read(starting, CIB).active("db_x")[0]
    assert found.pending == "Starting" and not found.settled
    assert read(MONITOR, CIB).active("db_x")[0].settled


def test_what_is_configured_is_not_taken_from_what_is_shown() -> None:
    """crm_mon shows defaults as if somebody had set them."""
    shown = MONITOR.replace("</summary>", '<cluster_options stonith-enabled="true"/></summary>')
    assert seen(parse(shown, "crm_mon")).options == {"stonith-enabled": "true"}
    assert read(shown, CIB).options == {"cluster-name": "lab", "dc-version": "2.1.5-a3f44"}


def test_odd_results_are_read_as_far_as_they_say_something() -> None:
    odd = MONITOR.replace('op_key="db_x_start_0"', 'op_key="oops"').replace('exitcode="1" task="start"', 'exitcode="²"')
    assert read(odd, CIB).failures == (Failure("oops", "n2", "", 0, "no space", "2026-11-24 22:31:22Z"),)
    assert read(MONITOR.replace('op_key="db_x_start_0"', ""), CIB).failures == ()


# What Pacemaker 2.1.5 has in the CIB of a promoted instance: number, what was done, its result, what was expected.
HISTORY = """<status><node_state id="1" uname="n1"><lrm id="1"><lrm_resources><lrm_resource id="db_x">{}</lrm_resource>
</lrm_resources></lrm></node_state></status></cib>"""
OPERATION = """<lrm_rsc_op id="db_x_{id}" operation="{done}" call-id="{number}" rc-code="{code}" op-status="{status}"
 interval="{interval}" transition-key="5:7:{expected}:3d339c2f"/>"""


def operation(number: int, done: str, code: int = 0, expected: int = 0, interval: int = 0) -> str:
    pending = number < 0
    name = f"monitor_{interval}" if interval else "last_0"
    return OPERATION.format(
        id=name,
        done=done,
        number=number,
        code=193 if pending else code,
        status=-1 if pending else 0,
        interval=interval,
        expected=expected,
    )


PROMOTED = operation(22, "monitor", 8, 8, 3000)


@pytest.mark.parametrize(
    ("case", "history", "confirming"),
    [
        ("reloaded, not yet looked at", [operation(23, "start"), PROMOTED], True),
        ("reloaded, a look under way", [operation(23, "start"), operation(-1, "monitor", 0, 8, 3000)], True),
        ("reloaded, looked at", [operation(23, "start"), operation(24, "monitor", 8, 8, 3000)], False),
        ("no more", [operation(23, "start"), operation(24, "monitor", 0, 8, 3000)], False),
        ("being reloaded", [operation(-1, "monitor"), PROMOTED], True),
        ("being reloaded, by its name", [operation(-1, "reload-agent"), PROMOTED], True),
        ("a replica being reloaded", [operation(-1, "monitor"), operation(22, "monitor", 0, 0, 5000)], False),
        ("being probed", [operation(-1, "monitor", expected=7), PROMOTED], False),
        ("being started", [operation(-1, "start"), PROMOTED], False),
        ("demoted", [operation(23, "demote"), PROMOTED], False),
        ("started anew", [operation(30, "start"), PROMOTED, operation(-1, "monitor", 0, 0, 5000)], False),
        ("a replica", [operation(23, "start"), operation(22, "monitor", 0, 0, 5000)], False),
        ("the start failed", [operation(23, "start", 1), PROMOTED], False),
    ],
)
def test_a_promoted_instance_that_was_reloaded_is_told_from_one_that_was_started(
    case: str, history: list[str], confirming: bool
) -> None:
    whole = CIB.replace("</cib>", HISTORY.format("".join(history)))
    assert [one.confirming for one in read(MONITOR, whole).active("db_x")] == [confirming], case


RESULT = """<lrm_rsc_op id="{id}" operation="{done}" rc-code="{code}" op-status="{status}" interval="{interval}"
 last-rc-change="{at}"/>"""


def result(id: str, done: str, at: int, code: int = 0, interval: int = 3000) -> str:
    return RESULT.format(id=id, done=done, code=code, status=-1 if code == 193 else 0, interval=interval, at=at)


@pytest.mark.parametrize(
    ("case", "history", "lasts"),
    [
        ("never well", [result("db_x_last_0", "start", 50, interval=0)], True),
        ("well before", [result("db_x_monitor_3000", "monitor", 60)], True),
        ("well since", [result("db_x_monitor_3000", "monitor", 80)], False),
        ("another monitor is well", [result("db_x_monitor_9000", "monitor", 80, interval=9000)], True),
        ("started again", [result("db_x_last_0", "start", 80, interval=0)], False),
        ("being stopped", [result("db_x_last_0", "stop", 80, code=193, interval=0)], True),
    ],
)
def test_a_degraded_result_that_the_history_keeps_is_told_while_it_lasts(
    case: str, history: list[str], lasts: bool
) -> None:
    kept = result("db_x_last_failure_0", "monitor", 70, code=191)
    whole = CIB.replace("</cib>", HISTORY.format("".join([kept, *history])))
    assert bool(read(MONITOR, whole).degraded) is lasts, case
