"""The admin's commands on a real cluster: what they say is so, what they do is safe, and they leave nothing behind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from judged import is_clean
from moves import backstay, candidates

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.nemesis.fault import Cost, Fault
from backstay_lab.nemesis.stage import Stage
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.mysql import deploy as topology
from backstay_lab.systems.mysql.workload import MysqlSet

BUSY_PAUSE = 10.0  # seconds that a planned move may pause writes for on a machine that does other things as well


def document(lab: Lab, node: str, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(backstay(lab, node, *arguments, "--json").out)
    return found


def said(of: dict[str, Any]) -> list[str]:
    return [f"{one['subject']}: {one['what']}" for one in of["findings"]]


def left(lab: Lab, node: str) -> str:
    """Constraints that a move left."""
    return "\n".join(
        line
        for line in lab.run(node, ["cibadmin", "--query", "--scope", "constraints"]).out.splitlines()
        if "cli-" in line
    )


def test_status_of_a_whole_set_and_of_one_that_is_not(three: Lab) -> None:
    mysql = MysqlSet(three)
    others = candidates(three)
    primary = mysql.primary()
    # A set that is whole for its clients has told the cluster so with its next monitors.
    unsaid = re.compile("not readable|waiting for")
    poll(lambda: not unsaid.search(backstay(three, others[0], "status").out), Deadline(30), "all to be told", 0.3)
    done = backstay(three, others[0], "status")
    assert done.status == 0, done.out + done.err
    assert "all is as wanted" in done.out
    assert "readable, no lag, acknowledges" in done.out
    whole = document(three, others[0], "status")
    assert whole["nodes"][primary]["resources"]["mysql"]["role"] == "Promoted"
    assert whole["nodes"][primary]["resources"]["mysql-writer"]["note"] == "10.77.0.100"
    poll(
        lambda: document(three, others[0], "status")["cluster"]["state"] == "S_IDLE",
        Deadline(30),
        "the cluster to rest",
        0.3,
    )

    three.run(primary, ["crm_attribute", "-N", others[0], "-n", "standby", "-v", "on"])
    try:
        poll(
            lambda: f"{others[0]}: is standby" in said(document(three, primary, "status")), Deadline(20), "standby", 0.3
        )
        assert backstay(three, primary, "status").status in (1, 2)
        refused = backstay(three, primary, "switchover", "--yes", others[0])
        assert refused.status == 1
        assert f"{others[0]} is standby" in refused.err
    finally:
        three.run(primary, ["crm_attribute", "-N", others[0], "-n", "standby", "-D"])
    mysql.wait_whole(120)
    assert backstay(three, "client", "status").status == 3  # no cluster there


def test_a_switchover_under_load_loses_nothing_and_is_explained(three: Lab, tmp_path: Path) -> None:
    told: list[str] = []

    def switch(stage: Stage[Any]) -> None:
        done = backstay(stage.lab, stage.others[1], "switchover", "--yes", stage.others[0])
        assert done.status == 0, done.out + done.err
        told.append(done.out)

    outcome = rehearse(
        MysqlSet(three), Fault("switchover", "as an admin does it", switch, Cost(elsewhere=True)), str(tmp_path)
    )
    assert is_clean(outcome), outcome.verdict
    assert outcome.gap <= BUSY_PAUSE
    assert left(three, outcome.now) == ""
    pause = float(told[0].rpartition("moved; ")[2].split()[0])
    assert 0 < pause < BUSY_PAUSE
    for node in three.nodes:  # any node's log tells it
        found = document(three, node, "explain")
        assert (found["resource"], found["node"]) == ("mysql", outcome.now)
        assert "an admin moves it" in found["cause"]
        assert {"demotion", "demoted", "promotion", "promoted", "address"} <= set(found["phases"])
    assert float(found["pause"]) == pytest.approx(pause, abs=2.0)  # one is from the logs, the other was waited for


def epoch(mysql: MysqlSet) -> int:
    return int(dict(pair.split("=", 1) for pair in mysql.facts().split())["epoch"])


def test_a_rival_of_the_writer_address_does_not_send_the_primary_round(three: Lab) -> None:
    """Every node would find the same one. The address is not called moved, and is back once the rival has gone."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    target, before = candidates(three)[0], epoch(mysql)
    holds = ["sh", "-c", f"ip -o address show to {topology.WRITER} | grep -c . || true"]
    three.run("client", ["ip", "address", "add", f"{topology.WRITER}/24", "dev", "eth0"])
    try:
        waiting = backstay(three, target, "switchover", "--yes", "--timeout", "25", target)
        assert waiting.status == 1 and f"{topology.WRITER} is in use by " in waiting.err, waiting.out + waiting.err
        assert mysql.in_role("Promoted") == [target]
        assert three.run(target, holds).out.strip() == "0"
        told = f"mysql-writer on {target}: {topology.WRITER} is in use by "
        assert any(one.startswith(told) for one in said(document(three, target, "status")))
    finally:
        three.run("client", ["ip", "address", "delete", f"{topology.WRITER}/24", "dev", "eth0"])
    poll(lambda: three.run(target, holds).out.strip() == "1", Deadline(60), "the address to be back", 0.3)
    mysql.wait_whole(120)
    assert mysql.primary() == target
    assert epoch(mysql) <= before + 1


