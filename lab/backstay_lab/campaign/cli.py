"""`backstay campaign`: schedules of faults from seeds, on a lab, judged; with --soak for hours, at a steady pace."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from backstay_lab.campaign.series import Campaign, Soak, clean, kept, parts, summary, told
from backstay_lab.campaign.shrink import shrink
from backstay_lab.checkers.leaks import unflat
from backstay_lab.machines.drivers import driver
from backstay_lab.nemesis.aimed import aimed
from backstay_lab.nemesis.catalogue import KINDS, ROWS, kinds_of, parts_for
from backstay_lab.nemesis.schedule import Schedule, draw, from_json, to_json
from backstay_lab.run.cli import plain
from backstay_lab.systems.catalogue import campaigned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_lab.nemesis.fault import Kind
    from backstay_lab.systems.declaration import Campaigned

MINUTES = 120.0  # of a soak


def table(system: Campaigned, over_ssh: bool = False) -> list[str]:
    """The catalogue's rows: what is injected, what is expected, and what is done elsewhere or not at all."""
    able = {kind.name: list(filter(None, parts_for(kind, system))) for kind in kinds_of(system)}
    lines = []
    for row in ROWS:
        lines.append(f"{row.number:2} {row.fault}: {row.expected}")
        for name in row.kinds:
            if name in able:
                where = f" ({', '.join(able[name])})" if able[name] else ""
                barred = f"; not over ssh: {KINDS[name].barred}" if over_ssh and KINDS[name].barred else ""
                lines.append(f"     {name}: {KINDS[name].what}{where}{barred}")
        if row.elsewhere:
            lines.append(f"     see also {', '.join(row.elsewhere)}")
        if row.reason:
            lines.append(f"     not here: {row.reason}")
    return lines


@click.command("campaign")
@click.argument("service", type=click.Choice(sorted(campaigned())), default="mysql")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Schedules, of as many seeds.")
@click.option("--seed", default=1, show_default=True, help="The first seed; the next are the numbers after it.")
@click.option(
    "--aimed",
    "names",
    is_flag=False,
    flag_value="all",
    metavar="[NAME,...]",
    help="Instead of seeds: schedules aimed at an order of events that chance meets seldom; all, or those named.",
)
@click.option("--replay", type=click.Path(exists=True, dir_okay=False), help="Run the schedule in this file instead.")
@click.option("--shrink", "shrinking", is_flag=True, help="Find the shortest part of it that still breaks a rule.")
@click.option("--soak", "soaking", is_flag=True, help="A fault every two minutes, and watch what the processes use.")
@click.option(
    "--minutes", type=float, help=f"Begin no schedule after so many; of a soak its length, by default {MINUTES:.0f}."
)
@click.option("--json", "path", type=click.Path(dir_okay=False, writable=True), help="Write a record of every run.")
@click.option("--histories", default=".campaign", show_default=True, help="A directory below it for every run.")
@click.option(
    "--dir", "directory", default=".lab-campaign", show_default=True, help="The lab; one is booted if none is."
)
@click.option("--image", default="bookworm", show_default=True)
@click.option(
    "--vagrant", is_flag=True, help="On machines that Vagrant makes, as `lab up --vagrant`, with what ssh allows."
)
@click.option("--tell", "telling", is_flag=True, help="Run nothing: sum up the runs below --histories.")
@click.option("--list", "listing", is_flag=True, help="Show the catalogue of faults and end.")
def campaign(
    service: str,
    runs: int,
    seed: int,
    names: str | None,
    replay: str | None,
    shrinking: bool,
    soaking: bool,
    minutes: float | None,
    path: str | None,
    histories: str,
    directory: str,
    image: str,
    vagrant: bool,
    telling: bool,
    listing: bool,
) -> None:
    """Inflict schedules of faults, drawn from seeds, on a service under load, and judge what the histories prove.

    A schedule that broke a rule is replayed from schedule.json in its directory, or by its seed.
    """
    kind, system = driver(vagrant), campaigned()[service]
    if listing:
        click.echo("\n".join(table(system, kind.over_ssh) if names is None else aims(service)))
        return
    if telling:
        records = kept(histories, service)
        click.echo("\n".join(summary(records)))
        sys.exit(0 if clean(records) else 1)
    # `timeout` and CI end a program so; as an exception it takes the lab down on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if soaking and (replay or shrinking):
        raise click.UsageError("a soak draws its own faults; replay what it found without --soak")
    if soaking and kind.over_ssh:
        raise click.UsageError("a soak looks at processes and files from outside the nodes: leave --vagrant out")
    if names is not None and (soaking or replay or kind.over_ssh):
        raise click.UsageError(
            "aimed schedules are a list of their own, for the lab: leave --soak, --replay and --vagrant out"
        )
    able = kinds_of(system, kind.over_ssh)
    schedules = [draw(system, number, able) for number in range(seed, seed + runs)]
    if names is not None:
        schedules = _chosen(service, names)
    if replay:
        able += [] if kind.over_ssh else [one for one in KINDS.values() if one.aimed]
        schedules = [_read(replay, service, able)]
    until = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    if soaking:
        schedules, until = parts(system, seed, MINUTES if minutes is None else minutes), float("inf")
    made = Soak if soaking else Campaign
    series = made(service, os.path.abspath(directory), image, os.path.abspath(histories), kind)
    try:
        if shrinking:
            _shrink(series, schedules[0], until)
        else:
            series.run(schedules, until)
    finally:
        found = series.trends()
        if path:
            record: dict[str, Any] = {"service": service, "image": image, "driver": kind.driver}
            record.update(schedules=series.records, resources=plain(found))
            with open(path, "w", encoding="utf-8") as sink:
                json.dump(record, sink, indent=1)
    click.echo("\n".join(["", *summary(series.records), *(told(found) if soaking else ())]))
    sys.exit(0 if series.clean and not (soaking and unflat(found)) else 1)


