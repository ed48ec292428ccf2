"""Doing each kind of fault to a node, and undoing it. Nothing here measures or judges.

A harm is a function of the scene, the node and the injection. It returns what undoes it, or None when nothing does; what
undoes it may be called again, also after the node came back from a reset, and raises AgentError while it cannot be done.
A harm raises AgentError when there is nothing that it could hit (a daemon that an earlier fault has ended already).
"""

from __future__ import annotations

import os
import re
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from backstay.deadline import Deadline, poll
from backstay.errors import AgentError
from backstay.lab import volume
from backstay.lab.faults import processes
from backstay.lab.layout import CLIENT, LabError
from backstay.lab.limits import Limit
from backstay.lab.mysql import CONFIG as MYSQL_CONFIG
from backstay.lab.mysql import DATA as MYSQL_DATA
from backstay.lab.mysql import WRITER
from backstay.lab.rabbitmq import CONFIG as RABBITMQ_CONFIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.campaign.schedule import Injection
    from backstay.lab.cluster import Lab
    from backstay.rehearse.service import Service

    Undo = Callable[[], None]
    Harm = Callable[["Scene", str, Injection], "Undo | None"]


class Traits(NamedTuple):
    """What harms must know of a service. port: of clients. peers: of the daemons among themselves. configuration: a file;
    nonsense: a line that it cannot hold."""

    port: int
    peers: int
    configuration: str
    nonsense: str


TRAITS = {
    "mysql": Traits(3306, 3306, MYSQL_CONFIG, "[mysqld]\nno-such-option = 1"),
    "rabbitmq": Traits(5672, 25672, RABBITMQ_CONFIG, "no.such.option = 1"),
}
PROMOTING = re.compile(r"Requesting local execution of promote operation for \S+ on (\S+)")
NOTICED = 30.0  # seconds for the cluster to begin with what a harm waits for


class Scene:
    """Where harms are done. leader: the last node that is known to have led. spoiled: times in which the run itself has the
    writer address on another node."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.lab: Lab = service.lab
        self.traits = TRAITS[service.name]
        self.leader = service.leader()
        self.spoiled: list[tuple[float, float]] = []

    def others(self, node: str) -> list[str]:
        """The cluster's other nodes, in order."""
        return [each for each in self.lab.nodes if each != node]

    def asked(self, but: str = "") -> str:
        """A node that is online, to be asked for something. Raises AgentError."""
        for node in sorted(self.lab.online() - {but}):
            return node
        raise AgentError("no node is online")

    def init(self, node: str) -> int:
        """Raises LabError when the node is off."""
        init = self.lab.layout.init_of(node)
        if init is None:
            raise LabError(f"{node} is off")
        return init

    def sh(self, node: str, script: str, *arguments: str) -> str:
        """What a script in the node prints. Raises AgentError."""
        return self.lab.run(node, ["sh", "-ec", script, "sh", *arguments]).out.strip()


def signal(scene: Scene, node: str, injection: Injection, name: str, daemon: str = "") -> Undo | None:
    """kill or hang; `daemon`: a key of lab.faults.SERVICES, by default the service's own."""
    what = daemon or scene.service.name
    scene.lab.fault(name, node, what)
    if name != "hang":
        return None

    def resume() -> None:
        init = scene.lab.layout.init_of(node)
        if init is None:
            return  # off: nothing of it is stopped any more
        running = [process for process in processes(init) if what in ("node", process.program)]
        if running or what == scene.service.name:
            with_nothing_left(lambda: scene.lab.fault("resume", node, what))

    return resume


def with_nothing_left(do: Callable[[], object]) -> None:
    """A daemon that was ended meanwhile needs no signal."""
    try:
        do()
    except LabError:
        return


def power_off(scene: Scene, node: str, injection: Injection) -> Undo:
    scene.lab.power_off(node)
    return lambda: scene.lab.power_on(node)


