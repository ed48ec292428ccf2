"""The floor of a failover: what Pacemaker takes when the agents do nothing.

Constraints, options and operations are those of crm-templates/mysql.crm; only the agents are others, each of a few lines of
dash: a role that is a word in a file, and an address that is a file. There are no clients. When what happened is read from the
logs, as for every service.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Any

from backstay.admin.templates import load, render
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.checkers.floor import CONTENDER, gap
from backstay_lab.machines import logs
from backstay_lab.nemesis.fault import table
from backstay_lab.nemesis.measured import KILL, MOVE, POWER_OFF
from backstay_lab.nemesis.stage import Stage, void
from backstay_lab.nemesis.victim import Traits

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Undo

HERE = os.path.dirname(os.path.abspath(__file__))
AGENTS = {"mysql": "role", "vip": "address"}  # ours in the template -> the one that does nothing
PLACE = "/usr/lib/ocf/resource.d/floor"
ROLE, ADDRESS = "floor", "floor-writer"  # resources; named so that their phases are found in the logs
WHAT = "agents that do nothing, configured as crm-templates/mysql.crm: what Pacemaker itself takes"
NOTES = (
    "A role that is a word in a file and an address that is a file, by agents of a few lines of dash.",
    "No client: the gap is the time until the address is there, of a move from the demotion on.",
    "Instead of a killed server Pacemaker is told by crm_resource --fail.",
)
TRAITS = Traits(port=0, peers=0, configuration="", nonsense="")
TIMEOUT = 60.0  # seconds for the role and the address to be there, and to come back
_PARAMETERS = re.compile(r"^    params (?:.*\\\n)*?(?=    (?:meta|op) )", re.MULTILINE)


class Idle:
    """The agents that do nothing, as the nemesis sees them."""

    name, clone, traits = ROLE, f"{ROLE}-clone", TRAITS

    def __init__(self, lab: Lab) -> None:
        self.lab = lab


def fail(stage: Stage[Idle]) -> Undo:
    """There is no server to be killed: the cluster is told that it failed."""
    own = ["--resource", ROLE, "--node", stage.node]
    stage.lab.run(stage.node, ["crm_resource", "--fail", *own])
    return lambda: void(stage.lab.run(stage.others[0], ["crm_resource", "--cleanup", *own]))


_FAULTS = table(KILL.there("a failure that Pacemaker is told of", inflict=fail), MOVE, POWER_OFF)
FAULTS = tuple(_FAULTS)


def configuration(nodes: int, directory: str = "") -> str:
    """The template's text with the other agents. directory: as in `load`."""
    template = load("mysql", directory)
    given = {"writer_ip": "none", "nodes": str(nodes), "monitor_password": "none", "replication_password": "none"}
    text = _PARAMETERS.sub("", render(template, given))
    for own, other in AGENTS.items():
        text = text.replace(f"ocf:backstay:{own}", f"ocf:floor:{other}")
    return re.sub(r"(?<![\w:])mysql\b", ROLE, text)


def deploy(lab: Lab) -> None:
    """On a lab that holds nothing but fencing. Raises TimedOut when nobody is promoted."""
    for name in AGENTS.values():
        with open(os.path.join(HERE, f"floor_{name}"), encoding="utf-8") as source:
            agent = source.read()
        for node in lab.nodes:
            lab.put(node, f"{PLACE}/{name}", agent, mode=0o755)
    lab.put(lab.nodes[0], "/root/floor.crm", configuration(len(lab.nodes), lab.templates))
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/floor.crm"])
    leader(lab)


def leader(lab: Lab) -> str:
    """The promoted node, once the address is there too and all nodes take part. Raises TimedOut."""

    def whole() -> str | None:
        roles = lab.roles()
        there = [name for name in lab.nodes if ROLE in roles.get(name, {})]
        promoted = [name for name in there if roles[name][ROLE] == "Promoted" and ADDRESS in roles[name]]
        return promoted[0] if len(promoted) == 1 and there == list(lab.nodes) else None

    return poll(whole, Deadline(TIMEOUT), f"{ROLE} to be whole", interval=0.2)


def measure(lab: Lab, fault: str) -> dict[str, Any]:
    """One of FAULTS, and back: gap and phases (as Outcome has them), actions, was, now, coordinator. Raises TimedOut when it does
    not come back, AgentError when no node answers."""
    node = leader(lab)
    seen = lab.cluster()
    if seen is None:
        raise AgentError("no node answers")
    stage = Stage(Idle(lab), node)
    marks, began = logs.marks(lab), time.time()
    undo = _FAULTS[fault].inflict(stage)

    def phases() -> dict[str, float] | None:
        found = logs.phases_since(marks, began, ROLE)
        return found if gap(fault, found) is not None else None

    found = poll(phases, Deadline(TIMEOUT), "the address to be on another node", interval=0.2)
    actions = [one._asdict() for one in logs.actions_since(marks, began)]
    if undo:
        undo()
    lab.wait_online(lab.nodes, TIMEOUT)
    now = leader(lab)
    known = {"gap": gap(fault, found), "phases": found, "actions": actions, "was": node, "now": now}
    return {**known, "coordinator": seen.dc == node}


def record(lab: Lab, fault: str) -> dict[str, Any]:
    """The same for a file of results: `contender`, `fault`, and `error`, with which a run may have broken off."""
    known: dict[str, Any] = {"contender": CONTENDER, "fault": fault, "clean": True, "error": ""}
    try:
        return {**known, **measure(lab, fault)}
    except AgentError as failed:
        return {**known, "clean": False, "gap": None, "phases": {}, "actions": [], "error": str(failed)}
