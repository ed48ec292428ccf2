"""Replace the data of a node whose history parted from the primary's: rebuild=auto.

| who         | does                                                                                                    |
|-------------|---------------------------------------------------------------------------------------------------------|
| the monitor | finds the errant transactions, starts one job, shows how it stands, fails the instance once it is done  |
| the job     | decides whether that is safe (conflict.py), copies the primary's data beside the data directory         |
| start       | moves the old data directory aside, never deletes it, moves the copy into its place                     |
| stop        | ends a job that still runs                                                                              |

So nothing juggles with the server inside a monitor, and Pacemaker sees an ordinary restart. All is kept in the directory
`<datadir>.rebuild`: `data`, and `complete` once that is whole. The job is a process of its own session, one at a time.

Run as: python3 -I -m backstay.services.mysql.rebuild, with the agent's environment
"""

import fcntl
import os
import shutil
import sys
import time

from backstay.host import untrusted
from backstay.host.command import spawn
from backstay.host.deadline import Deadline, poll
from backstay.host.process import no_core
from backstay.host.state_files import private
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql import process, rebuild_policy
from backstay.services.mysql.state import read_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Facts
    from backstay.services.mysql.server import Server

_LOCK, _FAILED, _LOG = "rebuild-lock", "rebuild-failed", "rebuild-log"
_LONGEST = 24 * 3600.0  # seconds for one attempt
_ASK = 5.0  # seconds to reach the donor
_LEAVE = 60.0  # seconds for the primary to allow the copy


class Place:
    """Where copy and old data go: beside the data directory, on its file system, so that moving them is a rename."""

    def __init__(self, datadir: str) -> None:
        self.data = os.path.realpath(datadir)
        self.around = f"{self.data}.rebuild"
        self.copy = os.path.join(self.around, "data")
        self.complete = os.path.join(self.around, "complete")

    def replaces(self) -> str:
        """The identity of the directory that is to be replaced: a copy made for another one must not be used."""
        found = os.stat(self.data)
        return f"{found.st_dev}:{found.st_ino}"

    def kept(self) -> int:
        parent, name = os.path.split(self.data)
        return sum(entry.startswith(f"{name}.errant-") for entry in os.listdir(parent))


# -- for the monitor --------------------------------------------------------------------------------------------------


def proceed(agent: "Mysql") -> None:
    """The node is errant, or stranded: see that a job runs, unless one is done or failed just now."""
    count, _ = _failure(agent)
    if _step(agent, count) is rebuild_policy.Job.START:
        agent.log.notice("starting a job that copies the primary's data")
        code = f"import sys; sys.path[:0] = {sys.path!r}; from backstay.services.mysql.rebuild import main; sys.exit(main())"
        log = os.path.join(agent.state.directory, _LOG)
        spawn([sys.executable, "-I", "-c", code], log=log, own=True)


def standing(agent: "Mysql", why: str) -> "tuple[str, bool]":
    """How it stands in words, and whether the copy is complete. why: it is to be made."""
    count, reason = _failure(agent)
    step = _step(agent, count)
    if step is rebuild_policy.Job.SWAP:
        return "rebuilt: restarting on the new data", True
    if step is rebuild_policy.Job.REST:
        return f"not rebuilt: {reason}; {why}", False
    return f"rebuilding, {why}", False


def _step(agent: "Mysql", failures: int) -> rebuild_policy.Job:
    complete = untrusted.there(Place(str(agent.datadir)).complete)
    return rebuild_policy.job_step(complete, _holder(agent) is not None, failures, agent.state.age(_FAILED))


def _failure(agent: "Mysql") -> "tuple[int, str]":
    """Failed attempts in a row, and why the last one did."""
    count, _, reason = agent.state.read(_FAILED).partition(" ")
    return (int(count), reason) if count.isdigit() else (0, "")


def _holder(agent: "Mysql") -> "process.Process | None":
    """The job that runs."""
    try:
        with open(os.path.join(agent.state.directory, _LOCK), encoding="ascii") as lock:
            if _taken(lock):
                return None
            pid, _, started = lock.read().partition(" ")
    except OSError:
        return None
    return process.Process(int(pid), started) if pid.isdigit() else process.Process(0, "")


