"""All services on the same nodes at once: what a control plane pays for its agents while nothing goes wrong.

No faults: what a failover of one service takes among the others is `backstay rehearse openstack`, which needs nova's boot
flow to go through all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backstay.ocf.errors import AgentError
from backstay_lab.bench.contender import Contender
from backstay_lab.systems.catalogue import rehearsed
from backstay_lab.systems.haproxy import peers as haproxypeers
from backstay_lab.systems.mysql import peers as mysqlpeers
from backstay_lab.systems.rabbitmq import peers as rabbitpeers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstay_lab.machines.cluster import Lab

PEERS_NOTES = (
    "Of the two MySQL agents the one that uses less, of the two RabbitMQ agents as well. Neither reader addresses nor "
    "checks of the readers, which ours have: no peer offers them.",
)


class Stack(Contender):
    """Its costs are those of a node with everything on it; single monitors are measured service by service."""

    service = "openstack"
    client = rehearsed()[service].client
    faults = ()

    def __init__(self, name: str, what: str, deploy: Callable[[Lab], None], notes: tuple[str, ...] = ()) -> None:
        self.name, self.what, self.notes, self._deploy = name, what, notes, deploy

    def deploy(self, lab: Lab) -> None:
        self._deploy(lab)

    def suffer(self, lab: Lab, fault: str, histories: str, patience: float) -> dict[str, Any]:
        raise AgentError(f"{self.name} takes no faults; `backstay rehearse openstack --fault {fault}` does")

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        yield from self._nodes(lab)

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        yield from ()


def peers(lab: Lab) -> None:
    """The peers' services side by side. Each waits until it serves. Raises LabError."""
    mysqlpeers.deploy(lab, agent="mysql")
    haproxypeers.deploy(lab)
    rabbitpeers.cluster(lab)
