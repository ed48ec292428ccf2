"""`backstay campaign`: schedules of faults from seeds, on a lab, until one breaks a rule or the runs are done."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from backstay.campaign.catalogue import KINDS, ROWS, kinds_of
from backstay.campaign.runner import Report, Run, as_json
from backstay.campaign.schedule import Schedule, draw, from_json, to_json
from backstay.campaign.shrink import shrink
from backstay.campaign.subjects import SUBJECTS
from backstay.errors import AgentError
from backstay.lab.layout import LabError
from backstay.rehearse.cli import distribution, laboratory
from backstay.rehearse.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.lab.cluster import Lab


VOLUME = 768  # MiB for a node's data, so that its disk can be full, slow or frozen; it holds some hundred


class Campaign:
    """Runs schedules of one service on a lab in `directory`, which is made anew after a run that was not clean; histories
    go below `histories`, a directory for each run."""

    def __init__(self, service: str, directory: str, image: str, histories: str) -> None:
        self.service, self.directory, self.image, self.histories = service, directory, image, histories
        self.records: list[dict[str, Any]] = []

    def run(self, schedules: Sequence[Schedule], until: float) -> list[Report]:
        """Each schedule once, none begun after `until` (monotonic seconds)."""
        waiting, reports = list(schedules), []
        while waiting and time.monotonic() < until:
            with laboratory(self.directory, 3, self.image, SERVICES[self.service].topology, volume=VOLUME) as lab:
                while waiting and time.monotonic() < until:
                    report = self.once(lab, waiting.pop(0))
                    if report is None:
                        break
                    reports.append(report)
                    if not report.clean:
                        break
                else:
                    continue
            self._anew()
        return reports

    def once(self, lab: Lab, schedule: Schedule) -> Report | None:
        """None when the lab failed, and not the service: that run is on record and proves nothing."""
        place = os.path.join(self.histories, f"{self.service}-{schedule.seed}-{time.strftime('%H%M%S')}")
        click.echo(f"{self.service} seed {schedule.seed}: {schedule}")
        try:
            report = Run(SUBJECTS[self.service](lab), schedule, place, lambda line: click.echo(f"    {line}")).run()
        except (AgentError, OSError) as failed:
            click.echo(f"    the run broke off: {failed}")
            self.records.append({"schedule": to_json(schedule), "clean": False, "error": str(failed)})
            return None
        counted = ", ".join(f"{count} {name}" for name, count in report.counted.items())
        click.echo(f"    {'clean' if report.clean else 'NOT CLEAN'} after {report.seconds:.0f} s: {counted}")
        for finding in report.findings:
            click.echo(f"    {finding.rule}: {finding.about}")
        if not report.clean:
            click.echo(f"    histories: {place}")
        self.records.append({**as_json(report), "histories": place})
        return report

    def _anew(self) -> None:
        """A lab that an unclean run left proves nothing about the next schedule."""
        from backstay.lab.cluster import Lab

        try:
            Lab.attach(self.directory).down()
        except LabError:
            return  # it was ours, and is down already


def summary(records: Sequence[dict[str, Any]]) -> list[str]:
    """Runs, findings, and the gaps by what was injected first and alone."""
    dirty = [one for one in records if not one["clean"]]
    lines = [f"{len(records)} schedules, {len(dirty)} not clean"]
    lines += [f"    seed {one['schedule']['seed']}: {one.get('error') or _rules(one)}" for one in dirty]
    gaps: dict[str, list[float]] = {}
    for record in records:
        for name, seconds in record.get("gaps", ())[:1]:  # later ones may meet a service that is not yet whole
            if " + " not in name:
                gaps.setdefault(name, []).append(seconds)
    lines.append(f"{'first and alone':34} times  min / median / p95 / worst without an acknowledgement, s")
    lines += [f"{name:34} {len(found):5}  {distribution(found)}" for name, found in sorted(gaps.items())]
    return lines


def _rules(record: dict[str, Any]) -> str:
    return ", ".join(sorted({finding["rule"] for finding in record["findings"]}))


def table(service: str) -> list[str]:
    """The catalogue's rows: what is injected, what is expected, and what is done elsewhere or not at all."""
    able = {kind.name for kind in kinds_of(service)}
    lines = []
    for row in ROWS:
        lines.append(f"{row.number:2} {row.fault}: {row.expected}")
        lines += [f"     {name}: {KINDS[name].what}" for name in row.kinds if name in able]
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
@click.option("--minutes", type=float, help="Begin no schedule after so many.")
@click.option("--json", "path", type=click.Path(dir_okay=False, writable=True), help="Write a record of every run.")
@click.option("--histories", default=".campaign", show_default=True, help="A directory below it for every run.")
@click.option(
    "--dir", "directory", default=".lab-campaign", show_default=True, help="The lab; one is booted if none is."
)
@click.option("--image", default="bookworm", show_default=True)
@click.option("--list", "listing", is_flag=True, help="Show the catalogue of faults and end.")
def campaign(
    service: str,
    runs: int,
    seed: int,
    replay: str | None,
    shrinking: bool,
    minutes: float | None,
    path: str | None,
    histories: str,
    directory: str,
    image: str,
    listing: bool,
) -> None:
    """Inflict schedules of faults, drawn from seeds, on a service under load, and judge what the histories prove.

    A schedule that broke a rule is replayed from schedule.json in its directory, or by its seed.
    """
    if listing:
        click.echo("\n".join(table(service)))
        return
    # `timeout` and CI end a program so; as an exception it takes the lab down on its way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    schedules = [draw(service, number) for number in range(seed, seed + runs)]
    if replay:
        schedules = [_read(replay, service)]
    until = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    series = Campaign(service, os.path.abspath(directory), image, os.path.abspath(histories))
    try:
        if shrinking:
            _shrink(series, schedules[0], until)
        else:
            series.run(schedules, until)
    finally:
        if path:
            with open(path, "w", encoding="utf-8") as sink:
                json.dump({"service": service, "image": image, "schedules": series.records}, sink, indent=1)
    click.echo("\n".join(["", *summary(series.records)]))
    sys.exit(0 if all(record["clean"] for record in series.records) else 1)


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
