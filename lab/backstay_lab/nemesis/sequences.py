"""Faults that are several events in an order, which single ones at random moments meet seldom."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, CommandFailed, TimedOut
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.stage import void

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.nemesis.victim import Broker, Database, Led

BEHIND = 3.0  # seconds of writes that a deaf replica misses
ALONE = 0.3  # seconds of writes that one of two replicas has, and the other has not
FORGOTTEN = 25.0  # seconds for a primary's review to drop a node that is offline, if it does
YOUNG = 1.0  # seconds of writes before the loss
FIRST = 0.3  # seconds from the first file of a first start to the loss of power
PATIENCE = 90.0  # seconds for the cluster to do what comes before the aim
LOOK = 10.0  # seconds to wait for a file in a node, at a time
STEP = 3600  # seconds of a clock's step

DEAF = (
    "add table ip deaf; add chain ip deaf in { type filter hook input priority 0; }; "
    "add rule ip deaf in ip saddr %s tcp sport %d drop"
)
LEAVE = """
for program in pacemakerd corosync; do
    pkill -TERM -x $program || continue
    while kill -0 $(pgrep -o -x $program) 2> /dev/null && ! grep -q '^State:.Z' /proc/$(pgrep -o -x $program)/status; do
        sleep 0.1
    done
done
"""
RETURN = """
alive() { for pid in $(pgrep -x "$1"); do grep -q '^State:.Z' /proc/$pid/status || return 0; done; return 1; }
alive corosync || setsid corosync -f < /dev/null > /dev/null 2>&1 &
until corosync-cmapctl -b runtime.members 2> /dev/null | grep -q joined; do sleep 0.1; done
alive pacemakerd || setsid pacemakerd < /dev/null > /dev/null 2>&1 &
"""
SHIFT = 'find /run/backstay -type f | while read -r f; do touch -d "@$(($(stat -c %Y "$f") + $1))" "$f"; done'
BEGUN = 'until find "$1" -mindepth 1 -name "$2" | grep -q .; do sleep 0.02; done'
WIPE = 'find "$1" -mindepth 1 -delete'


def _deafen(stage: Stage[Led], node: str) -> Undo:
    """What clients' address sends does not reach the node; what others ask of it, and it of them, does."""
    stage.lab.run(node, ["nft", DEAF % (stage.traits.address, stage.traits.port)])
    return lambda: void(stage.lab.run(node, ["nft", "delete", "table", "ip", "deaf"], check=False))


def _another(stage: Stage[Led], *lost: str) -> str:
    """The next to be promoted."""

    def promoted() -> str | None:
        found = stage.system.in_role("Promoted")
        return found[0] if len(found) == 1 and found[0] not in lost else None

    return poll(promoted, Deadline(PATIENCE), "another to be promoted", interval=0.1)


def two_promotions(stage: Stage[Led]) -> None:
    """One replica receives nothing; the primary's server is killed, and the next one's as soon as it is promoted."""
    node = stage.node
    second, deaf = stage.others
    ban = ["crm_resource", "--resource", stage.system.clone]
    stage.lab.run(node, [*ban, "--ban", "--promoted", "--node", deaf])
    hear = _deafen(stage, deaf)
    try:
        time.sleep(BEHIND)
        stage.lab.fault("kill", node, stage.system.name)
        after = _another(stage, node)
        stage.lab.run(after, [*ban, "--clear"])
        stage.lab.fault("kill", after, stage.system.name)
    finally:
        hear()
        stage.lab.run(second, [*ban, "--clear"], check=False)


def clean_stop(stage: Stage[Led]) -> Undo:
    """A node in maintenance, its cluster software ended in order while its daemon runs on. Then the leader's daemon is killed; of
    a database at a moment when the node alone acknowledges."""
    node = stage.node
    [other] = [each for each in stage.others if each != stage.leader]
    stage.lab.run(stage.leader, ["crm", "node", "maintenance", node])
    stage.lab.run(node, ["sh", "-c", LEAVE], timeout=PATIENCE)
    poll(lambda: node not in stage.lab.online(), Deadline(PATIENCE), f"{node} to leave", interval=0.2)

    def back() -> None:
        stage.lab.run(node, ["sh", "-c", RETURN], timeout=PATIENCE)
        poll(lambda: node in stage.lab.online(), Deadline(PATIENCE), f"{node} to come back", interval=0.5)
        stage.lab.run(stage.asked(but=node), ["crm", "node", "ready", node])

    if stage.system.name == "mysql":
        _kill_while_one_acknowledges(stage, other)
    else:
        stage.lab.fault("kill", stage.leader, stage.system.name)
    return back


