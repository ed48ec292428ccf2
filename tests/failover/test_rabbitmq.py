"""Every fault once, on a real cluster under load: no confirmed message is lost, calls are answered or reported failed, and
afterwards all brokers serve. `backstay rehearse rabbitmq` does the same many times and measures."""

from __future__ import annotations

import json
import math
import re
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from judged import is_clean
from labs import Labs
from lxml.etree import _Element
from resting import Resting

from backstay.cluster.attributes import STATE
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import CommandFailed
from backstay.services.rabbitmq.dialects.mnesia import POLICY
from backstay.services.rabbitmq.record import Record
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.enter import argv_for
from backstay_lab.machines.layout import CLIENT
from backstay_lab.run.rehearsal import Outcome, conclude, rehearse, suffer
from backstay_lab.systems.rabbitmq.faults import FAULTS, STOP_TIMEOUT, early_stop
from backstay_lab.systems.rabbitmq.lost_copies import BACKLOG, FORGOTTEN, LOST_COPIES, MESSAGES, await_copies, lead
from backstay_lab.systems.rabbitmq.workload import RabbitSet

BUSY = 5.0  # times the bound for the worst run: a guard against hanging on any machine; `rehearse` has the figures
FLOOR = 20.0  # the same for membership, election of a coordinator and fencing, seconds
COLD_START = 40.0  # seconds from power to all serving
COPIES_TOLD = 180.0  # seconds, in which the promoted node looks for them at least twice
COPIES_BACK = 420.0  # it waits between its attempts
NOTED = 150.0  # two of the monitors that ask for clients
MILDER = ("lose-promoted", "standby", "partition-other")  # what the others do as well, and worse


@pytest.fixture
def three(labs: Labs) -> RabbitSet:
    return RabbitSet(labs.get("rabbitmq"))


@pytest.fixture
def sid(labs: Labs) -> RabbitSet:
    return RabbitSet(labs.get("rabbitmq", image="sid"))


def check(outcome: Outcome) -> None:
    """No finding, and confirms came back within the fault's bound where it has one."""
    assert is_clean(outcome), str(outcome.verdict)
    assert math.isfinite(outcome.gap)
    assert outcome.operations["messages"].done > 0
    worst = FAULTS[outcome.fault].cost.worst if outcome.fault in FAULTS else math.inf
    assert outcome.gap <= worst * BUSY


# Says which port it has, then nothing, and tells how its connection ended: its heartbeats come too late for that.
LISTEN = """
import sys
import pika
connection = pika.BlockingConnection(pika.URLParameters(sys.argv[1] + "?heartbeat=600"))
print(connection._impl._transport._sock.getsockname()[1], flush=True)
try:
    connection.process_data_events(time_limit=300)
except pika.exceptions.AMQPError as error:
    print(repr(error))
"""


@pytest.mark.slow
def test_a_client_that_says_nothing_is_told_once_another_node_has_its_brokers_address(labs: Labs) -> None:
    rabbitmq = RabbitSet(labs.get("rabbitmq-addresses"))
    lab = rabbitmq.lab
    rabbitmq.wait_whole(240)
    *others, lost = lab.nodes
    argv = argv_for(lab.layout, CLIENT, ["python3", "-c", LISTEN, rabbitmq.urls[lost]])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        port = client.stdout.readline().strip()
        noted = ["grep", "-q", f":{port}>", "/run/backstay/rabbitmq/clients"]
        poll(
            lambda: all(lab.run(node, noted, check=False).status == 0 for node in others),
            Deadline(NOTED),
            "the client to be known to the others",
            interval=1.0,
        )
        begun = time.monotonic()
        lab.power_off(lost)
        said = client.communicate(timeout=FLOOR * 3)[0]
        took = time.monotonic() - begun
    print(f"told after {took:.1f} s: {said}")
    assert "ConnectionResetError" in said
    assert took <= FLOOR
    lab.power_on(lost)
    rabbitmq.wait_whole(240)  # at its address


