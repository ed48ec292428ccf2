"""Replaces the data of a node whose history parted from the primary's: rebuild=auto.

| who         | does                                                                                                    |
|-------------|---------------------------------------------------------------------------------------------------------|
| the monitor | finds the errant transactions, starts one job, shows how it stands, fails the instance once it is done  |
| the job     | decides whether that is safe (rebuild_policy.py), copies the primary's data beside the data directory   |
| start       | moves the old data directory aside, never deletes it, moves the copy into its place                     |
| stop        | ends a job that still runs                                                                              |

So no monitor stops or replaces the server, and Pacemaker sees an ordinary restart. All is kept in the directory
`<datadir>.rebuild`: `data`, and the mark `complete` once `data` is whole. The job is a process of its own session, one at a
time.

Run as: python3 -I -m backstay.services.mysql.rebuild, with the agent's environment
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time

from backstay.host import mounts, untrusted
from backstay.host.command import spawn
from backstay.host.deadline import Deadline, poll
from backstay.host.process import no_core
from backstay.host.state_files import private
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql import process, rebuild_policy
from backstay.services.mysql.health import REBUILDING, REBUILT
from backstay.services.mysql.layout import layout_of
from backstay.services.mysql.state import (
    ERRANT,
    REBUILD_FAILED,
    REBUILD_LOCK,
    REBUILD_LOG,
    REBUILD_SECRETS,
    STRANDED,
    read_mark,
    was_reset,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server

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


def proceed(context: MysqlContext) -> None:
    """The node is errant, or stranded: see that a job runs, unless one is done or failed just now."""
    count, _ = _failure(context)
    if _step(context, count) is rebuild_policy.Job.START:
        context.log.notice("starting a job that copies the primary's data")
        code = f"import sys; sys.path[:0] = {sys.path!r}; from backstay.services.mysql.rebuild import main; sys.exit(main())"
        log = context.state.path(REBUILD_LOG)
        spawn([sys.executable, "-I", "-c", code], log=log, own=True)


def standing(context: MysqlContext, why: str) -> tuple[str, bool]:
    """How it stands in words, and whether the copy is complete. why: it is to be made."""
    count, reason = _failure(context)
    step = _step(context, count)
    if step is rebuild_policy.Job.SWAP:
        return f"{REBUILT}: restarting on the new data", True
    if step is rebuild_policy.Job.REST:
        return f"not rebuilt: {reason}; {why}", False
    return f"{REBUILDING}, {why}", False


def _step(context: MysqlContext, failures: int) -> rebuild_policy.Job:
    complete = untrusted.there(Place(context.parameters.datadir).complete)
    return rebuild_policy.job_step(complete, _holder(context) is not None, failures, context.state.age(REBUILD_FAILED))


def _failure(context: MysqlContext) -> tuple[int, str]:
    """Failed attempts in a row, and why the last one did."""
    count, _, reason = context.state.read(REBUILD_FAILED).partition(" ")
    return (int(count), reason) if count.isdigit() else (0, "")


def _holder(context: MysqlContext) -> process.Process | None:
    """The job that runs."""
    try:
        with open(context.state.path(REBUILD_LOCK), encoding="ascii") as lock:
            if _taken(lock):
                return None
            pid, _, started = lock.read().partition(" ")
    except OSError:
        return None
    return process.Process(int(pid), started) if pid.isdigit() else process.Process(0, "")


def _taken(lock: IO[str]) -> bool:
    """Whether this process got the lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# -- for start and stop -----------------------------------------------------------------------------------------------


def install(context: MysqlContext) -> None:
    """Before a start: put a complete copy in the place of the data it was made to replace."""
    place = Place(context.parameters.datadir)
    if not untrusted.there(place.complete):
        return
    try:
        _install(context, place)
    except OSError as error:
        raise AgentError(f"{place.around} cannot be put in the place of {place.data}: {error.strerror}") from None


