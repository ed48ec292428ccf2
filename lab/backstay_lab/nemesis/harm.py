"""Doing each kind of fault to a node, and undoing it. Nothing here measures or judges.

A harm is a function of the target, the node and the injection. It returns what undoes it, or None when nothing does; what
undoes it may be called again, also after the node came back from a reset, and raises AgentError while it cannot be done.
A harm raises AgentError when there is nothing that it could hit (a daemon that an earlier fault has ended already).
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import logs
from backstay_lab.nemesis import surroundings
from backstay_lab.nemesis.sequences import SEQUENCES
from backstay_lab.nemesis.target import void, with_nothing_left

if TYPE_CHECKING:
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.nemesis.target import Harm, Target, Undo


PROMOTING = r"Requesting local execution of promote operation for {resource} on (\S+)"


NEXT = 2.0  # seconds from an upgraded node to the next: monitors of both versions meet each other
NOTICED = 30.0  # seconds for the cluster to begin with what a harm waits for


def signal(target: Target, node: str, injection: Injection, name: str, daemon: str = "") -> Undo | None:
    """kill or hang; `daemon`: one of the cluster's own, by default the system's."""
    what = daemon or target.system.name
    target.lab.fault(name, node, what)
    if name != "hang":
        return None
    return lambda: with_nothing_left(lambda: target.lab.fault("resume", node, what))


def power_off(target: Target, node: str, injection: Injection) -> Undo:
    target.lab.power_off(node)
    return lambda: target.lab.power_on(node)


def torn_relay_log(target: Target, node: str, injection: Injection) -> None:
    """As a crash of the machine leaves it whose last pages were not yet on the disk."""
    signal(target, node, injection, "kill")
    target.sh(node, 'truncate -s -100 "$(ls -t "$1"/relay*.[0-9]* | head -n 1)"', target.lab.data(target.traits.data))


def wrong_cookie(target: Target, node: str, injection: Injection) -> None:
    target.sh(node, "f=/var/lib/rabbitmq/.erlang.cookie; chmod 600 $f; echo WRONG > $f; chmod 400 $f")
    signal(target, node, injection, "kill")


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


def take_port(target: Target, node: str, injection: Injection) -> None:
    """The program that has the port ends by itself, so that there is nothing to undo on a node that was reset."""
    hold = 'setsid python3 -c "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 &'  # a session's end would end it
    target.sh(node, hold, HOLD, str(target.traits.port), str(injection.lasts))
    signal(target, node, injection, "kill")


def break_configuration(target: Target, node: str, injection: Injection) -> Undo:
    path = target.traits.configuration
    target.sh(node, 'cp -p "$1" "$1.sound"; printf "\\n%s\\n" "$2" >> "$1"', path, target.traits.nonsense)
    with_nothing_left(lambda: signal(target, node, injection, "kill"))  # what does not run cannot start now
    return lambda: void(target.sh(node, '[ ! -e "$1.sound" ] || mv "$1.sound" "$1"', path))


def flap(target: Target, node: str, injection: Injection) -> None:
    end = Deadline(injection.lasts)
    while not end.expired:
        with_nothing_left(lambda: target.lab.fault("kill", node, target.system.name))
        time.sleep(0.5)


def kill_promoting(target: Target, node: str, injection: Injection) -> None:
    marks = target.system.log_marks()
    wanted = re.compile(PROMOTING.replace("{resource}", re.escape(target.system.name)))
    signal(target, node, injection, "kill")

    def promoting() -> str | None:
        found = [wanted.search(line) for line in logs.lines_since(marks)]
        return next((match[1] for match in found if match), None)

    candidate = poll(promoting, Deadline(NOTICED), "a promotion to begin", interval=0.02)
    signal(target, candidate, injection, "kill")


def kill_two(target: Target, node: str, injection: Injection) -> None:
    for each in (target.others(node)[0], node):
        signal(target, each, injection, "kill")


def blackout(target: Target, node: str, injection: Injection) -> Undo:
    """The injection's target names the order in which power returns."""
    for each in target.lab.nodes:
        target.lab.power_off(each)
    for number in injection.target.split()[1:]:
        target.lab.power_on(f"n{number}")
        time.sleep(injection.lasts)

    def power_on() -> None:
        for each in target.lab.nodes:
            target.lab.power_on(each)

    return power_on