def test_the_topology_serves_an_unprivileged_account_without_plugins(three: RabbitSet) -> None:
    three.wait_whole(60)
    assert len(three.urls) == 3
    assert three.ctl("n1", "list_user_permissions", "app").split() == ["app", ".*", ".*", ".*"]
    assert ["app", "[]"] in [line.split() for line in three.ctl("n1", "list_users").splitlines()]  # no tags
    assert "rabbitmq_management" not in three.lab.run("n1", ["rabbitmq-plugins", "list", "--silent", "-m", "-E"]).out
    elsewhere = three.urls["n1"].rpartition("/")[0] + "/%2f"
    with pytest.raises(CommandFailed):
        three.lab.run(CLIENT, ["python3", "-m", "backstay_lab.clients.queues", "check", elsewhere, "whole"])


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
    leading = Resting(three.lab, promoted, "rabbitmq", "backstay.services.rabbitmq.distribution", "Promoted")
    leading.rests()
    leading.looks_when("touch /var/lib/corosync/ringid_*")  # the membership may be another
    leading.rests()
    monitor = Resting(three.lab, follower, "rabbitmq", "backstay.services.rabbitmq.distribution", "Unpromoted")
    monitor.check(120)
    three.ctl(follower, "set_vm_memory_high_watermark", "absolute", "1")
    poll(lambda: not monitor.calm(), Deadline(20), "the watcher to see the alarm", interval=0.2)
    assert monitor.looks()
    three.ctl(follower, "set_vm_memory_high_watermark", "0.4")
    monitor.rests()
    # Without the cluster's monitors: the promoted one would give the account its password back before the watcher has looked.
    three.lab.run(promoted, ["crm_attribute", "-n", "maintenance-mode", "-v", "true"])
    three.ctl(follower, "change_password", user, "another")
    poll(lambda: not monitor.calm(), Deadline(20), "the watcher to be refused", interval=0.2)
    three.lab.run(promoted, ["crm_attribute", "-n", "maintenance-mode", "-D"])
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
    node = suffered.stage.node
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
    state = ["attrd_updater", "--query", "--all", "--name", STATE.of(service.name)]
    return service.lab.run(service.lab.nodes[0], state, check=False).out


def test_confirmed_messages_survive_in_quorum_queues(sid: RabbitSet, tmp_path: Path) -> None:
    check(rehearse(sid, FAULTS["kill"], str(tmp_path)))


# -- one cluster, whatever is on the disks -----------------------------------------------------------------------------

BASE = "/var/lib/rabbitmq/mnesia"
COPIES = ("quorum-kept", "stream-kept")  # the type is the first word
DECLARE = """
import sys, pika
channel = pika.BlockingConnection(pika.URLParameters(sys.argv[1])).channel()
for name in sys.argv[2:]:
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": name.partition("-")[0]})
"""
# As the distribution does it when the package is installed: with no configuration, alone, and ended again.
FIRST_START = """
rm -rf "$1"/*
export HOME=/var/lib/rabbitmq
setpriv --reuid rabbitmq --regid rabbitmq --clear-groups rabbitmq-server > /dev/null 2>&1 &
until rabbitmqctl -q await_startup 2> /dev/null; do :; done
rabbitmqctl -q stop > /dev/null
wait
"""


def record(service: RabbitSet) -> Record:
    """What the cluster has recorded."""
    get = ["crm_attribute", "-t", "crm_config", "-s", "backstay", "-n", f"{service.name}-facts", "-G", "-q"]
    return Record.parse(service.lab.run(service.lab.nodes[0], get, check=False).out.strip())


def members(service: RabbitSet, asked: str, name: str) -> set[str]:
    """Nodes that have a copy of a quorum queue or a stream."""
    listed = service.ctl(asked, "list_queues", "-p", "app", "name", "members").splitlines()
    found = next((line for line in listed if line.startswith(f"{name}\t")), "")
    return set(re.findall(r"rabbit@(\w+)", found))


def running(service: RabbitSet, asked: str) -> set[str]:
    """Nodes whose brokers run in one cluster with the one that is asked."""
    status = json.loads(service.ctl(asked, "--formatter", "json", "cluster_status"))
    assert not status.get("partitions")
    return {name.partition("@")[2] for name in status["running_nodes"]}


