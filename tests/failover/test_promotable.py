"""HAProxy promoted on one node and warm on the others, on a real cluster with readers: who serves, and a failover by each of its
causes. `bench/reads.py --topology readers-promotable` does the same many times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from labs import Labs

from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.readers import workload
from backstay_lab.systems.readers.deploy import BALANCER

pytestmark = pytest.mark.slow

BUSY = 6.0  # a machine that runs ten other things may be this much slower
BEYOND_FENCING = 1.5  # seconds


@pytest.fixture
def lab(labs: Labs) -> Lab:
    return labs.get("readers-promotable", image=os.environ.get("BACKSTAY_TEST_IMAGE", "bookworm"))


def serving(lab: Lab) -> list[str]:
    """Nodes whose HAProxy takes a read on the node's own address."""
    machines = lab.status()["nodes"]
    urls = [str(lab.endpoints["balancer"]).replace(BALANCER, machines[node]["address"]) for node in lab.nodes]
    asked = [
        lab.run("client", ["python3", "-m", "backstay_lab.clients.query", "SELECT 1", url], check=False) for url in urls
    ]
    return [node for node, one in zip(lab.nodes, asked) if '"rows"' in one.out]


def promoted(lab: Lab) -> list[str]:
    return [node for node, held in lab.roles().items() if held.get("haproxy") == "Promoted"]


def test_the_promoted_one_serves_and_no_other(lab: Lab) -> None:
    assert serving(lab) == promoted(lab) == [workload.holder(lab, "haproxy-address")]
    assert [held["haproxy"] for held in lab.roles().values()].count("Unpromoted") == len(lab.nodes) - 1


def test_another_one_serves_at_once_when_it_is_killed(lab: Lab, tmp_path: Path) -> None:
    before = promoted(lab)
    outcome = workload.kill_balancer(lab, str(tmp_path))
    assert outcome.gap <= 0.6 * BUSY, outcome
    assert serving(lab) == promoted(lab) == [workload.holder(lab, "haproxy-address")] != before


def test_another_one_serves_when_its_node_loses_power(lab: Lab, tmp_path: Path) -> None:
    before = promoted(lab)
    outcome = workload.lose(lab, str(tmp_path), before[0])
    assert outcome.gap - outcome.fenced <= BEYOND_FENCING * 2, outcome
    assert serving(lab) == promoted(lab) == [workload.holder(lab, "haproxy-address")] != before
