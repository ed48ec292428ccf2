"""`backstay campaign`: schedules of faults from seeds, on a lab, judged; with --soak for hours, at a steady pace."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import click

from backstay.campaign.catalogue import KINDS, PARTS, ROWS, kinds_of
from backstay.campaign.schedule import Schedule, draw, from_json, to_json
from backstay.campaign.series import Campaign, Soak, kept, parts, summary, told
from backstay.campaign.shrink import shrink
from backstay.campaign.subjects import SUBJECTS
from backstay.campaign.trend import unflat
from backstay.rehearse.cli import plain

MINUTES = 120.0  # of a soak


def table(service: str) -> list[str]:
    """The catalogue's rows: what is injected, what is expected, and what is done elsewhere or not at all."""
    able = {kind.name: [part for part in PARTS[service] if part in kind.parts] for kind in kinds_of(service)}
    lines = []
    for row in ROWS:
        lines.append(f"{row.number:2} {row.fault}: {row.expected}")
        lines += [
            f"     {name}: {KINDS[name].what}{' (' + ', '.join(able[name]) + ')' if able[name] else ''}"
            for name in row.kinds
            if name in able
        ]
        if row.elsewhere:
            lines.append(f"     see also {', '.join(row.elsewhere)}")
        if row.reason:
            lines.append(f"     not here: {row.reason}")
    return lines


@click.command("campaign")
@click.argument("service", type=click.Choice(sorted(SUBJECTS)), default="mysql")
@click.option("--runs", default=5, show_default=True, help="Schedules, of as many seeds.")
@click.option("--seed", default=1, show_default=True, help="The first seed; the next are the numbers after it.")
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
@click.option("--tell", "telling", is_flag=True, help="Run nothing: sum up the runs below --histories.")
@click.option("--list", "listing", is_flag=True, help="Show the catalogue of faults and end.")
def campaign(
    service: str,
    runs: int,
    seed: int,
    replay: str | None,
    shrinking: bool,
    soaking: bool,
    minutes: float | None,
    path: str | None,
    histories: str,
    directory: str,
    image: str,
    telling: bool,
    listing: bool,
) -> None:
    """Inflict schedules of faults, drawn from seeds, on a service under load, and judge what the histories prove.

    A schedule that broke a rule is replayed from schedule.json in its directory, or by its seed.
    """
    if listing:
        click.echo("\n".join(table(service)))
        return
    if telling:
        click.echo("\n".join(summary(kept(histories, service))))
        return
    # `timeout` and CI end a program so; as an exception it takes the lab down on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if soaking and (replay or shrinking):
        raise click.UsageError("a soak draws its own faults; replay what it found without --soak")
    schedules = [draw(service, number) for number in range(seed, seed + runs)]
    if replay:
        schedules = [_read(replay, service)]
    until = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    if soaking:
        schedules, until = parts(service, seed, MINUTES if minutes is None else minutes), float("inf")
    kind = Soak if soaking else Campaign
    series = kind(service, os.path.abspath(directory), image, os.path.abspath(histories))
    try:
        if shrinking:
            _shrink(series, schedules[0], until)
        else:
            series.run(schedules, until)
    finally:
        found = series.trends()
        if path:
            record = {"service": service, "image": image, "schedules": series.records, "resources": plain(found)}
            with open(path, "w", encoding="utf-8") as sink:
                json.dump(record, sink, indent=1)
    click.echo("\n".join(["", *summary(series.records), *(told(found) if soaking else ())]))
    sys.exit(0 if series.clean and not (soaking and unflat(found)) else 1)


def _read(path: str, service: str) -> Schedule:
    """Raises BadParameter when the file has no schedule of this service."""
    try:
        with open(path, encoding="utf-8") as source:
            schedule = from_json(json.load(source))
    except ValueError as flaw:
        raise click.BadParameter(f"{path}: {flaw}") from None
    if schedule.service != service:
        raise click.BadParameter(f"{path} is a schedule of {schedule.service}")
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
