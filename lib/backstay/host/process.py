"""A daemon's process: whose it is, whether it lives, and its end. A process is identified by pid and start time, since pids
are used again. It is ours by what it has open, never by a path's text alone: /proc shows the processes of containers as well,
and in a container the same path is another directory."""

import _signal  # type: ignore[import-not-found]  # signal loads enum
import os

from backstay.host.deadline import Deadline, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


_core: "Optional[int]" = None  # the limit of core dumps that this process was started with, once it is changed


def no_core() -> None:
    """From now on this process leaves no core dump: it would hold passwords, in a directory that Pacemaker's group can read.
    A limit of 1 is no room for a file, and the one value that also holds where the kernel pipes cores to a program
    (linux/fs/coredump.c)."""
    global _core
    import resource

    if _core is None:
        _core, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (1 if hard else 0, hard))


def cores_again() -> None:
    """In a child that becomes a daemon: the limit that this process was started with. Whether it dumps core is its
    admin's choice."""
    if _core is not None:
        from resource import RLIMIT_CORE, getrlimit, setrlimit

        setrlimit(RLIMIT_CORE, (_core, getrlimit(RLIMIT_CORE)[1]))


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
        """Fine when it is gone, or goes in this very moment."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def kill(self) -> None:
        """At once, by SIGKILL."""
        self.signal(_signal.SIGKILL)

    def end(self, deadline: Deadline, gently: bool, patience: float = 0.7) -> None:
        """End it: SIGTERM first when `gently`, SIGKILL when that takes over `patience` of the time. Raises TimedOut when
        the process survives SIGKILL, as one does that is stuck in a dead disk."""
        if gently:
            self.signal(_signal.SIGTERM)
            waiting = Deadline(deadline.remaining() * patience)
            while self.alive() and not waiting.expired:
                poll(lambda: not self.alive() or waiting.expired, deadline, "the server to end")
        self.kill()
        # What five seconds do not end is stuck in the kernel: the sooner the node is fenced, the better.
        poll(lambda: not self.alive(), deadline.within(5), f"process {self.pid} to end after SIGKILL: a stuck disk?")


def start_time(pid: int) -> str:
    """In clock ticks; "" for a process that is gone or a zombie.

    Of a process with many threads, the first may be a zombie while others still end: until the last of them has, its
    sockets and locks are held, and one that takes its place would find the port taken.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as source:
            fields = source.read().rpartition(")")[2].split()
    except OSError:
        return ""
    threads = int(fields[17])
    return "" if fields[0] in "ZX" and threads < 2 else fields[19]


def beside(pid: "int | str") -> bool:
    """Whether it is in this process's own process namespace; one of a container is not. Raises OSError for one that is gone."""
    return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")


def has(link: str, path: str) -> bool:
    """Whether an entry of /proc/PID (cwd, exe, fd/N) is the file or directory that this process has at `path`. Raises OSError
    where one of them is gone."""
    return os.path.samestat(os.stat(link), os.stat(path))


def at(pid: int) -> "Optional[Process]":
    """The process with this pid, if it lives."""
    started = start_time(pid)
    return Process(pid, started) if started else None
