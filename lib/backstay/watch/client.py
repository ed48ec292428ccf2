"""The agent's side of the watcher. The watcher is one small process beside each managed daemon; it sees at once what polling
would see later. daemon.py is the process.

| the watcher sees                          | through         | and then                                          |
|-------------------------------------------|-----------------|---------------------------------------------------|
| its daemon die                            | a pidfd         | tells Pacemaker that the resource failed          |
| its daemon live and answer nothing        | the agent's     | tells Pacemaker, after a second look, once        |
|                                           | Prober          |                                                   |
| an address of this host removed, its link | netlink, and    | tells Pacemaker, after a second look, once        |
| lost                                      | the Prober      |                                                   |
| an address move to another host           | the kernel's    | has the agent drop the connection to the old      |
| (the agent names it: a replica's source)  | neighbour table | holder, instead of waiting for TCP and retry timers |
| its daemon point at no holder yet         | the Prober      | the same, once a second                           |
| the node's controller end, and with it    | a pidfd         | has them sent again, before the next run of the   |
| the node's attributes leave the CIB       |                 | scheduler                                         |

The watcher tells nothing in maintenance, while the resource is unmanaged, where the cluster does not think that the resource
is active, and while the agent itself stops the daemon. If the watcher dies or hangs, only speed is lost: the recurring
monitor still looks, and starts another watcher.

**How an agent uses it.** After start and in each recurring monitor that found the daemon well:

    client.watch(context, TARGET, pid, started)    # started: /proc/PID/stat, field 22, as text

TARGET names the service's Target (target.py) as "MODULE:CLASS": the watcher loads it, the action does not. Before an action
ends the daemon itself, in stop or otherwise:

    client.quiet(context, pid, started)

A Target gives two things. `prober()` returns an object with one method. `patience()` returns seconds: a daemon that gives no
answer for that long has failed. The watcher looks every second, and spends a third of the patience on each of its two looks.
See services/mysql/watching.py.

A resource without a process, such as an address, passes pid 0, and as `started` a text that is different at each start; it
is watched until a `quiet`. Its prober is asked every `look_every()` seconds, and when `events()` says so. See
services/vip/watching.py.

notes.py has the files that watcher and actions leave for each other in the agent's state directory.
"""

import fcntl
import sys

from backstay.host.command import spawn
from backstay.host.process import Process
from backstay.host.state_files import Files, Unwritable, private, stamp, unwritable
from backstay.ocf.errors import AgentError
from backstay.watch.notes import LOCK, STOPPING, VERDICT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.context import Context

STARTING = 5.0  # seconds that a watcher may take from its start to its lock
STALE = 10.0  # seconds after which a watcher that has written no verdict stands still; it writes one a second


def watch(context: "Context", target: str, pid: int, started: str, anew: bool = False) -> None:
    """See that this process has its watcher, once this node is part of a cluster. Where none can be started only speed is
    lost: the action goes on.

    target: "MODULE:CLASS" of the service's Target. pid, started: the daemon's, the start time in clock ticks as in
    /proc/PID/stat. anew: replace the watcher, since it has the parameters of the action that started it. Costs an open and
    a lock where there is one.
    """
    if not context.invocation.node:
        return
    try:
        _ensure(context, target, pid, started, anew)
    except OSError as error:
        said = unwritable(context.state.directory, error)
        if context.complaints is None:
            context.log.warning(f"no watcher: {said}")
        else:
            context.cannot_write(said)
    except AgentError as error:
        context.log.warning(f"no watcher: {error}")


def quiet(context: "Context", pid: int, started: str) -> None:
    """Say that the agent itself ends this process: its watcher is to tell nothing of that. Not being able to say so
    must not fail a stop. The note stays: the next process is another."""
    files = context.state
    try:
        try:
            Files(files.directory).write(STOPPING, f"{pid}:{started}")
        except Unwritable:
            _end(files.read(LOCK).split()[2:4])  # one that cannot be told would tell the cluster of a failure
    except (AgentError, OSError) as error:
        context.log.warning(f"the watcher may report this as a failure: {error}")


def _ensure(context: "Context", target: str, pid: int, started: str, anew: bool) -> None:
    """Raises OSError, and AgentError as command.spawn does."""
    files = context.state
    with open(files.path(LOCK), "a+", encoding="ascii", opener=private) as lock:
        lock.seek(0)
        fields = lock.read().split()
        ours = fields[:2] == [str(pid), started]
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if ours and len(fields) == 2 and files.age(LOCK) < STARTING:
                return  # another action has started one just now, and two would tell the same death
            if ours:
                context.log.warning("the watcher was gone: starting another")
        except BlockingIOError:
            # Of a new one the lock is the first sign of life.
            alive = min(files.age(LOCK), files.age(VERDICT)) < STALE
            # One that has only just begun has not said yet.
            outdated = len(fields) >= 4 and fields[4:] != [context.installation()]
            if ours and alive and not anew and not outdated:
                return
            if ours and outdated:
                context.log.info("the watcher is of another installation: starting another")
            elif ours and not alive:
                context.log.warning("the watcher stands still: starting another")
            _end(fields[2:4])
        lock.truncate(0)
        lock.write(f"{pid} {started}\n")
        lock.flush()
        stamp(lock.fileno())
    module, _, name = target.partition(":")
    code = f"import sys; sys.path[:0] = {sys.path!r}; from {module} import {name}; "
    code += f"from backstay.watch.daemon import main; sys.exit(main({name}, sys.argv))"
    spawn([sys.executable, "-I", "-c", code, f"watch({context.invocation.resource})", str(pid), started], own=True)


def _end(watcher: "list[str]") -> None:
    """Kill a watcher that stands still, or watches a process that is gone. watcher: pid and start time."""
    if len(watcher) == 2:
        Process(int(watcher[0]), watcher[1]).kill()
