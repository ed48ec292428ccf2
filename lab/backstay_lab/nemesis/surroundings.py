"""Harm done to what surrounds the daemons of a node: its network, its disk, its memory and processor, the cluster's tools,
the writer address. See harm for what a harm is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay_lab.checkers.evidence import Spoil
from backstay_lab.machines import volume
from backstay_lab.machines.layout import CLIENT
from backstay_lab.machines.limits import Limit
from backstay_lab.nemesis.target import void

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.nemesis.schedule import Injection
    from backstay_lab.nemesis.target import Scene, Undo


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


def flap_link(scene: Scene, node: str, injection: Injection) -> None:
    pairs = with_others(scene, node)
    for _ in range(5):
        scene.lab.impair("cut", pairs)
        time.sleep(0.5)
        scene.lab.repair("cut", pairs)
        time.sleep(0.5)


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


def limit(scene: Scene, node: str, injection: Injection, controller: str, **values: str) -> Undo:
    spelled = {name.replace("__", "."): value for name, value in values.items()}
    return Limit.impose(scene.lab.init_of(node), controller, spelled).lift


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
    return Limit.impose(scene.lab.init_of(node), "blkio", values).lift


def freeze_disk(scene: Scene, node: str, injection: Injection) -> Undo:
    volume.freeze(scene.lab.layout, node)
    return lambda: volume.thaw(scene.lab.layout, node)


CLAIM = """
import sys
sys.path.insert(0, "/usr/lib/ocf/lib")
from backstay.host.ip_address import parse_address
from backstay.services.vip.rtnetlink import Link
from backstay.services.vip.packet_socket import Wire
address = parse_address(sys.argv[1])
Wire(address, Link().interface("eth0")).announce()
"""


def duplicate_address(scene: Scene, node: str, injection: Injection) -> Undo:
    """By hand, with the announcement that a careless tool sends."""
    address, begun = scene.traits.address, time.monotonic()
    scene.sh(node, f'ip address add {address}/24 dev eth0 && python3 -c "$1" {address}', CLAIM)

    def remove() -> None:
        scene.sh(
            node, f"ip address del {address}/24 dev eth0 2> /dev/null || ! ip -o address show to {address} | grep ."
        )
        scene.spoiled.append(Spoil(address, begun, time.monotonic()))

    return remove


def remove_address(scene: Scene, node: str, injection: Injection) -> None:
    find = f"ip -o address show to {scene.traits.address} | awk '{{ print $4, $2 }}'"
    scene.sh(node, f"set -- $({find}); ip address del $1 dev $2")