def _taken(lock: "IO[str]") -> bool:
    """Whether we got the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# -- for start and stop -----------------------------------------------------------------------------------------------


def install(agent: "Mysql") -> None:
    """Before a start: put a complete copy in the place of the data it was made to replace."""
    place = Place(str(agent.datadir))
    if not untrusted.there(place.complete):
        return
    try:
        _install(agent, place)
    except OSError as error:
        raise AgentError(f"{place.around} cannot be put in the place of {place.data}: {error.strerror}") from None


def _install(agent: "Mysql", place: Place) -> None:
    """Raises OSError. What the note says is the account's word, and decides over the account's data alone."""
    replaces, _, origin = untrusted.text(place.complete).strip().partition(" ")
    if os.path.isdir(place.data):
        if replaces != place.replaces():
            agent.log.warning(f"{place.around} was made to replace another directory: not used")
            return
        old = f"{place.data}.errant-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        found = os.stat(place.data)
        untrusted.set_directory(place.copy, None, found.st_mode & 0o7777)
        untrusted.move(place.data, old)
        agent.log.warning(f"the old data is kept in {old}: remove it when nobody needs it")
    untrusted.move(place.copy, place.data)  # also the second half of a start that was cut short
    untrusted.remove_directory(place.around)
    for why in ("errant", "stranded", _FAILED):
        agent.state.remove(why)
    agent.log.notice(f"{place.data} is now a copy {origin}")


def abandon(agent: "Mysql") -> None:
    """At a stop: end the job and all it started. Stopped is stopped; the next start finds the node errant again."""
    import signal

    job = _holder(agent)
    if job is None:
        return
    agent.log.notice("ending the job that copies the primary's data")
    if job.alive():
        try:
            os.killpg(job.pid, signal.SIGKILL)
        except ProcessLookupError:
            agent.log.info("it ended by itself in this moment")
    server = process.find("", Place(str(agent.datadir)).copy)
    if server:
        server.end(agent.deadline, gently=False)
    shutil.rmtree(_workspace(agent), ignore_errors=True)


def discard(agent: "Mysql") -> None:
    """The node is not errant any more: no copy may ever replace its data."""
    abandon(agent)
    _clean(Place(str(agent.datadir)))


# -- the job ----------------------------------------------------------------------------------------------------------


def main() -> int:
    """Copy, or note why not. The exit status is for nobody."""
    from backstay.ocf.invocation import Invocation
    from backstay.services.mysql.agent import Mysql

    no_core()
    agent = Mysql(Invocation("monitor", os.environ))
    agent.deadline = Deadline(_LONGEST)
    with open(os.path.join(agent.state.directory, _LOCK), "a+", encoding="ascii", opener=private) as lock:
        if not _taken(lock):
            return 0
        me = process.at(os.getpid())
        lock.truncate(0)
        lock.write(f"{me.pid} {me.started}" if me else "")
        lock.flush()
        try:
            _copy(agent)
        except Exception as error:
            reason = str(error) if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
            reason = agent.log.masked(" ".join(reason.split()))
            agent.state.write(_FAILED, f"{_failure(agent)[0] + 1} {reason}")
            agent.log.error(f"not rebuilt: {reason}")
            if not isinstance(error, (AgentError, OSError)):
                raise
            return 1
        agent.state.remove(_FAILED)
    return 0


def _copy(agent: "Mysql") -> None:
    started = time.monotonic()
    place = Place(str(agent.datadir))
    facts = agent.facts()
    if facts is None:
        raise AgentError("no primary is recorded: nothing to copy from")
    _clean(place)
    with agent.connect(agent.deadline) as local:
        dialect = agent.dialect(local)
        # From here on this node acknowledges nothing more, so the copy, which is newer, will hold all it did.
        dialect.acknowledge(local, False)
        if dialect.observe(local).replica is not None:
            dialect.stop_receiver(local)
        received = dialect.observe(local).received
        with agent.connect_peer(facts.primary, dialect, _ASK) as peer:
            told = dialect.peer(peer)
            theirs, writable = told.received, told.writable
            missing = dialect.out_of_reach(peer, received)
        if not writable:
            raise AgentError(f"{facts.primary} is not open")
        promoted_with = dialect.history.parse(facts.gtid)
        marked, kept = read_mark(place.data), place.kept()
        if missing and theirs.includes(received):
            databases = dialect.holding(local).databases or ()
            refusal = rebuild_policy.behind(agent.me, theirs, facts, promoted_with, marked, databases, kept)
        else:
            allowed = bool(agent.allow_loss)
            refusal = rebuild_policy.refusal(agent.me, received, theirs, facts, promoted_with, marked, allowed, kept)
        if refusal:
            raise AgentError(refusal)
        account = (str(agent.replication_user), str(agent.replication_password))
        _await_leave(agent, dialect, facts.primary, account)
        with agent.connect_peer(facts.primary, dialect, _ASK, account) as donor:
            _examine(dialect, donor, local, place)
            only = received.minus(theirs) or "nothing"
            agent.log.notice(f"copying the data of {facts.primary}; only here: {only}")
            try:
                copied = _make(agent, dialect, donor, local, place, facts)
                problem = rebuild_policy.flaw(copied, received, theirs, promoted_with) or _changed(agent, facts)
                if problem:
                    raise AgentError(problem)
            except BaseException:
                _clean(place)
                raise
    origin = f"of {facts.primary}'s data in epoch {facts.epoch} up to {copied}"
    untrusted.replace(place.complete, f"{place.replaces()} {origin}\n", None, 0o640, sync=True)
    agent.log.notice(f"copied {origin} in {time.monotonic() - started:.0f} s")


def _clean(place: Place) -> None:
    """Nothing is left of earlier attempts, running or lying about."""
    server = process.find("", place.copy)
    if server:
        server.end(Deadline(30), gently=False)
    untrusted.remove_directory(place.around)


def _workspace(agent: "Mysql") -> str:
    """Where the job's secrets lie: in /run, for root alone, and gone with the job however it ends."""
    return os.path.join(agent.state.directory, "rebuild")