def impair(
    scene: Scene,
    node: str,
    injection: Injection,
    kind: str,
    pairs: Callable[[Scene, str], list[tuple[str, str]]],
    port: str = "",
) -> Undo:
    """Between the pairs of nodes; `port`: a field of Traits."""
    number = int(getattr(scene.traits, port)) if port else 0
    chosen = pairs(scene, node)
    scene.lab.impair(kind, chosen, number)
    done = False

    def repair() -> None:
        nonlocal done
        if not done:
            scene.lab.repair(kind, chosen, number)
            done = True

    return repair


def with_others(scene: Scene, node: str) -> list[tuple[str, str]]:
    return scene.lab.between(node, scene.others(node))


def with_leader_or_one(scene: Scene, node: str) -> list[tuple[str, str]]:
    return scene.lab.between(node, [scene.leader if node != scene.leader else scene.others(node)[0]])


def to_others(scene: Scene, node: str) -> list[tuple[str, str]]:
    return [(node, each) for each in scene.others(node)]


def from_others(scene: Scene, node: str) -> list[tuple[str, str]]:
    return [(each, node) for each in scene.others(node)]


def with_client(scene: Scene, node: str) -> list[tuple[str, str]]:
    return scene.lab.between(node, [CLIENT])


def with_all(scene: Scene, node: str) -> list[tuple[str, str]]:
    return scene.lab.between(node, [*scene.others(node), CLIENT])


def slow_link(scene: Scene, node: str, injection: Injection) -> Undo:
    scene.lab.slow(node)
    return lambda: scene.lab.hasten(node)


def torn_relay_log(scene: Scene, node: str, injection: Injection) -> None:
    """As a crash of the machine leaves it whose last pages were not yet on the disk."""
    signal(scene, node, injection, "kill")
    scene.sh(node, 'truncate -s -100 "$(ls -t "$1"/relay*.[0-9]* | head -n 1)"', scene.lab.data(MYSQL_DATA))


# Found before the real ones on the agents' PATH. What they do depends on the process id alone: in turn, more or less.
BROKEN = {
    "fail": "#!/bin/sh\ncase $(($$ % 3)) in 0) exit 1 ;; 1) exit 102 ;; *) exit 124 ;; esac\n",
    "hang": "#!/bin/sh\nexec sleep 30\n",
}
TOOLS = ("crm_attribute", "crm_master", "attrd_updater")


def break_tools(scene: Scene, node: str, injection: Injection, way: str) -> Undo:
    paths = [f"/usr/local/sbin/{tool}" for tool in TOOLS]
    for path in paths:
        scene.lab.put(node, path, BROKEN[way], mode=0o755)
    return lambda: void(scene.sh(node, 'rm -f "$@"', *paths))


def void(value: object) -> None:
    """For what is done, not asked."""


def limit(scene: Scene, node: str, injection: Injection, controller: str, **values: str) -> Undo:
    spelled = {name.replace("__", "."): value for name, value in values.items()}
    return Limit.impose(scene.init(node), controller, spelled).lift


FILL = """
cd "$1"
room=$(($(df --output=avail -k . | tail -n 1) - 4096))
[ $room -le 0 ] || fallocate -l ${room}k filler
! dd if=/dev/zero bs=4k conv=fsync >> filler 2> /dev/null
"""


def fill_disk(scene: Scene, node: str, injection: Injection) -> Undo:
    volume.path_of(scene.lab.layout, node)
    scene.sh(node, FILL, volume.PLACE)
    return lambda: void(scene.sh(node, f"rm -f {volume.PLACE}/filler"))


def slow_disk(scene: Scene, node: str, injection: Injection) -> Undo:
    """Twenty writes a second."""
    device = volume.device(scene.lab.layout, node)
    values = {"blkio.throttle.write_iops_device": f"{device} 20"}
    return Limit.impose(scene.init(node), "blkio", values).lift


def freeze_disk(scene: Scene, node: str, injection: Injection) -> Undo:
    volume.freeze(scene.lab.layout, node)
    return lambda: volume.thaw(scene.lab.layout, node)


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
    hold = 'python3 -c "$1" "$2" "$3" < /dev/null > /dev/null 2>&1 &'
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


