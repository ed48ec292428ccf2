"""Readers behind HAProxy on a real cluster: a replica that lags gets none, the loss of a node costs a moment, HAProxy itself
comes back at once, and a broken configuration costs nothing. `bench/reads.py` does the same many times."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from labs import Labs

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.readers import workload
from backstay_lab.systems.readers.deploy import READERS, wait_spread

SLOW = 5.0  # so much slower may waiting be on a machine that does other things as well
BUSY = 6.0  # a machine that runs ten other things may be this much slower


@pytest.fixture
def lab(labs: Labs) -> Lab:
    return labs.get("readers", image=os.environ.get("BACKSTAY_TEST_IMAGE", "bookworm"))


def degraded(lab: Lab) -> dict[str, str]:
    """Node to the exit reason of HAProxy's monitor there, where it is degraded."""
    crm = lab.cluster_status()
    assert crm is not None
    found = crm.iterfind("failures/failure[@exitcode='190']")
    return {str(one.get("node")): str(one.get("exitreason")) for one in found if "haproxy" in str(one.get("op_key"))}


def set_serial(lab: Lab, serial: str) -> None:
    argv = ["crm_resource", "--resource", "haproxy", "--set-parameter", "config_serial", "--parameter-value", serial]
    lab.run(lab.nodes[0], argv)


def test_reads_and_reader_addresses_are_on_the_replicas(lab: Lab) -> None:
    wait_spread(lab, 60)
    asked = [lab.run("client", ["python3", "-m", "backstay_lab.clients.query", "SELECT @@report_host", url]) for url in
             lab.endpoints["reader_addresses"]]  # fmt: skip
    primary = next(node for node, held in lab.roles().items() if held.get("mysql") == "Promoted")
    assert len({one.out for one in asked}) == len(READERS)
    assert not any(primary in one.out for one in asked)


def test_a_broken_configuration_is_refused_everywhere_and_costs_no_read(lab: Lab, tmp_path: Path) -> None:
    config = "/etc/haproxy/haproxy.cfg"
    recorder = workload.start(lab, str(tmp_path))
    for node in lab.nodes:
        lab.run(node, ["sed", "-i", "s/balance roundrobin/balance runrobin/", config])
    set_serial(lab, "broken")
    poll(lambda: set(degraded(lab)) == set(lab.nodes), Deadline(90), "every node to refuse it", interval=0.3)
    assert all(reason.startswith(f"{config}:18: ") for reason in degraded(lab).values()), degraded(lab)
    for node in lab.nodes:
        lab.run(node, ["sed", "-i", "s/balance runrobin/balance roundrobin/", config])
    set_serial(lab, "mended")
    poll(lambda: not degraded(lab), Deadline(90), "every node to load it", interval=0.3)
    reads = workload.parse(recorder.finish())
    assert [read for read in reads if read.result != "ok"] == []


def test_a_replica_that_lags_gets_no_new_reads(lab: Lab, tmp_path: Path) -> None:
    outcome = workload.lag(lab, str(tmp_path), workload.replica(lab, balancer=False))
    assert outcome.unread <= 2.0 * SLOW and outcome.kept <= 2.0 * SLOW, outcome


def test_the_loss_of_a_replica_costs_a_moment_and_others_nothing(lab: Lab, tmp_path: Path) -> None:
    outcome = workload.lose(lab, str(tmp_path), workload.replica(lab, balancer=False))
    assert outcome.gap <= 1.5 * SLOW and outcome.elsewhere == 0, outcome


def test_a_killed_balancer_is_back_at_once(lab: Lab, tmp_path: Path) -> None:
    # Half a second on a machine that has nothing else to do; without the watcher it would be up to ten.
    assert workload.kill_balancer(lab, str(tmp_path)).gap <= 0.5 * BUSY
    assert workload.holder(lab, "haproxy-address")
