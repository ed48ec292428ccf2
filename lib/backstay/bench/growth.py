"""How costs grow: a failover's scheduling with the number of nodes, monitors with the number of resources."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

from lxml import etree

from backstay.bench import costs
from backstay.errors import AgentError
from backstay.rehearse import floor

if TYPE_CHECKING:
    from lxml.etree import _Element

    from backstay.lab.cluster import Lab

NODES = (2, 4, 8, 16, 32)
ADDRESSES = (1, 4, 16)
SIMULATE_TIMEOUT = 300.0  # seconds
PLACE = "/root/growth"
WINDOW = 40.0  # seconds: four monitors of each address


def scheduling(lab: Lab, resource: str, runs: int = 3) -> list[tuple[int, float]]:
    """(nodes, seconds of CPU) that the scheduler needs for the loss of the node whose instance is promoted.

    The cluster's own configuration, with so many nodes, all of which run an instance that may be promoted.
    """
    cib = etree.fromstring(lab.run(lab.nodes[0], ["cibadmin", "--query"]).out.encode())
    found = []
    for count in NODES:
        names = [f"n{number}" for number in range(1, count + 1)]
        lab.put(lab.nodes[0], f"{PLACE}/cold.xml", etree.tostring(grown(cib, resource, names)).decode())
        up = [word for name in names for word in ("--node-up", name)]
        start = ["crm_simulate", "--quorum", "true", "--simulate", "--quiet", *up]
        files = ["--xml-file", f"{PLACE}/cold.xml", "--save-output", f"{PLACE}/warm.xml"]
        lab.run(lab.nodes[0], [*start, *files], timeout=SIMULATE_TIMEOUT)
        # Every node was a candidate with the same score; the first in the list holds the role, or none does.
        shown = lab.run(lab.nodes[0], ["crm_simulate", "--xml-file", f"{PLACE}/warm.xml"], timeout=SIMULATE_TIMEOUT).out
        promoted = [
            word for line in shown.splitlines() if "Promoted: [" in line for word in line.split() if word in names
        ]
        if not promoted or "Unpromoted" in shown.partition("Promoted: [")[0].rpartition("\n")[2]:
            raise AgentError(f"no instance of {resource} is promoted with {count} nodes")
        fail = f"crm_simulate --quorum true --simulate --quiet --xml-file {PLACE}/warm.xml --node-fail {promoted[0]}"
        argv = ["python3", "-m", "backstay.bench.monitor", "-n", str(runs), fail]
        found.append((count, json.loads(lab.run(lab.nodes[0], argv, timeout=SIMULATE_TIMEOUT).out)["cpu"] / 1000))
    return found


def grown(cib: _Element, resource: str, names: list[str]) -> _Element:
    """The configuration with these nodes, each a candidate for the role, and nothing known of their state."""
    large = copy.deepcopy(cib)
    for status in large.findall("status"):
        large.remove(status)
    etree.SubElement(large, "status")
    nodes = large.find("configuration/nodes")
    if nodes is None:
        raise AgentError("the cluster has no nodes")
    nodes[:] = []
    for number, name in enumerate(names, start=1):
        node = etree.SubElement(nodes, "node", id=str(number), uname=name)
        attributes = etree.SubElement(node, "instance_attributes", id=f"nodes-{number}")
        score = {"id": f"nodes-{number}-score", "name": f"master-{resource}", "value": "100"}
        etree.SubElement(attributes, "nvpair", score)
    for pair in large.iterfind(".//clone/meta_attributes/nvpair[@name='clone-max']"):
        pair.set("value", str(len(names)))
    return large


def addresses(lab: Lab, configuration: str) -> list[tuple[int, float]]:
    """(addresses on each node, seconds of agents' CPU in a minute and node), monitors every 10 s.

    `configuration` is that of a lone address, for crmsh.
    """
    found = []
    for count in ADDRESSES:
        lines = []
        for place, node in enumerate(lab.nodes):
            for number in range(count):
                name = f"address-{place}-{number}"
                own = configuration.replace(floor.RESOURCE, name).replace(
                    floor.ADDRESS, f"10.77.{place + 1}.{number + 1}"
                )
                lines += [own, f"location {name}-on-{node} {name} inf: {node}"]
        lab.put(lab.nodes[0], "/root/addresses.crm", "\n".join(lines) + "\n")
        lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/addresses.crm"], timeout=120)
        lab.run(lab.nodes[0], ["crm_resource", "--wait", "--timeout", "100"], timeout=110)
        used = costs.at_rest(lab, WINDOW)["cpu"]
        found.append((count, round(used["agents"] + used["helpers that stay"], 3)))
    return found
