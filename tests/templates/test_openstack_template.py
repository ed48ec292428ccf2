"""All services in one cluster, loaded by crmsh and run through Pacemaker's own scheduler: each goes on after any node is lost,
and what fails in one moves nothing of the others."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_readers_template import Cluster  # type: ignore[import-not-found]

VALUES = {
    "writer_ip": "10.77.0.100",
    "monitor_password": "m0nitor",
    "replication_password": "r3plicate",
    "reader_ip_1": "10.77.0.101",
    "reader_ip_2": "10.77.0.102",
    "haproxy_ip": "10.77.0.110",
    "cookie": "c00kie",
    "definitions": "/etc/rabbitmq/definitions.json",
}
ADDRESSES = {"mysql-writer", "mysql-reader-1", "mysql-reader-2", "haproxy-address"}
CLONE = re.compile(r"Clone Set: \S+-clone \[(\w+)\]")
ROLE = re.compile(r"\* (Promoted|Unpromoted|Started): \[ ([^\]]+) \]")
ACTION = re.compile(r"Resource action: (\S+) +(start|stop|promote|demote) on (n\d)")


def control_plane(chamber: Chamber, directory: Path, count: int) -> Cluster:
    """All of it runs: every server may be promoted and read, those of n1 are promoted."""
    nodes = [f"n{number}" for number in range(1, count + 1)]
    cluster = Cluster(chamber, directory, nodes, {"openstack": {**VALUES, "nodes": str(count)}})
    chamber("".join(f"crm_attribute --utilization -N {node} -n reader -v 2\n" for node in nodes))
    scores = {node: str(100 - number) for number, node in enumerate(nodes)}
    cluster.attributes(master_mysql=scores, master_rabbitmq=scores, mysql_readable=dict.fromkeys(nodes, "1"))
    cluster.settle()
    chamber("cp cib.xml whole.xml")
    return cluster


@pytest.fixture
def three(chamber: Chamber, tmp_path: Path) -> Cluster:
    return control_plane(chamber, tmp_path, 3)


def complaints(cluster: Cluster) -> list[str]:
    """Of crmsh, but for a meta attribute that its 4.4 does not know, and sets."""
    return [line for line in cluster.said.splitlines() if "unknown attribute 'critical'" not in line]


def clones(cluster: Cluster) -> dict[tuple[str, str], set[str]]:
    """(resource, role) -> nodes."""
    found: dict[tuple[str, str], set[str]] = {}
    resource = ""
    for line in cluster.chamber("crm_simulate -L -x cib.xml").out.splitlines():
        if clone := CLONE.search(line):
            resource = clone[1]
        elif role := ROLE.search(line):
            found[resource, role[1]] = set(role[2].split())
    return found


def assert_serves(cluster: Cluster, placed: dict[str, str], lost: set[str]) -> None:
    """Everything is there, on nodes that are there."""
    left, roles = set(cluster.nodes) - lost, clones(cluster)
    assert set(placed) == ADDRESSES and set(placed.values()) <= left
    for resource in ("mysql", "rabbitmq"):
        assert len(roles[resource, "Promoted"]) == 1
        assert roles[resource, "Promoted"] | roles.get((resource, "Unpromoted"), set()) == left
    assert roles["haproxy", "Started"] == left
    assert {placed["mysql-writer"]} == roles["mysql", "Promoted"]
    readers = {placed["mysql-reader-1"], placed["mysql-reader-2"]}
    assert readers & roles["mysql", "Promoted"] == set()
    assert len(readers) == min(2, len(left) - 1)


def test_it_serves_and_the_rest_does_after_the_loss_of_any_node(three: Cluster) -> None:
    assert complaints(three) == [] and three.verified() == ""
    assert_serves(three, three.placed(), set())
    for lost in three.nodes:
        three.chamber("cp whole.xml cib.xml")
        assert_serves(three, three.settle("--node-fail", lost), {lost})


@pytest.mark.slow
def test_two_of_four_serve_after_the_loss_of_any_two(chamber: Chamber, tmp_path: Path) -> None:
    """With quorum, which two of four have when the vote has a third party (a quorum device), or the losses come in turn."""
    four = control_plane(chamber, tmp_path, 4)
    assert complaints(four) == [] and four.verified() == ""
    for one, other in combinations(four.nodes, 2):
        chamber("cp whole.xml cib.xml")
        assert_serves(four, four.settle("--node-fail", one, "--node-fail", other), {one, other})


def test_what_fails_in_one_service_moves_nothing_of_the_others(three: Cluster) -> None:
    for operation, concerned in (
        ("mysql_asyncmon_0@n1=1", {"mysql", "mysql-writer", "mysql-reader-1", "mysql-reader-2"}),
        ("mysql_monitor_5000@n2=1", {"mysql", "mysql-reader-1", "mysql-reader-2"}),
        ("rabbitmq_asyncmon_0@n1=1", {"rabbitmq"}),
        ("rabbitmq_monitor_4000@n2=1", {"rabbitmq"}),
        ("haproxy_asyncmon_0@n3=1", {"haproxy"}),
        ("mysql-writer_asyncmon_0@n1=1", {"mysql-writer"}),
    ):
        done = three.chamber(f"crm_simulate -S -x cib.xml -O next.xml --op-inject {operation}").out
        moved = {what.partition(":")[0] for what, _, _ in ACTION.findall(done)}
        assert moved and moved <= concerned, operation
