"""What a look at a server means. Pure: an observation in, a verdict with its reason out.

Scores are few and steady, since each change aborts the cluster's running transition. A healthy replica and the primary
have the same one: the role stays where it is, and after a loss no score needs to change before Pacemaker can act. A
receiver without its source keeps its score too: that is exactly when it is wanted.
"""

from __future__ import annotations

from backstay.cluster.pacemaker import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.observation import Observed, ReplicaStatus
    from backstay.services.mysql.record import Record

ALONE = "runs alone"  # how the primary's complaint begins when no replica acknowledges; the record says it as well
IDLE = "replication is not running"
BEHIND = "ran alone since this node was behind"
DISTRUST = "receiver distrusts its source"
_TLS_FAILED = 2026  # CR_SSL_CONNECTION_ERROR; MariaDB's text may say no more than "error:00000000:lib(0)::reason(0)"
HEALTHY = 100  # acknowledges and applies; or is the primary
LAGGING = 50  # would have to apply for a while before it could open
UNSYNCED = 20  # replicates but does not acknowledge yet
DETACHED = 10  # does not replicate, and could only be promoted if it proves that it has everything; or cannot write
# Bytes. With less a server waits for someone to make room, a minute at a time, and answers all questions meanwhile.
ROOM = 1 << 20


_LAGS = (0, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)  # seconds


def published_lag(lag: int | None) -> str:
    """The lag for people, "" when unknown: the greatest of a few steps that it reaches, so that it is seldom written.
    The servers count whole seconds, and a second is often only their clocks."""
    return "" if lag is None else str(max(step for step in _LAGS if step <= max(lag, 0)))


def steady(seen: Observed) -> bool:
    """Whether a replica does all that it is there for; then the record need not be read."""
    replica, acks = seen.replica, seen.acks
    return bool(replica and replica.io == "Yes" and replica.sql and replica.by_gtid and acks.gives and not acks.waits)


def calm(seen: Observed, me: str, trouble: str, readable: bool, max_lag: float) -> bool:
    """Whether a replica's monitor would have nothing to do and nothing else to publish than a calm one before it.

    trouble: what was found before, errant transactions or a refused promotion, "" for nothing. readable: as published."""
    if trouble or not seen.read_only or not steady(seen) or not seen.replica or published_lag(seen.replica.lag) != "0":
        return False
    verdict = judge_replica(seen.replica, seen.acks.gives, me, None, "", readable, max_lag)
    return not verdict.state and verdict.score == HEALTHY and verdict.readable and readable


def adrift(seen: Observed) -> bool:
    """Whether a server follows nobody, and nothing that it found is why: new, just restarted, or demoted."""
    replica = seen.replica
    return seen.read_only and (
        replica is None or (replica.io == "No" and not replica.sql and not replica.applier_error[0])
    )


def distrusts(replica: ReplicaStatus | None) -> bool:
    """Whether the receiver cannot connect since TLS fails."""
    if not replica or replica.io == "Yes":
        return False
    return replica.receiver_error[0] == _TLS_FAILED or "certificate" in replica.receiver_error[1]


def summarise(state: str, cause: str) -> str:
    """What an admin is told of a replica: its state, or what was found to be the cause where the state is but what follows."""
    consequence = state == IDLE or state.endswith(BEHIND) or state.startswith(DISTRUST)
    return cause if cause and consequence else state or cause


class Verdict:
    """score: the wish to be promoted. readable: fit to serve reads. state: what is wrong, "" when nothing is."""

    __slots__ = ("readable", "score", "state")

    def __init__(self, score: int | str, readable: bool, state: str = "") -> None:
        self.score = score
        self.readable = readable
        self.state = state


def judge_primary(seen: Observed) -> Verdict:
    """A promoted server that answers is healthy; who acknowledges is the primary's duty, not its health."""
    return Verdict(HEALTHY, True)


def with_room(verdict: Verdict, free: int, path: str) -> Verdict:
    """The same, for a server with so many bytes left to write: one that is full should not be the primary while another is
    not. Where all are, nobody has a better score, and the role stays."""
    if free >= ROOM:
        return verdict
    full = f"the file system of {path} is full, {free >> 10} KiB are free: make room"
    return Verdict(verdict.score if verdict.score == NEVER else DETACHED, verdict.readable, verdict.state or full)


def still_readable(replica: ReplicaStatus | None, errant: str, was_readable: bool, max_lag: float) -> tuple[bool, str]:
    """Whether a server that was fit to serve reads still is, and why not; between monitors, without the durable record.

    One that replicates from nobody was just started (then it was not readable) or just demoted (then nothing is newer).
    """
    if replica is None and not errant:
        return was_readable, ""
    verdict = judge_replica(replica, True, "", None, errant, was_readable, max_lag)
    return (
        was_readable and verdict.readable,
        "" if verdict.readable else verdict.state or "more behind than readers accept",
    )


def judge_replica(
    replica: ReplicaStatus | None,
    acknowledges: bool,
    me: str,
    record: Record | None,
    errant: str,
    was_readable: bool,
    max_lag: float,
) -> Verdict:
    """record: None when the set was never promoted, or when they were not needed. errant: transactions that the primary
    lacks, "" when there are none. Readable has hysteresis: off above `max_lag` seconds, on again at a third of it."""
    if errant:
        return Verdict(NEVER, False, f"errant {errant}")
    if replica and replica.applier_error[0]:
        return Verdict(NEVER, False, f"applier stopped: {replica.applier_error[1]}")
    distrust = f"{DISTRUST}: {replica.receiver_error[1]}" if replica and distrusts(replica) else ""
    if record and record.solo and record.primary != me:
        return Verdict(NEVER, False, distrust or f"{record.primary} {BEHIND}")
    if replica is None:
        if record is None or record.primary != me:
            return Verdict(HEALTHY if record is None else DETACHED, False)
        return Verdict(HEALTHY, was_readable)  # just demoted: nothing is newer until another is promoted
    if not replica.sql or not replica.by_gtid:
        return Verdict(DETACHED, False, IDLE)
    if replica.receiver_error[0] and replica.io == "No":
        return Verdict(DETACHED, False, distrust or f"receiver stopped: {replica.receiver_error[1]}")
    lag = replica.lag
    # Without a source the lag is unknown; what was true before it went stays true for readers.
    readable = was_readable if lag is None else lag <= (max_lag if was_readable else max_lag / 3)
    if lag is not None and lag > max_lag:
        return Verdict(LAGGING, readable, f"more than {max_lag:g} s behind")
    return Verdict(HEALTHY if acknowledges else UNSYNCED, readable, distrust)
