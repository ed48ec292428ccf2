"""`backstay demo`: a real failover from start to finish, for somebody who has just met us."""

from __future__ import annotations

import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from backstay_lab.machines import drivers
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError
from backstay_lab.run.rehearsal import Manner, Outcome, rehearse
from backstay_lab.systems import catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstay_lab.systems.declaration import Show

SHOWS = catalogue.shows()
SHOWN = Manner(application=False)  # its packages come from PyPI; a demo needs the image alone


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
        lab = drivers.attach(directory)
    except LabError:
        with step(console, f"boot {SHOWS[topology].boots}") as say:
            return Lab.up(directory, image=image, topology=catalogue.topology(topology), say=say)
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
    rehearsed = catalogue.rehearsed()[topology]
    system = rehearsed.attach(lab)
    clean = True
    try:
        for name, text in show.story.items():
            with step(console, f"wait until {show.whole}"):
                system.wait_whole(120)
            with tempfile.TemporaryDirectory() as histories, step(console, f"{show.load}; {text}"):
                outcome = rehearse(system, rehearsed.faults[name], histories, SHOWN)
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
