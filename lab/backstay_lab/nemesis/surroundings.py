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
    from backstay_lab.nemesis.target import Target, Undo


def impair(
    target: Target,
    node: str,
    injection: Injection,
    kind: str,
    pairs: Callable[[Target, str], list[tuple[str, str]]],
    port: str = "",
) -> Undo:
    """Between the pairs of nodes; `port`: a field of Traits."""
    number = int(getattr(target.traits, port)) if port else 0
    chosen = pairs(target, node)
    target.lab.impair(kind, chosen, number)
    done = False

    def repair() -> None:
        nonlocal done
        if not done:
            target.lab.repair(kind, chosen, number)
            done = True

    return repair


def with_others(target: Target, node: str) -> list[tuple[str, str]]:
    return target.lab.between(node, target.others(node))


def with_leader_or_one(target: Target, node: str) -> list[tuple[str, str]]:
    return target.lab.between(node, [target.leader if node != target.leader else target.others(node)[0]])


def to_others(target: Target, node: str) -> list[tuple[str, str]]:
    return [(node, each) for each in target.others(node)]


def from_others(target: Target, node: str) -> list[tuple[str, str]]:
    return [(each, node) for each in target.others(node)]


def with_client(target: Target, node: str) -> list[tuple[str, str]]:
    return target.lab.between(node, [CLIENT])


def with_all(target: Target, node: str) -> list[tuple[str, str]]:
    return target.lab.between(node, [*target.others(node), CLIENT])


def slow_link(target: Target, node: str, injection: Injection) -> Undo:
    target.lab.slow(node)
    return lambda: target.lab.hasten(node)


def flap_link(target: Target, node: str, injection: Injection) -> None:
    pairs = with_others(target, node)
    for _ in range(5):
        target.lab.impair("cut", pairs)
        time.sleep(0.5)
        target.lab.repair("cut", pairs)
        time.sleep(0.5)


# Found before the real ones on the agents' PATH. What they do depends on the process id alone: in turn, more or less.
BROKEN = {
    "fail": "#!/bin/sh\ncase $(($$ % 3)) in 0) exit 1 ;; 1) exit 102 ;; *) exit 124 ;; esac\n",
    "hang": "#!/bin/sh\nexec sleep 30\n",
}


TOOLS = ("crm_attribute", "crm_master", "attrd_updater")


def break_tools(target: Target, node: str, injection: Injection, way: str) -> Undo:
    paths = [f"/usr/local/sbin/{tool}" for tool in TOOLS]
    for path in paths:
        target.lab.put(node, path, BROKEN[way], mode=0o755)
    return lambda: void(target.sh(node, 'rm -f "$@"', *paths))


def limit(target: Target, node: str, injection: Injection, controller: str, **values: str) -> Undo:
    spelled = {name.replace("__", "."): value for name, value in values.items()}
    return Limit.impose(target.lab.init_of(node), controller, spelled).lift


FILL = """
cd "$1"
room=$(($(df --output=avail -k . | tail -n 1) - 4096))
[ $room -le 0 ] || fallocate -l ${room}k filler
! dd if=/dev/zero bs=4k conv=fsync >> filler 2> /dev/null
"""


def fill_disk(target: Target, node: str, injection: Injection) -> Undo:
    volume.path_of(target.lab.layout, node)
    target.sh(node, FILL, volume.PLACE)
    return lambda: void(target.sh(node, f"rm -f {volume.PLACE}/filler"))


def slow_disk(target: Target, node: str, injection: Injection) -> Undo:
    """Twenty writes a second."""
    device = volume.device(target.lab.layout, node)
    values = {"blkio.throttle.write_iops_device": f"{device} 20"}
    return Limit.impose(target.lab.init_of(node), "blkio", values).lift


def freeze_disk(target: Target, node: str, injection: Injection) -> Undo:
    volume.freeze(target.lab.layout, node)
    return lambda: volume.thaw(target.lab.layout, node)


CLAIM = """
import sys
sys.path.insert(0, "/usr/lib/ocf/lib")
from backstay.host.ip_address import parse_address
from backstay.services.vip.rtnetlink import Link
from backstay.services.vip.packet_socket import Wire
address = parse_address(sys.argv[1])
Wire(address, Link().interface("eth0")).announce()
"""


def duplicate_address(target: Target, node: str, injection: Injection) -> Undo:
    """By hand, with the announcement that a careless tool sends."""
    address, begun = target.traits.address, time.monotonic()
    target.sh(node, f'ip address add {address}/24 dev eth0 && python3 -c "$1" {address}', CLAIM)

    def remove() -> None:
        gone = f"! ip -o address show to {address} | grep -F {address}/24"  # the agent that takes it replaces it
        target.sh(node, f"ip address del {address}/24 dev eth0 2> /dev/null || {gone}")
        target.spoiled.append(Spoil(address, begun, time.monotonic()))

    return remove


def remove_address(target: Target, node: str, injection: Injection) -> None:
    find = f"ip -o address show to {target.traits.address} | awk '{{ print $4, $2 }}'"
    target.sh(node, f"set -- $({find}); ip address del $1 dev $2")
