"""`backstay status`: the cluster on one screen, with the reason for anything not as wanted."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from backstay.admin import diagnose
from backstay.admin.cluster import look
from backstay.admin.monitored import Monitored, exit_status
from backstay.admin.older import group
from backstay.cluster.model import IDLE
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.services.catalogue import advices_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

    from rich.console import Console, RenderableType

    from backstay.cluster.model import Cluster, Finding
    from backstay.services.advice import Advice

_PATIENCE = 20.0  # seconds for one look
_WIDE = 250  # columns off a terminal
_STYLES = {"error": "bold red", "warning": "yellow", "Promoted": "bold green", "online": "green"}


def observe(seconds: float = _PATIENCE) -> tuple[Cluster, list[Advice], list[Finding]]:
    """A look, the services in it, and what is not as wanted. Raises AgentError."""
    cluster = look(Deadline(seconds))
    services = advices_of(cluster)
    return cluster, services, diagnose.judge(cluster, services)


def document(cluster: Cluster, services: Sequence[Advice], findings: Sequence[Finding]) -> dict[str, Any]:
    """For programs: {"cluster", "nodes": {name: {"state", "attributes", "resources": {id: {"role", "note"}}}},
    "services": {resource: line}, "findings": [{"level", "subject", "what", "remedy"}]}."""
    return {
        "cluster": {
            "name": cluster.name,
            "version": cluster.version,
            "quorum": cluster.quorum,
            "coordinator": cluster.dc,
            "state": cluster.state,
            "fencing": cluster.fencing,
        },
        "nodes": {
            node.name: {
                "state": node.state,
                "attributes": dict(node.attributes),
                "resources": {
                    one.resource: {"role": one.role, "note": service.note(cluster, one)}
                    for service in services
                    for one in cluster.active(service.resource.id)
                    if one.node == node.name
                },
            }
            for node in cluster.nodes
        },
        "services": {service.resource.id: service.summary(cluster) for service in services if service.summary(cluster)},
        "facts": dict(cluster.facts),
        "findings": [finding._asdict() for finding in findings],
    }


def screen(cluster: Cluster, services: Sequence[Advice], findings: Sequence[Finding]) -> RenderableType:
    """The same for people."""
    from rich.table import Table
    from rich.text import Text

    def styled(text: str) -> Text:
        return Text(text, style=_STYLES.get(text, ""))

    online = f"{len(cluster.online)} of {len(cluster.nodes)} nodes online"
    quorum = "quorum" if cluster.quorum else "NO QUORUM"
    fencing = "fencing on" if cluster.fencing else "FENCING OFF"
    busy = {"": "", IDLE: "idle"}.get(cluster.state, f"busy ({diagnose.doing(cluster)})")
    parts = [cluster.name or "cluster", online, quorum, f"coordinator {cluster.dc or 'none'}", fencing, busy]
    head = Text(", ".join(part for part in parts if part) + time.strftime("   %H:%M:%S"), style="bold")

    table = Table(box=None, pad_edge=False)
    for title in ("node", "state", "resource", "role", ""):
        table.add_column(title, overflow="fold")
    for node in cluster.nodes:
        first = [Text(node.name), styled(node.state)]
        for service in services:
            for one in cluster.active(service.resource.id):
                if one.node == node.name:
                    table.add_row(*first, Text(one.resource), styled(one.role), Text(service.note(cluster, one)))
                    first = [Text(""), Text("")]
        if first[0].plain:
            table.add_row(*first)
    lines: list[RenderableType] = [head, Text(""), table, Text("")]
    for service in services:
        said = service.summary(cluster)
        if said:
            lines += [Text(f"{service.resource.id}: {said}"), Text("")]
    if not findings:
        lines.append(Text("all is as wanted", style="green"))
    for finding in findings:
        lines.append(
            Text.assemble((f"{finding.level}: ", _STYLES[finding.level]), f"{finding.subject}: {finding.what}")
        )
        lines.append(Text(f"    {finding.remedy}", style="dim"))
    return group(*lines)


@click.command(cls=Monitored)
@click.option("--json", "as_json", is_flag=True, help="For programs; with --watch a line for each look.")
@click.option("--watch", is_flag=True, help="Stay, and look again every --interval seconds.")
@click.option("--interval", default=2.0, show_default=True, type=click.FloatRange(min=0.2), help="Seconds.")
def status(as_json: bool, watch: bool, interval: float) -> None:
    """The cluster on one screen, and the reason for anything that is not as wanted.

    Run it on any node, as root or as a member of haclient. It needs no password. Exit status: 0 all is as
    wanted, 1 warnings only, 2 at least one error, 3 it cannot be told, as where the cluster does not run.
    """
    if watch:
        _watch(interval, as_json)
        return
    cluster, services, findings = observe()
    if as_json:
        click.echo(json.dumps(document(cluster, services, findings), indent=1))
    else:
        console().print(screen(cluster, services, findings))
    sys.exit(exit_status(findings))


def console(sink: IO[str] | None = None) -> Console:
    """For a screen. Off a terminal, as in a mail or a file, no line is folded: commands in it can be copied."""
    from rich.console import Console

    made = Console(highlight=False, file=sink)
    return made if made.is_terminal else Console(highlight=False, file=sink, width=_WIDE)


def _watch(interval: float, as_json: bool) -> None:
    """Until Ctrl-C. A look that fails is shown, and the next one tried. Where no terminal is, one screen below the other. For
    programs, a line of JSON for each look; {"error"} where it failed."""
    from rich.live import Live
    from rich.text import Text

    place = console()

    def told() -> str:
        try:
            return json.dumps(document(*observe()))
        except AgentError as error:
            return json.dumps({"error": str(error)})

    def shown() -> RenderableType:
        try:
            return screen(*observe())
        except AgentError as error:
            return Text(f"{time.strftime('%H:%M:%S')} {error}", style="bold red")

    try:
        if as_json or not place.is_terminal:
            while True:
                if as_json:
                    click.echo(told())
                else:
                    place.print(shown(), "")
                sys.stdout.flush()
                time.sleep(interval)
        with Live(shown(), console=place, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(interval)
                live.update(shown(), refresh=True)
    except KeyboardInterrupt:
        return
