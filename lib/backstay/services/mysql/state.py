"""What the MySQL agent remembers between its calls, and the mark beside the data."""

from __future__ import annotations

import fcntl
import os

from backstay.host.deadline import Deadline, poll
from backstay.host.state_files import Files
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.record import MalformedRecord, Record

READER, READER_COMPLAINT = "reader", "reader-complaint"


class State(Files):
    """The files of one resource.

    promoted   identity of the server process that was promoted, and the record it was promoted with: a restarted server
               is not promoted, whatever its variables say
    closed     identity of the server process whose promotion was refused, until Pacemaker demotes it
    refusal    why, until there is a primary
    silent     identity of the process that a monitor or the watcher found silent: demote and stop need not find out again
    stopping   identity of the process that we end ourselves: the watcher keeps quiet (watch/client.py)
    calm       what a replica's monitor found when it looked itself and all was calm (watch/reuse.py, health.py)
    readable   1 or 0, as published
    reviewed   when the primary last reviewed who acknowledges; in it the cluster's membership, if all recorded nodes were there
    unacknowledged  empty, dated when the last of the recorded acknowledgers went
    ring       the cluster's membership, dated when it was first seen (ring.py)
    passwords  checksum of those that the accounts were last made, or this replica joined with
    errant     the errant transactions that were found
    stranded   why this node cannot become a replica by replicating (adoption.py)
    trusted    the authority's file with which new connections were last seen to be trusted (tls_check.py)
    reader     which process answers load balancers, for which server and with which parameters (reader_check)
    reader-complaint  why none can
    rebuild*   of the job that copies the primary's data (rebuild.py): its lock, its log, its secrets, why it failed
    """

    def replication(self, deadline: Deadline) -> Replication:
        """For a `with` in which nobody else begins, ends or forgets the replication of this server. Raises Occupied."""
        return Replication(self.directory, deadline)

    def promoted(self, identity: str) -> Record | None:
        """The record, if this very server process was promoted."""
        owner, _, record = self.read("promoted").partition(" ")
        try:
            return Record.parse(record) if owner == identity else None
        except MalformedRecord:
            return None

    def set_promoted(self, identity: str, record: Record) -> None:
        self.write("promoted", f"{identity} {record}")


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


def write_mark(datadir: str, epoch: int) -> None:
    """Note, beside the data and so bound to it, that its history was part of the set's in this epoch. Losing the note is
    harmless: a rebuild then asks for the admin."""
    from backstay.host import untrusted

    try:
        untrusted.replace(os.path.join(datadir, _MARK), f"{epoch}\n", None, 0o640)
    except OSError:
        return


def read_mark(datadir: str) -> int:
    """The last epoch that was noted, 0 when none was."""
    from backstay.host import untrusted

    try:
        return int(untrusted.read(os.path.join(datadir, _MARK)))
    except (OSError, ValueError):
        return 0
