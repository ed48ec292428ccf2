"""What an agent reads of Pacemaker's own tools, in the interpreter that agents have: without the site's packages."""

from __future__ import annotations

from pathlib import Path

from acting import Chamber

CIB = """<cib crm_feature_set="3.16.2" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="1" have-quorum="1">
<configuration><crm_config><cluster_property_set id="options">
<nvpair id="o1" name="stonith-enabled" value="true"/><nvpair id="o2" name="maintenance-mode" value="false"/>
</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/><node id="3" uname="n3"/></nodes>
<resources><clone id="db-clone"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>
<primitive id="db" class="ocf" provider="pacemaker" type="Stateful"/></clone></resources><constraints/></configuration>
<status>{states}</status></cib>"""
STATE = """<node_state id="{0}" uname="n{0}" in_ccm="{1}" crmd="{2}" join="{3}" expected="{3}">
<lrm id="{0}"><lrm_resources><lrm_resource id="db" class="ocf" provider="pacemaker" type="Stateful">
<lrm_rsc_op id="db_last_0" operation="{4}" operation_key="db_{4}_0" call-id="9" rc-code="0" op-status="0" interval="0"
 transition-key="1:1:0:a" transition-magic="0:0;1:1:0:a" crm-debug-origin="x" crm_feature_set="3.16.2"/>
</lrm_resource></lrm_resources></lrm></node_state>"""
ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from backstay.cluster.pacemaker import Pacemaker
from backstay.host.deadline import Deadline
assert not {"lxml", "enum"} & set(sys.modules)
seen = Pacemaker("db", "n1", "/run/backstay/db", Deadline(20)).overview(ends=True)
for one in seen.instances:
    print("instance", one.node, one.role, one.managed)
print("nodes", *sorted(seen.online), "/", *sorted(seen.offline), "/", *sorted(seen.unclean))
print("ends", *(f"{node} {end.value}" for node, end in sorted(seen.ends.items())))
print("fencing", seen.fencing, seen.maintenance)
"""


def test_an_agent_reads_what_crm_mon_and_the_cib_say(chamber: Chamber, tmp_path: Path) -> None:
    states = [
        STATE.format(1, "true", "online", "member", "promote"),
        STATE.format(2, "true", "online", "member", "start"),
    ]
    states.append(STATE.format(3, "false", "offline", "down", "stop"))
    (tmp_path / "cib.xml").write_text(CIB.format(states="".join(states)))
    (tmp_path / "ask.py").write_text(ASK)
    said = chamber("python3 -IS ask.py /usr/lib/ocf/lib").out
    assert said.splitlines() == [
        "instance n1 Promoted True",
        "instance n2 Unpromoted True",
        "nodes n1 n2 / n3 /",
        "ends n3 stopped",
        "fencing True False",
    ]
