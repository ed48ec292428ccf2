"""Phases are read from log lines as Pacemaker 2.1 and 3.0 and Corosync 3.1 write them."""

from __future__ import annotations

import time

import pytest

from backstay_lab.machines.timeline import actions, fenced, phases, promotions

FAULT = time.mktime((2026, 11, 23, 15, 31, 29, 0, 0, -1)) + 0.9
LINES = """\
Jan 01 00:00:22.164 [64] n1 corosync notice  [TOTEM ] A new membership (1.7) was formed. Members joined: 2 3
Nov 23 15:31:25.683 n2 pacemaker-controld  [185] (log_executor_event) \tnotice: Result of promote operation for mysql on n1: ok | CIB update 20
Nov 23 15:31:30.015 n1 pacemaker-controld  [192] (update_failcount) \tinfo: Updating failcount for mysql on n1 after failed asyncmon: rc=1
Nov 23 15:31:30.023 n1 pacemaker-controld  [192] (update_failcount) \tinfo: Updating failcount for mysql on n1 after failed asyncmon: rc=1
Nov 23 15:31:30.119 n1 pacemaker-controld  [192] (log_executor_event) \tnotice: Result of demote operation for mysql on n1: ok | CIB update 73
    a line that goes on
Nov 23 15:31:30.219 n2 pacemaker-controld  [185] (log_executor_event) \tnotice: Result of promote operation for mysql on n2: error | CIB update 25
Nov 23 15:31:31.219 n3 pacemaker-controld  [185] (log_executor_event) \tnotice: Result of promote operation for mysql on n3: ok | CIB update 26
Nov 23 15:31:31.279 n3 pacemaker-controld  [185] (log_executor_event) \tnotice: Result of start operation for mysql-writer on n3: ok | CIB update 29
"""  # noqa: E501


@pytest.mark.parametrize("lines", [LINES, LINES.replace(": ok |", ": OK |")], ids=["Pacemaker 2", "Pacemaker 3"])
def test_phases_are_the_first_signs_after_the_fault_in_order(lines: str) -> None:
    found = phases(lines.splitlines(), FAULT, "mysql")
    assert list(found) == ["detected", "demoted", "promoted", "address"]
    assert list(found.values()) == pytest.approx([0.115, 0.219, 1.319, 1.379], abs=0.001)


def test_a_lost_node_is_detected_by_the_membership_and_then_fenced() -> None:
    lines = [
        "Nov 23 15:31:32.891 [64] n1 corosync notice  [TOTEM ] A new membership (1.11) was formed. Members left: 3",
        "Nov 23 15:31:32.951 n1 pacemaker-controld  [131] (handle_fence_notification) \tnotice: "
        "Peer n3 was terminated (reboot) by n1 on behalf of pacemaker-controld.131@n1: OK | event=ae9b7f58",
    ]
    assert phases(lines, FAULT, "mysql") == pytest.approx({"detected": 2.991, "fenced": 3.051}, abs=0.001)


def test_the_moment_when_a_primary_is_recorded_as_alone() -> None:
    change = "(cib_perform_op) \tinfo: +  /cib/configuration/crm_config: @value=epoch=1 primary=n3 gtid= sync="
    lines = [
        f"Nov 23 15:31:32.000 n1 pacemaker-based [5] {change}n1 solo=no mysql-facts",
        f"Nov 23 15:31:33.000 n1 pacemaker-based [5] {change} solo=yes".replace(
            "crm_config:", "nvpair[@id='x-mysql-facts']:"
        ),
    ]
    assert phases(lines, FAULT, "mysql") == pytest.approx({"alone": 3.1}, abs=0.001)


