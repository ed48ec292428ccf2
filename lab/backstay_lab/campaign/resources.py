"""What the processes and files of a lab's nodes use, looked at from outside while a soak runs."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import psutil

from backstay_lab.campaign.observers import Watch
from backstay_lab.checkers.leaks import DAEMON, DISK, HELPER, NODE, RESOURCE, Reading
from backstay_lab.machines.faults import processes
from backstay_lab.machines.layout import started
from backstay_lab.machines.logs import LOGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from backstay_lab.machines.cluster import Lab
    from backstay_lab.machines.faults import Daemon, Process

EVERY = 5.0  # seconds
AGENTS = "/resource.d/backstay/"  # in the arguments of an agent that runs
HELPERS = ("watch(", "reader(")  # how our lasting processes call themselves, each with its resource
STATE, TEMPORARY = "run/backstay", "tmp"  # in the node; empty after a boot
CONFIGURATION = "var/lib/pacemaker/cib/cib.xml"
MIB, KIB = 1 << 20, 1 << 10


class ResourceWatch(Watch):
    """Readings of all nodes every EVERY seconds."""

    def __init__(self, lab: Lab, directory: str) -> None:
        super().__init__(directory, EVERY)
        self._lab, self._daemons, self._path = lab, lab.daemons, os.path.join(directory, "resources.jsonl")
        self._logged: dict[str, tuple[float, int]] = {}
        self.seen: list[Reading] = []

    def look(self) -> None:
        found = [reading for node in self._lab.nodes for reading in self.of(node)]
        self.seen += found
        with open(self._path, "a", encoding="utf-8") as sink:
            sink.writelines(json.dumps(reading._asdict()) + "\n" for reading in found)

    def of(self, node: str) -> Iterator[Reading]:
        """All readings of one node, now; of one that is off, those of its disk."""
        at = time.monotonic()
        init = self._lab.layout.init_of(node)
        boot = None if init is None else started(init)
        root = f"/proc/{init}/root" if boot is not None else ""
        for measure, value in self._disk(node, root, at):
            yield Reading(node, DISK, "disk", measure, "", at, value)
        if init is None or boot is None:
            return
        life = f"{init}:{boot}"
        running = list(processes(init))
        roles = [role_of(process, self._daemons) for process in running]
        for process, (kind, name) in zip(running, roles):
            if kind in (HELPER, DAEMON):
                for measure, value in used_by(process.pid).items():
                    yield Reading(node, kind, name, measure, f"{process.pid}:{started(process.pid)}", at, value)
        for name in sorted({name for kind, name in roles if kind == HELPER}):
            yield Reading(node, HELPER, name, "processes", life, at, roles.count((HELPER, name)))
        found = {
            "processes": len(running),
            "agents": sum(kind == NODE for kind, _ in roles),
            "temporary files": len(list(files_below(f"{root}/{TEMPORARY}"))),
        }
        for measure, value in found.items():
            yield Reading(node, NODE, "all", measure, life, at, value)
        for resource in list_of(f"{root}/{STATE}"):
            notes = [path for path in files_below(f"{root}/{STATE}/{resource}") if not path.endswith(".log")]
            yield Reading(node, RESOURCE, resource, "state files", life, at, len(notes))
            yield Reading(node, RESOURCE, resource, "state, KiB", life, at, sum(map(size_of, notes)) / KIB)

    def _disk(self, node: str, root: str, at: float) -> Iterator[tuple[str, float]]:
        """What was logged since the look before, by the cluster, where the agents log, and by the agents' daemons."""
        own = [path for path in files_below(f"{root}/{STATE}") if path.endswith(".log")] if root else []
        logged = sum(map(size_of, [*own, *(self._lab.disk(node, log) for log in LOGS)]))
        since, before = self._logged.get(node, (at, logged))
        self._logged[node] = at, logged
        if at > since:
            yield "logged, KiB/min", max(0, logged - before) / KIB / (at - since) * 60
        yield "configuration, KiB", size_of(self._lab.disk(node, CONFIGURATION)) / KIB


def role_of(process: Process, daemons: Mapping[str, Daemon]) -> tuple[str, str]:
    """Kind and name of a process that is watched: a daemon, a helper of ours that lasts, an agent that runs (NODE); else ""."""
    for word in process.arguments:
        if word.startswith(HELPERS):
            return HELPER, word
    for word in process.arguments:  # after those, which have the agents' directory in their code
        if AGENTS in word:
            return NODE, word.rpartition("/")[2]
    return next(((DAEMON, name) for name, daemon in daemons.items() if daemon.has(process)), ("", ""))


def used_by(pid: int) -> dict[str, float]:
    """Measure -> value; none when it ended while we looked."""
    try:
        process = psutil.Process(pid)
        return {"memory, MiB": process.memory_info().rss / MIB, "descriptors": process.num_fds()}
    except psutil.NoSuchProcess:
        return {}


def list_of(directory: str) -> list[str]:
    """The names in it; none where there is no such directory, or the node went off."""
    try:
        return sorted(os.listdir(directory))
    except (FileNotFoundError, ProcessLookupError):
        return []


def files_below(directory: str) -> Iterator[str]:
    """None where there is no such directory, or the node went off."""
    for place, _, names in os.walk(directory):
        for name in names:
            yield os.path.join(place, name)


def size_of(path: str) -> int:
    """Bytes; 0 of what is gone, or was in a node that is."""
    try:
        return os.lstat(path).st_size
    except (FileNotFoundError, ProcessLookupError):
        return 0
