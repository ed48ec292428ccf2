"""Schedules one after the other on a lab, until they are done; a soak is such a series with what its processes use watched."""

from __future__ import annotations

import glob
import json
import math
import os
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from backstay.ocf.errors import AgentError
from backstay_lab.campaign.resources import ResourceWatch
from backstay_lab.campaign.runner import Report, Run, as_json, write
from backstay_lab.checkers.leaks import Trend, trends, unflat
from backstay_lab.checkers.recovery import by_fault
from backstay_lab.machines import drivers
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.schedule import Schedule, draw_calm, to_json
from backstay_lab.run.cli import counted, distribution, laboratory
from backstay_lab.systems.catalogue import campaigned, rehearsed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from backstay_lab.systems.declaration import Campaigned

VOLUME = 768  # MiB for a node's data, so that its disk can be full, slow or frozen; it holds some hundred
SOAK_VOLUME = 8192  # MiB: two hours of the ledger and its binary logs
PACE = 120.0  # seconds from fault to fault of a soak
PART = 5  # faults, after which the histories so far are judged: two hours of them are too much to hold at once


class Campaign:
    """Runs schedules of one service on a lab in `directory`, which is made anew after a run that was not clean; histories
    go below `histories`, a directory for each run."""

    pace, volume = 0.0, VOLUME

    def __init__(self, service: str, directory: str, image: str, histories: str, driver: type[Lab] = Lab) -> None:
        """driver: the kind of lab; what the catalogue bars from it is not for the schedules."""
        self.service, self.directory, self.image, self.histories = service, directory, image, histories
        self.driver = driver
        self.records: list[dict[str, Any]] = []

    def run(self, schedules: Sequence[Schedule], until: float) -> list[Report]:
        """Each schedule once, none begun after `until` (monotonic seconds)."""
        waiting, reports = list(schedules), []
        while waiting and time.monotonic() < until:
            topology, volume = rehearsed()[self.service].topology, 0 if self.driver.over_ssh else self.volume
            if waiting[0].fresh:
                self._anew()
            with laboratory(self.directory, 3, self.image, topology, self.driver, volume) as lab, self.beside(lab):
                used = False
                while waiting and time.monotonic() < until:
                    if used and waiting[0].fresh:
                        break
                    report, used = self.once(lab, waiting.pop(0)), True
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
        place = os.path.join(self.histories, f"{self.service}-{schedule.title}-{time.strftime('%H%M%S')}")
        click.echo(f"{self.service} {schedule.name or f'seed {schedule.seed}'}: {schedule}")
        run = Run(
            campaigned()[self.service].subject(lab), schedule, place, lambda line: click.echo(f"    {line}"), self.pace
        )
        try:
            report = run.run()
        except (AgentError, OSError) as failed:
            click.echo(f"    the run broke off: {failed}\n    histories: {place}")
            run.keep_logs()
            record = {"schedule": to_json(schedule), "clean": False, "error": str(failed)}
            self.records.append(record)
            write(place, "report.json", record)
            return None
        judged = ", ".join(f"{count} {name}" for name, count in report.counted.items() if count)
        judged += f"; {report.sampled}" if report.sampled else ""
        click.echo(f"    {'clean' if report.clean else 'NOT CLEAN'} after {report.seconds:.0f} s: {judged}")
        for finding in report.findings:
            click.echo(f"    {finding.rule}: {finding.about}")
        if not report.clean:
            click.echo(f"    histories: {place}")
        self.records.append({**as_json(report), "histories": place})
        return report

    def beside(self, lab: Lab) -> AbstractContextManager[object]:
        """What goes on while schedules run on a lab."""
        return nullcontext()

    def trends(self) -> list[Trend]:
        """Of what was watched beside them."""
        return []

    @property
    def clean(self) -> bool:
        """Every schedule was, so far. Nothing tried is nothing shown."""
        return clean(self.records)

    def _anew(self) -> None:
        """A lab that an unclean run left proves nothing about the next schedule."""
        try:
            drivers.attach(self.directory).down()
        except LabError:
            return  # it was ours, and is down already


