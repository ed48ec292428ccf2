"""How costs grow: a failover's scheduling with the number of nodes, monitors with the number of resources."""

from __future__ import annotations

import copy
import json
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from lxml import etree

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.bench import costs
from backstay_lab.run import baseline

if TYPE_CHECKING:
    from lxml.etree import _Element

    from backstay_lab.machines.cluster import Lab

NODES = (2, 4, 8, 16, 32)
ADDRESSES = (1, 4, 16)
FIRST = "10.77.0.{}"  # in the lab's network, beyond its nodes
SIMULATE_TIMEOUT = 300.0  # seconds
PLACE = "/root/growth"
SIMULATE = "crm_simulate --quorum true"
WINDOW = 40.0  # seconds: four monitors of each address


class Scheduled(NamedTuple):
    """What the loss of the leading node takes with so many nodes: seconds of the scheduler's CPU, steps of the transition."""

    nodes: int
    cpu: float
    steps: int


def scheduling(lab: Lab, resource: str, runs: int = 3) -> list[Scheduled]:
    """The cluster's own configuration, grown: every node runs an instance, and any may be promoted. The node that is lost is
    the promoted one's, or where nobody is promoted the first."""
    cib = etree.fromstring(lab.run(lab.nodes[0], ["cibadmin", "--query"]).out.encode())
    found = []
    for count in NODES:
        names = [f"n{number}" for number in range(1, count + 1)]
        lab.put(lab.nodes[0], f"{PLACE}/cold.xml", etree.tostring(grown(cib, resource, names)).decode())
        up = " ".join(f"--node-up {name}" for name in names)
        _simulate(lab, f"--simulate {up} --xml-file {PLACE}/cold.xml --save-output {PLACE}/warm.xml")
        promoted = re.search(r" Promoted: \[ (\S+)", _simulate(lab, f"--xml-file {PLACE}/warm.xml"))
        fail = f"--simulate --xml-file {PLACE}/warm.xml --node-fail {promoted[1] if promoted else names[0]}"
        taken = steps(_simulate(lab, fail))
        argv = ["python3", "-m", "backstay_lab.bench.monitor", "-n", str(runs), f"{SIMULATE} {fail}"]
        cpu = json.loads(lab.run(lab.nodes[0], argv, timeout=SIMULATE_TIMEOUT).out)["cpu"] / 1000
        found.append(Scheduled(count, round(cpu, 3), taken))
    return found


def _simulate(lab: Lab, options: str) -> str:
    return lab.run(lab.nodes[0], f"{SIMULATE} {options}".split(), timeout=SIMULATE_TIMEOUT).out


def steps(said: str) -> int:
    """How many steps the transition has that crm_simulate tells of."""
    return len(re.findall(r"^  \* (?:(?:Resource|Pseudo) action:|Fencing )", said, re.MULTILINE))


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
        names = {node: [f"address-{place}-{number}" for number in range(count)] for place, node in enumerate(lab.nodes)}
        lines = []
        for place, node in enumerate(lab.nodes):
            for number, name in enumerate(names[node]):
                address = FIRST.format(120 + place * ADDRESSES[-1] + number)
                lines.append(configuration.replace(baseline.RESOURCE, name).replace(baseline.ADDRESS, address))
                lines.append(f"location {name}-on-{node} {name} inf: {node}")
        lab.put(lab.nodes[0], "/root/addresses.crm", "\n".join(lines) + "\n")
        lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/addresses.crm"], timeout=120)
        poll(partial(_all_up, lab, names), Deadline(120), f"{count} addresses on every node", interval=0.5)
        used = costs.at_rest(lab, WINDOW)["cpu"]
        found.append((count, round(used["agents"] + used["helpers that stay"], 3)))
    return found


def _all_up(lab: Lab, names: dict[str, list[str]]) -> bool:
    roles = lab.roles()
    return all(roles.get(node, {}).get(name) == "Started" for node, own in names.items() for name in own)
