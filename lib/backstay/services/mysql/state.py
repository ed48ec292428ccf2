"""What the MySQL agent remembers between its calls, and the mark beside the data."""

from __future__ import annotations

import fcntl
import os

from backstay.host.deadline import Deadline, poll
from backstay.host.state_files import Files, StateFile
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.record import MalformedRecord, Record

PROMOTED = StateFile(
    "promoted",
    "identity of the server process that was promoted, and the record it was promoted with: a restarted server is not promoted, "
    "whatever its variables say",
    lost="the promoted server is known again by the cluster's record, where Pacemaker has it promoted; else it is closed",
)
CLOSED = StateFile(
    "closed",
    "identity of the server process whose promotion was refused, until Pacemaker demotes it",
    lost="the next monitor says that the instance is not promoted, and Pacemaker decides anew",
)
REFUSAL = StateFile(
    "refusal",
    "why a promotion was refused, until there is a primary",
    lost="it may be chosen again, and the promotion decides again",
)
READABLE = StateFile("readable", "1 or 0, as published", lost="balancers send no reads here until the next monitor")
REVIEWED = StateFile(
    "reviewed",
    "dated when the primary last reviewed who acknowledges; the cluster's membership, if all recorded nodes were there",
    lost="the primary reviews at its next monitor",
)
UNACKNOWLEDGED = StateFile(
    "unacknowledged",
    "empty, dated when the last of the recorded acknowledgers went",
    lost="degrade_after begins anew: commits wait longer before the primary goes on alone",
)
RECHECKED = StateFile(
    "rechecked",
    "empty, dated when the primary last asked the cluster who is primary, or recorded it",
    lost="the primary asks at its next monitor",
)
DOUBT = StateFile(
    "doubt",
    "empty, while the primary writes the record, and after that until it is known whether it did",
    lost="the note of the promotion is lost with it, and is written again by the cluster's record",
)
WAITING = StateFile(
    "waiting",
    "acknowledged commits so far, dated when commits were last seen to wait",
    lost="commits that wait for nobody are freed one monitor later",
)
DATA = StateFile(
    "data",
    "device and inode of the data directory that the notes are about",
    lost="nothing: the next start writes it",
)
ACCOUNTS = StateFile(
    "accounts",
    "server process, epoch, rebuild and the privileges with which the accounts were last seen complete",
    lost="the primary looks at its accounts again",
)
EVENTS = StateFile(
    "events",
    "the process and epoch of which the primary had its events run, with ? where it has yet to, and what is in the way; dated",
    lost="the primary looks again, and sets the scheduler as the options file has it",
)
HISTORY = StateFile(
    "history",
    "the server's process, and what the primary's history was at its last monitor",
    lost="that its binary log was reset between two monitors goes unseen",
)
STARTED = StateFile(
    "started",
    "checksums of the parameters that a server takes only when it starts, as they were then",
    lost="that one was changed is not told until the next start",
)
SOURCE = StateFile(
    "source",
    "the host from which the agent had this replica replicate",
    lost="without a writer address: that somebody had it follow another server is seen once it stops",
)
NODES = StateFile(
    "nodes",
    "the cluster's nodes, as they were when a replica was last seen that may be none",
    lost="the primary asks the cluster when it next sees one",
)
PASSWORDS = StateFile(
    "passwords",
    "checksum of the passwords that the accounts were last given, or this replica joined with",
    lost="a replica joins anew; a change of passwords just before is not carried into the accounts",
)
ERRANT = StateFile(
    "errant",
    "the transactions that this server has and the primary has not",
    lost="the next monitor compares the histories again",
)
STRANDED = StateFile(
    "stranded",
    "why this node cannot become a replica by replicating",
    lost="the next monitor finds out again",
)
APPLIERS = StateFile(
    "appliers",
    "identity of the server process, and how many threads its applier had before it replayed the relay log with one",
    lost="its applier goes on with one thread until its next start",
)
TRUSTED = StateFile(
    "trusted",
    "the server's process, and the authority's file with which new connections were last seen to be trusted",
    lost="the next monitor makes a connection to see",
)
READER = StateFile(
    "reader",
    "which process answers load balancers, for which server and with which parameters",
    lost="the next monitor starts another, and the one before ends",
)
READER_COMPLAINT = StateFile(
    "reader-complaint", "why no process answers load balancers", lost="status does not say why"
)
READER_LOG = StateFile("reader.log", "what that process wrote", lost="what it wrote")
REBUILD_LOCK = StateFile(
    "rebuild-lock",
    "held by the job that copies the primary's data: its pid and start",
    lost="the next monitor starts another job, and the one before fails",
)
REBUILD_FAILED = StateFile(
    "rebuild-failed", "how often in a row the job failed, and why", lost="the job begins again at once"
)
REBUILD_LOG = StateFile("rebuild-log", "what the job wrote", lost="what it wrote")
REBUILD_SECRETS = StateFile(
    "rebuild",
    "directory of the job with the login for the copy, while one is made",
    lost="the copy fails, and is begun again",
)