def test_promotions_are_told_once_each_with_the_first_of_their_times() -> None:
    result = "pacemaker-controld  [185] (log_executor_event) \tnotice: Result of promote operation for mysql on"
    nvpair = "/cib/configuration/crm_config/cluster_property_set[@id='backstay']/nvpair[@id='backstay-mysql-facts']: "
    change = f"pacemaker-based     [193] (cib_perform_op) \tinfo: +  {nvpair}"
    record, learned = f"{change} @value=epoch", f"{change} @id=backstay-mysql-facts, @name=mysql-facts, @value=epoch"
    made = 'cib_perform_op) \tinfo: ++ <nvpair id="backstay-mysql-facts" name="mysql-facts" value="epoch'
    lines = [
        f"Nov 23 15:31:30.000 n1 {made}=1 primary=n3 gtid=",
        f"Nov 23 15:31:31.219 n3 {result} n3: ok | CIB update 26",
        f"Nov 23 15:31:31.215 n1 {result} n3: ok | CIB update 26",
        f"Nov 23 15:31:30.219 n2 {result} n2: error | CIB update 25",
        f"Nov 23 15:31:32.900 n1 {record}=2 primary=n1 gtid= sync=n2 solo=no",
        f"Nov 23 15:31:32.908 n2 {record}=2 primary=n1 gtid= sync=n2 solo=no",
        f"Nov 23 15:31:33.000 n1 {result} n1: ok | CIB update 30",  # and back, soon
        f"Nov 23 15:31:36.000 n2 {learned}=0 primary=n2 gtid=",
        f"Nov 23 15:31:37.000 n2 {result} n2: ok | CIB update 31",  # refused
        f"Nov 23 15:31:39.000 n1 {result} n1: ok | CIB update 32",  # found promoted already
        f"Nov 23 15:31:40.500 n3 {record}=3 primary=n3 gtid=",
        f"Nov 23 15:31:41.000 n1 {result} n3: OK | graph action confirmed",  # as Pacemaker 3 has it
        f"Nov 23 15:31:41.000 n1 {result.replace('mysql', 'mysql-b')} n2: ok",
    ]
    found = promotions(lines, "mysql", FAULT)
    assert [node for node, _ in found] == ["n3", "n1", "n3"]
    assert [at - FAULT for _, at in found] == pytest.approx([1.315, 3.1, 11.1], abs=0.001)


def test_who_was_fenced() -> None:
    peer = "Peer n3 was terminated (reboot) by n1 on behalf of pacemaker-controld.131@n1"
    assert fenced(
        [f"{peer}: OK | event=ae9b7f58", f"{peer}: OK | event=ae9b7f58", f"{peer.replace('n3', 'n2')}: Error"]
    ) == ["n3"]


ACTIONS = """\
Nov 23 15:31:25.683 n1 pacemaker-execd     [186] (log_finished) \tinfo: mysql start (call 17, PID 278) exited with status 0 (execution time 7.458s)
Nov 23 15:31:30.147 n1 pacemaker-execd     [186] (log_finished) \tinfo: mysql stop (call 30, PID 585) exited with status 0 (execution time 28ms)
Nov 23 15:31:30.119 n1 pacemaker-execd     [186] (log_finished) \tinfo: mysql demote (call 29, PID 583) exited with status 0 (execution time 84ms after being queued 1ms)
Nov 23 15:31:30.119 n1 pacemaker-execd     [186] (log_finished) \tinfo: fencing start (call 6) exited with status 0 (execution time 121ms)
Nov 23 15:32:31.219 n2 pacemaker-execd     [185] (log_finished) \tinfo: mysql promote (call 8, PID 90) exited with status 1 (the server does not run) (execution time 1m1.02s)
"""  # noqa: E501


def test_actions_are_told_with_their_execution_time_in_the_order_of_their_beginning() -> None:
    found = actions(ACTIONS.splitlines(), FAULT)
    assert [(one.resource, one.action, one.node, one.took, one.status) for one in found] == [
        ("mysql", "demote", "n1", 0.084, 0),
        ("mysql", "stop", "n1", 0.028, 0),
        ("mysql", "promote", "n2", 61.02, 1),
    ]
    assert [one.began for one in found] == pytest.approx([0.135, 0.219, 0.299], abs=0.002)
