"""A failover and a move as applications meet them, on a real cluster: a pause, and no error but for what was under way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from judged import is_clean

from backstay.host.deadline import Deadline, poll
from backstay_lab.checkers.operations import Operations
from backstay_lab.clients.workload import Recorder
from backstay_lab.machines.cluster import Lab
from backstay_lab.run.rehearsal import rehearse
from backstay_lab.systems.mysql.faults import FAULTS
from backstay_lab.systems.mysql.workload import MysqlSet

CLIENTS = 500
PATIENCE = 30.0
THREADS = 10  # of the application's client; each has one operation under way


def operations(lab: Lab, fault: str, directory: Path) -> Operations:
    """Of an application on oslo.db, around one fault."""
    outcome = rehearse(MysqlSet(lab), FAULTS[fault], str(directory))
    assert is_clean(outcome)
    client = outcome.operations["database"]
    print(fault, client)
    assert client.done > 0
    return client


def test_a_kill_fails_what_was_under_way_and_refuses_nobody(three: Lab, tmp_path: Path) -> None:
    client = operations(three, "kill", tmp_path)
    # Before the watcher's turn the kernel refuses: some attempts, when the machine is busy. And a dying process closes its
    # clients' sockets one by one: who comes back before it has closed the one that listens fails again.
    refused = client.errors.get("2003 ConnectionRefusedError", 0)
    assert client.failed - refused <= 2 * THREADS, client
    assert refused <= THREADS, client


def test_a_move_never_answers_that_the_server_is_read_only(three: Lab, tmp_path: Path) -> None:
    client = operations(three, "move", tmp_path)
    assert "1290" not in client.errors and "2003 ConnectionRefusedError" not in client.errors, client
    assert client.failed <= THREADS / 2, client


@pytest.mark.parametrize("fault", ["kill", "move"])
def test_a_crowd_that_comes_meanwhile_is_served_whole(three: Lab, tmp_path: Path, fault: str) -> None:
    """Nobody is refused, and nobody hangs with a connection that the new primary knows nothing of."""
    mysql = MysqlSet(three)
    mysql.wait_whole(120)
    was = mysql.primary()
    crowd = Recorder(
        three, "crowd", [mysql.writer, "--clients", str(CLIENTS), "--patience", str(PATIENCE)], str(tmp_path)
    )
    lines: list[str] = []

    def come(many: int) -> bool:
        lines.extend(crowd.fresh())
        return len(lines) > many

    poll(lambda: come(0), Deadline(PATIENCE), "the crowd's first client", 0.1)
    if fault == "kill":
        three.fault("kill", was, "mysql")
    else:
        argv = ["crm_resource", "--move", "--resource", mysql.clone, "--node", _other(three, was), "--promoted"]
        three.run(was, argv)
    poll(lambda: come(CLIENTS), Deadline(3 * PATIENCE), "the crowd", 0.1)
    crowd.finish()
    if fault == "move":
        three.run(was, ["crm_resource", "--clear", "--resource", mysql.clone])
    else:
        mysql.cleanup(was)
    errors = [found["error"] for found in map(json.loads, lines) if found and found["error"]]
    seconds = sorted(found["seconds"] for found in map(json.loads, lines) if found)
    print(
        f"{fault}: {len(errors)} failed {sorted(set(errors))}, median {seconds[CLIENTS // 2]:.2f} s, longest {seconds[-1]:.2f} s"
    )
    assert errors == []
    assert mysql.primary() != was
    mysql.wait_whole(120)


def _other(lab: Lab, primary: str) -> str:
    return next(node for node in lab.nodes if node != primary)
