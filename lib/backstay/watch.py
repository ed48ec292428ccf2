"""See at once what polling would see later. One small process beside each managed daemon, started by the agent.

| it sees                                   | through         | and then                                          |
|-------------------------------------------|-----------------|---------------------------------------------------|
| its daemon die                            | a pidfd         | tells Pacemaker that the resource failed          |
| an address move to another host           | the kernel's    | has the agent drop what still points at the old   |
| (the agent names it: a replica's source)  | neighbour table | holder, instead of waiting for TCP and retry timers |

It keeps quiet during our own stop (a marker file), in maintenance and while unmanaged. Should it die itself, only speed
is lost: the recurring monitor still looks, and starts it again.
"""

import fcntl
import os
import select
import sys

from backstay.command import spawn
from backstay.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent import Agent
    from backstay.neighbour import Neighbour

_LOCK = "watch.lock"
STOPPING = "stopping"


def ensure(agent: "Agent", pid: int, started: str) -> bool:
    """See that this very process is watched; whether a watcher had to be started. Costs an open and a lock.

    pid, started: the daemon's, the start time in clock ticks as in /proc/PID/stat.
    """
    with open(os.path.join(agent.state_directory(), _LOCK), "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            if lock.read().split() == [str(pid), started]:
                return False
    module, name = type(agent).__module__, type(agent).__name__
    code = f"import sys; sys.path[:0] = {sys.path!r}; from {module} import {name}; "
    code += f"from backstay.watch import main; sys.exit(main({name}, sys.argv))"
    spawn([sys.executable, "-I", "-c", code, f"watch({agent.invocation.resource})", str(pid), started])
    return True


def main(agent_class: "type[Agent]", argv: "list[str]") -> int:
    """Watch until the process ends. The environment is that of the agent's action that started this."""
    from backstay.invocation import Invocation

    agent = agent_class(Invocation("watch", os.environ))
    pid, started = argv[2:4]
    with open(os.path.join(agent.state_directory(), _LOCK), "a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0  # another watches
        lock.truncate(0)
        lock.write(f"{pid} {started}\n")
        lock.flush()
        _wait(agent, pid, started)
        if os.path.exists(os.path.join(agent.state_directory(), STOPPING)):
            return 0
        return _tell(agent, pid)


def _wait(agent: "Agent", pid: str, started: str) -> None:
    """Until the process is gone; address moves are passed on meanwhile."""
    try:
        ended = os.pidfd_open(int(pid))
    except ProcessLookupError:
        return
    if _start_time(pid) != started:
        return
    import lxml.etree  # noqa: F401  loaded while there is time, not when there is none

    poller = select.poll()
    poller.register(ended, select.POLLIN)
    neighbour = _neighbour(agent)
    if neighbour:
        poller.register(neighbour.fileno(), select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poller.poll()}
        if ended in ready:
            return
        if neighbour and neighbour.moved():
            try:
                agent.address_moved()
            except AgentError as error:
                agent.log.warning(f"{agent.watched_address()} moved: {error}")


def _neighbour(agent: "Agent") -> "Neighbour | None":
    from backstay.address import parse_address
    from backstay.neighbour import Neighbour

    text = agent.watched_address()
    try:
        return Neighbour(parse_address(text)) if text else None
    except (OSError, ValueError) as error:
        agent.log.info(f"not watching {text}: {error}")  # a name, or no netlink: TCP's and the replica's timers remain
        return None


def _tell(agent: "Agent", pid: str) -> int:
    from backstay.deadline import Deadline
    from backstay.pacemaker import Pacemaker

    pacemaker = Pacemaker(agent.invocation.resource, agent.invocation.node, agent.state_directory(), Deadline(15))
    try:
        overview = pacemaker.overview()
        if overview is None or overview.maintenance:
            return 0
        agent.log.warning(f"process {pid} died: telling the cluster")
        pacemaker.fail()
    except AgentError as error:
        agent.log.error(f"process {pid} died and the cluster could not be told: {error}")
        return 1
    return 0


def _start_time(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as source:
            return source.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
