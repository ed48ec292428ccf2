"""Looks at the cluster from this node, with Pacemaker's own programs. Decides nothing."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from backstay.cluster.xml import read
from backstay.host.command import run
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError, CommandFailed, TimedOut
from backstay.services.catalogue import advices_of

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster
    from backstay.host.deadline import Deadline

_PATIENCE = 10.0  # seconds for one program; they take 0.05
_FILE = "CIB_file"  # where Pacemaker's programs look at a file instead of a cluster
_REFUSED = (65, 76, 78)  # CRM_EX_DATAERR, CRM_EX_PROTOCOL, CRM_EX_CONFIG
_BRIEFLY = 2.0  # seconds for a coordinator to answer
_NO_CLUSTER = (102, 107)  # CRM_EX_DISCONNECT, CRM_EX_NOHOST


class NotRunning(AgentError):
    """The cluster software does not run on this node."""

    code = ExitCode.NOT_RUNNING


def ask(argv: list[str], deadline: Deadline) -> str:
    """A program's output. Raises NotRunning where there is no cluster here, CommandFailed and TimedOut as `run` does."""
    done = run(argv, deadline.within(_PATIENCE).remaining(), check=False)
    if done.status in _NO_CLUSTER or (done.status and "ould not connect" in done.err and _FILE not in os.environ):
        raise NotRunning("the cluster does not run on this node: systemctl start pacemaker, or ask another node")
    if done.status:
        raise CommandFailed(f"{argv[0]} failed with status {done.status}: {_said(done.err or done.out)}", done.status)
    return done.out


def _said(text: str) -> str:
    """The last thing a program complained of, in XML or not, with what to do where it is a privilege."""
    complaints = re.findall(r"<error>(.*?)</error>", text, re.DOTALL) or text.strip().splitlines() or [""]
    denied = any("ermission denied" in one for one in complaints)
    return complaints[-1].strip() + (": run this as root, or as a member of haclient" if denied else "")


def look(deadline: Deadline) -> Cluster:
    """The cluster now, with the private attributes that its services want to see. Raises AgentError.

    It is made of several answers, and a reload of the primary may begin or end between two of them; so whoever seems to have no
    primary is looked at once more."""
    seen = _look(deadline)
    return _look(deadline) if any(map(seen.leaderless, seen.resources)) else seen


def _look(deadline: Deadline) -> Cluster:
    seen = read(ask(["crm_mon", "-1", "--output-as=xml"], deadline), ask(["cibadmin", "--query"], deadline))
    names = [name for service in advices_of(seen) for name in service.private()]
    state = coordinator_state(seen.dc, deadline) if seen.dc else ""
    return seen._replace(private={name: private_attribute(name, deadline) for name in names}, state=state)


def refused(deadline: Deadline) -> str:
    """The first error that Pacemaker itself finds in its configuration, "" for none; warnings are none."""
    file = os.environ.get(_FILE)
    where = ["--xml-file", file] if file else ["--live-check"]
    done = run(["crm_verify", *where, "--verbose"], deadline.within(_PATIENCE).remaining(), check=False)
    said = (done.err + done.out).splitlines()
    fine = done.status == 0 or (done.status not in _REFUSED and not file)  # a live one may be out of reach
    if fine or any("Warnings found during check" in line for line in said):
        return ""
    errors = [line for line in said if "error" in line.lower() and not line.startswith("crm_verify:")]
    first = (errors or said or [f"status {done.status}"])[0]
    return re.sub(r"^(\(\w+\)\s+|\S*:\d+: |error:\s*)*", "", first).strip()


def coordinator_state(dc: str, deadline: Deadline) -> str:
    """S_IDLE when the cluster has nothing left to do, "" when the coordinator does not say. One whose node was lost gives
    no answer until the others have noticed."""
    try:
        done = run(["crmadmin", "--status", dc], deadline.within(_BRIEFLY).remaining(), check=False)
    except TimedOut:
        return ""
    found = re.search(r"\bS_[A-Z_]+\b", done.out)
    return found[0] if found else ""


def private_attribute(name: str, deadline: Deadline) -> dict[str, str]:
    """Node -> value. Empty when no node has set it."""
    argv = ["attrd_updater", "--query", "--all", "--name", name]
    done = run(argv, deadline.within(_PATIENCE).remaining(), check=False)
    return {found[1]: found[2] for found in re.finditer(r'host="([^"]*)" value="([^"]*)"', done.out)}


def local_node(deadline: Deadline) -> str:
    """This node's name in the cluster. Raises NotRunning."""
    return ask(["crm_node", "--name"], deadline).strip()


def node_names(deadline: Deadline) -> dict[str, str]:
    """Node id -> name, of all nodes that the cluster knows. Raises NotRunning."""
    listing = ask(["crm_node", "--list"], deadline)
    return {fields[0]: fields[1] for fields in map(str.split, listing.splitlines()) if len(fields) > 1}
