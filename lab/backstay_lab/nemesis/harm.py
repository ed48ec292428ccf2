"""Doing each kind of fault to a node, and undoing it. Nothing here measures or judges.

A harm is a function of the scene, the node and the injection. It returns what undoes it, or None when nothing does; what
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
from backstay_lab.systems.mysql.deploy import DATA as MYSQL_DATA

if TYPE_CHECKING:
    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.nemesis.target import Harm, Scene, Undo


PROMOTING = r"Requesting local execution of promote operation for {resource} on (\S+)"


NEXT = 2.0  # seconds from an upgraded node to the next: monitors of both versions meet each other
NOTICED = 30.0  # seconds for the cluster to begin with what a harm waits for


def signal(scene: Scene, node: str, injection: Injection, name: str, daemon: str = "") -> Undo | None:
    """kill or hang; `daemon`: a key of lab.faults.SERVICES, by default the service's own."""
    what = daemon or scene.service.name
    scene.lab.fault(name, node, what)
    if name != "hang":
        return None
    return lambda: with_nothing_left(lambda: scene.lab.fault("resume", node, what))


def power_off(scene: Scene, node: str, injection: Injection) -> Undo:
    scene.lab.power_off(node)
    return lambda: scene.lab.power_on(node)


def torn_relay_log(scene: Scene, node: str, injection: Injection) -> None:
    """As a crash of the machine leaves it whose last pages were not yet on the disk."""
    signal(scene, node, injection, "kill")
    scene.sh(node, 'truncate -s -100 "$(ls -t "$1"/relay*.[0-9]* | head -n 1)"', scene.lab.data(MYSQL_DATA))


def wrong_cookie(scene: Scene, node: str, injection: Injection) -> None:
    scene.sh(node, "f=/var/lib/rabbitmq/.erlang.cookie; chmod 600 $f; echo WRONG > $f; chmod 400 $f")
    signal(scene, node, injection, "kill")


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


def take_port(scene: Scene, node: str, injection: Injection) -> None:
    """The program that has the port ends by itself, so that there is nothing to undo on a node that was reset."""
    hold = 'setsid python3 -c "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 &'  # a session's end would end it
    scene.sh(node, hold, HOLD, str(scene.traits.port), str(injection.lasts))
    signal(scene, node, injection, "kill")


def break_configuration(scene: Scene, node: str, injection: Injection) -> Undo:
    path = scene.traits.configuration
    scene.sh(node, 'cp -p "$1" "$1.sound"; printf "\\n%s\\n" "$2" >> "$1"', path, scene.traits.nonsense)
    with_nothing_left(lambda: signal(scene, node, injection, "kill"))  # what does not run cannot start now
    return lambda: void(scene.sh(node, '[ ! -e "$1.sound" ] || mv "$1.sound" "$1"', path))


def flap(scene: Scene, node: str, injection: Injection) -> None:
    end = Deadline(injection.lasts)
    while not end.expired:
        with_nothing_left(lambda: scene.lab.fault("kill", node, scene.service.name))
        time.sleep(0.5)


def kill_promoting(scene: Scene, node: str, injection: Injection) -> None:
    marks = scene.service.log_marks()
    wanted = re.compile(PROMOTING.replace("{resource}", re.escape(scene.service.name)))
    signal(scene, node, injection, "kill")

    def promoting() -> str | None:
        found = [wanted.search(line) for line in logs.lines_since(marks)]
        return next((match[1] for match in found if match), None)

    candidate = poll(promoting, Deadline(NOTICED), "a promotion to begin", interval=0.02)
    signal(scene, candidate, injection, "kill")


def kill_two(scene: Scene, node: str, injection: Injection) -> None:
    for each in (scene.others(node)[0], node):
        signal(scene, each, injection, "kill")


def blackout(scene: Scene, node: str, injection: Injection) -> Undo:
    """The target names the order in which power returns."""
    for each in scene.lab.nodes:
        scene.lab.power_off(each)
    for number in injection.target.split()[1:]:
        scene.lab.power_on(f"n{number}")
        time.sleep(injection.lasts)

    def power_on() -> None:
        for each in scene.lab.nodes:
            scene.lab.power_on(each)

    return power_on


def standby(scene: Scene, node: str, injection: Injection) -> Undo:
    scene.lab.run(scene.asked(but=node), ["crm_standby", "--node", node, "-v", "on"])
    return lambda: void(scene.lab.run(scene.asked(), ["crm_standby", "--node", node, "-D"]))


def move(scene: Scene, node: str, injection: Injection) -> Undo:
    """As an admin does; the constraint that it leaves goes when it is undone."""
    where, target = ["--resource", scene.service.clone], scene.others(node)[0]
    scene.lab.run(scene.asked(), ["crm_resource", "--move", "--promoted", "--node", target, *where])
    return lambda: void(scene.lab.run(scene.asked(), ["crm_resource", "--clear", *where]))


def new_agents(scene: Scene, node: str, injection: Injection) -> None:
    """On one node after the other, as an admin upgrades; the content is the same."""
    for each in scene.lab.nodes:
        scene.lab.upgrade(each)
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