def aims(service: str) -> list[str]:
    """The aimed schedules, and what each does."""
    return [
        f"{name}: {'; '.join(KINDS[one.kind].what for one in each.injections)}" for name, each in aimed(service).items()
    ]


def _chosen(service: str, names: str) -> list[Schedule]:
    """Of the aimed schedules. Raises BadParameter when one has no such name."""
    every = aimed(service)
    wanted = list(every) if names == "all" else names.split(",")
    unknown = [name for name in wanted if name not in every]
    if unknown or not wanted:
        raise click.BadParameter(
            f"{service} has no aimed schedule {', '.join(unknown)}; it has {', '.join(every) or 'none'}"
        )
    return [every[name] for name in wanted]


def _read(path: str, service: str, able: Sequence[Kind]) -> Schedule:
    """Raises BadParameter when the file has no schedule of this service, or one with other kinds of fault than these."""
    try:
        with open(path, encoding="utf-8") as source:
            schedule = from_json(json.load(source), campaigned())
    except ValueError as flaw:
        raise click.BadParameter(f"{path}: {flaw}") from None
    if schedule.service != service:
        raise click.BadParameter(f"{path} is a schedule of {schedule.service}")
    for barred in {one.kind for one in schedule.injections} - {kind.name for kind in able}:
        raise click.BadParameter(f"{path} has {barred}, which is not done here: {KINDS[barred].barred}")
    return schedule


def _shrink(series: Campaign, schedule: Schedule, until: float) -> None:
    """By running it and its parts; a part fails as the whole does when it breaks a rule that the whole broke."""
    broken: set[str] = set()

    def fails(part: Schedule) -> bool:
        rules = {rule for report in series.run([part], until) for rule in report.rules}
        broken.update(rules if not broken else ())
        return bool(rules & broken)

    try:
        found = shrink(schedule, fails)
    except ValueError:
        click.echo("it broke no rule this time: there is nothing to shrink")
        return
    name = os.path.join(series.histories, f"{series.service}-{schedule.seed}-shortest.json")
    with open(name, "w", encoding="utf-8") as sink:
        json.dump(to_json(found), sink, indent=1)
    click.echo(f"shortest: {found}\n    {name}")
