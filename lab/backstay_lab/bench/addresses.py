"""An address alone, under Pacemaker. With ocf:backstay:vip, a power-off of its node is the floor of the stack: no agent can be
faster. Who has the address is asked of the nodes' kernels, not of whoever manages it."""

from __future__ import annotations

import time
from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.bench import costs, growth
from backstay_lab.bench.contender import Contender, record
from backstay_lab.checkers.writes import write_gap
from backstay_lab.clients import workload
from backstay_lab.machines import logs
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.catalogue import known
from backstay_lab.nemesis.fault import table
from backstay_lab.nemesis.measured import ADDRESS_REMOVED, MOVE, POWER_OFF
from backstay_lab.nemesis.stage import Stage, void
from backstay_lab.nemesis.surroundings import remove_address
from backstay_lab.nemesis.victim import Traits
from backstay_lab.run import baseline

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Fault, Undo

FAULTS = ("power-off", "move", "address-removed", "keeper-kill")
SETTLE = 5.0  # seconds after the address answers again in which a second node may take it too: VRRP takes 3.6


def holders(lab: Lab) -> list[str]:
    """The nodes that have the address, as their own kernels say."""
    found = []
    for node in lab.nodes:
        with suppress(LabError):  # off
            if lab.run(node, ["ip", "-o", "addr", "show", "to", baseline.ADDRESS], check=False).out:
                found.append(node)
    return found


def holder(lab: Lab) -> str:
    """The node that has the address. Raises TimedOut when there is not exactly one."""

    def alone() -> str | None:
        have = holders(lab)
        return have[0] if len(have) == 1 else None

    return poll(alone, Deadline(baseline.TIMEOUT), "the address to be on one node", interval=0.2)


class Alone:
    """The address, as the nemesis sees it."""

    name = clone = baseline.RESOURCE
    traits = Traits(port=0, peers=0, configuration="", nonsense="", address=baseline.ADDRESS)

    def __init__(self, lab: Lab) -> None:
        self.lab = lab


class Address(Contender):
    """An address with nothing behind it, asked by ICMP every 10 ms. table: what each of FAULTS is to whoever manages it, on the
    node that has it. keeper-kill: SIGKILL of the daemon that decides where it is."""

    service = "address"
    client = "an ICMP echo request every 10 ms"
    faults = FAULTS
    table: Mapping[str, Fault]

    @abstractmethod
    def rejoined(self, lab: Lab) -> None:
        """Returns when the node that was hit takes part again."""

    def coordinates(self, lab: Lab, node: str) -> bool:
        """Whether the node is the cluster's coordinator."""
        return False

    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        node = holder(lab)
        known = record(lost=0, was=node, coordinator=self.coordinates(lab, node))
        with workload.echo(lab, histories, baseline.ADDRESS) as load:
            load.wait_steady(0.0, baseline.TIMEOUT)
            marked, wall, began = logs.marks(lab), time.time(), time.monotonic()
            undo = self.table[fault].inflict(Stage(Alone(lab), node, load=load))
            try:
                load.wait_steady(time.monotonic(), patience)
            except TimedOut as late:
                for recorder in load.recorders:
                    recorder.kill()
                return {**known, "error": f"{late}; {lab.complaints()}"}
            known["error"] = self._claims(lab)
            load.finish()
        if undo:
            undo()
        self.rejoined(lab)
        gap = write_gap(load.attempts, began)
        phases = {**logs.phases_since(marked, wall, "floor"), "first write": gap.first - began}
        return {**known, "gap": gap.seconds, "phases": phases, "now": ", ".join(holders(lab)), "whole": True}

    def _claims(self, lab: Lab) -> str:
        """Who had the address at the same time, "" when one node at most had it."""
        both: set[str] = set()
        end = Deadline(SETTLE)
        while not end.expired:
            have = holders(lab)
            both.update(have if len(have) > 1 else ())
            time.sleep(0.2)
        return f"{' and '.join(sorted(both))} had the address at the same time" if both else ""


def move(stage: Stage[Alone]) -> Undo:
    """An address has no role that could be moved, it is the resource that is."""
    resource = ["crm_resource", "--resource", baseline.RESOURCE]
    target = stage.others[0]
    stage.lab.run(target, [*resource, "--move", "--node", target])
    return lambda: void(stage.lab.run(stage.node, [*resource, "--clear"]))


def removed(stage: Stage[Alone]) -> Undo:
    """The failure is forgotten afterwards, as by an admin."""
    remove_address(stage)
    return lambda: void(stage.lab.run(stage.node, ["crm_resource", "--cleanup", "--resource", baseline.RESOURCE]))


class Managed(Address):
    """By an agent under Pacemaker."""

    table = table(
        POWER_OFF,
        MOVE.there("planned move", inflict=move),
        ADDRESS_REMOVED._replace(inflict=removed),
        known("corosync-kill")._replace(name="keeper-kill"),
    )

    def __init__(self, name: str, what: str, parameters: str) -> None:
        self.name, self.what = name, what
        self._configuration = (
            f"primitive {baseline.RESOURCE} {name} params {parameters} op monitor interval=10s timeout=20s\n"
        )

    def deploy(self, lab: Lab) -> None:
        baseline.prepare(lab, self._configuration)
        holder(lab)

    def coordinates(self, lab: Lab, node: str) -> bool:
        return baseline.is_dc(lab, node)

    def rejoined(self, lab: Lab) -> None:
        lab.wait_online(lab.nodes, baseline.TIMEOUT)

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        node = holder(lab)
        yield (
            "monitor",
            {"agent": self.name, "what": "", **costs.monitor(lab, baseline.RESOURCE, node, "Started", runs)},
        )
        yield from self._nodes(lab)

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        points = growth.addresses(lab, self._configuration)
        axes = {"chart": "Addresses on a node", "x": "addresses", "y": "s of agents' CPU in a minute"}
        yield {**axes, "service": self.service, "contender": self.name, "points": points}
