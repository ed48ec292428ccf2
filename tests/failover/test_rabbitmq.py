"""Every fault once, on a real cluster under load: no confirmed message is lost, calls are answered or reported failed, and
afterwards all brokers serve. `backstay rehearse rabbitmq` does the same many times and measures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from resting import Resting

from backstay.deadline import Deadline, poll
from backstay.errors import CommandFailed
from backstay.lab.cluster import Lab
from backstay.lab.layout import CLIENT
from backstay.rabbitmq.mnesia import POLICY
from backstay.rehearse.faults import other
from backstay.rehearse.lostcopies import BACKLOG, FORGOTTEN, LOST_COPIES, MESSAGES, await_copies, lead
from backstay.rehearse.rabbitfaults import FAULTS, STOP_TIMEOUT, early_stop
from backstay.rehearse.rabbitset import RabbitSet
from backstay.rehearse.scenarios import Outcome, conclude, rehearse, suffer
from backstay.standing import attribute

pytestmark = pytest.mark.lab

BUSY = 5.0  # times the bound for the worst run: a guard against hanging on any machine; `rehearse` has the figures
FLOOR = 20.0  # the same for membership, election of a coordinator and fencing, seconds
COLD_START = 40.0  # seconds from power to all serving
COPIES_TOLD = 180.0  # seconds, in which the promoted node looks for them at least twice
COPIES_BACK = 420.0  # it waits between its attempts
MILDER = ("lose-promoted", "standby", "partition-other")  # what the others do as well, and worse


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitSet]:
    lab = Lab.up(str(tmp_path_factory.mktemp("three") / "lab"), topology="rabbitmq")
    yield RabbitSet(lab)
    lab.down()


@pytest.fixture(scope="module")
def sid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitSet]:
    lab = Lab.up(str(tmp_path_factory.mktemp("sid") / "lab"), image="sid", topology="rabbitmq")
    yield RabbitSet(lab)
    lab.down()


def check(outcome: Outcome) -> None:
    """No finding, and confirms came back within the fault's bound where it has one."""
    assert outcome.clean, str(outcome.verdict)
    assert math.isfinite(outcome.gap)
    worst = FAULTS[outcome.fault].worst if outcome.fault in FAULTS else None
    if worst is not None:
        assert outcome.gap <= worst * BUSY


def test_the_topology_serves_an_unprivileged_account_without_plugins(three: RabbitSet) -> None:
    three.wait_whole(60)
    assert len(three.urls) == 3
    assert three.ctl("n1", "list_user_permissions", "app").split() == ["app", ".*", ".*", ".*"]
    assert ["app", "[]"] in [line.split() for line in three.ctl("n1", "list_users").splitlines()]  # no tags
    assert "rabbitmq_management" not in three.lab.run("n1", ["rabbitmq-plugins", "list", "--silent", "-m", "-E"]).out
    elsewhere = three.urls["n1"].rpartition("/")[0] + "/%2f"
    with pytest.raises(CommandFailed):
        three.lab.run(CLIENT, ["python3", "-m", "backstay.rehearse.queues", "check", elsewhere, "whole"])


@pytest.mark.parametrize(
    "name",
    ["kill", *(pytest.param(name, marks=pytest.mark.slow) for name in ("partition-leader", "hang", *MILDER))],
)
def test_confirmed_messages_survive(three: RabbitSet, tmp_path: Path, name: str) -> None:
    check(rehearse(three, FAULTS[name], str(tmp_path)))


def test_confirmed_messages_survive_the_loss_of_the_leaders_node(three: RabbitSet, tmp_path: Path) -> None:
    outcome = rehearse(three, FAULTS["power-off"], str(tmp_path))
    check(outcome)
    assert outcome.gap <= FLOOR


@pytest.mark.slow
def test_a_cold_start_of_all_loses_nothing(three: RabbitSet, tmp_path: Path) -> None:
    outcome = rehearse(three, FAULTS["cold-start"], str(tmp_path))
    check(outcome)
    assert outcome.phases["all serve after power-on"] <= COLD_START * BUSY


