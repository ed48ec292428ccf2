"""Faults of daemons: SIGKILL, SIGSTOP and SIGCONT, by what a process is and in which node it runs; and calls of agents, seen.

The cluster's own daemons are known here; those of a system are told by the topology that the lab serves.

faults FUNCTION ARGUMENTS     in a node, on itself: one of ON_A_NODE, and a JSON list; prints what it returns, as JSON
"""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from typing import NamedTuple

from backstay.host.deadline import Deadline
from backstay_lab.machines.layout import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "resume": signal.SIGCONT}


class Process:
    """A process of a node: its pid as this host sees it, its program's base name, its arguments."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).replace(" (deleted)", "")
        self.arguments = _arguments(str(pid))


class Daemon(NamedTuple):
    """How a daemon's processes are known. programs: base names of their program; any program where there are none. words: one of
    them is in their arguments, where there are some."""

    programs: Sequence[str]
    words: Sequence[str] = ()

    def has(self, process: Process) -> bool:
        if self.programs and process.program not in self.programs:
            return False
        arguments = " ".join(process.arguments)
        return not self.words or any(word in arguments for word in self.words)


NODE = "node"  # stands for all that runs there
_NAMED_ALIKE = (
    "keepalived",
    "corosync",
    "pacemakerd",
    "pacemaker-attrd",
    "pacemaker-based",
    "pacemaker-controld",
    "pacemaker-execd",
    "pacemaker-fenced",
    "pacemaker-schedulerd",
)
CLUSTER: dict[str, Daemon] = {**{name: Daemon((name,)) for name in _NAMED_ALIKE}, NODE: Daemon(())}


def processes(init: int) -> Iterator[Process]:
    """Every process of the node whose init is `init`, as this host sees them."""
    namespace = os.readlink(f"/proc/{init}/ns/pid")
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            if os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                yield Process(int(entry))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked; a zombie has no executable; what root may not read is not ours


def inflict(init: int, fault: str, name: str, programs: Sequence[str], words: Sequence[str]) -> int:
    """Send the fault's signal to every process of a daemon (its name, and what is in its Daemon); return how many there were.

    Without programs and words it is every process of the node (its kernel still answers pings). Raises LabError when nothing
    runs.
    """
    daemon = Daemon(programs, words)
    reached: set[int] = set()
    while True:
        found = {process.pid for process in processes(init) if daemon.has(process)} - reached
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, SIGNALS[fault])
        reached |= found
        if not found or name != NODE:  # a whole node forks while we look; a daemon's successor is left alone
            break
    if not reached:
        raise LabError(f"{name} does not run on this node")
    return len(reached)


def wait_for_action(init: int, agent: str, action: str, seconds: float) -> bool:
    """Until the agent of ocf:backstay is called for the action in this node; False when it is not within so many seconds.

    New processes alone are looked at, so that looking a hundred times a second costs little.
    """
    wanted, deadline = (f"/backstay/{agent}", action), Deadline(seconds)
    namespace = os.readlink(f"/proc/{init}/ns/pid")
    known = set(os.listdir("/proc"))
    fresh: dict[str, int] = {}  # a process is its parent's image until it executes the agent's: looked at some times
    while not deadline.expired:
        now = set(os.listdir("/proc"))
        fresh.update(dict.fromkeys(now - known, 5))
        known = now
        for pid in list(fresh):
            fresh[pid] -= 1
            try:
                mine = pid.isdigit() and os.readlink(f"/proc/{pid}/ns/pid") == namespace
                words = _arguments(pid) if mine else []
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                words = []
            if len(words) >= 2 and words[-2].endswith(wanted[0]) and words[-1] == wanted[1]:
                return True
            if not fresh[pid]:
                del fresh[pid]
        time.sleep(0.01)
    return False


def _arguments(pid: str) -> list[str]:
    with open(f"/proc/{pid}/cmdline", "rb") as cmdline:
        return cmdline.read().decode(errors="replace").rstrip("\0").split("\0")


# What can be asked of a node by the pid of its init, from this host or in the node itself.
ON_A_NODE: dict[str, Callable[..., Any]] = {"inflict": inflict, "wait_for_action": wait_for_action}

if __name__ == "__main__":
    import sys

    try:
        print(json.dumps(ON_A_NODE[sys.argv[1]](1, *json.loads(sys.argv[2]))))
    except LabError as reason:
        sys.exit(str(reason))