def flap_link(scene: Scene, node: str, injection: Injection) -> None:
    pairs = with_others(scene, node)
    for _ in range(5):
        scene.lab.impair("cut", pairs)
        time.sleep(0.5)
        scene.lab.repair("cut", pairs)
        time.sleep(0.5)


def kill_promoting(scene: Scene, node: str, injection: Injection) -> None:
    marks = scene.service.log_marks()
    signal(scene, node, injection, "kill")

    def promoting() -> str | None:
        found = [PROMOTING.search(line) for line in scene.service.lines_since(marks)]
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
    """Each file is replaced by another of the same content, as a package manager does."""
    for part in ("agents", "lib"):
        for directory, _, names in os.walk(scene.lab.layout.path("code", part)):
            for path in (os.path.join(directory, name) for name in names):
                shutil.copy2(path, f"{path}.new")
                os.replace(f"{path}.new", path)


CLAIM = """
import sys
sys.path.insert(0, "/usr/lib/ocf/lib")
from backstay.address import parse_address
from backstay.vip.link import Link
from backstay.vip.wire import Wire
address = parse_address(sys.argv[1])
Wire(address, Link().interface("eth0")).announce()
"""


def duplicate_address(scene: Scene, node: str, injection: Injection) -> Undo:
    """By hand, with the announcement that a careless tool sends."""
    begun = time.monotonic()
    scene.sh(node, f'ip address add {WRITER}/24 dev eth0 && python3 -c "$1" {WRITER}', CLAIM)

    def remove() -> None:
        scene.sh(node, f"ip address del {WRITER}/24 dev eth0 2> /dev/null || ! ip -o address show to {WRITER} | grep .")
        scene.spoiled.append((begun, time.monotonic()))

    return remove


def remove_address(scene: Scene, node: str, injection: Injection) -> None:
    find = f"ip -o address show to {WRITER} | awk '{{ print $4, $2 }}'"
    scene.sh(node, f"set -- $({find}); ip address del $1 dev $2")


def _of_pacemaker() -> dict[str, Harm]:
    daemons = ("attrd", "based", "controld", "execd", "fenced", "schedulerd")
    return {f"{name}-kill": partial(signal, name="kill", daemon=f"pacemaker-{name}") for name in daemons}


HARMS: dict[str, Harm] = {
    "kill": partial(signal, name="kill"),
    "hang": partial(signal, name="hang"),
    "node-hang": partial(signal, name="hang", daemon="node"),
    "power-off": power_off,
    "partition": partial(impair, kind="cut", pairs=with_others),
    "pair-cut": partial(impair, kind="cut", pairs=with_leader_or_one),
    "one-way": partial(impair, kind="cut", pairs=to_others),
    "deaf": partial(impair, kind="cut", pairs=from_others),
    "port-cut": partial(impair, kind="ports", pairs=with_others, port="peers"),
    "client-cut": partial(impair, kind="ports", pairs=with_client, port="port"),
    "loss": partial(impair, kind="lossy", pairs=with_all),
    "slow-link": slow_link,
    "disk-full": fill_disk,
    "disk-slow": slow_disk,
    "disk-frozen": freeze_disk,
    "torn-relay-log": torn_relay_log,
    "corosync-kill": partial(signal, name="kill", daemon="corosync"),
    "corosync-hang": partial(signal, name="hang", daemon="corosync"),
    **_of_pacemaker(),
    "pacemakerd-kill": partial(signal, name="kill", daemon="pacemakerd"),
    "tools-fail": partial(break_tools, way="fail"),
    "tools-hang": partial(break_tools, way="hang"),
    "memory": partial(limit, controller="memory", memory__limit_in_bytes=str(16 << 20)),
    "starvation": partial(limit, controller="cpu", cpu__cfs_quota_us="10000"),
    "wrong-cookie": wrong_cookie,
    "port-taken": take_port,
    "broken-configuration": break_configuration,
    "flapping": flap,
    "link-flapping": flap_link,
    "kill-promoting": kill_promoting,
    "kill-two": kill_two,
    "blackout": blackout,
    "standby": standby,
    "move": move,
    "new-agents": new_agents,
    "duplicate-address": duplicate_address,
    "address-removed": remove_address,
}
