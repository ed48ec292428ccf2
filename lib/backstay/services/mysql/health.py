"""Judges a look at a server. Pure: an observation in, a verdict with its reason out.

Scores are few and steady, since each change aborts the cluster's running transition. A healthy replica and the primary have
the same score. So the role stays where it is, and after a loss no score needs to change before Pacemaker can act. A replica
whose receiver has lost its source keeps its score too: exactly then it is needed as a candidate.
"""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.ocf.table import Table
    from backstay.services.mysql.observation import Observed, ReplicaStatus
    from backstay.services.mysql.record import Record

ALONE = "runs alone"  # how the primary's complaint begins when no replica acknowledges; the record says it as well
IDLE = "replication is not running"
BEHIND = "ran alone since this node was behind"
DISTRUST = "receiver distrusts its source"
_TLS_FAILED = 2026  # CR_SSL_CONNECTION_ERROR; MariaDB's text may say no more than "error:00000000:lib(0)::reason(0)"
REBUILDING, REBUILT = "rebuilding", "rebuilt"  # how the state begins while rebuild=auto does what it was set for
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


def astray(seen: Observed, source: str) -> bool:
    """Whether a replica replicates from elsewhere than it should. source: a host, "" where that is not known."""
    return bool(source) and seen.replica is not None and seen.replica.host != source


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


class Verdict(Value):
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


class ReplicaInputs(Value):
    """What a replica's verdict rests on; as for `judge_replica`. follows: it has a source. runs: its applier does, by GTID.
    stopped: its receiver is. leader: the recorded primary, "" without a record. solo: that runs alone. distrust: of its source,
    a sentence. applier, receiver: their last errors."""

    __slots__ = (
        *("acknowledges", "applier", "distrust", "errant", "follows", "lag", "leader", "max_lag"),
        *("me", "receiver", "runs", "solo", "stopped", "was_readable"),
    )

    def __init__(
        self,
        replica: ReplicaStatus | None,
        acknowledges: bool,
        me: str,
        record: Record | None,
        errant: str,
        was_readable: bool,
        max_lag: float,
    ) -> None:
        self.acknowledges = acknowledges
        self.me = me
        self.errant = errant
        self.was_readable = was_readable
        self.max_lag = max_lag
        self.leader = record.primary if record else ""
        self.solo = record is not None and record.solo
        self.follows = replica is not None
        self.runs = replica is not None and replica.sql and replica.by_gtid
        self.stopped = replica is not None and replica.io == "No"
        self.applier = replica.applier_error if replica else (0, "")
        self.receiver = replica.receiver_error if replica else (0, "")
        self.lag = replica.lag if replica else None
        self.distrust = f"{DISTRUST}: {self.receiver[1]}" if distrusts(replica) else ""


# Whether a replica is fit to serve reads.


def _no(i: ReplicaInputs) -> bool:
    return False


def _as_before(i: ReplicaInputs) -> bool:
    return i.was_readable


def _by_lag(i: ReplicaInputs) -> bool:
    """Without a source the lag is unknown; what was true before it went stays true for readers."""
    return i.was_readable if i.lag is None else i.lag <= (i.max_lag if i.was_readable else i.max_lag / 3)


def _well(i: ReplicaInputs) -> str:
    return ""


if TYPE_CHECKING:
    # score, whether it is fit to serve reads, what is wrong
    _Judgement = tuple[int | str, Callable[[ReplicaInputs], bool], Callable[[ReplicaInputs], str]]

# fmt: off
REPLICA: Table[_Judgement, ReplicaInputs] = (
    ((NEVER, _no, lambda i: f"errant {i.errant}"), lambda i: i.errant,
     "it has transactions that the primary lacks", "they would become part of the set, or tear it apart"),
    ((NEVER, _no, lambda i: f"applier stopped: {i.applier[1]}"), lambda i: i.applier[0],
     "its applier stopped with an error", "transactions of its own may be why"),
    ((NEVER, _no, lambda i: i.distrust or f"{i.leader} {BEHIND}"), lambda i: i.solo and i.leader != i.me,
     "another node is recorded as running alone", "only that one has every acknowledged transaction"),
    ((HEALTHY, _no, _well), lambda i: not i.follows and not i.leader,
     "it follows nobody, and nobody is recorded", "a new set: whoever is promoted first is right"),
    ((HEALTHY, _as_before, _well), lambda i: not i.follows and i.leader == i.me,
     "it follows nobody, and is the recorded primary",
     "it was just demoted: nothing is newer until another is promoted"),
    ((DETACHED, _no, _well), lambda i: not i.follows,
     "it follows nobody, and another node is the recorded primary", "it must prove that it has everything"),
    ((DETACHED, _no, lambda i: IDLE), lambda i: not i.runs,
     "its applier is stopped, or it does not replicate by GTID", "it must prove that it has everything"),
    ((DETACHED, _no, lambda i: i.distrust or f"receiver stopped: {i.receiver[1]}"), lambda i: i.receiver[0] and i.stopped,
     "its receiver stopped with an error", "the same; one that has lost its source and tries again is just what is wanted"),
    ((LAGGING, _by_lag, lambda i: f"more than {i.max_lag:g} s behind"), lambda i: i.lag is not None and i.lag > i.max_lag,
     "it is more than max_lag behind", "it would have to apply for a while before it could open"),
    ((UNSYNCED, _by_lag, lambda i: i.distrust), lambda i: not i.acknowledges,
     "it does not acknowledge", "it may lack what others acknowledged"),
    ((HEALTHY, _by_lag, lambda i: i.distrust), always,
     "otherwise", "it acknowledges and applies; without a source too, for then it is wanted"),
)
# fmt: on


def judge_replica(
    replica: ReplicaStatus | None,
    acknowledges: bool,
    me: str,
    record: Record | None,
    errant: str,
    was_readable: bool,
    max_lag: float,
) -> Verdict:
    """record: None when the set was never promoted, or when it was not needed. errant: transactions that the primary
    lacks, "" when there are none. Readable has hysteresis: off above `max_lag` seconds, on again at a third of it."""
    inputs = ReplicaInputs(replica, acknowledges, me, record, errant, was_readable, max_lag)
    score, readable, state = decide(REPLICA, inputs)
    return Verdict(score, readable(inputs), state(inputs))
