"""The floor: what the cluster alone needs to bring an address back when its node loses power. No agent can be faster.

The same lab, Corosync and fencing as for the database, and a cluster that holds nothing but one address.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.checkers.writes import write_gap
from backstay_lab.clients import workload

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab

ADDRESS = "10.77.0.101"
RESOURCE = "floor-writer"  # as the address of a service `floor`: its phases are found in the logs
CONFIGURATION = f"primitive {RESOURCE} ocf:backstay:vip params ip={ADDRESS} op monitor interval=10s timeout=20s\n"
TIMEOUT = 60.0  # seconds for the address or a node to come back


class Floor(NamedTuple):
    """gap: seconds without an answer from the address. coordinator: its node was the cluster's DC too, so that the
    survivors had to elect one first."""

    gap: float
    coordinator: bool


def prepare(lab: Lab, configuration: str = CONFIGURATION) -> None:
    """Configure the address. `configuration`: another agent's, for the same resource and address."""
    lab.put(lab.nodes[0], "/root/floor.crm", configuration)
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/floor.crm"])


def holder(lab: Lab) -> str | None:
    """The node that has the address."""
    return next((node for node, roles in lab.roles().items() if roles.get(RESOURCE) == "Started"), None)


def is_dc(lab: Lab, node: str) -> bool:
    """Whether the node coordinates the cluster. Raises AgentError when no node answers."""
    seen = lab.cluster()
    if seen is None:
        raise AgentError("no node answers")
    return seen.dc == node


def measure(lab: Lab, directory: str) -> Floor:
    """Power the address's node off and on again. Raises TimedOut when address or node do not come back."""
    node = poll(lambda: holder(lab), Deadline(TIMEOUT), "the address", interval=0.2)
    coordinator = is_dc(lab, node)
    with workload.echo(lab, directory, ADDRESS) as load:
        load.wait_steady(0.0, TIMEOUT)
        fault = time.monotonic()
        lab.power_off(node)
        load.wait_steady(time.monotonic(), TIMEOUT)
        load.finish()
    lab.power_on(node)
    lab.wait_online(lab.nodes, TIMEOUT)
    return Floor(write_gap(load.attempts, fault).seconds, coordinator)
