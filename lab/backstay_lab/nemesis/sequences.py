"""Harms that are several events in an order, which single faults at random moments meet seldom. See harm for what a harm is."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, CommandFailed, TimedOut
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.target import void

if TYPE_CHECKING:
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.nemesis.target import Harm, Target, Undo
    from backstay_lab.systems.mysql.workload import MysqlSet
    from backstay_lab.systems.rabbitmq.workload import RabbitSet

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


def _deafen(target: Target, node: str) -> Undo:
    """What clients' address sends does not reach the node; what others ask of it, and it of them, does."""
    target.lab.run(node, ["nft", DEAF % (target.traits.address, target.traits.port)])
    return lambda: void(target.lab.run(node, ["nft", "delete", "table", "ip", "deaf"], check=False))


def _another(target: Target, *lost: str) -> str:
    """The next to be promoted."""

    def promoted() -> str | None:
        found = target.system.in_role("Promoted")
        return found[0] if len(found) == 1 and found[0] not in lost else None

    return poll(promoted, Deadline(PATIENCE), "another to be promoted", interval=0.1)


def two_promotions(target: Target, node: str, injection: Injection) -> None:
    """One replica receives nothing; the primary's server is killed, and the next one's as soon as it is promoted."""
    second, deaf = target.others(node)
    ban = ["crm_resource", "--resource", target.system.clone]
    target.lab.run(node, [*ban, "--ban", "--promoted", "--node", deaf])
    hear = _deafen(target, deaf)
    try:
        time.sleep(BEHIND)
        target.lab.fault("kill", node, target.system.name)
        after = _another(target, node)
        target.lab.run(after, [*ban, "--clear"])
        target.lab.fault("kill", after, target.system.name)
    finally:
        hear()
        target.lab.run(second, [*ban, "--clear"], check=False)


def clean_stop(target: Target, node: str, injection: Injection) -> Undo:
    """A node in maintenance, its cluster software ended in order while its daemon runs on. Then the leader's daemon is killed; of
    a database at a moment when the node alone acknowledges."""
    [other] = [each for each in target.others(node) if each != target.leader]
    target.lab.run(target.leader, ["crm", "node", "maintenance", node])
    target.lab.run(node, ["sh", "-c", LEAVE], timeout=PATIENCE)
    poll(lambda: node not in target.lab.online(), Deadline(PATIENCE), f"{node} to leave", interval=0.2)

    def back() -> None:
        target.lab.run(node, ["sh", "-c", RETURN], timeout=PATIENCE)
        poll(lambda: node in target.lab.online(), Deadline(PATIENCE), f"{node} to come back", interval=0.5)
        target.lab.run(target.asked(but=node), ["crm", "node", "ready", node])

    if target.system.name == "mysql":
        _kill_while_one_acknowledges(target, node, other)
    else:
        target.lab.fault("kill", target.leader, target.system.name)
    return back


def _kill_while_one_acknowledges(target: Target, node: str, other: str) -> None:
    mysql = cast("MysqlSet", target.system)

    def forgotten() -> bool:
        facts = dict(field.split("=", 1) for field in mysql.facts().split())
        return node not in facts.get("sync", "").split(",")

    with suppress(TimedOut):  # as it should be
        poll(forgotten, Deadline(FORGOTTEN), f"{node} to be forgotten", interval=0.1)
    hear = _deafen(target, other)
    try:
        time.sleep(ALONE)
        target.lab.fault("kill", target.leader, mysql.name)
        with suppress(
            TimedOut
        ):  # what it lacks may be too much to be fetched in a promotion: then it is refused, and rightly
            _another(target, target.leader)
    finally:
        hear()


def first_boot(target: Target, node: str, injection: Injection) -> None:
    """A node without data, as after a new disk, loses its power a moment into its daemon's first start."""
    lab, data = target.lab, target.lab.data(target.traits.data)
    asked = target.asked(but=node)
    if target.system.name == "rabbitmq":
        removed = ["crm", "resource", "param", target.system.name]
        lab.run(asked, [*removed, "set", "removed", node])
        poll(lambda: not _member(target, asked, node), Deadline(PATIENCE), f"{node} to be forgotten", interval=0.5)
    lab.run(asked, ["crm_standby", "--node", node, "-v", "on"])
    running = ["pgrep", "-x", "mariadbd|mysqld|beam.smp"]
    poll(
        lambda: lab.run(node, running, check=False).status != 0,
        Deadline(PATIENCE),
        f"{node} to be stopped",
        interval=0.3,
    )
    target.sh(node, WIPE, data)
    lab.power_off(node)
    lab.run(asked, ["crm_standby", "--node", node, "-D"])
    if target.system.name == "rabbitmq":
        lab.run(asked, [*removed, "delete", "removed"])
    lab.power_on(node)
    with suppress(AgentError):  # its failures, if it has any
        target.system.forget(node)
    # A broker's own files come some time after its first: the aim is between them and its joining the others.
    name, rest = ("coordination", 0.0) if target.system.name == "rabbitmq" else ("*", FIRST)

    def begun() -> bool:
        with suppress(AgentError):  # it may be fenced only now, or again
            lab.run(node, ["sh", "-c", BEGUN, "sh", data, name], timeout=LOOK)
            return True
        return False

    poll(begun, Deadline(PATIENCE), f"a first start on {node}", interval=0.1)
    time.sleep(rest)
    lab.power_off(node)
    lab.power_on(node)


def _member(target: Target, asked: str, node: str) -> bool:
    """Whether the broker of a node that is asked has another's for a member."""
    try:
        status = json.loads(cast("RabbitSet", target.system).ctl(asked, "--formatter", "json", "cluster_status"))
    except (CommandFailed, TimedOut, LabError):
        return True
    return f"rabbit@{node}" in status["disk_nodes"]


def step_clock(target: Target, node: str, injection: Injection, by: int) -> None:
    """All nodes have this machine's clock, which stays. What an agent finds after a step is done instead: its files' times of
    last change are so many seconds further from now, or nearer."""
    target.sh(node, SHIFT, str(-by))


def lose_after_blackout(target: Target, node: str, injection: Injection) -> Undo:
    """All power fails and returns; a second after the first write the primary's node is lost."""
    lab, mysql = target.lab, cast("MysqlSet", target.system)
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


def lose(target: Target, node: str, injection: Injection) -> Undo:
    target.lab.power_off(node)
    return lambda: target.lab.power_on(node)


SEQUENCES: dict[str, Harm] = {
    "lost-when-new": lose,
    "lost-after-blackout": lose_after_blackout,
    "two-promotions": two_promotions,
    "clean-stop": clean_stop,
    "first-boot": first_boot,
    "clock-forward": partial(step_clock, by=STEP),
    "clock-back": partial(step_clock, by=-STEP),
}