def _kill_while_one_acknowledges(stage: Stage[Led], other: str) -> None:
    node, mysql = stage.node, cast("Database", stage.system)

    def forgotten() -> bool:
        facts = dict(field.split("=", 1) for field in mysql.facts().split())
        return node not in facts.get("sync", "").split(",")

    with suppress(TimedOut):  # as it should be
        poll(forgotten, Deadline(FORGOTTEN), f"{node} to be forgotten", interval=0.1)
    hear = _deafen(stage, other)
    try:
        time.sleep(ALONE)
        stage.lab.fault("kill", stage.leader, mysql.name)
        with suppress(
            TimedOut
        ):  # what it lacks may be too much to be fetched in a promotion: then it is refused, and rightly
            _another(stage, stage.leader)
    finally:
        hear()


def first_boot(stage: Stage[Led]) -> None:
    """A node without data, as after a new disk, loses its power a moment into its daemon's first start."""
    node = stage.node
    lab, data = stage.lab, stage.lab.data(stage.traits.data)
    asked = stage.asked(but=node)
    if stage.system.name == "rabbitmq":
        removed = ["crm", "resource", "param", stage.system.name]
        lab.run(asked, [*removed, "set", "removed", node])
        poll(lambda: not _member(stage, asked, node), Deadline(PATIENCE), f"{node} to be forgotten", interval=0.5)
    lab.run(asked, ["crm_standby", "--node", node, "-v", "on"])
    running = ["pgrep", "-x", "mariadbd|mysqld|beam.smp"]
    poll(
        lambda: lab.run(node, running, check=False).status != 0,
        Deadline(PATIENCE),
        f"{node} to be stopped",
        interval=0.3,
    )
    stage.sh(node, WIPE, data)
    lab.power_off(node)
    lab.run(asked, ["crm_standby", "--node", node, "-D"])
    if stage.system.name == "rabbitmq":
        lab.run(asked, [*removed, "delete", "removed"])
    lab.power_on(node)
    with suppress(AgentError):  # its failures, if it has any
        stage.system.forget(node)
    # A broker's own files come some time after its first: the aim is between them and its joining the others.
    name, rest = ("coordination", 0.0) if stage.system.name == "rabbitmq" else ("*", FIRST)

    def begun() -> bool:
        with suppress(AgentError):  # it may be fenced only now, or again
            lab.run(node, ["sh", "-c", BEGUN, "sh", data, name], timeout=LOOK)
            return True
        return False

    poll(begun, Deadline(PATIENCE), f"a first start on {node}", interval=0.1)
    time.sleep(rest)
    lab.power_off(node)
    lab.power_on(node)


def _member(stage: Stage[Led], asked: str, node: str) -> bool:
    """Whether the broker of a node that is asked has another's for a member."""
    try:
        status = json.loads(cast("Broker", stage.system).ctl(asked, "--formatter", "json", "cluster_status"))
    except (CommandFailed, TimedOut, LabError):
        return True
    return f"rabbit@{node}" in status["disk_nodes"]


def step_clock(stage: Stage[Led], by: int) -> None:
    """All nodes have this machine's clock, which stays. What an agent finds after a step is done instead: its files' times of
    last change are so many seconds further from now, or nearer."""
    stage.sh(stage.node, SHIFT, str(-by))


def lose_after_blackout(stage: Stage[Led]) -> Undo:
    """All power fails and returns; a second after the first write the primary's node is lost."""
    lab, mysql = stage.lab, cast("Database", stage.system)
    for each in lab.nodes:
        lab.power_off(each)
    for each in lab.nodes:
        lab.power_on(each)
    asked = "SELECT @@global.read_only"
    poll(
        lambda: str(mysql.sql(asked, mysql.writer)) in ("[[[0]]]", "[[['OFF']]]"),
        Deadline(2 * PATIENCE),
        "writes after the loss of all power",
        interval=0.1,
    )
    time.sleep(YOUNG)
    lab.power_off(mysql.leader())

    def power_on() -> None:
        for each in lab.nodes:
            lab.power_on(each)

    return power_on
