"""The template, loaded by crmsh and run through Pacemaker's own scheduler: all brokers start at once, one of them is
promoted, and a failure stops nothing but what failed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import FENCING, cib  # type: ignore[import-not-found]

from backstay.admin.templates import load, render

ACTION = re.compile(
    r"(?:Resource action: (?P<what>rabbitmq)(?::\d+)? +(?P<how>start|stop|promote|demote|notify) on (?P<where>n\d)"
    r"|Fencing (?P<fenced>n\d))"
)


ADDRESS = re.compile(r"^\s*\* (?P<what>rabbitmq-address-\d)\s.*Started (?P<where>n\d)", re.MULTILINE)


class Cluster:
    """A cluster in a file. The scheduler's proposals are carried out only by `settle`. addresses: one for each broker."""

    def __init__(self, chamber: Chamber, directory: Path, nodes: list[str], addresses: bool = False) -> None:
        self.chamber = chamber
        self.nodes = nodes
        values = {"nodes": str(len(nodes)), "cookie": "c00kie", "definitions": "/etc/rabbitmq/definitions.json"}
        (directory / "cib.xml").write_text(cib(nodes))
        text = FENCING.format(nodes=" ".join(nodes)) + render(load("rabbitmq"), values)
        if addresses:
            places = {f"node_{number}": node for number, node in enumerate(nodes, 1)}
            places.update({f"broker_ip_{number}": f"10.77.0.{number}" for number, _ in enumerate(nodes, 1)})
            text += render(load("rabbitmq-addresses"), places)
        (directory / "rabbitmq.crm").write_text(text)
        self.loaded = chamber("crm configure load update rabbitmq.crm")

    def score(self, **scores: str) -> None:
        for node, score in scores.items():
            self.chamber(f"crm_attribute -N {node} -n master-rabbitmq -l reboot -v {score}")

    def propose(self, *events: str) -> list[str]:
        """What the scheduler does, in order, as "promote n2" or "fence n1"; monitors are left out."""
        simulated = self.chamber(f"crm_simulate -S -x cib.xml -O next.xml {' '.join(events)}").out
        found = [ACTION.search(line) for line in simulated.splitlines()]
        return [f"fence {one['fenced']}" if one["fenced"] else f"{one['how']} {one['where']}" for one in found if one]

    def settle(self, *events: str) -> list[str]:
        done = self.propose(*events)
        self.chamber("mv next.xml cib.xml")
        return done

    def addresses(self) -> dict[str, str]:
        """Where they are."""
        return dict(ADDRESS.findall(self.chamber("crm_simulate -L -x cib.xml").out))


def moves(steps: list[str]) -> list[str]:
    """The steps without the notifications around them."""
    return [step for step in steps if not step.startswith("notify")]


@pytest.fixture
def three(chamber: Chamber, tmp_path: Path) -> Cluster:
    """Three nodes with the brokers running, n1 promoted, n2 the next best."""
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"])
    cluster.score(n1="100", n2="90", n3="80")
    cluster.settle()
    return cluster


@pytest.mark.parametrize("count", [2, 3, 5])
def test_it_loads_without_a_complaint(chamber: Chamber, tmp_path: Path, count: int) -> None:
    cluster = Cluster(chamber, tmp_path, [f"n{number}" for number in range(1, count + 1)])
    assert (cluster.loaded.out + cluster.loaded.err).strip() == ""
    verified = chamber("crm_verify -V -x cib.xml")
    assert (verified.out + verified.err).strip() == ""


def test_a_new_cluster_starts_everywhere_at_once_then_promotes(chamber: Chamber, tmp_path: Path) -> None:
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"])
    cluster.score(n1="100", n2="90", n3="80")
    done = moves(cluster.settle())
    assert sorted(done[:3]) == ["start n1", "start n2", "start n3"]
    assert done[3:] == ["promote n1"]
    graph = chamber("crm_simulate -S -x cib.xml -D graph.dot --node-fail n1 && cat graph.dot")
    assert '"rabbitmq_start_0 n2" -> "rabbitmq_start_0 n3"' not in graph.out
    assert moves(cluster.propose()) == []


