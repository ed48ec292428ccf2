"""`backstay explain`: what happened in the last failover, from this node's log or from several."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import TYPE_CHECKING

import click

from backstay.admin import failover_log
from backstay.admin.cluster import node_names
from backstay.admin.monitored import bear_any_letter
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from backstay.admin.failover_log import Event, Failover

LOG = "/var/log/pacemaker/pacemaker.log"
_SETTINGS = ("/etc/default/pacemaker", "/etc/sysconfig/pacemaker")  # Debian and RHEL
_MOST = 64 * 1024 * 1024  # bytes from a log's end that are read


class Unexplained(AgentError):
    """The logs do not tell."""


def own_log() -> str:
    """The path of this node's detail log, as it is configured."""
    for path in _SETTINGS:
        try:
            with open(path, encoding="utf-8", errors="replace") as source:
                found = re.findall(r"^\s*PCMK_logfile=[\"']?([^\s\"']+)", source.read(), re.MULTILINE)
        except OSError:
            continue
        if found and found[-1] != "none":
            return str(found[-1])
    return LOG


def lines(path: str, most: int = _MOST) -> Iterator[str]:
    """The last lines of a log, whole ones. Raises Unexplained."""
    try:
        with open(path, "rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(0, size - most))
            if size > most:
                source.readline()
            for line in source:
                yield line.decode("utf-8", "replace").rstrip("\n")
    except OSError as error:
        remedy = ": run this as root, or as a member of haclient" if isinstance(error, PermissionError) else ""
        raise Unexplained(f"the log {path} cannot be read: {error.strerror}{remedy}") from None


def read(paths: Iterable[str], names: dict[str, str]) -> list[Event]:
    """The events of these logs. names: node id -> name. Raises Unexplained."""
    files = list(paths)
    near = max(os.path.getmtime(path) if os.path.exists(path) else 0.0 for path in files)
    return failover_log.events([(os.path.basename(path), lines(path)) for path in files], near, names)


def report(failover: Failover, nodes: Iterable[str]) -> list[str]:
    """For people. nodes: of the cluster, to say whose words are missing."""
    first = failover.start
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(first))
    said = [f"{failover.resource} was promoted on {failover.node}, {stamp}", f"cause: {failover.cause}"]
    phases = ", ".join(f"{name} {seconds:.2f}" for name, seconds in failover.phases.items())
    said.append(f"seconds after the first sign: {phases}")
    said.append(
        f"without service, as the cluster saw it: {failover_log.pause(failover):.2f} s (the first write is in no log)"
    )
    if "lost" in failover.phases:
        said.append(
            "the loss itself was earlier, by Corosync's token and consensus at least: no log of the others shows it"
        )
    said.append("")
    for event in failover.events:
        about = "~" if event.kind == "said" else " "  # whole seconds only
        said.append(f"{about}{event.at - first:8.3f} s  {event.node:12} {event.text}")
    if any(event.kind == "said" for event in failover.events):
        said += ["", "~ an agent's own words, whose log has whole seconds: up to a second later than shown"]
    unheard = sorted(set(nodes) - set(failover.logs))
    if unheard:
        said.append("")
        said.append(
            f"not seen: what the agents on {', '.join(unheard)} said; give their {os.path.basename(LOG)} as arguments too"
        )
    return said


@click.command()
@click.argument("logs", nargs=-1, type=click.Path())
@click.option("--resource", default="", help="Only this one, where several are promoted.")
@click.option("--back", default=0, show_default=True, help="How many failovers before the last one.")
@click.option("--list", "listing", is_flag=True, help="One line for each failover that the logs hold.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def explain(logs: tuple[str, ...], resource: str, back: int, listing: bool, as_json: bool) -> None:
    """What happened in the last failover: first sign, fencing, demotion, promotion, address.

    Reads this node's detail log, or LOGS, copies of those of several nodes. A log holds every node's operations, but only
    its own node's agents.
    """
    bear_any_letter()
    try:
        names = node_names(Deadline(5))
    except AgentError:
        names = {}  # no cluster here: the logs name most nodes themselves
    found = failover_log.failovers(read(logs or [own_log()], names), resource)
    if listing:
        for one in found:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.start))
            click.echo(f"{stamp}  {one.resource} on {one.node}, {failover_log.pause(one):.2f} s: {one.cause}")
        return
    if not 0 <= back < len(found):
        held = f"the logs hold {len(found)} promotions" if found else "the logs hold no promotion"
        raise Unexplained(f"{held}{' of ' + resource if resource else ''}: look on another node, or give older logs")
    chosen = found[-1 - back]
    if as_json:
        document = {**chosen._asdict(), "events": [event._asdict() for event in chosen.events]}
        click.echo(json.dumps({**document, "pause": failover_log.pause(chosen)}, indent=1))
        return
    for line in report(chosen, names.values()):
        sys.stdout.write(f"{line}\n")