def test_a_calm_brokers_monitor_rests_on_a_fresh_verdict_alone(three: RabbitSet) -> None:
    three.wait_whole(240)
    promoted = three.promoted()
    follower = next(node for node in three.lab.nodes if node != promoted)
    user = three.lab.run(promoted, ["sed", "-n", "2p", "/run/backstay/rabbitmq/account"]).out.strip()
    leading = Resting(three.lab, promoted, "rabbitmq", "backstay.rabbitmq.distribution", "Promoted")
    leading.rests()
    leading.looks_when("touch /var/lib/corosync/ringid_*")  # the membership may be another
    leading.rests()
    monitor = Resting(three.lab, follower, "rabbitmq", "backstay.rabbitmq.distribution", "Unpromoted")
    monitor.check(120)
    three.ctl(follower, "set_vm_memory_high_watermark", "absolute", "1")
    poll(lambda: not monitor.calm(), Deadline(20), "the watcher to see the alarm", interval=0.2)
    assert monitor.looks()
    three.ctl(follower, "set_vm_memory_high_watermark", "0.4")
    monitor.rests()
    three.ctl(follower, "change_password", user, "another")
    poll(lambda: not monitor.calm(), Deadline(20), "the watcher to be refused", interval=0.2)
    monitor.rests()  # the promoted one gave the account its password back


@pytest.mark.slow
def test_a_policy_that_somebody_cleared_is_back_when_the_promoted_one_looks(three: RabbitSet) -> None:
    three.wait_whole(240)
    promoted = three.promoted()
    three.ctl(promoted, "clear_policy", "-p", "app", POLICY)
    poll(
        lambda: POLICY in three.ctl(promoted, "list_policies", "-p", "app"),
        Deadline(60),
        "the policy to be there again",
        interval=1,
    )


@pytest.mark.slow
def test_a_node_that_returns_late_from_a_blackout_is_not_waited_for_by_starts(three: RabbitSet, tmp_path: Path) -> None:
    """Its own start would have to wait until theirs have failed."""
    outcome = rehearse(three, FAULTS["late-member"], str(tmp_path))
    check(outcome)
    assert outcome.phases["all serve after power-on"] <= COLD_START * BUSY


@pytest.mark.slow
def test_a_stop_right_after_a_start_ends_in_time(three: RabbitSet, tmp_path: Path) -> None:
    outcome = rehearse(three, early_stop(100), str(tmp_path))
    check(outcome)
    assert outcome.phases["stopped"] <= STOP_TIMEOUT


@pytest.mark.slow
def test_a_node_is_removed_and_a_virgin_one_joins_by_itself(three: RabbitSet, tmp_path: Path) -> None:
    check(rehearse(three, FAULTS["replace-node"], str(tmp_path)))


@pytest.mark.slow
def test_queues_that_are_left_a_copy_short_get_it_back_with_all_messages(three: RabbitSet, tmp_path: Path) -> None:
    """In each of the ways that there are, while all nodes run. What the copies hold shows when one of them leads, alone."""
    suffered = suffer(three, LOST_COPIES, str(tmp_path))
    node = other(suffered.stage)
    assert {said.partition(" ")[0] for said in three.short_of_copies(node)} >= set(
        FORGOTTEN
    )  # the first may be back already
    poll(lambda: "short of synchronised mirrors" in told(three), Deadline(COPIES_TOLD), "it to be told")
    await_copies(three, COPIES_BACK)
    poll(lambda: "short" not in told(three), Deadline(COPIES_TOLD), "it to be told that it is over")
    lead(three, node)
    check(conclude(three, LOST_COPIES, suffered))
    assert three.leader() == node
    drained = [json.loads(line) for line in three.queues("drain", node, BACKLOG).splitlines()]
    assert [one["id"] for one in drained] == list(range(MESSAGES))


def told(service: RabbitSet) -> str:
    """Why any instance is not as wanted."""
    state = ["attrd_updater", "--query", "--all", "--name", attribute(service.name)]
    return service.lab.run(service.lab.nodes[0], state, check=False).out


def test_confirmed_messages_survive_in_quorum_queues(sid: RabbitSet, tmp_path: Path) -> None:
    check(rehearse(sid, FAULTS["kill"], str(tmp_path)))