@pytest.mark.parametrize(
    ("lost", "expected"),
    [("n1", ["fence n1", "promote n2"]), ("n2", ["fence n2"]), ("n3", ["fence n3"])],
)
def test_the_loss_of_a_node_costs_exactly_these_steps(three: Cluster, lost: str, expected: list[str]) -> None:
    assert moves(three.propose("--node-fail", lost)) == expected


def test_the_survivors_are_told_of_a_fenced_node(three: Cluster) -> None:
    steps = three.propose("--node-fail", "n3")
    fenced = steps.index("fence n3")
    assert {"notify n1", "notify n2"} <= set(steps[fenced:])


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        # Where it was, with its data; the others are left alone. The role goes where a broker runs.
        ("rabbitmq_monitor_4000@n2=7", ["stop n2", "start n2"]),
        ("rabbitmq_monitor_60000@n3=1", ["stop n3", "start n3"]),
        ("rabbitmq_monitor_3000@n1=9", ["demote n1", "stop n1", "start n1", "promote n1"]),
        # Degraded is not failed: a memory alarm is no reason for a restart.
        ("rabbitmq_monitor_4000@n2=190", []),
    ],
)
def test_a_failed_monitor_costs_exactly_these_steps(three: Cluster, operation: str, expected: list[str]) -> None:
    assert moves(three.propose("--op-inject", operation)) == expected


def test_the_role_stays_among_equals_and_moves_without_a_restart(three: Cluster) -> None:
    three.score(n2="100", n3="100")
    assert moves(three.propose()) == []
    three.score(n1="10")
    assert moves(three.propose()) in (["demote n1", "promote n2"], ["demote n1", "promote n3"])


def test_a_broker_that_may_not_is_not_promoted(three: Cluster) -> None:
    three.score(n2="-INFINITY", n3="-INFINITY")
    assert moves(three.propose("--node-fail", "n1")) == ["fence n1"]


def test_without_quorum_every_broker_stops(three: Cluster) -> None:
    three.chamber('sed -i \'s/have-quorum="1"/have-quorum="0"/\' cib.xml; rm -f cib.xml.sig')
    stopped = moves(three.propose())
    assert stopped[0] == "demote n1"
    assert {step for step in stopped if step.startswith("stop")} == {f"stop {node}" for node in three.nodes}


# -- an address for each broker -------------------------------------------------------------------------------------------


def test_an_address_is_with_its_broker_and_with_a_survivor_until_that_serves_again(
    chamber: Chamber, tmp_path: Path
) -> None:
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"], addresses=True)
    verified = chamber("crm_verify -V -x cib.xml")
    assert (cluster.loaded.out + cluster.loaded.err + verified.out + verified.err).strip() == ""
    cluster.score(n1="100", n2="100", n3="100")
    cluster.settle()
    cluster.settle()
    home = {f"rabbitmq-address-{number}": f"n{number}" for number in (1, 2, 3)}
    assert cluster.addresses() == home
    cluster.settle("--op-inject", "rabbitmq_monitor_4000@n3=7")
    assert cluster.addresses() == home  # a broker is restarted where it is; its kernel resets meanwhile
    cluster.settle("--node-fail", "n2")
    lost = cluster.addresses()
    assert lost == {**home, "rabbitmq-address-2": lost["rabbitmq-address-2"]}
    assert lost["rabbitmq-address-2"] in ("n1", "n3")
    cluster.chamber("crm_attribute -N n2 -n master-rabbitmq -l reboot -D")
    cluster.settle("--node-up", "n2")
    cluster.settle()
    assert cluster.addresses() == lost  # the broker boots
    cluster.score(n2="100")
    cluster.settle()
    assert cluster.addresses() == home


def test_an_address_waits_for_no_broker(chamber: Chamber, tmp_path: Path) -> None:
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"], addresses=True)
    cluster.score(n1="100", n2="100", n3="100")
    cluster.settle()
    cluster.settle()
    graph = chamber(
        "crm_simulate -S -x cib.xml -G graph.xml -D graph.dot --node-fail n1 > /dev/null; cat graph.dot"
    ).out
    starts = [line for line in graph.splitlines() if '-> "rabbitmq-address-1_start_0 n' in line]
    assert starts and not any("rabbitmq_" in line or "rabbitmq-clone" in line for line in starts), starts