def stop_all(service: RabbitSet) -> None:
    """No broker runs, and nothing is recorded."""
    lab, asked = service.lab, service.lab.nodes[0]
    lab.run(asked, ["crm_resource", "-r", service.clone, "--meta", "-p", "target-role", "-v", "Stopped"])
    poll(lambda: not any(service.name in held for held in lab.roles().values()), Deadline(120), "all brokers to stop")
    lab.run(asked, ["crm_attribute", "-t", "crm_config", "-s", "backstay", "-n", f"{service.name}-facts", "-D"])


def start_all(service: RabbitSet) -> None:
    lab, asked = service.lab, service.lab.nodes[0]
    lab.run(asked, ["crm_resource", "-r", service.clone, "--meta", "-d", "target-role"])
    lab.run(asked, ["crm_resource", "--cleanup", "-r", service.name])


@pytest.mark.slow
@pytest.mark.parametrize("image", ["three", "sid"])
def test_a_replaced_node_joins_though_its_first_boot_is_cut_off(request: pytest.FixtureRequest, image: str) -> None:
    """And what it had copies of has lost them, and gets them back."""
    service: RabbitSet = request.getfixturevalue(image)
    lab = service.lab
    service.wait_whole(240)
    promoted = service.promoted()
    node = next(each for each in reversed(lab.nodes) if each != promoted)
    lab.run(CLIENT, ["python3", "-c", DECLARE, service.urls[promoted], *COPIES])
    assert all(members(service, promoted, name) == set(lab.nodes) for name in COPIES)
    lab.run(promoted, ["crm", "resource", "param", service.name, "set", "removed", node])
    poll(lambda: node in record(service).removed, Deadline(120), f"{node} to be forgotten", interval=0.3)
    for name in COPIES:
        assert members(service, promoted, name) == set(lab.nodes) - {node}
    lab.run(node, ["rm", "-rf", BASE])
    lab.run(promoted, ["crm", "resource", "param", service.name, "delete", "removed"])
    service.forget(node)
    begun = Path(lab.disk(node, f"{BASE[1:]}/rabbit@{node}/coordination"))
    poll(begun.exists, Deadline(120), "the first boot to have begun", interval=0.02)
    lab.power_off(node)
    left = {path.name for path in begun.parent.iterdir()}
    assert "schema.DAT" not in left and "msg_stores" not in left  # else this was too late
    lab.power_on(node)
    service.wait_whole(240)
    assert set(record(service).members) == set(lab.nodes)
    for name in COPIES:
        poll(lambda name=name: members(service, promoted, name) == set(lab.nodes), Deadline(120), f"copies of {name}")  # type: ignore[misc]
    service.queues("delete", promoted, *COPIES)


@pytest.mark.slow
@pytest.mark.parametrize("image", ["three", "sid"])
def test_data_of_the_distributions_own_first_start_makes_no_second_cluster(
    request: pytest.FixtureRequest, image: str
) -> None:
    """All refuse, and nothing is recorded. Once only one node has data, it is what the others join."""
    service: RabbitSet = request.getfixturevalue(image)
    lab, keeps, *others = service.lab, *service.lab.nodes
    service.wait_whole(240)
    stop_all(service)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda node: lab.run(node, ["bash", "-ec", FIRST_START, "-", BASE], timeout=120), lab.nodes))
    start_all(service)
    poll(lambda: lab.complaints().count("data of different clusters") == len(lab.nodes), Deadline(120), "all to refuse")
    beams = ["pgrep", "-x", "beam.smp"]
    poll(lambda: not any(lab.run(node, beams, check=False).out for node in lab.nodes), Deadline(60), "none to run")
    assert str(record(service)) == ""
    for node in others:
        lab.run(node, ["mv", f"{BASE}/rabbit@{node}", f"{BASE}/rabbit@{node}.kept"])
    lab.run(keeps, ["crm_resource", "--cleanup", "-r", service.name])
    poll(lambda: set(record(service).members) == set(lab.nodes), Deadline(240), "one cluster of all", interval=0.5)
    poll(lambda: running(service, keeps) == set(lab.nodes), Deadline(120), "all of them to run", interval=0.5)
    stop_all(service)
    for node in lab.nodes:
        lab.run(node, ["sh", "-c", f"rm -rf {BASE}/*"])
    start_all(service)
    service.wait_whole(240)


