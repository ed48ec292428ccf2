"""What a contender costs while nothing goes wrong: one monitor of it, and a node's cluster in a minute."""

from __future__ import annotations

import json
import os
import shlex
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from lxml import etree

from backstay.host.deadline import Deadline, poll
from backstay.ocf.codes import DEGRADED_CODES, role_name
from backstay.ocf.errors import AgentError
from backstay_lab.machines.faults import processes

if TYPE_CHECKING:
    from lxml.etree import _Element

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.machines.faults import Process

AGENTS = "/usr/lib/ocf/resource.d"
WINDOW = 60.0  # seconds; every monitor comes several times
SETTLE = 25.0  # seconds after a change of the configuration: probes, and first monitors
MONITORS_TIMEOUT = 600.0  # seconds for all runs of a node's monitors
INTERVALS = {"Promoted": "10s", "Unpromoted": "11s", "Started": "10s"}
HELPERS = ("backstay.watch.daemon", "backstay.services.mysql.reader_check.server")  # in their arguments
USERS = ("agents", "helpers that stay", "Pacemaker", "Corosync")
TICK = os.sysconf("SC_CLK_TCK")


# -- one monitor ------------------------------------------------------------------------------------------------------


def monitor(lab: Lab, resource: str, node: str, role: str, runs: int) -> dict[str, Any]:
    """The least cost of a recurring monitor of a primitive, run on a node as Pacemaker runs it there: status, cpu and wall
    (ms), memory (MiB), programs. `role` is Promoted, Unpromoted or Started."""
    text = shlex.join([f"{name}={value}" for name, value in _environment(lab, resource, node, role).items()])
    primitive = _primitive(_cib(lab), resource)
    asked = f"{text} {AGENTS}/{primitive.get('provider')}/{primitive.get('type')} monitor"
    argv = ["python3", "-m", "backstay_lab.bench.monitor", "-n", str(runs), asked]
    found: dict[str, Any] = json.loads(lab.run(node, argv, timeout=MONITORS_TIMEOUT).out)
    wanted = 8 if role == "Promoted" else 0
    if found["status"] not in (wanted, *DEGRADED_CODES):
        raise AgentError(f"the monitor of {resource} on {node} ends with {found['status']}, not {wanted}")
    return found


def _environment(lab: Lab, resource: str, node: str, role: str) -> dict[str, str]:
    """What Pacemaker gives an agent: parameters, meta attributes of primitive and clone, those of the operation."""
    cib = _cib(lab)
    primitive = _primitive(cib, resource)
    operation = _operation(primitive, role)
    given = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": resource, "OCF_RA_VERSION_MAJOR": "1"}
    given.update({f"OCF_RESKEY_{name}": value for name, value in _pairs(primitive, "instance_attributes")})
    metas = dict(_pairs(primitive, "meta_attributes"))
    clone = primitive.getparent()
    if clone is not None and clone.tag == "clone":
        metas.update(_pairs(clone, "meta_attributes"), clone="0")
        with suppress(KeyError):  # Pacemaker gives agents the old names too
            metas.update({"master-max": metas["promoted-max"], "master-node-max": metas["promoted-node-max"]})
    metas.update(
        name="monitor",
        interval=str(1000 * int(str(operation.get("interval")).rstrip("s"))),
        timeout=str(1000 * int(str(operation.get("timeout")).rstrip("s"))),
        role=role,
        on_node=node,
    )
    metas.update(_pairs(operation, "meta_attributes"))
    given.update({f"OCF_RESKEY_CRM_meta_{name.replace('-', '_')}": value for name, value in metas.items()})
    given.update(dict(_pairs(operation, "instance_attributes")))  # OCF_CHECK_LEVEL
    return given


def _cib(lab: Lab) -> _Element:
    return etree.fromstring(lab.run(lab.nodes[0], ["cibadmin", "--query"]).out.encode())


