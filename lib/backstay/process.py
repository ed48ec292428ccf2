"""Processes by pid and start time, since pids are used again: whether they live, and how they end."""

import os

from backstay.deadline import Deadline, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class Process:
    """A process that was alive when this was made."""

    __slots__ = ("pid", "started")

    def __init__(self, pid: int, started: str) -> None:
        self.pid = pid
        self.started = started

    @property
    def identity(self) -> str:
        return f"{self.pid}:{self.started}"

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        return start_time(self.pid) == self.started

    def signal(self, number: int) -> None:
        if self.alive():
            os.kill(self.pid, number)

    def end(self, deadline: Deadline, gently: bool) -> None:
        """End it: SIGTERM first when `gently`, SIGKILL when that takes over 70 % of the time. Raises TimedOut when the
        process survives SIGKILL, as one does that is stuck in a dead disk."""
        import signal

        if gently:
            self.signal(signal.SIGTERM)
            patience = Deadline(deadline.remaining() * 0.7)
            while self.alive() and not patience.expired:
                poll(lambda: not self.alive() or patience.expired, deadline, "the server to end")
        self.signal(signal.SIGKILL)
        # What five seconds do not end is stuck in the kernel: the sooner the node is fenced, the better.
        poll(lambda: not self.alive(), deadline.within(5), f"process {self.pid} to end after SIGKILL: a stuck disk?")


def start_time(pid: int) -> str:
    """The start time in clock ticks since boot; "" for a process that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as source:
            fields = source.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def at(pid: int) -> "Optional[Process]":
    """The process with this pid, if it lives."""
    started = start_time(pid)
    return Process(pid, started) if started else None
