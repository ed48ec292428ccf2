"""Nova's boot flow through all services on a real cluster, each killed once where its leader is: no accepted boot vanishes, none
ends twice. `backstay rehearse openstack` does the same many times, with all faults, and measures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from judged import is_clean
from labs import Labs

from backstay_lab.checkers.boots import Boots
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.openstack.faults import FAULTS
from backstay_lab.systems.openstack.workload import ControlPlane

pytestmark = pytest.mark.slow


@pytest.fixture
def plane(labs: Labs) -> ControlPlane:
    return ControlPlane(labs.get("openstack"))


def test_the_topology_is_one_file_that_the_cluster_takes_without_a_warning(plane: ControlPlane) -> None:
    assert {"writer", "readers", "balancer", "amqp"} <= set(plane.lab.status()["endpoints"])
    verified = plane.lab.run("n1", ["crm_verify", "--live-check", "--verbose"])
    assert (verified.out + verified.err).strip() == ""


@pytest.mark.parametrize("part", ["mysql", "rabbitmq", "haproxy"])
def test_no_boot_vanishes_and_none_ends_twice(plane: ControlPlane, tmp_path: Path, part: str) -> None:
    outcome = rehearse(plane, FAULTS[f"{part}-kill"], str(tmp_path))
    assert is_clean(outcome), str(outcome.verdict)
    assert isinstance(outcome.verdict, Boots)
    assert outcome.verdict.accepted > 0 and outcome.verdict.failed == 0
    assert math.isfinite(outcome.gap)
    assert {client for client, counted in outcome.operations.items() if counted.done} == {"database", "messages"}
