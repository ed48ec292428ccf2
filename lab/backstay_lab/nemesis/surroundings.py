"""Faults of what surrounds the daemons of a node: its network, its disk, its memory and processor, the cluster's tools,
the writer address."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay_lab.checkers.evidence import Spoil
from backstay_lab.machines import volume
from backstay_lab.machines.layout import CLIENT
from backstay_lab.machines.limits import Limit
from backstay_lab.nemesis.stage import void

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.nemesis.fault import Inflict, Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.nemesis.victim import Victim


def impair(kind: str, pairs: Callable[[Stage[Victim]], list[tuple[str, str]]], port: str = "") -> Inflict:
    """A fault of what the first of each pair of nodes sends to the second. kind: of Lab.impair. port: a field of Traits."""

    def inflict(stage: Stage[Victim]) -> Undo:
        number = int(getattr(stage.traits, port)) if port else 0
        chosen = pairs(stage)
        stage.lab.impair(kind, chosen, number)
        done = False

        def repair() -> None:
            nonlocal done
            if not done:
                stage.lab.repair(kind, chosen, number)
                done = True

        return repair

    return inflict


def with_others(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return stage.lab.between(stage.node, stage.others)


def with_leader_or_one(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return stage.lab.between(stage.node, [stage.leader if stage.node != stage.leader else stage.others[0]])


def to_others(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return [(stage.node, each) for each in stage.others]


def from_others(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return [(each, stage.node) for each in stage.others]


def with_client(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return stage.lab.between(stage.node, [CLIENT])


def with_all(stage: Stage[Victim]) -> list[tuple[str, str]]:
    return stage.lab.between(stage.node, [*stage.others, CLIENT])


def slow_link(stage: Stage[Victim]) -> Undo:
    stage.lab.slow(stage.node)
    return lambda: stage.lab.hasten(stage.node)


def flap_link(stage: Stage[Victim]) -> None:
    pairs = with_others(stage)
    for _ in range(5):
        stage.lab.impair("cut", pairs)
        time.sleep(0.5)
        stage.lab.repair("cut", pairs)
        time.sleep(0.5)


# Found before the real ones on the agents' PATH. What they do depends on the process id alone: in turn, more or less.
BROKEN = {
    "fail": "#!/bin/sh\ncase $(($$ % 3)) in 0) exit 1 ;; 1) exit 102 ;; *) exit 124 ;; esac\n",
    "hang": "#!/bin/sh\nexec sleep 30\n",
}


TOOLS = ("crm_attribute", "crm_master", "attrd_updater")


def break_tools(stage: Stage[Victim], way: str) -> Undo:
    paths = [f"/usr/local/sbin/{tool}" for tool in TOOLS]
    for path in paths:
        stage.lab.put(stage.node, path, BROKEN[way], mode=0o755)
    return lambda: void(stage.sh(stage.node, 'rm -f "$@"', *paths))


def limit(stage: Stage[Victim], controller: str, **values: str) -> Undo:
    spelled = {name.replace("__", "."): value for name, value in values.items()}
    return Limit.impose(stage.lab.init_of(stage.node), controller, spelled).lift


FILL = """
cd "$1"
room=$(($(df --output=avail -k . | tail -n 1) - 4096))
[ $room -le 0 ] || fallocate -l ${room}k filler
! dd if=/dev/zero bs=4k conv=fsync >> filler 2> /dev/null
"""


def fill_disk(stage: Stage[Victim]) -> Undo:
    volume.path_of(stage.lab.layout, stage.node)
    stage.sh(stage.node, FILL, volume.PLACE)
    return lambda: void(stage.sh(stage.node, f"rm -f {volume.PLACE}/filler"))


def slow_disk(stage: Stage[Victim]) -> Undo:
    """Twenty writes a second."""
    device = volume.device(stage.lab.layout, stage.node)
    values = {"blkio.throttle.write_iops_device": f"{device} 20"}
    return Limit.impose(stage.lab.init_of(stage.node), "blkio", values).lift


def freeze_disk(stage: Stage[Victim]) -> Undo:
    volume.freeze(stage.lab.layout, stage.node)
    return lambda: volume.thaw(stage.lab.layout, stage.node)


CLAIM = """
import sys
sys.path.insert(0, "/usr/lib/ocf/lib")
from backstay.host.ip_address import parse_address
from backstay.services.vip.rtnetlink import Link
from backstay.services.vip.packet_socket import Wire
address = parse_address(sys.argv[1])
Wire(address, Link().interface("eth0")).announce()
"""


def duplicate_address(stage: Stage[Victim]) -> Undo:
    """By hand, with the announcement that a careless tool sends."""
    address, begun = stage.traits.address, time.monotonic()
    stage.sh(stage.node, f'ip address add {address}/24 dev eth0 && python3 -c "$1" {address}', CLAIM)

    def remove() -> None:
        gone = f"! ip -o address show to {address} | grep -F {address}/24"  # the agent that takes it replaces it
        stage.sh(stage.node, f"ip address del {address}/24 dev eth0 2> /dev/null || {gone}")
        stage.spoiled.append(Spoil(address, begun, time.monotonic()))

    return remove


def remove_address(stage: Stage[Victim]) -> None:
    find = f"ip -o address show to {stage.traits.address} | awk '{{ print $4, $2 }}'"
    stage.sh(stage.node, f"set -- $({find}); ip address del $1 dev $2")