def test_ctrl_c_and_a_deadline_leave_no_constraint(three: Lab) -> None:
    target = candidates(three)[0]
    late = backstay(three, target, "switchover", "--yes", "--timeout", "0.2", target)
    assert late.status == 1
    assert "the constraint is removed" in late.err
    assert left(three, target) == ""

    for signal in ("INT", "TERM", "HUP", "QUIT"):
        target = candidates(three)[0]
        # The signal comes when the constraint is there. A shell's background job would ignore SIGINT and SIGQUIT.
        script = (
            f"env --default-signal=INT,QUIT backstay switchover --yes {target} & pid=$!;"
            " until cibadmin -Q --scope constraints | grep -q cli-prefer; do kill -0 $pid || exit 9; done;"
            f" kill -{signal} $pid; wait $pid; echo ended $?"
        )
        done = three.run(target, ["sh", "-c", script], timeout=60, check=False)
        assert done.status == 0, "it ended before its constraint was there: " + done.out + done.err
        assert "ended 0" not in done.out, done.out + done.err
        assert left(three, target) == ""


def test_a_change_of_passwords_is_not_told_as_the_loss_of_the_primary(three: Lab) -> None:
    """Pacemaker files the reload of the primary as a start, and shows it as a replica until its next monitor."""
    MysqlSet(three).wait_whole(120)
    node = candidates(three)[0]
    for password in ("another", "and another"):
        three.run(node, ["crm_resource", "-r", "mysql", "-p", "monitor_password", "-v", password])
        looks = Deadline(8)
        while not looks.expired:
            found = document(three, node, "status")
            assert not [one for one in said(found) if "nobody is promoted" in one], found
        assert found["nodes"][MysqlSet(three).primary()]["resources"]["mysql"]["role"] == "Promoted"


def follow(lab: Lab, node: str, finding: dict[str, str], own_id: str) -> None:
    """Do what a finding about the server says."""
    remedy = finding["remedy"]
    statement = re.search(r"\b(DROP USER|CREATE USER|GRANT)\b.*", remedy)
    if statement:
        secret = "monitor_password" if "backstay_monitor" in remedy else "replication_password"
        password = lab.run(node, ["crm_resource", "-r", "mysql", "-g", secret]).out.strip()
        MysqlSet(lab).root(node, f"SET sql_log_bin = 0; {statement[0]}".replace("'PASSWORD'", f"'{password}'"))
    elif "restart the server through the cluster" in remedy:
        lab.run(node, ["crm_resource", "--restart", "--resource", "mysql", "--node", node], timeout=120)
    else:
        assert "set server_id differently" in remedy
        MysqlSet(lab).root(node, f"SET GLOBAL server_id = {own_id}")


def test_doctor_finds_what_only_the_running_server_shows_and_its_remedies_work(three: Lab) -> None:
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    primary = mysql.primary()
    replica = next(node for node in three.nodes if node != primary)
    theirs, own = (mysql.root(node, "SELECT @@server_id") for node in (primary, replica))

    def errors() -> list[dict[str, str]]:
        return [one for one in document(three, replica, "doctor")["findings"] if one["level"] == "error"]

    assert errors() == []
    local = "SET sql_log_bin = 0; "
    mistakes = [
        ("SET GLOBAL sync_binlog = 0", "sync_binlog is 0"),
        (f"SET GLOBAL server_id = {theirs}", f"server id {theirs} is also that of {primary}"),
        (f"{local}CREATE USER ''@'%'", "the anonymous account ''@'%'"),
        (f"{local}REVOKE REPLICATION SLAVE ON *.* FROM 'backstay_replication'@'%'", "account backstay_replication@'%'"),
        (f"{local}DROP USER 'backstay_monitor'@'%'", "account backstay_monitor@'%' is missing"),
    ]
    for plant, part in mistakes:
        mysql.root(replica, plant)
        found = errors()
        assert any(part in one["what"] for one in found), (plant, found)
        for _ in range(3):  # an account that is made anew lacks privileges next
            for one in found:
                follow(three, replica, one, own)
            found = errors()
        assert found == [], (plant, found)
    mysql.wait_whole(120)


@pytest.mark.slow
def test_crmsh_alone_sets_up_a_set_by_the_wizard(tmp_path: Path) -> None:
    lab = Lab.up(str(tmp_path / "lab"))
    try:
        values = topology.prepare(lab)
        values["node_count"] = values.pop("nodes")  # crmsh gives every wizard a parameter nodes of its own
        lab.run("n1", ["python3", "-m", "backstay.admin.wizard", "/usr/share/crmsh/scripts"])  # as `make install` does
        pairs = [f"{name}={value}" for name, value in values.items()]
        done = lab.run("n1", ["crm", "script", "run", "backstay-mysql", *pairs], timeout=180)
        assert "error" not in (done.out + done.err).lower()
        topology.await_writes(lab)
        MysqlSet(lab).wait_whole(120)
    finally:
        lab.down()
