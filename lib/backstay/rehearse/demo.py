"""`backstay demo`: a real failover from start to finish, for somebody who has just met us."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import click
from rich.console import Console
from rich.table import Table

from backstay.lab.cluster import Lab
from backstay.lab.layout import LabError
from backstay.rehearse.mysqlfaults import FAULTS
from backstay.rehearse.mysqlset import MysqlSet
from backstay.rehearse.scenarios import Outcome, rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstay.rehearse.checkers import Verdict

# Phase -> what a reader who does not know Pacemaker calls it.
TELL = {
    "detected": "the cluster notices",
    "fenced": "the lost node is confirmed dead",
    "promoted": "a replica is promoted",
    "address": "the writer address is there",
    "first write": "the first write is acknowledged",
    "whole": "the old node has rejoined as a replica, all servers hold the same rows",
}
STORY = {
    "kill": "kill -9 of the primary's server on {node}",
    "power-off": "power cut on {node}, the primary's node",
}


@contextmanager
def step(console: Console, text: str) -> Iterator[Callable[[str], None]]:
    """A line that spins while the block runs and then says how long it took; the block may report progress."""
    start = time.monotonic()
    with console.status(text) as status:
        yield lambda line: status.update(f"{text}: {line}")
    console.print(f"[green]done[/] {text} [dim]({time.monotonic() - start:.0f} s)[/]")


def bring_up(console: Console, directory: str, image: str) -> Lab:
    """The MySQL lab in the directory, booted if there is none."""
    try:
        lab = Lab.attach(directory)
    except LabError:
        with step(console, "boot three nodes: Pacemaker, Corosync, fencing, MariaDB, the writer address") as say:
            return Lab.up(directory, image=image, topology="mysql", say=say)
    if "writer" not in lab.endpoints:
        raise LabError(f"the lab in {directory} has no MySQL; end it with `backstay lab down --dir {directory}`")
    return lab


def show(console: Console, outcome: Outcome) -> None:
    """The timeline of one fault, and the verdict."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row("[cyan]0.00 s[/]", STORY[outcome.fault].format(node=outcome.was))
    for phase, seconds in sorted(outcome.phases.items(), key=lambda pair: pair[1]):
        if phase in TELL:
            who = f" ({outcome.now})" if phase == "promoted" else ""
            table.add_row(f"[cyan]{seconds:.2f} s[/]", TELL[phase] + who)
    console.print(table)
    verdict = cast("Verdict", outcome.verdict)
    color = "green" if outcome.clean else "red"
    console.print(
        f"[{color}]The ledger: {verdict.acknowledged} rows acknowledged, {len(verdict.lost)} lost; "
        f"two servers writable at once: {len(verdict.both_writable) or 'never'}; "
        f"no write was acknowledged for {outcome.gap:.2f} s[/]\n"
    )


@click.command()
@click.option("--dir", "directory", default=".lab", show_default=True, help="The lab.")
@click.option("--image", default="bookworm", show_default=True)
@click.option("--down", is_flag=True, help="Take the lab down at the end (make demo: DEMO_DOWN=1).")
def demo(directory: str, image: str, down: bool) -> None:
    """Boot a cluster, lose its primary twice under load, and count what was lost."""
    console = Console(highlight=False, soft_wrap=True)
    lab = bring_up(console, directory, image)
    mysql = MysqlSet(lab)
    clean = True
    try:
        for name in STORY:
            with step(console, "wait until every replica acknowledges"):
                mysql.wait_whole(120)
            primary = mysql.primary()
            text = f"four clients write through {mysql.writer.rpartition('@')[2]}; {STORY[name].format(node=primary)}"
            with tempfile.TemporaryDirectory() as histories, step(console, text):
                outcome = rehearse(mysql, FAULTS[name], histories)
            show(console, outcome)
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
            f"bin/backstay lab run{where} {mysql.primary()} -- crm_mon -1",
            f"bin/backstay lab down{where}",
        ):
            console.print(f"  {command}")
    if not clean:
        raise LabError("the verdict is not clean, see above")