# What RabbitMQ's peers are told of when it began: as if its clock were ahead by so much.
AHEAD = "persistent_term:put({rabbit_boot_state, start_time}, erlang:system_time(microsecond) + 20000000)."


@pytest.mark.slow
def test_nobody_stands_alone_because_the_only_members_clock_is_ahead(sid: RabbitSet) -> None:
    lab, first, *others = sid.lab, *sid.lab.nodes
    sid.wait_whole(240)
    stop_all(sid)
    for node in lab.nodes:
        lab.run(node, ["sh", "-c", f"rm -rf {BASE}/*"])
    for node in others:
        lab.run(first, ["crm_standby", "--node", node, "-v", "on"])
    start_all(sid)
    poll(lambda: sid.in_role("Promoted") == [first], Deadline(120), f"{first} to begin alone", interval=0.3)
    sid.ctl(first, "eval", AHEAD)
    for node in others:
        lab.run(first, ["crm_standby", "--node", node, "-v", "off"])
    sid.wait_whole(240)
    assert set(record(sid).members) == set(lab.nodes)
    logs = [lab.run(node, ["cat", "/var/log/pacemaker/pacemaker.log"]).out for node in others]
    assert any("rabbit@n1 seems to have begun after this broker" in log for log in logs)
    assert not any("stray" in lab.run(node, ["ls", BASE]).out for node in others)  # it was waited for, and not tried


STOP_STACK = (
    "for daemon in pacemakerd corosync; do kill $(pidof $daemon); while pidof -q $daemon; do sleep 0.05; done; done"
)
START_STACK = "corosync; setsid pacemakerd < /dev/null > /dev/null 2>&1 &"


@pytest.mark.parametrize("image", ["three", pytest.param("sid", marks=pytest.mark.slow)])
def test_a_broker_whose_node_left_in_maintenance_is_not_let_go_of(request: pytest.FixtureRequest, image: str) -> None:
    """Its cluster software ended cleanly, and it runs on: nothing says that it is dead."""
    service: RabbitSet = request.getfixturevalue(image)
    lab = service.lab
    service.wait_whole(240)
    promoted = service.promoted()
    node = next(each for each in lab.nodes if each != promoted)
    staying = [each for each in lab.nodes if each != node]
    lab.run(promoted, ["crm_attribute", "-N", node, "-n", "maintenance", "-v", "true"])
    poll(lambda: any(one.get("maintenance") == "true" for one in nodes_of(lab, node)), Deadline(30), "maintenance")
    lab.run(node, ["sh", "-c", STOP_STACK])
    poll(lambda: node not in lab.online(), Deadline(30), f"{node} to be gone", interval=0.2)
    for each in staying * 2:  # two monitors that waited for its end, each
        poll(lambda each=each: looked(lab, each), Deadline(60), "a monitor", interval=0.2)  # type: ignore[misc]
    assert running(service, promoted) == set(lab.nodes)
    assert all(service.serves(each) for each in lab.nodes)
    lab.run(node, ["sh", "-c", START_STACK])
    poll(lambda: node in lab.online(), Deadline(60), f"{node} to be back", interval=0.2)
    lab.run(promoted, ["crm_attribute", "-N", node, "-n", "maintenance", "-D"])
    service.wait_whole(120)


def looked(lab: Lab, node: str) -> bool:
    """Whether a monitor there has waited for the end of another since this was asked last."""
    note = "/run/backstay/rabbitmq/absent"
    return not lab.run(node, ["sh", "-c", f"[ -s {note} ] && rm {note}"], check=False).status


def nodes_of(lab: Lab, name: str) -> list[_Element]:
    crm = lab.cluster_status()
    return [] if crm is None else crm.findall(f"nodes/node[@name='{name}']")
