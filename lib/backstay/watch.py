"""See a daemon die when it dies, and tell Pacemaker. Polling is the fallback.

One small process beside each managed daemon, started by the agent. It holds a pidfd, so it wakes at the daemon's death
and at nothing else. It keeps quiet during our own stop (a marker file), in maintenance and while unmanaged. Should it
die itself, only speed is lost: the recurring monitor still looks, and starts it again.

Run as: python3 -I -m backstay.watch RESOURCE NODE STATE_DIRECTORY PID START_TIME
"""

import fcntl
import os
import select
import sys

from backstay.command import spawn
from backstay.deadline import Deadline
from backstay.errors import AgentError
from backstay.log import Log
from backstay.pacemaker import Pacemaker

_LOCK = "watch.lock"
STOPPING = "stopping"


def ensure(resource: str, node: str, state_directory: str, pid: int, started: str) -> bool:
    """See that this very process is watched; whether a watcher had to be started. Costs an open and a lock."""
    with open(os.path.join(state_directory, _LOCK), "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            if lock.read().split() == [str(pid), started]:
                return False
    code = f"import sys; sys.path[:0] = {sys.path!r}; from backstay.watch import main; sys.exit(main(sys.argv))"
    spawn([sys.executable, "-I", "-c", code, resource, node, state_directory, str(pid), started])
    return True


def main(argv: "list[str]") -> int:
    """Watch until the process ends; exit status 0 when there was nothing to tell or Pacemaker knows."""
    resource, node, state_directory, pid, started = argv[1:6]
    log = Log(f"watch({resource})", os.environ)
    with open(os.path.join(state_directory, _LOCK), "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # another watches
        lock.truncate(0)
        lock.write(f"{pid} {started}\n")
        lock.flush()
        try:
            handle = os.pidfd_open(int(pid))
        except ProcessLookupError:
            handle = -1
        if handle >= 0:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            if _start_time(pid) == started:
                import lxml.etree  # noqa: F401  loaded while there is time, not when there is none

                poller.poll()
        if os.path.exists(os.path.join(state_directory, STOPPING)):
            return 0
        return _tell(Pacemaker(resource, node, state_directory, Deadline(15)), log, pid)


def _tell(pacemaker: Pacemaker, log: Log, pid: str) -> int:
    try:
        overview = pacemaker.overview()
        if overview is None or overview.maintenance:
            return 0
        log.warning(f"process {pid} died: telling the cluster")
        pacemaker.fail()
    except AgentError as error:
        log.error(f"process {pid} died and the cluster could not be told: {error}")
        return 1
    return 0


def _start_time(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as source:
            return source.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv))
