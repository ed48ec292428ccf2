"""Limits of a whole node: memory and processor time, by this machine's control groups (version 1).

A group is made beside the one that the node's processes are in, and they and their children move to it. Memory that they
had before is not counted (v1 charges a page to the group of who first touched it).
"""

import errno
import os
import time
from contextlib import suppress

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.faults import processes
from backstay_lab.machines.layout import LabError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = "/sys/fs/cgroup"
SETTLE = 5.0  # seconds for the group of dead processes to be removable


class Limit:
    """A control group of one node, from `impose` to `lift`."""

    def __init__(self, controller: str, group: str) -> None:
        self.controller = controller
        self.path = os.path.join(ROOT, controller, group.lstrip("/"))

    @classmethod
    def impose(cls, init: int, controller: str, values: "Mapping[str, str]") -> "Limit":
        """Move every process of the node with this init to a new group with these values. Raises LabError."""
        limit = cls(controller, os.path.join(_group_of(init, controller), f"backstay-{init}-{time.monotonic_ns()}"))
        try:
            os.mkdir(limit.path)
            for name, value in values.items():
                _write(os.path.join(limit.path, name), value)
        except OSError as failed:
            raise LabError(f"this machine limits no {controller} by control groups: {failed}") from None
        moved: set[int] = set()
        while True:  # they fork while we look
            found = {process.pid for process in processes(init)} - moved
            if not found:
                return limit
            moved |= found
            for pid in found:
                limit.take(pid)

    def take(self, pid: int) -> None:
        """A process on its way out stays, and so does one with real-time priority (Corosync), which the quota of a
        processor group does not bind and the kernel lets into no group without a share of its own."""
        try:
            _write(os.path.join(self.path, "cgroup.procs"), str(pid))
        except OSError as refused:
            if refused.errno not in (errno.ESRCH, errno.EINVAL):
                self.lift()
                raise LabError(f"this machine does not move process {pid} to a group: {refused}") from None

    def lift(self) -> None:
        """Move what still lives back, and remove the group. Once more is no error."""
        parent = os.path.join(os.path.dirname(self.path), "cgroup.procs")

        def removed() -> bool:
            with suppress(FileNotFoundError):
                with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as listed:
                    for pid in listed.read().split():
                        with suppress(ProcessLookupError):
                            _write(parent, pid)
                try:
                    os.rmdir(self.path)
                except OSError:
                    return False  # busy: a process is on its way out
            return True

        poll(removed, Deadline(SETTLE), f"the control group {self.path} to be empty")


def _group_of(pid: int, controller: str) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as groups:
        for line in groups:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                return path
    raise LabError(f"this machine has no control groups of version 1 for {controller}")


def _write(path: str, value: str) -> None:
    with open(path, "w", encoding="ascii") as target:
        target.write(value)
