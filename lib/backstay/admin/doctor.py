"""`backstay doctor`: what would hurt later, on this node, each with what to do about it."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING

import click

from backstay.admin import host, preflight
from backstay.admin.cluster import NotRunning, local_node, look, refused
from backstay.admin.monitored import LEVELS, Monitored, exit_status
from backstay.cluster.model import Cluster, Finding, Node, Resource
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError, NotInstalled
from backstay.ocf.invocation import Invocation
from backstay.ocf.parameters import actions_of, parameters_of
from backstay.services.catalogue import advice_of, agent_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.agent.dispatch import Agent

SECRETS = "/var/lib/pacemaker/lrm/secrets"  # where cibsecret keeps what the configuration calls lrm://
_PATIENCE = 60.0  # seconds for the whole examination
_AGENT_PATIENCE = 20  # seconds for one agent's own


def examine(services: tuple[str, ...] = ()) -> tuple[str, list[Finding]]:
    """This node's name and what was found, the gravest first. `services`: agents to prepare for, beyond those that are
    configured."""
    deadline = Deadline(_PATIENCE)
    found: list[Finding] = []
    try:
        cluster: Cluster | None = look(deadline)
    except (NotInstalled, NotRunning) as error:
        cluster = None
        found.append(Finding("warning", "cluster", str(error), "systemctl start pacemaker"))
    except AgentError as error:
        cluster = None
        what, told, remedy = str(error).partition(": run ")
        found.append(Finding("unknown", "cluster", what, f"run {remedy}" if told else "see what crm_mon -1 says"))
    try:
        name = local_node(deadline)
    except AgentError:
        name = ""  # a configuration in a file, or no cluster yet
    found += preflight.verified(_refused(deadline))
    resources = list(cluster.resources) if cluster else []
    agents = {one.agent.rpartition(":")[2]: None for one in resources if agent_class(one.agent)} | dict.fromkeys(
        services
    )
    nodes = [node.name for node in cluster.members] if cluster else []
    here = name or os.uname().nodename
    own = cluster.node(here) if cluster else None
    found += preflight.host(host.look(here, nodes, list(agents), deadline, remote=bool(own and own.remote)))
    if cluster:
        found += preflight.fencing(cluster, host.fenced(deadline) if name else None)
        found += preflight.options(cluster)
        found += preflight.room(cluster)
        for resource in resources:
            found += _resource(cluster, resource, own if name else None)
    if os.geteuid():
        what = "only root can see all of this machine: what its files and servers would show was not looked at"
        found.append(Finding("unknown", here, what, "run this as root"))
    return here, sorted(found, key=lambda finding: list(LEVELS).index(finding.level))


def _refused(deadline: Deadline) -> str:
    try:
        return refused(deadline)
    except AgentError:
        return ""  # a program that is missing is a finding of its own


def _resource(cluster: Cluster, resource: Resource, node: Node | None) -> Iterator[Finding]:
    """node: this one; None where no cluster runs here."""
    made = agent_class(resource.agent)
    if made is None:
        return
    advised: dict[str, float] = {}
    for spec in actions_of(made):
        if spec.name not in ("meta-data", "validate-all"):
            # A deeper monitor takes longer, and which of them is configured cannot be told apart here.
            advised[spec.name] = min(advised.get(spec.name, spec.timeout), spec.timeout)
    used = {one.name for one in resource.operations} | {"start", "stop"}
    yield from preflight.timeouts(resource, {name: seconds for name, seconds in advised.items() if name in used})
    yield from preflight.exposed(resource, [one.name for one in parameters_of(made.parameters_class()) if one.secret])
    yield from preflight.expiry(resource)
    yield from advice_of(resource).configuration(cluster)
    if made.members_only:
        yield from preflight.remotes(cluster, resource)
    if node is None or not cluster.kept_off(resource, node):
        yield from _own(made, resource, node)


def _own(made: type[Agent], resource: Resource, node: Node | None) -> Iterator[Finding]:
    """What the agent itself says of this host: validate-all at level 10, all findings instead of the first."""
    environment = {
        **os.environ,
        "OCF_ROOT": "/usr/lib/ocf",
        "OCF_RESOURCE_INSTANCE": resource.id,
        "OCF_CHECK_LEVEL": "10",
        "OCF_RESKEY_CRM_meta_timeout": str(_AGENT_PATIENCE * 1000),
        "OCF_RESKEY_CRM_meta_on_node": node.name if node else "",
        "OCF_RESKEY_CRM_meta_on_node_uuid": node.id if node else "",
        "HA_LOGFILE": os.devnull,  # what it says besides is not for this screen
    }
    for name, value in resource.parameters.items():
        environment[f"OCF_RESKEY_{name}"] = _secret(resource.id, name) if value == "lrm://" else value
    agent = made(Invocation("validate-all", environment))
    context = agent.context
    module = f"{made.__module__.rpartition('.')[0]}.doctor"
    try:
        agent.check_node()
        context.parameters.check()
        if importlib.util.find_spec(module):
            sentences: list[str] = importlib.import_module(module).findings(context)
        else:
            agent.check_host()
            sentences = []
    except AgentError as error:
        sentences = [str(error)]
    except ModuleNotFoundError as error:
        sentences = [f"the agent cannot look further, {error}: apt-get install --yes python3-{error.name}"]
    for sentence in sentences:
        what, colon, remedy = context.log.masked(sentence).rpartition(": ")
        yield Finding("error", resource.id, what if colon else remedy, remedy if colon else "see above")


def _secret(resource: str, name: str) -> str:
    """A secret kept outside the configuration, "" when this node does not have it."""
    try:
        with open(os.path.join(SECRETS, resource, name), encoding="utf-8") as source:
            return source.read().rstrip("\n")
    except OSError:
        return ""


@click.command(cls=Monitored)
@click.option(
    "--service", "services", multiple=True, metavar="AGENT", help="Prepare for this agent too, such as mysql."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(services: tuple[str, ...], as_json: bool) -> None:
    """Examine this node and the cluster's configuration; each finding comes with its remedy.

    Run it as root on every node, before a service is configured and after. Exit status: 0 nothing found, 1 warnings only,
    2 at least one error, 3 something could not be looked at.
    """
    here, findings = examine(services)
    if as_json:
        click.echo(json.dumps({"node": here, "findings": [finding._asdict() for finding in findings]}, indent=1))
    else:
        from rich.console import Console
        from rich.text import Text

        console = Console(highlight=False, soft_wrap=True)
        for finding in findings:
            style = "yellow" if finding.level == "warning" else "bold red"
            console.print(Text.assemble((f"{finding.level}: ", style), f"{finding.subject}: {finding.what}"))
            console.print(Text(f"    {finding.remedy}", style="dim"))
        counted = Counter(finding.level for finding in findings)
        told = [f"{counted['error']} errors", f"{counted['warning']} warnings"]
        told += [f"{counted['unknown']} could not be looked at"] if counted["unknown"] else []
        console.print(f"{here}: {', '.join(told) if findings else 'nothing found'}")
    sys.exit(exit_status(findings))