def _install(context: MysqlContext, place: Place) -> None:
    """Raises OSError. What the note says is the account's word, and decides over the account's data alone."""
    replaces, _, origin = untrusted.text(place.complete).strip().partition(" ")
    if os.path.isdir(place.data):
        if replaces != place.replaces():
            context.log.warning(f"{place.around} was made to replace another directory: not used")
            return
        old = f"{place.data}.errant-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
        found = os.stat(place.data)
        untrusted.set_directory(place.copy, None, found.st_mode & 0o7777)
        untrusted.move(place.data, old)
        context.log.warning(f"the old data is kept in {old}: remove it when nobody needs it")
    untrusted.move(place.copy, place.data)  # also the second half of a start that was cut short
    untrusted.remove_directory(place.around)
    for why in (ERRANT, STRANDED, REBUILD_FAILED):
        context.state.remove(why)
    context.log.notice(f"{place.data} is now a copy {origin}")


def abandon(context: MysqlContext) -> None:
    """At a stop: end the job and all it started. Stopped is stopped; the next start finds the node errant again."""
    import signal

    job = _holder(context)
    if job is None:
        return
    context.log.notice("ending the job that copies the primary's data")
    if job.alive():
        try:
            os.killpg(job.pid, signal.SIGKILL)
        except ProcessLookupError:
            context.log.info("it ended by itself in this moment")
    server = process.find("", Place(context.parameters.datadir).copy)
    if server:
        server.end(context.deadline, gently=False)
    shutil.rmtree(_workspace(context), ignore_errors=True)


def discard(context: MysqlContext) -> None:
    """The node is not errant any more: no copy may ever replace its data."""
    abandon(context)
    _clean(Place(context.parameters.datadir))


# -- the job ----------------------------------------------------------------------------------------------------------


def main() -> int:
    """Copy, or note why not. The exit status is for nobody."""
    from backstay.ocf.invocation import Invocation
    from backstay.services.mysql.context import MysqlContext

    no_core()
    context = MysqlContext(Invocation("monitor", os.environ))
    context.deadline = Deadline(_LONGEST)
    context.settle_parameters(strict=False)
    with open(context.state.path(REBUILD_LOCK), "a+", encoding="ascii", opener=private) as lock:
        if not _taken(lock):
            return 0
        me = process.at(os.getpid())
        lock.truncate(0)
        lock.write(f"{me.pid} {me.started}" if me else "")
        lock.flush()
        try:
            _copy(context)
        except Exception as error:
            reason = str(error) if isinstance(error, AgentError) else f"{type(error).__name__}: {error}"
            reason = context.log.masked(" ".join(reason.split()))
            context.state.write(REBUILD_FAILED, f"{_failure(context)[0] + 1} {reason}")
            context.log.error(f"not rebuilt: {reason}")
            if not isinstance(error, (AgentError, OSError)):
                raise
            return 1
        context.state.remove(REBUILD_FAILED)
    return 0


def _copy(context: MysqlContext) -> None:
    started = time.monotonic()
    place = Place(context.parameters.datadir)
    record = context.record.read()
    if record is None:
        raise AgentError("no primary is recorded: nothing to copy from")
    _clean(place)
    with context.servers.here(context.deadline) as local:
        dialect = context.servers.dialect(local)
        # From here on this node acknowledges nothing more, so the copy, which is newer, will hold all it did.
        dialect.acknowledge(local, False)
        if dialect.observe(local).replica is not None:
            dialect.stop_receiver(local)
        received = dialect.observe(local).received
        with context.servers.peer(record.primary, dialect, _ASK) as peer:
            told = dialect.peer(peer)
            theirs, writable = told.received, told.writable
            missing = dialect.out_of_reach(peer, received)
        if not writable:
            raise AgentError(f"{record.primary} is not open")
        promoted_with = dialect.history.parse(record.gtid)
        marked, kept = read_mark(place.data), place.kept()
        if was_reset(place.data):
            refusal = rebuild_policy.reset(context.servers.me, theirs, record, promoted_with, marked, kept)
        elif missing and theirs.includes(received):
            databases = dialect.holding(local).databases or ()
            refusal = rebuild_policy.behind(context.servers.me, theirs, record, promoted_with, marked, databases, kept)
        else:
            allowed = context.parameters.allow_loss
            refusal = rebuild_policy.refusal(
                context.servers.me, received, theirs, record, promoted_with, marked, allowed, kept
            )
        if refusal:
            raise AgentError(refusal)
        account = (context.parameters.replication_user, context.parameters.replication_password)
        _await_leave(context, dialect, record.primary, account)
        with context.servers.peer(record.primary, dialect, _ASK, account) as donor:
            _examine(dialect, donor, local, place)
            only = received.minus(theirs) or "nothing"
            context.log.notice(f"copying the data of {record.primary}; only here: {only}")
            try:
                copied = _make(context, dialect, donor, local, place, record)
                problem = rebuild_policy.flaw(copied, received, theirs, promoted_with) or _changed(context, record)
                if problem:
                    raise AgentError(problem)
            except BaseException:
                _clean(place)
                raise
    origin = f"of {record.primary}'s data in epoch {record.epoch} up to {copied}"
    untrusted.replace(place.complete, f"{place.replaces()} {origin}\n", None, 0o640, sync=True)
    context.log.notice(f"copied {origin} in {time.monotonic() - started:.0f} s")


