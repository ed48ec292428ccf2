"""What an agent reads of crm_mon: here, a set with one node in maintenance, as Pacemaker 2.1.5 shows it."""

from __future__ import annotations

from backstay.pacemaker import parse_overview

STATUS = """<pacemaker-result><summary>
<current_dc present="true" name="n1" with_quorum="true"/>
<cluster_options stonith-enabled="true" maintenance-mode="{mode}"/></summary>
<nodes><node name="n1" online="true" unclean="false" maintenance="false"/>
<node name="n2" online="true" unclean="false" maintenance="true"/></nodes>
<resources><clone id="db-clone" managed="true">
<resource id="db" role="Promoted" active="true" managed="{first}"><node name="n1"/></resource>
<resource id="db" role="Unpromoted" active="true" managed="false"><node name="n2"/></resource>
</clone></resources></pacemaker-result>"""


def managed(mode: str, first: str) -> tuple[bool, dict[str, bool]]:
    overview = parse_overview(STATUS.format(mode=mode, first=first), "db")
    return overview.maintenance, {instance.node: instance.managed for instance in overview.instances}


def test_a_node_in_maintenance_is_that_nodes_affair() -> None:
    """The watchers of the other nodes go on telling."""
    assert managed("false", "true") == (False, {"n1": True, "n2": False})


def test_maintenance_mode_is_everybodys() -> None:
    assert managed("true", "false") == (True, {"n1": False, "n2": False})
