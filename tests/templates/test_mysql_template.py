"""The template, loaded by crmsh and run through Pacemaker's own scheduler: the right promotion, the right order, and no
needless step."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]

from backstay.admin.templates import load, render

FENCING = 'primitive fencing stonith:fence_backstay_lab params pcmk_host_check=static-list pcmk_host_list="{nodes}"\n'
ACTION = re.compile(
    r"Resource action: (?P<what>mysql(?:-writer)?)(?::\d+)? +(?P<how>start|stop|promote|demote) on (?P<where>n\d)"
)
FENCE = re.compile(r"Fencing (?P<where>n\d)")


def cib(nodes: list[str]) -> str:
    """A cluster without resources in which all nodes are online."""
    names = "".join(f'<node id="{number}" uname="{node}"/>' for number, node in enumerate(nodes, 1))
    states = "".join(
        f'<node_state id="{number}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member"/>'
        for number, node in enumerate(nodes, 1)
    )
    return (
        '<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.7" admin_epoch="0" epoch="1" num_updates="0"'
        f' have-quorum="1" dc-uuid="1"><configuration><crm_config/><nodes>{names}</nodes><resources/><constraints/>'
        f"</configuration><status>{states}</status></cib>"
    )


def steps(simulation: str) -> list[str]:
    """What the scheduler does, in order, as "mysql promote n2" or "fence n1"; monitors and their ends are left out."""
    found = []
    for line in simulation.splitlines():
        if fence := FENCE.search(line):
            found.append(f"fence {fence['where']}")
        elif action := ACTION.search(line):
            found.append(f"{action['what']} {action['how']} {action['where']}")
    return found


class Cluster:
    """A cluster in a file. The scheduler's proposals are carried out only by `settle`."""

    def __init__(self, chamber: Chamber, directory: Path, nodes: list[str]) -> None:
        self.chamber = chamber
        self.nodes = nodes
        values = {
            "writer_ip": "10.77.0.100",
            "nodes": str(len(nodes)),
            "monitor_password": "m0nitor",
            "replication_password": "r3plicate",
        }
        (directory / "cib.xml").write_text(cib(nodes))
        (directory / "mysql.crm").write_text(FENCING.format(nodes=" ".join(nodes)) + render(load("mysql"), values))
        self.loaded = chamber("crm configure load update mysql.crm")

    def score(self, **scores: str) -> None:
        for node, score in scores.items():
            self.chamber(f"crm_attribute -N {node} -n master-mysql -l reboot -v {score}")

    def propose(self, *events: str) -> list[str]:
        return steps(self.chamber(f"crm_simulate -S -x cib.xml -O next.xml {' '.join(events)}").out)

    def settle(self) -> list[str]:
        done = self.propose()
        self.chamber("mv next.xml cib.xml")
        return done


@pytest.fixture
def three(chamber: Chamber, tmp_path: Path) -> Cluster:
    """Three nodes with the set running, n1 promoted, n2 the next best."""
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"])
    cluster.score(n1="1000", n2="900", n3="800")
    cluster.settle()
    return cluster


@pytest.mark.parametrize("count", [2, 3])
def test_it_loads_without_a_complaint(chamber: Chamber, tmp_path: Path, count: int) -> None:
    cluster = Cluster(chamber, tmp_path, [f"n{number}" for number in range(1, count + 1)])
    assert (cluster.loaded.out + cluster.loaded.err).strip() == ""
    verified = chamber("crm_verify -V -x cib.xml")
    assert (verified.out + verified.err).strip() == ""


def test_a_new_set_starts_everywhere_then_promotes_then_takes_the_address(chamber: Chamber, tmp_path: Path) -> None:
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"])
    cluster.score(n1="1000", n2="900", n3="800")
    done = cluster.settle()
    starts = [f"mysql start {node}" for node in cluster.nodes]
    assert sorted(done) == sorted([*starts, "mysql promote n1", "mysql-writer start n1"])
    assert max(map(done.index, starts)) < done.index("mysql promote n1") < done.index("mysql-writer start n1")
    assert cluster.propose() == []


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ("n1", ["fence n1", "mysql promote n2", "mysql-writer start n2"]),
        ("n2", ["fence n2"]),
        ("n3", ["fence n3"]),
    ],
)
def test_the_loss_of_a_node_costs_exactly_these_steps(three: Cluster, lost: str, expected: list[str]) -> None:
    assert three.propose("--node-fail", lost) == expected


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        # Nobody waits for the failed server to come back.
        (
            "mysql_monitor_3000@n1=1",
            ["mysql demote n1", "mysql-writer stop n1", "mysql stop n1", "mysql promote n2", "mysql-writer start n2"],
        ),
        (
            "mysql_monitor_3000@n1=9",
            ["mysql demote n1", "mysql-writer stop n1", "mysql stop n1", "mysql promote n2", "mysql-writer start n2"],
        ),
        # what a watcher tells (crm_resource --fail) is recorded as asyncmon
        (
            "mysql_asyncmon_0@n1=1",
            ["mysql demote n1", "mysql-writer stop n1", "mysql stop n1", "mysql promote n2", "mysql-writer start n2"],
        ),
        ("mysql_asyncmon_0@n3=1", ["mysql stop n3"]),
        ("mysql_monitor_5000@n2=7", ["mysql stop n2"]),
        ("mysql_monitor_5000@n3=1", ["mysql stop n3"]),
    ],
)
def test_a_failed_monitor_costs_exactly_these_steps(three: Cluster, operation: str, expected: list[str]) -> None:
    assert three.propose("--op-inject", operation) == expected


@pytest.mark.parametrize("operation", ["mysql-writer_monitor_10000@n1=7", "mysql-writer_asyncmon_0@n1=1"])
def test_a_lost_address_is_put_back_where_the_primary_is(three: Cluster, operation: str) -> None:
    assert three.propose("--op-inject", operation) == [
        "mysql-writer stop n1",
        "mysql-writer start n1",
    ]


def test_a_better_score_moves_the_role_in_order_and_an_equal_one_does_not(three: Cluster) -> None:
    three.score(n2="1000")
    assert three.propose() == []
    three.score(n2="1100")
    assert three.propose() == [
        "mysql demote n1",
        "mysql-writer stop n1",
        "mysql promote n2",
        "mysql-writer start n2",
    ]


def test_nobody_who_may_not_is_promoted(three: Cluster) -> None:
    three.score(n2="-INFINITY", n3="-INFINITY")
    assert three.propose("--node-fail", "n1") == ["fence n1"]


def test_without_quorum_everything_stops(three: Cluster) -> None:
    three.chamber('sed -i \'s/have-quorum="1"/have-quorum="0"/\' cib.xml; rm -f cib.xml.sig')
    stopped = three.propose()
    assert stopped[:2] == ["mysql demote n1", "mysql-writer stop n1"]
    assert {step for step in stopped if step.startswith("mysql stop")} == {f"mysql stop {node}" for node in three.nodes}