def _primitive(cib: _Element, resource: str) -> _Element:
    found = cib.find(f".//primitive[@id='{resource}']")
    if found is None:
        raise AgentError(f"the cluster has no resource {resource}")
    return found


def _operation(primitive: _Element, role: str) -> _Element:
    for operation in primitive.iterfind("operations/op[@name='monitor']"):
        if _role(operation) == role:
            return operation
    raise AgentError(f"{primitive.get('id')} has no monitor for the role {role}")


def _role(operation: _Element) -> str:
    return role_name(str(operation.get("role") or "Started"))


def _pairs(element: _Element, group: str) -> list[tuple[str, str]]:
    return [(str(pair.get("name")), str(pair.get("value"))) for pair in element.iterfind(f"{group}/nvpair")]


# -- a node in a minute -----------------------------------------------------------------------------------------------


def slow_down(lab: Lab) -> None:
    """Give every monitor the same interval, 10 s (unpromoted: 11 s, since Pacemaker tells operations apart by it). Those that
    come once a minute or more seldom, and look deeper, stay."""
    cib = _cib(lab)
    resources = cib.find("configuration/resources")
    if resources is None:
        raise AgentError("the cluster has no resources")
    for operation in resources.iterfind(".//op[@name='monitor']"):
        primitive = operation.getparent().getparent()
        seldom = int(str(operation.get("interval")).rstrip("s")) >= 60
        if primitive is not None and primitive.get("class") == "ocf" and not seldom:
            operation.set("interval", INTERVALS[_role(operation)])
    replace = ["cibadmin", "--replace", "--scope", "resources", "--xml-pipe"]
    lab.run(lab.nodes[0], replace, input=etree.tostring(resources).decode())


def at_rest(lab: Lab, window: float = WINDOW) -> dict[str, Any]:
    """{"cpu": {user: seconds of CPU in a minute on one node}, "memory": MiB of the helpers}, means over the nodes."""
    time.sleep(SETTLE)
    before, begun = _used(lab), time.monotonic()
    poll(lambda: time.monotonic() - begun >= window, Deadline(window + 5), "the window to pass", interval=0.5)
    share = 60.0 / (time.monotonic() - begun) / len(lab.nodes)
    after = _used(lab)
    cpu = {user: round((after[user] - before[user]) * share, 3) for user in USERS}
    return {"cpu": cpu, "memory": round(_memory(lab) / len(lab.nodes), 1)}


def _used(lab: Lab) -> dict[str, float]:
    """Seconds of CPU so far, all nodes together."""
    total = dict.fromkeys(USERS, 0.0)
    for node in lab.nodes:
        for process in _processes(lab, node):
            with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process.pid}/stat") as stat:
                fields = stat.read().rpartition(")")[2].split()
                own = (int(fields[11]) + int(fields[12])) / TICK
                children = (int(fields[13]) + int(fields[14])) / TICK
                if process.program.startswith("pacemaker"):
                    total["Pacemaker"] += own
                    total["agents"] += children  # those of the executor, and of the fencer
                elif process.program == "corosync":
                    total["Corosync"] += own
                elif process.program == "tini":
                    total["agents"] += children  # what agents left to init
                elif _stays(process):
                    total["helpers that stay"] += own + children
    return total


def _memory(lab: Lab) -> float:
    """MiB of the helpers, each page counted in part by everyone who shares it."""
    total = 0
    for node in lab.nodes:
        for process in filter(_stays, _processes(lab, node)):
            with suppress(FileNotFoundError, ProcessLookupError), open(f"/proc/{process.pid}/smaps_rollup") as rollup:
                total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total / 1024


def _processes(lab: Lab, node: str) -> list[Process]:
    init = lab.layout.init_of(node)
    return list(processes(init)) if init is not None else []


def _stays(process: Process) -> bool:
    return process.program == "keepalived" or any(helper in " ".join(process.arguments) for helper in HELPERS)
