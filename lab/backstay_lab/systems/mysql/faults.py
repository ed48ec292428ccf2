"""The faults that a MySQL set must survive, as a table."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.machines.network import LOSS
from backstay_lab.systems.faults import (
    BLACKOUT,
    HANG,
    KILL,
    KILL_OTHER,
    LOSS_LASTS,
    PACKET_LOSS,
    PARTITION_LEADER,
    PARTITION_OTHER,
    POWER_OFF,
    UPGRADE,
    Fault,
    Stage,
    hang,
    leader,
    nothing,
    other,
    power_on,
    resume,
)
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.mysql.workload import WRITER as ADDRESS

if TYPE_CHECKING:
    from backstay_lab.systems.mysql.workload import MysqlSet


def move(stage: Stage[MysqlSet]) -> None:
    target = stage.others[0]
    argv = ["crm_resource", "--move", "--resource", stage.system.clone, "--node", target, "--promoted"]
    stage.lab.run(target, argv)


def unmove(stage: Stage[MysqlSet]) -> None:
    """The move left a constraint; without it the role stays where it is."""
    stage.lab.run(stage.others[0], ["crm_resource", "--clear", "--resource", stage.system.clone])


def pause(stage: Stage[MysqlSet]) -> None:
    """Hung until the cluster has noticed, then going again, with its clients and their statements, before it is ended."""
    marks, wall = stage.system.log_marks(), time.time()
    hang(stage)
    poll(lambda: "detected" in stage.system.phases_since(marks, wall), Deadline(30), "the hang to be noticed", 0.01)
    resume(stage)


def remove_address(stage: Stage[MysqlSet]) -> None:
    """As a tool that knows nothing of the cluster does: the address goes, connections stay and hear nothing more."""
    find = f"ip -o addr show to {WRITER} | awk '{{print $4, $2}}'"
    stage.lab.run(stage.leader, ["sh", "-ec", f"set -- $({find}); ip addr del $1 dev $2"])


def forget_address(stage: Stage[MysqlSet]) -> None:
    """That it failed, as an admin does who has looked at it."""
    stage.lab.run(stage.leader, ["crm_resource", "--cleanup", "--resource", ADDRESS])


def relay_log(stage: Stage[MysqlSet]) -> None:
    """Rows that were acknowledged and that no replica has applied; the replicas' servers crash; the primary is lost."""
    since = 0.0
    for node in stage.others:
        stop = "STOP REPLICA SQL_THREAD"
        stage.system.root(node, stop)
        since = max(since, stage.load.acknowledged()[-1].ended)
    stage.load.wait_steady(since, timeout=10)
    for node in stage.others:
        stage.lab.fault("kill", node, "mysql")
    stage.lab.power_off(stage.leader)


def lose_replica(stage: Stage[MysqlSet]) -> None:
    """The only replica goes; the primary must record that it is alone before it acknowledges alone."""
    stage.lab.power_off(stage.others[0])


def return_replica(stage: Stage[MysqlSet]) -> None:
    facts = stage.system.facts()
    if "solo=yes" not in facts.split():
        raise AgentError(f"the primary acknowledges alone and the record does not say so: {facts}")
    stage.lab.power_on(stage.others[0])
    poll(lambda: "solo=no" in stage.system.facts().split(), Deadline(120), "the record to say solo=no", interval=0.5)


def passwords(stage: Stage[MysqlSet]) -> None:
    """Both accounts get others, as an admin changes them: in the cluster's configuration, at any time."""
    for kind in ("replication", "monitor"):
        asked = ["crm_resource", "--resource", stage.system.name]
        old = stage.lab.run(stage.leader, [*asked, "--get-parameter", f"{kind}_password"]).out.strip()
        stage.noted[f"backstay_{kind}"] = old
        change = ["--set-parameter", f"{kind}_password", "--parameter-value", secrets.token_hex(12)]
        stage.lab.run(stage.leader, [*asked, *change])


def reconnect(stage: Stage[MysqlSet]) -> None:
    """Break the replicas' connections once the old passwords are refused: with those they could not come back."""

    def refused() -> bool:
        login = ["mysql", "--protocol=tcp", "--host=127.0.0.1", "--execute=SELECT 1"]
        return not any(
            stage.lab.run(stage.leader, [*login, f"--user={user}", f"--password={old}"], check=False).status == 0
            for user, old in stage.noted.items()
        )

    poll(refused, Deadline(20), "the old passwords to be refused", interval=0.2)
    running = "SELECT id FROM information_schema.PROCESSLIST WHERE command LIKE 'Binlog Dump%'"
    kills = "".join(f"KILL {thread};" for thread in stage.system.root(stage.leader, running).split())
    stage.lab.run(stage.leader, ["mysql", "--force", f"--execute={kills}"], check=False)  # one may be gone already


FAULTS = {
    fault.name: fault
    for fault in (
        Fault(
            "kill",
            "SIGKILL of the primary's server",
            *KILL,
            elsewhere=True,
            fails=leader,
            median=2.0,
            worst=4.0,
            silences=True,
        ),
        Fault("power-off", "power-off of the primary's node", *POWER_OFF, elsewhere=True, silences=True),
        Fault(
            "address-removed",
            "the writer address deleted behind the cluster's back",
            remove_address,
            forget_address,
            elsewhere=False,
            moves=0,
            median=1.0,
            worst=2.0,
        ),
        Fault(
            "passwords",
            "both accounts' passwords changed, and the replicas' connections broken",
            passwords,
            reconnect,
            elsewhere=False,
            moves=0,
            median=1.0,
            worst=3.0,
        ),
        Fault("upgrade", "the agents installed anew on all nodes, one by one", *UPGRADE, elsewhere=False, moves=0),
        Fault("move", "planned move of the promoted role", move, unmove, elsewhere=True, median=1.0),
        Fault(
            "hang",
            "SIGSTOP of the primary's server, SIGCONT once another serves",
            *HANG,
            elsewhere=True,
            fails=leader,
            median=5.0,
            worst=8.0,
            silences=True,
        ),
        Fault(
            "pause",
            "SIGSTOP of the primary's server, SIGCONT as soon as it was noticed",
            pause,
            nothing,
            elsewhere=True,
            fails=leader,
            median=5.0,
            worst=8.0,
        ),
        Fault("replica-crash", "SIGKILL of a replica's server", *KILL_OTHER, False, other, moves=0),
        Fault(
            "partition-primary",
            "the primary cut off from both replicas",
            *PARTITION_LEADER,
            elsewhere=True,
            silences=True,
        ),
        Fault(
            "loss",
            f"{LOSS} of a hundred packets of the primary's node lost for {LOSS_LASTS:.0f} s",
            *PACKET_LOSS,
            elsewhere=False,
        ),
        Fault("partition-replica", "a replica cut off", *PARTITION_OTHER, elsewhere=False, moves=0),
        Fault(
            "relay-log",
            "acknowledged rows only in relay logs, replicas' servers crash, primary's node lost",
            relay_log,
            power_on,
            elsewhere=True,
            patience=180.0,
            silences=True,
        ),
        Fault("blackout", "all nodes off, started one by one", *BLACKOUT, elsewhere=False, patience=240.0),
        Fault(
            "lose-replica",
            "two nodes: the only replica's node is lost and returns",
            lose_replica,
            return_replica,
            elsewhere=False,
            moves=0,
            nodes=2,
        ),
    )
}
