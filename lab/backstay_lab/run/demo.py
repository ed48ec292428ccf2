"""`backstay demo`: a real failover from start to finish, for somebody who has just met us."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from rich.console import Console
from rich.table import Table

from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError
from backstay_lab.run.rehearsal import Manner, Outcome, rehearse
from backstay_lab.systems.catalogue import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


SHOWN = Manner(application=False)  # its packages come from PyPI; a demo needs the image alone


class Show(NamedTuple):
    """One demo. boots: what is booted. whole: what is waited for before each fault. load: who works meanwhile. story: fault
    -> what is done. tell: phase -> what a reader who does not know Pacemaker calls it. verdict: of an outcome's fields and
    those of its verdict."""

    boots: str
    whole: str
    load: str
    story: dict[str, str]
    tell: dict[str, str]
    verdict: str


SHOWS = {
    "mysql": Show(
        "three nodes: Pacemaker, Corosync, fencing, MariaDB, the writer address",
        "every replica acknowledges",
        "four clients write through the writer address",
        {"kill": "kill -9 of the primary's server", "power-off": "power cut of the primary's node"},
        {
            "detected": "the cluster notices",
            "fenced": "the lost node is confirmed dead",
            "promoted": "a replica is promoted",
            "address": "the writer address is there",
            "first write": "the first write is acknowledged",
            "whole": "the old node has rejoined as a replica, all servers hold the same rows",
        },
        "The ledger: {acknowledged} rows acknowledged, {lost} lost; two servers writable at once: {both_writable} times; "
        "no write was acknowledged for {gap:.2f} s",
    ),
    "openstack": Show(
        "three nodes: Pacemaker, MariaDB with readers behind HAProxy, RabbitMQ",
        "all services are whole",
        "nova boots instances: api, scheduler, computes on oslo.messaging and oslo.db",
        {
            "mysql-kill": "kill -9 of the primary's server",
            "rabbitmq-kill": "kill -9 of the broker that leads the queues",
            "haproxy-kill": "kill -9 of HAProxy where its address is",
        },
        {
            "detected": "the cluster notices",
            "first write": "boots come to an end again, and their callers read it from a replica",
            "whole": "all services are whole",
        },
        "{accepted} boots accepted, {lost} vanished, {twice} in two final states, {failed} reported failed; "
        "none came to its end for {gap:.2f} s",
    ),
}


@contextmanager
def step(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """A line that spins while the block runs and then says how long it took; the block may report progress."""
    start = time.monotonic()
    with console.status(text) as status:
        yield lambda line: status.update(f"{text}: {line}")
    console.print(f"[green]done[/] {text} [dim]({time.monotonic() - start:.0f} s)[/]")


def bring_up(console: Console, directory: str, image: str, topology: str) -> Lab:
    """The lab in the directory, booted if there is none."""
    try:
        lab = Lab.attach(directory)
    except LabError:
        with step(console, f"boot {SHOWS[topology].boots}") as say:
            return Lab.up(directory, image=image, topology=topology, say=say)
    if lab.topology != topology:
        raise LabError(f"the lab in {directory} is no {topology}; end it with `backstay lab down --dir {directory}`")
    return lab


def tell(console: Console, outcome: Outcome, show: Show) -> None:
    """The timeline of one fault, and the verdict."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("[cyan]0.00 s[/]", f"{show.story[outcome.fault]}, on {outcome.was}")
    for phase, seconds in sorted(outcome.phases.items(), key=lambda pair: pair[1]):
        if phase in show.tell:
            who = f" ({outcome.now})" if phase == "promoted" else ""
            table.add_row(f"[cyan]{seconds:.2f} s[/]", show.tell[phase] + who)
    console.print(table)
    found: dict[str, Any] = {
        name: value if isinstance(value, (int, float)) else len(value)
        for name, value in outcome.verdict._asdict().items()
    }
    color = "green" if outcome.clean else "red"
    console.print(f"[{color}]{show.verdict.format(gap=outcome.gap, **found)}[/]\n")


@click.command()
@click.argument("topology", type=click.Choice(sorted(SHOWS)), default="mysql")
@click.option("--dir", "directory", default=".lab", show_default=True, help="The lab.")
@click.option("--image", default="bookworm", show_default=True)
@click.option("--down", is_flag=True, help="Take the lab down at the end (make demo: DEMO_DOWN=1).")
def demo(topology: str, directory: str, image: str, down: bool) -> None:
    """Boot a cluster, lose what it depends on under load, and count what was lost."""
    console = Console(highlight=False, soft_wrap=True)
    show = SHOWS[topology]
    lab = bring_up(console, directory, image, topology)
    service = SERVICES[topology].attach(lab)
    clean = True
    try:
        for name, text in show.story.items():
            with step(console, f"wait until {show.whole}"):
                service.wait_whole(120)
            with tempfile.TemporaryDirectory() as histories, step(console, f"{show.load}; {text}"):
                outcome = rehearse(service, SERVICES[topology].faults[name], histories, SHOWN)
            tell(console, outcome, show)
            clean = clean and outcome.clean
    finally:
        if down:
            with step(console, "take the lab down"):
                lab.down()
    if not down:
        where = "" if directory == ".lab" else f" --dir {directory}"
        console.print("The cluster is still up. Try next:")
        for command in (
            f"bin/backstay lab status{where}",
            f"bin/backstay lab run{where} {lab.nodes[0]} -- crm_mon -1",
            f"bin/backstay lab down{where}",
        ):
            console.print(f"  {command}")
    if not clean:
        raise LabError("the verdict is not clean, see above")
