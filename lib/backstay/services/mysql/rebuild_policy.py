"""A node's history parted from the primary's. May a copy of the primary's data replace this node's? And what comes next,
while a job makes that copy? Pure: values in, a verdict with its reason out.

To go on must lose nothing that was acknowledged. The arguments:

- A promotion proves that the new primary holds every acknowledged transaction, unless it rested on allow_loss. So what
  this node alone has was never acknowledged, if no such promotion happened since its history was last part of the
  set's. The record keeps the last epoch that rested on allow_loss (`loss`); the data directory keeps the last epoch in
  which this node joined or was promoted (its mark).
- A primary that ran alone is no exception: that is in the record before it happens, and then no other node can be
  promoted without allow_loss.
- A data directory without a mark was never part of the set. Nothing is known of it: it may be somebody's data, unless no
  database is in it.
- A node that is merely behind, further than the primary's binary logs reach, has nothing that could be lost.
- The donor must have what the record says it was promoted with, else it is not who it claims to be.

When unsure the answer is no, with the reason. The admin can always do by hand what this refuses.
"""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Record

KEPT = 3  # old data directories beside the present one; more of them mean that something is wrong
_FIRST_RETRY, _LAST_RETRY = 300.0, 3600.0  # seconds
_ROOM = 512 << 20  # bytes: logs, undo and system tablespaces of an empty server, and some of the newest writes


def refusal(
    me: str,
    received: History,
    theirs: History,
    record: Record | None,
    promoted_with: History | None,
    marked: int,
    allow_loss: bool,
    kept: int,
) -> str:
    """Why this node must not be rebuilt by itself, "" when it may.

    received: all this node has, applied or not. theirs: what the recorded primary has. promoted_with: `record.gtid`
    parsed. marked: the data directory's mark, 0 for none. kept: old data directories beside the present one.
    """
    if record is None or promoted_with is None:
        return "no primary is recorded: nothing to copy from"
    if record.primary == me:
        return "this node is the recorded primary: what it has counts"
    if not received.minus(theirs):
        return f"nothing here is unknown to {record.primary}"
    if allow_loss:
        return "allow_loss is set, so what only this node has may have been acknowledged"
    return _doubt(theirs, record, promoted_with, marked) or _full(kept)


def behind(
    me: str,
    theirs: History,
    record: Record,
    promoted_with: History,
    marked: int,
    databases: tuple[str, ...],
    kept: int,
) -> str:
    """The same for a node of whose history the primary has all, while the primary's logs do not reach back to it any more.
    databases: what users made there; without a mark nobody knows where it is from."""
    if record.primary == me:
        return "this node is the recorded primary: what it has counts"
    if not theirs.includes(promoted_with):
        return f"{record.primary} lacks {promoted_with.minus(theirs)} of what it was promoted with: it is no safe donor"
    if databases and not marked:
        return (
            f"this data directory was never seen as part of the set, and holds {', '.join(databases[:3])}: move it away"
        )
    if marked > record.epoch:
        return f"this data directory knows epoch {marked}, the record only {record.epoch}: the record was reset"
    return _full(kept)


def reset(me: str, theirs: History, record: Record, promoted_with: History, marked: int, kept: int) -> str:
    """The same for a node whose binary log was reset while it was the primary. Its history tells nothing; but another was
    promoted since, and proved that it has all that was acknowledged."""
    if record.primary == me:
        return "this node is the recorded primary: what it has counts"
    return _doubt(theirs, record, promoted_with, marked) or _full(kept)


def _full(kept: int) -> str:
    if kept < KEPT:
        return ""
    return f"{kept} old data directories are kept already: find out why this repeats, and remove them"


def relay_log_kept(
    me: str, writable: bool, theirs: History, record: Record, promoted_with: History, marked: int
) -> str:
    """Why a relay log that cannot be read must not be given up, "" when it may. It may when the recorded primary, another
    node, has all that this node acknowledged, and when nobody counts on this node for it any more: were the primary lost
    before all is received anew, a record that still names this node would let it be promoted without.

    writable, theirs: the recorded primary's server now. promoted_with: `record.gtid` parsed. marked: as in `refusal`.
    """
    if me in record.sync:
        return "the record still counts on this node's acknowledgements"
    if not writable:
        return f"{record.primary} is not open, and may not be primary any more"
    return _doubt(theirs, record, promoted_with, marked)


def _doubt(theirs: History, record: Record, promoted_with: History, marked: int) -> str:
    """Why the recorded primary may lack what this node acknowledged, "" when the record proves that it has all of it. The
    arguments as in `refusal`."""
    if not theirs.includes(promoted_with):
        return f"{record.primary} lacks {promoted_with.minus(theirs)} of what it was promoted with: it is no safe donor"
    if not marked:
        return "this data directory was never seen as part of the set: its data may be someone's"
    if marked > record.epoch:
        return f"this data directory knows epoch {marked}, the record only {record.epoch}: the record was reset"
    if record.loss > marked:
        return f"epoch {record.loss} began by allow_loss, so what only this node has may have been acknowledged"
    return ""


def shortage(needed: int, free: int) -> str:
    """Whether a copy of so many bytes fits, "" when it does."""
    wanted = needed + needed // 5 + _ROOM
    if free >= wanted:
        return ""
    return f"the copy takes about {_size(wanted)} beside the data directory, and {_size(free)} are free: make room"


def flaw(copied: History, received: History, theirs: History, promoted_with: History) -> str:
    """What a finished copy must hold and does not, "" when it is good.

    The node's acknowledgements may be the proof that somebody relies on, so the copy must hold what it had received, but
    for what the primary does not know; and what the primary was promoted with.
    """
    promised = received.minus(received.minus(theirs)).union(promoted_with)
    missing = promised.minus(copied)
    return f"the copy lacks {missing}" if missing else ""


class Job(Enum):
    """What to do about the job that copies."""

    SWAP = "swap"  # the copy is complete: restart on it
    WAIT = "wait"  # it runs
    REST = "rest"  # it failed not long ago
    START = "start"


def job_step(complete: bool, running: bool, failures: int, since_failure: float) -> Job:
    """failures: attempts that failed in a row. Attempts get rarer, but never end: what hinders may go away."""
    if running:
        return Job.WAIT
    if complete:
        return Job.SWAP
    pause = min(_FIRST_RETRY * 2 ** max(0, min(failures, 10) - 1), _LAST_RETRY)
    return Job.REST if failures and since_failure < pause else Job.START


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
