"""What an agent reads of crm_mon: here, a set with one node in maintenance, as Pacemaker 2.1.5 shows it."""

from __future__ import annotations

import pytest

from backstay.cluster.model import Cluster, Instance
from backstay.cluster.overview import Ends, parse_ends, parse_overview
from backstay.ocf.errors import AgentError

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


@pytest.mark.parametrize(
    ("options", "enabled"),
    [
        ('stonith-enabled="true"', True),
        ('stonith-enabled="false"', False),
        ('fencing-enabled="true"', True),  # as Pacemaker 3 may call it
        ('fencing-enabled="false"', False),
        ('stonith-enabled="true" fencing-enabled="false"', False),
        ('stonith-enabled="false" fencing-enabled="true"', False),
        ('stonith-enabled="true" fencing-enabled="true"', True),
    ],
)
def test_fencing_by_both_of_its_names(options: str, enabled: bool) -> None:
    status = STATUS.format(mode="false", first="true").replace('stonith-enabled="true"', options)
    assert parse_overview(status, "db").fencing is enabled
    configured = dict(pair.replace('"', "").split("=") for pair in options.split())
    assert Cluster(options=configured).fencing is enabled


def test_fencing_that_nothing_is_said_of() -> None:
    """Pacemaker fences by default; a decision needs its word."""
    status = STATUS.format(mode="false", first="true").replace('stonith-enabled="true"', "")
    assert not parse_overview(status, "db").fencing
    assert Cluster().fencing


def test_instances_are_where_the_resource_runs() -> None:
    """By the roles' new names, whichever the cluster uses."""
    status = STATUS.format(mode="false", first="true").replace('"Promoted"', '"Master"').replace("Unpromoted", "Slave")
    seen = parse_overview(status, "db")
    promoted, other = (Instance("db", node, "", clone="db-clone") for node in ("n1", "n2"))
    assert seen.instances == (promoted._replace(role="Promoted"), other._replace(role="Unpromoted", managed=False))
    assert seen.idle == frozenset()
    # one that failed and runs there no more is none, though crm_mon names its node
    ended = status.replace('role="Slave" active="true"', 'role="Slave" active="false" failed="true"')
    assert parse_overview(ended, "db").idle == {"n2"}


def end(*operations: str, lrm: bool = True, published: str = "", others: str = "") -> Ends:
    """Of db on n2. operations: "operation rc call-id [status]"."""
    rows = "".join(
        '<lrm_rsc_op operation="{}" rc-code="{}" call-id="{}" op-status="{}"/>'.format(*(*row.split(), "0")[:4])
        for row in operations
    )
    own = f'<lrm_resource id="db">{rows}</lrm_resource>' if rows else ""
    history = f"<lrm><lrm_resources>{others}{own}</lrm_resources></lrm>" if lrm else ""
    attributes = f'<transient_attributes><nvpair name="{published}" value="1"/></transient_attributes>'
    return parse_ends(f'<status><node_state uname="n2">{attributes}{history}</node_state></status>', "db")["n2"]


def test_what_the_history_says_of_an_end() -> None:
    """As Pacemaker 2.1.5 and 3.0.3 leave it."""
    assert end("start 0 15", "stop 0 21") is end("monitor 7 9") is end("stop 0 21", "monitor 0 16") is Ends.STOPPED
    assert end("start 0 15", "monitor 0 16") is end("stop 0 21", "start 0 22") is Ends.STARTED
    assert end("stop 1 21") is end("monitor 8 9") is end("promote 0 5") is Ends.STARTED
    assert end("stop 0 21", "start 193 -1 -1") is Ends.STARTED  # under way
    assert end(lrm=False) is Ends.FENCED
    # a refresh wipes the history of one resource, or of all: what the instance published is still there
    assert end(published="db-readable") is end(published="master-db") is Ends.REFRESHED
    assert end(published="other-readable", others='<lrm_resource id="ip"/>') is end() is Ends.NEVER


def test_a_history_that_is_none_is_an_error() -> None:
    with pytest.raises(AgentError):
        parse_ends("<status>", "db")
    assert end("stop 0 x") is Ends.STOPPED and end("start 0 ²") is Ends.STARTED