class Soak(Campaign):
    """A fault every two minutes, and what the nodes' processes and files use beside it: that must stay flat."""

    pace, volume = PACE, SOAK_VOLUME

    def __init__(self, service: str, directory: str, image: str, histories: str, driver: type[Lab] = Lab) -> None:
        super().__init__(service, directory, image, histories, driver)
        self.watches: list[ResourceWatch] = []

    def beside(self, lab: Lab) -> ResourceWatch:
        self.watches.append(ResourceWatch(lab, os.path.join(self.histories, f"{self.service}-soak")))
        return self.watches[-1]

    def trends(self) -> list[Trend]:
        return trends(reading for watch in self.watches for reading in watch.seen)


def parts(system: Campaigned, seed: int, minutes: float) -> list[Schedule]:
    """The schedules of a soak of so many minutes, each of PART faults or what is left."""
    faults = max(1, math.ceil(minutes * 60 / PACE))
    return [
        draw_calm(system, seed + number, min(PART, faults - number * PART))
        for number in range(math.ceil(faults / PART))
    ]


def told(found: Sequence[Trend]) -> list[str]:
    """Of each helper's, daemon's or node's measure the series that came closest to its bound, or is most beyond it."""
    worst: dict[tuple[str, str, str], Trend] = {}
    for one in found:
        key = one.kind, one.name, one.measure
        if one.growth is not None and (key not in worst or _strain(one) > _strain(worst[key])):
            worst[key] = one
    lines = [f"{'what, where it grew most':44} {'level':>9} {'growth':>8} {'allowed':>8}  watched, s  lives"]
    for one in worst.values():
        what = f"{one.name}, {one.measure} on {one.node}"
        lines.append(
            f"{what:44} {one.level:9.1f} {one.growth:+8.1f} {one.allowed:8.1f} {one.seconds:11.0f} {one.lives:6}"
        )
    return lines + [f"not flat: {what}" for what in unflat(found)]


def _strain(trend: Trend) -> float:
    return (trend.growth or 0.0) / trend.allowed


def clean(records: Sequence[dict[str, Any]]) -> bool:
    """Whether there are any, and all are."""
    return bool(records) and all(record["clean"] for record in records)


def summary(records: Sequence[dict[str, Any]]) -> list[str]:
    """Runs, findings, and the gaps by fault, of those that came alone."""
    dirty = [one for one in records if not one["clean"]]
    if not records:
        return ["no schedule was run: nothing is known, and nothing is clean"]
    lines = [f"{len(records)} schedules, {len(dirty)} not clean"]
    lines += [f"    {_title(one['schedule'])}: {one.get('error') or _rules(one)}" for one in dirty]
    missed = sum(bool(hit["missed"]) for one in records for hit in one.get("hits", ()))
    lines += [f"    {missed} faults hit nothing: what they were to hit had ended"] if missed else []
    costs = by_fault(records)
    every = [cost for found in costs.values() for cost in found]
    lines.append(
        f"{'alone':34} times  {'min / median / p95 / worst without an acknowledgement, s':58} "
        f"{'failed operations, median / worst':>33} {'longest, s':>10}"
    )
    for name, found in {**costs, **({"all of these": every} if every else {})}.items():
        shown = distribution([cost.seconds for cost in found])
        lines.append(f"{name:34} {len(found):5}  {shown:58} {counted([cost.operations for cost in found])}".rstrip())
    return lines


def kept(histories: str, service: str) -> list[dict[str, Any]]:
    """The records of all runs of a service whose histories are there, by seed; one that ended without a report, as when it was
    killed, has broken off. Raises AgentError when one cannot be read."""
    found = []
    for place in sorted(glob.glob(os.path.join(glob.escape(histories), f"{service}-*-*", ""))):
        path = os.path.join(place, "report.json")
        if not os.path.exists(path):
            what = os.path.basename(place.rstrip(os.sep)).removeprefix(f"{service}-").rpartition("-")[0]
            schedule = {"seed": int(what), "name": ""} if what.isdigit() else {"seed": 0, "name": what}
            found.append({"schedule": schedule, "clean": False, "error": "broke off, or is under way: no report"})
            continue
        try:
            with open(path, encoding="utf-8") as source:
                found.append(json.load(source))
        except (OSError, ValueError) as failed:
            raise AgentError(f"{path} is no record of a run: {failed}") from failed
    return sorted(found, key=lambda record: (int(record["schedule"]["seed"]), record["schedule"].get("name", "")))


def _title(schedule: dict[str, Any]) -> str:
    return schedule.get("name") or f"seed {schedule['seed']}"


def _rules(record: dict[str, Any]) -> str:
    return ", ".join(sorted({finding["rule"] for finding in record["findings"]}))
