"""Events and failovers from log lines as Pacemaker 2.1 writes them."""

from __future__ import annotations

import time

import pytest

from backstay.admin.explain import report
from backstay.admin.failover_log import Event, events, failovers, pause

NEAR = time.mktime((2026, 11, 24, 23, 0, 0, 0, 0, -1))
NAMES = {"1": "n1", "2": "n2", "3": "n3"}
BASED = "n1 pacemaker-based     [191] (cib_perform_op) \tinfo:"


def change(at: str, node: int, resource: str, op: str, attributes: str) -> str:
    place = f"/cib/status/node_state[@id='{node}']/lrm[@id='{node}']/lrm_resources/lrm_resource[@id='{resource}']"
    return f"Nov 24 {at} {BASED} +  {place}/lrm_rsc_op[@id='{op}']:  {attributes}"


def begun(at: str, node: int, resource: str, task: str) -> str:
    attributes = f"@operation_key={resource}_{task}_0, @operation={task}, @exit-reason=, @call-id=-1, @rc-code=193, @op-status=-1"
    return change(at, node, resource, f"{resource}_last_0", attributes)


def ended(at: str, node: int, resource: str, code: int = 0) -> str:
    attributes = f"@transition-magic=0:{code};18:24:0:dc, @call-id=23, @rc-code={code}, @op-status=0, @exec-time=68"
    return change(at, node, resource, f"{resource}_last_0", attributes)


KILL = [
    "Nov 24 22:42:18  mysql(mysql)[295]:    WARNING: process 281 died: telling the cluster",
    change(
        "22:42:19.038",
        2,
        "mysql",
        "mysql_last_failure_0",
        "@operation_key=mysql_asyncmon_0, @operation=asyncmon, @exit-reason=Simulated failure, @call-id=20, @rc-code=1",
    ),
    begun("22:42:19.250", 2, "mysql", "demote"),
    ended("22:42:19.334", 2, "mysql"),
    begun("22:42:19.370", 2, "mysql-writer", "stop"),
    begun("22:42:19.618", 1, "mysql", "promote"),
    "Nov 24 22:42:19  mysql(mysql)[795]:    NOTICE: promoting by witnesses",
    ended("22:42:19.642", 2, "mysql-writer"),
    ended("22:42:20.054", 1, "mysql"),
    begun("22:42:20.210", 1, "mysql-writer", "start"),
    ended("22:42:20.386", 1, "mysql-writer"),
    change(
        "22:42:25.002",
        1,
        "mysql",
        "mysql_last_failure_0",
        "@operation_key=mysql_monitor_3000, @operation=monitor, @exit-reason=runs alone, @rc-code=191, @exec-time=5",
    ),
]
LOSS = [
    "Nov 24 22:50:25.442 n1 pacemaker-attrd     [194] (update_peer_state_iter) \tnotice: Node n3 state is now lost"
    " | nodeid=3 previous=member source=crm_update_peer_proc",
    "Nov 24 22:50:25.450 n1 pacemaker-controld  [196] (update_peer_state_iter) \tnotice: Node n3 state is now lost"
    " | nodeid=3 previous=member source=pcmk__reap_unseen_nodes",
    "Nov 24 22:50:25.622 n1 pacemaker-controld  [190] (controld_execute_fence_action) \tnotice: Requesting fencing"
    " (reboot) of node n3 | action=1 timeout=60000",
    "Nov 24 22:50:25.722 n1 pacemaker-controld  [196] (handle_fence_notification) \tnotice: Peer n3 was terminated"
    " (reboot) by n1 on behalf of pacemaker-controld.190@n2: OK | event=1826558b",
    begun("22:50:25.900", 2, "mysql", "promote"),
    ended("22:50:26.500", 2, "mysql"),
    ended("22:50:26.700", 2, "mysql-writer"),
]
MOVE = [
    f"Nov 24 22:55:39.000 {BASED} ++ /cib/configuration/constraints:  "
    '<rsc_location id="cli-prefer-mysql-clone" rsc="mysql-clone" role="Promoted" node="n1" score="INFINITY"/>',
    begun("22:55:39.084", 2, "mysql", "demote"),
    ended("22:55:39.148", 2, "mysql"),
    begun("22:55:39.180", 1, "mysql", "promote"),
    ended("22:55:39.728", 1, "mysql"),
    begun("22:55:39.944", 1, "mysql-writer", "start"),
    ended("22:55:40.160", 1, "mysql-writer"),
]


def read(lines: list[str], names: dict[str, str] = NAMES) -> list[Event]:
    return events([("n1.log", lines)], NEAR, names)


def test_a_killed_server() -> None:
    [found] = failovers(read(KILL))
    assert (found.resource, found.node, found.logs) == ("mysql", "n1", ["n1"])
    assert found.cause.startswith("n2: the failure of mysql is reported, by the watcher")
    assert found.phases == pytest.approx(
        {"failed": 0, "demotion": 0.212, "demoted": 0.296, "promotion": 0.58, "promoted": 1.016, "address": 1.348},
        abs=0.002,
    )
    assert pause(found) == pytest.approx(1.348, abs=0.002)
    assert any("promoting by witnesses" in event.text for event in found.events)
    assert not any("runs alone" in event.text for event in found.events)  # degraded is no failure