def standby(target: Target, node: str, injection: Injection) -> Undo:
    target.lab.run(target.asked(but=node), ["crm_standby", "--node", node, "-v", "on"])
    return lambda: void(target.lab.run(target.asked(), ["crm_standby", "--node", node, "-D"]))


def move(target: Target, node: str, injection: Injection) -> Undo:
    """As an admin does; the constraint that it leaves goes when it is undone."""
    where, other = ["--resource", target.system.clone], target.others(node)[0]
    target.lab.run(target.asked(), ["crm_resource", "--move", "--promoted", "--node", other, *where])
    return lambda: void(target.lab.run(target.asked(), ["crm_resource", "--clear", *where]))


def new_agents(target: Target, node: str, injection: Injection) -> None:
    """On one node after the other, as an admin upgrades; the content is the same."""
    for each in target.lab.nodes:
        target.lab.upgrade(each)
        time.sleep(NEXT)


def _of_pacemaker() -> dict[str, Harm]:
    daemons = ("attrd", "based", "controld", "execd", "fenced", "schedulerd")
    return {f"{name}-kill": partial(signal, name="kill", daemon=f"pacemaker-{name}") for name in daemons}


HARMS: dict[str, Harm] = {
    "kill": partial(signal, name="kill"),
    "hang": partial(signal, name="hang"),
    "node-hang": partial(signal, name="hang", daemon="node"),
    "power-off": power_off,
    "partition": partial(surroundings.impair, kind="cut", pairs=surroundings.with_others),
    "pair-cut": partial(surroundings.impair, kind="cut", pairs=surroundings.with_leader_or_one),
    "one-way": partial(surroundings.impair, kind="cut", pairs=surroundings.to_others),
    "deaf": partial(surroundings.impair, kind="cut", pairs=surroundings.from_others),
    "port-cut": partial(surroundings.impair, kind="ports", pairs=surroundings.with_others, port="peers"),
    "client-cut": partial(surroundings.impair, kind="ports", pairs=surroundings.with_client, port="port"),
    "loss": partial(surroundings.impair, kind="lossy", pairs=surroundings.with_all),
    "slow-link": surroundings.slow_link,
    "disk-full": surroundings.fill_disk,
    "disk-slow": surroundings.slow_disk,
    "disk-frozen": surroundings.freeze_disk,
    "torn-relay-log": torn_relay_log,
    "corosync-kill": partial(signal, name="kill", daemon="corosync"),
    "corosync-hang": partial(signal, name="hang", daemon="corosync"),
    **_of_pacemaker(),
    "pacemakerd-kill": partial(signal, name="kill", daemon="pacemakerd"),
    "tools-fail": partial(surroundings.break_tools, way="fail"),
    "tools-hang": partial(surroundings.break_tools, way="hang"),
    "memory": partial(surroundings.limit, controller="memory", memory__limit_in_bytes=str(16 << 20)),
    "starvation": partial(surroundings.limit, controller="cpu", cpu__cfs_quota_us="10000"),
    "wrong-cookie": wrong_cookie,
    "port-taken": take_port,
    "broken-configuration": break_configuration,
    "flapping": flap,
    "link-flapping": surroundings.flap_link,
    "kill-promoting": kill_promoting,
    "kill-two": kill_two,
    "blackout": blackout,
    "standby": standby,
    "move": move,
    "new-agents": new_agents,
    "duplicate-address": surroundings.duplicate_address,
    "address-removed": surroundings.remove_address,
    **SEQUENCES,
}