class State(Files):
    """The files of one resource."""

    def replication(self, deadline: Deadline) -> Replication:
        """For a `with` in which nobody else begins, ends or forgets the replication of this server. Raises Occupied."""
        return Replication(self.directory, deadline)

    def belong(self, datadir: str) -> None:
        """Have the notes be about this data directory. What was noted of another one under the same name of the resource, as of
        a set made for trial, is dropped."""
        found = os.stat(datadir)
        identity = f"{found.st_dev}:{found.st_ino}"
        before = self.read(DATA)
        if before and before != identity:
            for note in (PROMOTED, CLOSED, REFUSAL, ACCOUNTS, PASSWORDS, ERRANT, STRANDED, REBUILD_FAILED):
                self.remove(note)
        if before != identity:
            self.write(DATA, identity)

    def promoted(self, identity: str) -> Record | None:
        """The record, if this very server process was promoted."""
        owner, _, record = self.read(PROMOTED).partition(" ")
        try:
            return Record.parse(record) if owner == identity else None
        except MalformedRecord:
            return None

    def set_promoted(self, identity: str, record: Record) -> None:
        self.write(PROMOTED, f"{identity} {record}")


class Occupied(TimedOut):
    """Another changes this server's replication."""


class Replication:
    """Actions, the watcher's errands and what a monitor left running change it, and two at once could stop both threads on events
    that were acknowledged. The lock is the directory itself, which needs nothing to be written."""

    def __init__(self, directory: str, deadline: Deadline) -> None:
        self._directory = directory
        self._deadline = deadline
        self._lock = -1

    def __enter__(self) -> None:
        self._lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            poll(lambda: _locked(self._lock), self._deadline, "another to be done with this server's replication", 0.02)
        except TimedOut as late:
            os.close(self._lock)
            raise Occupied(str(late)) from None

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


_MARK = "backstay-epoch"
_RESET = "reset"
# The remedy in the first 128 characters: the cluster shows no more.
RESET = (
    "RESET MASTER was run here: set rebuild=auto, or restore a copy of the primary; as the primary it lost the history that tells"
    " what it holds"
)


def write_mark(datadir: str, epoch: int) -> None:
    """Note, beside the data and so bound to it, that its history was part of the set's in this epoch. Losing the note is
    harmless: a rebuild then asks for the admin."""
    from backstay.host import untrusted

    try:
        untrusted.replace(os.path.join(datadir, _MARK), f"{epoch}\n", None, 0o640)
    except OSError:
        return


def write_reset(datadir: str) -> None:
    """Note there that its history tells no more what it holds: its binary log was reset while it was the primary. Raises
    OSError."""
    from backstay.host import untrusted

    text = f"{read_mark(datadir)} {_RESET}\n"
    untrusted.replace(os.path.join(datadir, _MARK), text.encode(), None, 0o640, sync=True)


def read_mark(datadir: str) -> int:
    """The last epoch that was noted, 0 when none was."""
    first = _mark(datadir)[:1]
    return int(first[0]) if first and first[0].isdigit() else 0


def was_reset(datadir: str) -> bool:
    return _RESET in _mark(datadir)


def _mark(datadir: str) -> list[str]:
    from backstay.host import untrusted

    try:
        return untrusted.text(os.path.join(datadir, _MARK)).split()
    except OSError:
        return []