def _await_leave(agent: "Mysql", dialect: "Dialect", primary: str, account: "tuple[str, str]") -> None:
    """The primary's monitor makes the account, and grants it what a copy needs once rebuild=auto is set. This node's may have
    come first, and a failed attempt rests for minutes. Raises AgentError."""
    lacks = ""

    def allowed() -> bool:
        nonlocal lacks
        try:
            with agent.connect_peer(primary, dialect, _ASK, account) as donor:  # a connection keeps what it began with
                lacks = dialect.missing_to_copy(donor)
        except AgentError as error:
            lacks = str(error)
        return not lacks

    try:
        poll(allowed, agent.deadline.within(_LEAVE), "the account to be allowed to copy", 0.5)
    except TimedOut:
        raise AgentError(f"the replication account may not copy from {primary}, it lacks: {lacks}") from None


def _examine(dialect: "Dialect", donor: "Server", local: "Server", place: Place) -> None:
    """What would make copying futile. Raises AgentError."""
    if os.path.ismount(place.data):
        raise AgentError(f"{place.data} is a mount point and cannot be moved: set datadir to a directory below it")
    obstacle = dialect.copy_obstacle(donor, local)
    if obstacle:
        raise AgentError(obstacle)
    disk = os.statvfs(os.path.dirname(place.data))
    short = rebuild_policy.shortage(dialect.copy_size(donor), disk.f_bavail * disk.f_frsize)
    if short:
        raise AgentError(short)


def _make(
    agent: "Mysql", dialect: "Dialect", donor: "Server", local: "Server", place: Place, facts: "Facts"
) -> "History":
    layout = agent.layout()
    untrusted.new_directory(place.around, 0o711)  # root's, until the dialect gives it to the account
    layout.datadir = place.copy
    layout.socket = os.path.join(place.around, "socket")
    # The same name as the real one: unnamed logs are named after it.
    layout.pid_file = os.path.join(place.around, os.path.basename(layout.pid_file))
    layout.log_error = os.path.join(place.around, "error.log")
    source = agent.source(facts.primary)
    donor.within(agent.deadline)
    workspace = _workspace(agent)
    os.makedirs(workspace, mode=0o700, exist_ok=True)
    try:
        return dialect.copy_from(donor, source, local, layout, workspace)
    finally:
        shutil.rmtree(workspace)


def _changed(agent: "Mysql", facts: "Facts") -> str:
    """Whether another was promoted meanwhile: then the copy may hold what the old primary never had acknowledged."""
    now = agent.facts()
    if now is not None and (now.epoch, now.primary) == (facts.epoch, facts.primary):
        return ""
    return f"{facts.primary} was the primary when copying began and is not any more"


if __name__ == "__main__":
    sys.exit(main())