def _clean(place: Place) -> None:
    """Nothing is left of earlier attempts, running or lying about."""
    server = process.find("", place.copy)
    if server:
        server.end(Deadline(30), gently=False)
    untrusted.remove_directory(place.around)


def _workspace(context: MysqlContext) -> str:
    """Where the job's secrets lie: in /run, for root alone, and gone with the job however it ends."""
    return context.state.path(REBUILD_SECRETS)


def _await_leave(context: MysqlContext, dialect: Dialect, primary: str, account: tuple[str, str]) -> None:
    """The primary's monitor makes the account, and grants it what a copy needs once rebuild=auto is set. This node's may have
    come first, and a failed attempt rests for minutes. Raises AgentError."""
    lacks = ""

    def allowed() -> bool:
        nonlocal lacks
        try:
            # Anew each time: a connection keeps what it began with.
            with context.servers.peer(primary, dialect, _ASK, account) as donor:
                lacks = dialect.missing_to_copy(donor)
        except AgentError as error:
            lacks = str(error)
        return not lacks

    try:
        poll(allowed, context.deadline.within(_LEAVE), "the account to be allowed to copy", 0.5)
    except TimedOut:
        raise AgentError(f"the replication account may not copy from {primary}, it lacks: {lacks}") from None


def _examine(dialect: Dialect, donor: Server, local: Server, place: Place) -> None:
    """What would make copying futile. Raises AgentError."""
    if mounts.is_point(place.data):
        raise AgentError(f"{place.data} is a mount point and cannot be moved: set datadir to a directory below it")
    obstacle = dialect.copy_obstacle(donor, local)
    if obstacle:
        raise AgentError(obstacle)
    disk = os.statvfs(os.path.dirname(place.data))
    short = rebuild_policy.shortage(dialect.copy_size(donor), disk.f_bavail * disk.f_frsize)
    if short:
        raise AgentError(short)


def _make(
    context: MysqlContext, dialect: Dialect, donor: Server, local: Server, place: Place, record: Record
) -> History:
    from backstay.services.mysql.dialects import copying

    layout = layout_of(context.parameters, context.servers.me, context.servers.number)
    untrusted.new_directory(place.around, 0o711)  # root's, until the dialect gives it to the account
    layout.datadir = place.copy
    layout.socket = os.path.join(place.around, "socket")
    # The same name as the real one: unnamed logs are named after it.
    layout.pid_file = os.path.join(place.around, os.path.basename(layout.pid_file))
    layout.log_error = os.path.join(place.around, "error.log")
    source = context.servers.source(record.primary)
    donor.within(context.deadline)
    workspace = _workspace(context)
    os.makedirs(workspace, mode=0o700, exist_ok=True)
    try:
        return copying.copy(dialect, donor, source, local, layout, workspace)
    finally:
        shutil.rmtree(workspace)


def _changed(context: MysqlContext, record: Record) -> str:
    """Whether another was promoted meanwhile: then the copy may hold what the old primary never had acknowledged."""
    now = context.record.read()
    if now is not None and (now.epoch, now.primary) == (record.epoch, record.primary):
        return ""
    return f"{record.primary} was the primary when copying began and is not any more"


if __name__ == "__main__":
    sys.exit(main())
