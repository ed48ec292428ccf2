"""`backstay lab …`: the lab for the shell. (`run` is in machines/enter.py, since it must start fast.)"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from backstay_lab.machines.drivers import attach, driver, of
from backstay_lab.machines.layout import LabError

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Topology

DIRECTORY = click.option("--dir", "directory", default=".lab", show_default=True, help="All of the lab is in here.")


class TopologyName(click.ParamType):  # type: ignore[type-arg]  # generic in new versions of click alone
    """The systems are loaded when this is used: other commands on a lab start without them."""

    name = "topology"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """click before 8.2 gives no context."""
        from backstay_lab.systems.catalogue import topologies

        return f"[{'|'.join(topologies())}]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Topology:
        """Raises LabError."""
        from backstay_lab.systems.catalogue import topology

        return topology(value)


@click.group()
def lab() -> None:
    """A real Pacemaker cluster of several nodes on this machine, from namespaces."""


@lab.command()
@DIRECTORY
@click.option("--nodes", default=3, show_default=True, help="Nodes of the cluster.")
@click.option("--image", default="bookworm", show_default=True, help="Debian suite: bookworm, trixie or sid.")
@click.option("--topology", type=TopologyName(), default="none", show_default=True, help="What the cluster serves.")
@click.option("--token", default=1000, show_default=True, help="Corosync's token timeout, ms.")
@click.option("--boot-delay", default=5.0, show_default=True, help="Seconds a fenced node takes to start again.")
@click.option("--fence-action", type=click.Choice(["reboot", "off"]), default="reboot", show_default=True)
@click.option(
    "--volume", default=0, show_default=True, help="MiB of a file system of its own for a node's data; 0: none."
)
@click.option(
    "--revision", default="", metavar="REV", help="Begin with the agents of an earlier revision of this checkout."
)
@click.option("--vagrant", is_flag=True, help="Nodes are machines that Vagrant makes: systemd in LXC, over ssh.")
@click.option("--keep", is_flag=True, help="Leave the lab up when its topology fails, to look at it.")
def up(
    directory: str,
    nodes: int,
    image: str,
    topology: Topology,
    token: int,
    boot_delay: float,
    fence_action: str,
    volume: int,
    revision: str,
    vagrant: bool,
    keep: bool,
) -> None:
    """Boot a lab; returns when it serves."""
    made = driver(vagrant)
    made.up(directory, nodes, image, topology, token, boot_delay, fence_action, keep, volume, revision, click.echo)
    click.echo(f"{topology.name} serves in {directory}")


@lab.command(context_settings={"ignore_unknown_options": True})
@DIRECTORY
@click.argument("node")
@click.argument("cmd", nargs=-1, required=True, type=click.UNPROCESSED)
def run(directory: str, node: str, cmd: tuple[str, ...]) -> None:
    """Run CMD in NODE; `client` is a host beside the cluster."""
    from backstay_lab.machines import enter

    enter.main(["--dir", directory, node, "--", *cmd])


@lab.command()
@DIRECTORY
@click.argument("node")
def power_off(directory: str, node: str) -> None:
    """Pull NODE's power cord."""
    attach(directory).power_off(node)


@lab.command()
@DIRECTORY
@click.argument("node")
def power_on(directory: str, node: str) -> None:
    """Plug NODE's power cord in."""
    attach(directory).power_on(node)


@lab.command()
@DIRECTORY
@click.argument("node")
def upgrade(directory: str, node: str) -> None:
    """Install the agents that run here on NODE."""
    attach(directory).upgrade(node)


@lab.command()
@DIRECTORY
@click.option("--from-all", is_flag=True, help="Cut NODE from every other, the client too.")
@click.option("--one-way", is_flag=True, help="Drop only what NODE sends to OTHER.")
@click.argument("node")
@click.argument("other", required=False)
def cut(directory: str, from_all: bool, one_way: bool, node: str, other: str | None) -> None:
    """Partition: drop all traffic between NODE and OTHER."""
    if from_all == (other is not None):
        raise LabError("cut takes either a second node or --from-all")
    if other is None:
        attach(directory).isolate(node)
    else:
        attach(directory).cut(node, other, one_way)


@lab.command()
@DIRECTORY
def heal(directory: str) -> None:
    """Undo every cut."""
    attach(directory).heal()


@lab.command()
@DIRECTORY
@click.argument("kind", type=click.Choice(["kill", "hang", "resume"]))
@click.argument("node")
@click.argument("service")
def fault(directory: str, kind: str, node: str, service: str) -> None:
    """SIGKILL, SIGSTOP or SIGCONT a daemon of NODE, such as mysql, rabbitmq, corosync; `node` is all of them."""
    attach(directory).fault(kind, node, service)


@lab.command()
@DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(directory: str, as_json: bool) -> None:
    """Nodes, roles, endpoints."""
    found = attach(directory).status()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("node", "address", "power", "cluster", "resources", box=None)
    for name, node in found["nodes"].items():
        power = node["power"] if node["plugged"] else "unplugged"
        roles = ", ".join(f"{resource} {role}" for resource, role in found["roles"].get(name, {}).items())
        table.add_row(name, node["address"], power, "online" if node["online"] else "", roles)
    console = Console(highlight=False)
    console.print(table)
    for sender, receiver in found["cuts"]:
        console.print(f"cut: {sender} to {receiver}")
    for name, url in found["endpoints"].items():
        console.print(f"{name}: {url}")


@lab.command()
@DIRECTORY
def down(directory: str) -> None:
    """End the lab and delete it."""
    of(directory).down()
