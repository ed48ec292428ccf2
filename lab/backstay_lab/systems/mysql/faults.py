"""The faults that a MySQL set must survive, as a table."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.machines import network
from backstay_lab.nemesis.fault import FOLLOWER, Cost, Fault, table
from backstay_lab.nemesis.harm import hang, power_off
from backstay_lab.nemesis.measured import (
    ADDRESS_REMOVED,
    BLACKOUT,
    HANG,
    KILL,
    LOSS,
    LOSS_LASTS,
    MOVE,
    PARTITION,
    POWER_OFF,
    UPGRADE,
)
from backstay_lab.nemesis.stage import void
from backstay_lab.nemesis.surroundings import remove_address
from backstay_lab.systems.mysql.workload import WRITER as ADDRESS

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.mysql.workload import MysqlSet


def pause(stage: Stage[MysqlSet]) -> None:
    """Hung until the cluster has noticed, then going again, with its clients and their statements, before it is ended."""
    marks, wall = stage.system.log_marks(), time.time()
    resume = hang(stage)
    poll(lambda: "detected" in stage.system.phases_since(marks, wall), Deadline(30), "the hang to be noticed", 0.01)
    resume()


def address_removed(stage: Stage[MysqlSet]) -> Undo:
    """As a tool that knows nothing of the cluster does: the address goes, connections stay and hear nothing more. Afterwards the
    failure is forgotten, as by an admin who has looked at it."""
    remove_address(stage)
    return lambda: void(stage.lab.run(stage.leader, ["crm_resource", "--cleanup", "--resource", ADDRESS]))


def relay_log(stage: Stage[MysqlSet]) -> Undo:
    """Rows that were acknowledged and that no replica has applied; the replicas' servers crash; the primary is lost."""
    since = 0.0
    for node in stage.others:
        stop = "STOP REPLICA SQL_THREAD"
        stage.system.root(node, stop)
        since = max(since, stage.load.acknowledged()[-1].ended)
    stage.load.wait_steady(since, timeout=10)
    for node in stage.others:
        stage.lab.fault("kill", node, "mysql")
    return power_off(stage)


def lose_replica(stage: Stage[MysqlSet]) -> Undo:
    """The only replica goes; the primary must record that it is alone before it acknowledges alone."""
    back = power_off(stage)

    def return_replica() -> None:
        facts = stage.system.facts()
        if "solo=yes" not in facts.split():
            raise AgentError(f"the primary acknowledges alone and the record does not say so: {facts}")
        back()
        poll(
            lambda: "solo=no" in stage.system.facts().split(), Deadline(120), "the record to say solo=no", interval=0.5
        )

    return return_replica


def passwords(stage: Stage[MysqlSet]) -> Undo:
    """Both accounts get others, as an admin changes them: in the cluster's configuration, at any time. Once writes are
    acknowledged again the replicas' connections are broken."""
    before = {}
    for kind in ("replication", "monitor"):
        asked = ["crm_resource", "--resource", stage.system.name]
        old = stage.lab.run(stage.leader, [*asked, "--get-parameter", f"{kind}_password"]).out.strip()
        before[f"backstay_{kind}"] = old
        change = ["--set-parameter", f"{kind}_password", "--parameter-value", secrets.token_hex(12)]
        stage.lab.run(stage.leader, [*asked, *change])
    return lambda: _reconnect(stage, before)


def _reconnect(stage: Stage[MysqlSet], before: dict[str, str]) -> None:
    """Break the replicas' connections once the old passwords are refused: with those they could not come back."""

    def refused() -> bool:
        login = ["mysql", "--protocol=tcp", "--host=127.0.0.1", "--execute=SELECT 1"]
        return not any(
            stage.lab.run(stage.leader, [*login, f"--user={user}", f"--password={old}"], check=False).status == 0
            for user, old in before.items()
        )

    poll(refused, Deadline(20), "the old passwords to be refused", interval=0.2)
    running = "SELECT id FROM information_schema.PROCESSLIST WHERE command LIKE 'Binlog Dump%'"
    kills = "".join(f"KILL {thread};" for thread in stage.system.root(stage.leader, running).split())
    stage.lab.run(stage.leader, ["mysql", "--force", f"--execute={kills}"], check=False)  # one may be gone already


FAULTS = table(
    KILL.there(
        "SIGKILL of the primary's server", Cost(elsewhere=True, fails=True, silences=True, median=2.0, worst=4.0)
    ),
    POWER_OFF.there("power-off of the primary's node", Cost(elsewhere=True, silences=True)),
    ADDRESS_REMOVED.there(
        "the writer address deleted behind the cluster's back",
        Cost(moves=0, median=1.0, worst=2.0),
        inflict=address_removed,
    ),
    Fault(
        "passwords",
        "both accounts' passwords changed, and the replicas' connections broken",
        passwords,
        Cost(moves=0, median=1.0, worst=3.0),
    ),
    UPGRADE.there("the agents installed anew on all nodes, one by one", Cost(moves=0)),
    MOVE.there("planned move of the promoted role", Cost(elsewhere=True, median=1.0)),
    HANG.there(
        "SIGSTOP of the primary's server, SIGCONT once another serves",
        Cost(elsewhere=True, fails=True, silences=True, median=5.0, worst=8.0),
    ),
    Fault(
        "pause",
        "SIGSTOP of the primary's server, SIGCONT as soon as it was noticed",
        pause,
        Cost(elsewhere=True, fails=True, median=5.0, worst=8.0),
    ),
    KILL.there("SIGKILL of a replica's server", Cost(moves=0, fails=True), name="replica-crash", target=FOLLOWER),
    PARTITION.there(
        "the primary cut off from both replicas", Cost(elsewhere=True, silences=True), name="partition-primary"
    ),
    LOSS.there(f"{network.LOSS} of a hundred packets of the primary's node lost for {LOSS_LASTS:.0f} s"),
    PARTITION.there("a replica cut off", Cost(moves=0), name="partition-replica", target=FOLLOWER),
    Fault(
        "relay-log",
        "acknowledged rows only in relay logs, replicas' servers crash, primary's node lost",
        relay_log,
        Cost(elsewhere=True, silences=True),
        patience=180.0,
    ),
    BLACKOUT.there("all nodes off, started one by one", patience=240.0),
    Fault(
        "lose-replica",
        "two nodes: the only replica's node is lost and returns",
        lose_replica,
        Cost(moves=0),
        target=FOLLOWER,
        nodes=2,
    ),
)