def test_a_lost_node_is_lost_once_and_then_fenced() -> None:
    [found] = failovers(read(LOSS))
    assert found.cause == "n3 left the cluster"
    assert list(found.phases) == ["lost", "fenced", "promotion", "promoted"]
    assert [event.kind for event in found.events][:3] == ["lost", "fencing", "fenced"]


def test_a_probe_of_a_node_that_comes_back_is_no_failure_of_what_ran_there_before() -> None:
    """Its beginning is written with the whole node's history, on lines of their own."""
    probe = change(
        "22:50:40.000",
        3,
        "mysql",
        "mysql_last_0",
        "@transition-magic=0:7;3:9:7:dc, @call-id=5, @rc-code=7, @op-status=0",
    )
    before = [begun("22:49:00.000", 3, "mysql", "start"), ended("22:49:01.000", 3, "mysql")]
    found = failovers(read([*before, *LOSS, probe]))[-1]
    assert [event.text for event in found.events if event.node == "n3" and event.kind in ("refused", "failed")] == []
    running = probe.replace("0:7;", "0:0;").replace("rc-code=7", "rc-code=0")
    assert [
        event for event in failovers(read([*before, *LOSS, running]))[-1].events if "start of mysql" in event.text
    ] == []


def test_what_an_action_says_comes_after_its_beginning_and_its_mark_is_explained() -> None:
    words = "Nov 24 22:50:25  mysql(mysql)[795]:    NOTICE: promoting by witnesses"
    told = {"n1": LOSS, "n2": [words]}
    names = [(node, [f"Nov 24 22:40:00.000 {node} pacemakerd: x", *lines]) for node, lines in told.items()]
    found = failovers(events(names, NEAR, NAMES))[-1]
    order = [event.kind for event in found.events if event.kind in ("fenced", "said") or event.task == "promote"]
    assert order == ["fenced", "begun", "said", "ended"]
    assert any(line.startswith("~ an agent's own words") for line in report(found, []))


def test_a_planned_move_pauses_from_its_demotion() -> None:
    [found] = failovers(read(MOVE))
    assert "cli-prefer-mysql-clone: an admin moves it" in found.cause
    assert pause(found) == pytest.approx(1.076, abs=0.002)


def score(at: str, node: int, value: int) -> str:
    place = f"/cib/status/node_state[@id='{node}']/transient_attributes[@id='{node}']/instance_attributes[@id='status-{node}']"
    return f"Nov 24 {at} {BASED} +  {place}/nvpair[@id='status-{node}-master-mysql']:  @value={value}"


def test_scores_of_replicas_that_come_back_begin_nothing() -> None:
    [found] = failovers(read([score("22:55:20.000", 1, 20), score("22:55:31.000", 1, 100), *MOVE]))
    assert found.phases["demotion"] == pytest.approx(0.084, abs=0.002)


def test_a_score_that_moves_the_role_is_its_cause() -> None:
    [found] = failovers(read([score("22:55:38.900", 2, 50), *MOVE[1:]]))
    assert found.cause == "n2: promotion score of mysql is now 50"


def test_each_failover_is_told_apart_and_can_be_asked_for() -> None:
    every = failovers(read([*KILL, *LOSS, *MOVE]), "mysql")
    assert [one.node for one in every] == ["n1", "n2", "n1"]
    assert [len(one.phases) for one in every] == [6, 4, 5]
    assert failovers(read([*KILL, *LOSS]), "other") == []


def test_what_two_logs_say_counts_once_and_ids_are_learnt() -> None:
    second = [line.replace(" n1 pace", " n2 pace") for line in LOSS]
    found = events([("a", LOSS), ("b", second)], NEAR, {})
    assert len(found) == len(read(LOSS))
    assert {event.node for event in found} == {"n3", "2"}  # nothing in these lines names the node with id 2
    named = "Nov 24 22:50:00.000 n1 pacemaker-controld [1] (x) \tinfo: update_dc: Node n2[2] - expected state"
    assert {event.node for event in read([named, *LOSS], {})} == {"n3", "n2"}


def test_a_refused_promotion_is_not_a_promotion() -> None:
    refused = change(
        "22:42:20.054",
        1,
        "mysql",
        "mysql_last_0",
        "@exit-reason=not promoted: n3 may hold more, @rc-code=1, @op-status=0",
    )
    found = read([begun("22:42:19.618", 1, "mysql", "promote"), refused])
    assert failovers(found) == []
    assert [(event.kind, event.text) for event in found][-1] == (
        "refused",
        "promote of mysql failed: not promoted: n3 may hold more",
    )


def test_logs_from_before_the_turn_of_the_year() -> None:
    after = time.mktime((2027, 1, 1, 0, 10, 0, 0, 0, -1))
    lines = [line.replace("Nov 24 22", "Dec 31 23") for line in MOVE]
    [found] = failovers(events([("a", lines)], after, NAMES))
    assert time.localtime(found.start)[:3] == (2026, 12, 31)
