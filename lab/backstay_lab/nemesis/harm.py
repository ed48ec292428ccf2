"""Doing each fault to the daemon and the power of a node, and undoing it. Nothing here measures or judges."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import logs
from backstay_lab.nemesis.stage import void, with_nothing_left

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.nemesis.victim import Led, Victim


PROMOTING = r"Requesting local execution of promote operation for {resource} on (\S+)"


NEXT = 2.0  # seconds from an upgraded node to the next: monitors of both versions meet each other
NOTICED = 30.0  # seconds for the cluster to begin with what a harm waits for


def kill(stage: Stage[Victim], daemon: str = "") -> None:
    """SIGKILL. daemon: one of the cluster's own, by default the system's."""
    stage.lab.fault("kill", stage.node, daemon or stage.system.name)


def hang(stage: Stage[Victim], daemon: str = "") -> Undo:
    """SIGSTOP, and SIGCONT to undo it, if nobody ended it meanwhile. daemon: as of `kill`; "node" for every process there."""
    what = daemon or stage.system.name
    stage.lab.fault("hang", stage.node, what)
    return lambda: with_nothing_left(lambda: stage.lab.fault("resume", stage.node, what))


def power_off(stage: Stage[Victim]) -> Undo:
    stage.lab.power_off(stage.node)
    return lambda: stage.lab.power_on(stage.node)


def torn_relay_log(stage: Stage[Victim]) -> None:
    """As a crash of the machine leaves it whose last pages were not yet on the disk."""
    kill(stage)
    stage.sh(
        stage.node, 'truncate -s -100 "$(ls -t "$1"/relay*.[0-9]* | head -n 1)"', stage.lab.data(stage.traits.data)
    )


def wrong_cookie(stage: Stage[Victim]) -> None:
    stage.sh(stage.node, "f=/var/lib/rabbitmq/.erlang.cookie; chmod 600 $f; echo WRONG > $f; chmod 400 $f")
    kill(stage)


HOLD = """
import socket, sys, time
holder, end = socket.socket(socket.AF_INET6), time.monotonic() + float(sys.argv[2])
holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
while time.monotonic() < end:
    try:
        holder.bind(("::", int(sys.argv[1])))
        holder.listen()
        break
    except OSError:
        time.sleep(0.005)
time.sleep(max(0.0, end - time.monotonic()))
"""


def take_port(stage: Stage[Victim]) -> None:
    """The program that has the port ends by itself, so that there is nothing to undo on a node that was reset."""
    hold = 'setsid python3 -c "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 &'  # a session's end would end it
    stage.sh(stage.node, hold, HOLD, str(stage.traits.port), str(stage.lasts))
    kill(stage)


def break_configuration(stage: Stage[Victim]) -> Undo:
    path = stage.traits.configuration
    stage.sh(stage.node, 'cp -p "$1" "$1.sound"; printf "\\n%s\\n" "$2" >> "$1"', path, stage.traits.nonsense)
    with_nothing_left(lambda: kill(stage))  # what does not run cannot start now
    return lambda: void(stage.sh(stage.node, '[ ! -e "$1.sound" ] || mv "$1.sound" "$1"', path))


def flap(stage: Stage[Victim]) -> None:
    end = Deadline(stage.lasts)
    while not end.expired:
        with_nothing_left(lambda: stage.lab.fault("kill", stage.node, stage.system.name))
        time.sleep(0.5)


def kill_promoting(stage: Stage[Led]) -> None:
    marks = stage.system.log_marks()
    wanted = re.compile(PROMOTING.replace("{resource}", re.escape(stage.system.name)))
    kill(stage)

    def promoting() -> str | None:
        found = [wanted.search(line) for line in logs.lines_since(marks)]
        return next((match[1] for match in found if match), None)

    candidate = poll(promoting, Deadline(NOTICED), "a promotion to begin", interval=0.02)
    stage.lab.fault("kill", candidate, stage.system.name)


def kill_two(stage: Stage[Victim]) -> None:
    for each in (stage.others[0], stage.node):
        stage.lab.fault("kill", each, stage.system.name)


def blackout(stage: Stage[Victim]) -> Undo:
    """Power returns in the stage's order, so many seconds apart."""
    for each in stage.lab.nodes:
        stage.lab.power_off(each)
    for each in stage.order:
        stage.lab.power_on(each)
        time.sleep(stage.lasts)

    def power_on() -> None:
        for each in stage.lab.nodes:
            stage.lab.power_on(each)

    return power_on


def standby(stage: Stage[Victim]) -> Undo:
    stage.lab.run(stage.asked(but=stage.node), ["crm_standby", "--node", stage.node, "-v", "on"])
    return lambda: void(stage.lab.run(stage.asked(), ["crm_standby", "--node", stage.node, "-D"]))


def move(stage: Stage[Victim]) -> Undo:
    """As an admin does; the constraint that it leaves goes when it is undone."""
    where, other = ["--resource", stage.system.clone], stage.others[0]
    stage.lab.run(stage.asked(), ["crm_resource", "--move", "--promoted", "--node", other, *where])
    return lambda: void(stage.lab.run(stage.asked(), ["crm_resource", "--clear", *where]))


def new_agents(stage: Stage[Victim]) -> None:
    """On one node after the other, as an admin upgrades; the content is the same."""
    for each in stage.lab.nodes:
        stage.lab.upgrade(each)
        time.sleep(NEXT)
