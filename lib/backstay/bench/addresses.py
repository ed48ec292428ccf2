"""An address alone. With ocf:backstay:vip, a power-off of its node is the floor of the stack: no agent can be faster."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from backstay.bench import costs, growth
from backstay.bench.contender import Contender, record
from backstay.deadline import Deadline, poll
from backstay.errors import TimedOut
from backstay.rehearse import floor, logs, workload
from backstay.rehearse.checkers import write_gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.lab.cluster import Lab


def _other(lab: Lab, node: str) -> str:
    return next(each for each in lab.nodes if each != node)


def _power_off(lab: Lab, node: str) -> None:
    lab.power_off(node)


def _power_on(lab: Lab, node: str) -> None:
    lab.power_on(node)
    lab.wait_online(lab.nodes, floor.TIMEOUT)


def _move(lab: Lab, node: str) -> None:
    target = _other(lab, node)
    lab.run(target, ["crm_resource", "--move", "--resource", floor.RESOURCE, "--node", target])


def _unmove(lab: Lab, node: str) -> None:
    lab.run(node, ["crm_resource", "--clear", "--resource", floor.RESOURCE])


def _remove(lab: Lab, node: str) -> None:
    """As a tool that knows nothing of the cluster does."""
    find = f"ip -o addr show to {floor.ADDRESS} | awk '{{print $4, $2}}'"
    lab.run(node, ["sh", "-ec", f"set -- $({find}); ip addr del $1 dev $2"])


def _forget(lab: Lab, node: str) -> None:
    lab.run(node, ["crm_resource", "--cleanup", "--resource", floor.RESOURCE])


FAULTS = {"power-off": (_power_off, _power_on), "move": (_move, _unmove), "address-removed": (_remove, _forget)}


class Address(Contender):
    """An address with nothing behind it, asked by ICMP every 10 ms."""

    service = "address"
    faults = tuple(FAULTS)

    def __init__(self, name: str, what: str, parameters: str) -> None:
        self.name, self.what = name, what
        self._configuration = (
            f"primitive {floor.RESOURCE} {name} params {parameters} op monitor interval=10s timeout=20s\n"
        )

    def deploy(self, lab: Lab) -> None:
        floor.prepare(lab, self._configuration)
        poll(lambda: floor.holder(lab), Deadline(floor.TIMEOUT), "the address", interval=0.2)

    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        inflict, heal = FAULTS[fault]
        node = poll(lambda: floor.holder(lab), Deadline(floor.TIMEOUT), "the address", interval=0.2)
        known = record(lost=0, was=node, coordinator=floor.is_dc(lab, node))
        with workload.echo(lab, histories, floor.ADDRESS) as load:
            load.wait_steady(0.0, floor.TIMEOUT)
            marked, wall, began = logs.marks(lab), time.time(), time.monotonic()
            inflict(lab, node)
            try:
                load.wait_steady(time.monotonic(), patience)
            except TimedOut as late:
                for recorder in load.recorders:
                    recorder.kill()
                return {**known, "error": f"{late}; {lab.complaints()}"}
            load.finish()
        heal(lab, node)
        gap = write_gap(load.attempts, began)
        phases = {**logs.phases_since(marked, wall, "floor"), "first write": gap.first - began}
        return {**known, "gap": gap.seconds, "phases": phases, "now": floor.holder(lab) or "", "whole": True}

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        node = poll(lambda: floor.holder(lab), Deadline(floor.TIMEOUT), "the address", interval=0.2)
        yield "monitor", {"agent": self.name, "what": "", **costs.monitor(lab, floor.RESOURCE, node, "Started", runs)}
        yield from self._nodes(lab)

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        points = growth.addresses(lab, self._configuration)
        axes = {"chart": "Addresses on a node", "x": "addresses", "y": "s of agents' CPU in a minute"}
        yield {**axes, "service": self.service, "contender": self.name, "points": points}
