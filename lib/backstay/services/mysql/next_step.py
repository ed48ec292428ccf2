"""What a replica and the primary do next: the tables REPLICA and PRIMARY. Pure: the agent carries it out."""

from __future__ import annotations

from enum import Enum

from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.cluster.overview import Overview
    from backstay.ocf.table import Table
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Record


REVIEW_EVERY = 15.0  # seconds: a fenced replica's connection seems alive for minutes
REVIEW_SETTLED = (
    60.0  # the same while all recorded nodes are there, and the cluster's membership is as at the last review
)


class Step(Enum):
    NOTHING = "nothing"
    END_WAITING = "end waiting"
    WAIT = "wait"
    JOIN = "join"
    APPLY = "apply"
    EXAMINE = "examine"
    RECEIVE = "receive"
    ACKNOWLEDGE = "acknowledge"
    FORGET = "forget"
    REPAIR = "repair"
    ADMIT = "admit"
    END_SOLO = "end solo"
    BEGIN = "begin"
    REVIEW = "review"


class ReplicaInputs(Value):
    """What a replica's step rests on. leads: nobody else is recorded as primary. follows: it has a source. astray: not the one
    it should have, or not by GTID. replays: events of before a restart. io: the receiver's, as in ReplicaStatus. applies: its
    applier runs. failed: that stopped with an error. counts: its acknowledgements do."""

    __slots__ = (
        *("applies", "astray", "counts", "errant", "failed", "follows"),
        *("gives", "io", "leads", "rejoin", "replays", "waits"),
    )

    def __init__(
        self,
        seen: Observed,
        me: str,
        record: Record | None,
        source_host: str,
        errant: bool = False,
        rejoin: bool = False,
    ) -> None:
        replica = seen.replica
        self.leads = record is None or record.primary == me
        self.counts = record is not None and (record.solo or record.admits(me))
        self.follows = replica is not None
        self.waits = seen.acks.waits
        self.gives = seen.acks.gives
        self.errant = errant
        self.rejoin = rejoin
        self.io = replica.io if replica else "No"
        self.applies = replica is not None and replica.sql
        self.failed = replica is not None and bool(replica.applier_error[0])
        self.astray = replica is not None and (replica.host != source_host or not replica.by_gtid)
        self.replays = (
            replica is not None
            and replica.sql
            and not replica.by_gtid
            and (replica.replays or not seen.applied.includes(seen.received))
        )


# fmt: off
REPLICA: Table[Step, ReplicaInputs] = (
    (Step.NOTHING, lambda i: i.leads,
     "no primary is recorded, or this node is", "there is no one to follow"),
    (Step.END_WAITING, lambda i: i.follows and i.waits,
     "it has a source and waits for acknowledgements as a primary does",
     "the role was taken back before the source was forgotten: what it applies would wait for ever"),
    (Step.WAIT, lambda i: i.replays,
     "it still replays the relay log that it had before a restart", "those events may be the only acknowledged copy"),
    (Step.JOIN, lambda i: not i.follows or i.astray,
     "it follows nobody, or not the address that it should, or not by GTID",
     "histories are compared before anything replicates"),
    (Step.EXAMINE, lambda i: not i.applies and i.failed,
     "the applier stopped with an error",
     "transactions of its own may be why; nothing more is acknowledged while they are there"),
    (Step.APPLY, lambda i: not i.applies and i.io != "No",
     "the applier is stopped without an error, and the receiver is not",
     "someone stopped it; received events must get applied"),
    (Step.JOIN, lambda i: not i.applies,
     "applier and receiver are stopped", "it was just started, or someone stopped both: histories are compared first"),
    (Step.JOIN, lambda i: i.rejoin and not i.errant,
     "another password is configured than it joined with, and nothing errant was found", "joining sets the password"),
    (Step.RECEIVE, lambda i: i.io == "No",
     "the receiver is stopped, the applier runs", "a source refused it once; the comparison says why"),
    (Step.EXAMINE, lambda i: i.errant,
     "errant transactions were found before", "compared again: they may be gone"),
    (Step.ACKNOWLEDGE, lambda i: i.counts and not i.gives,
     "its acknowledgements count, and it gives none", "it was recorded first, so now it may"),
    (Step.NOTHING, always,
     "otherwise", "it replicates as it should"),
)
# fmt: on


def replica_step(
    seen: Observed, me: str, record: Record | None, source_host: str, errant: bool = False, rejoin: bool = False
) -> Step:
    """source_host: whom this node should follow. errant: it was found so. rejoin: the account's password changed."""
    return decide(REPLICA, ReplicaInputs(seen, me, record, source_host, errant, rejoin))


class PrimaryInputs(Value):
    """What the primary's step rests on; as for `primary_step`. followers: without itself. unbegun: the record has no history,
    and the server has one."""

    __slots__ = ("acks", "followers", "follows", "leaving", "settled", "solo", "sync", "unbegun", "unreviewed")

    def __init__(self, seen: Observed, record: Record, unreviewed: float, settled: bool = False) -> None:
        self.follows = seen.replica is not None
        self.acks = seen.acks
        self.followers = seen.followers - {record.primary}
        self.sync = record.sync
        self.leaving = record.leaving
        self.solo = record.solo
        self.unbegun = not record.gtid and bool(seen.applied)
        self.unreviewed = unreviewed
        self.settled = settled


# fmt: off
PRIMARY: Table[Step, PrimaryInputs] = (
    (Step.FORGET, lambda i: i.follows,
     "it still has a source", "off the path of the failover, where it costs two seconds"),
    (Step.REPAIR, lambda i: not i.acks.waits or i.acks.forever == i.solo,
     "it waits for acknowledgements otherwise than recorded", "someone changed it by hand"),
    (Step.END_SOLO, lambda i: i.solo and i.followers and i.acks.clients,
     "it runs alone, and a replica is ready to acknowledge", "waiting comes first, recording last"),
    (Step.ADMIT, lambda i: not i.solo and i.followers - i.sync,
     "it does not run alone, and a follower is not recorded",
     "recorded first, it may acknowledge, once it has received all there is"),
    (Step.BEGIN, lambda i: i.unbegun,
     "it has a history, and the record none", "else an empty disk would pass for one of the set's"),
    (Step.NOTHING, lambda i: i.solo,
     "it runs alone", "there is no one to drop"),
    (Step.REVIEW, lambda i: i.leaving or i.sync - i.followers or not i.acks.clients or i.acks.waiting,
     "a recorded node is about to leave or not connected, nobody acknowledges, or commits wait",
     "drop it, or go solo, once that is safe"),
    (Step.REVIEW, lambda i: i.unreviewed > (REVIEW_SETTLED if i.settled else REVIEW_EVERY),
     f"the last review is {REVIEW_EVERY:g} s old, or {REVIEW_SETTLED:g} s where it found all there and nobody came or went",
     "a connection of a node that is dead seems alive for minutes"),
    (Step.NOTHING, always,
     "otherwise", "all that are recorded acknowledge"),
)
# fmt: on


def primary_step(seen: Observed, record: Record, unreviewed: float, settled: bool = False) -> Step:
    """record: this primary's own record; nobody else writes it while it is promoted. unreviewed: seconds since the last
    review. settled: that found all recorded nodes there, and the cluster's membership is the same since."""
    return decide(PRIMARY, PrimaryInputs(seen, record, unreviewed, settled))


class Review(Value):
    """What the review of absent acknowledgers came to. sync: who stays; empty means to go solo."""

    __slots__ = ("act", "reason", "sync")

    def __init__(self, act: bool, sync: frozenset[str], reason: str) -> None:
        self.act = act
        self.sync = sync
        self.reason = reason


def review(
    record: Record,
    followers: frozenset[str],
    overview: Overview | None,
    absent_for: float,
    degrade_after: float,
) -> Review:
    """May absent nodes be dropped from `sync`, or must the primary wait?

    One that is no node of the cluster leaves when it is no follower. A node leaves only when it surely cannot acknowledge any
    more, since it was fenced or its stop is confirmed, and with quorum: else the other side of a partition might promote by
    the old record. One that merely left the cluster may run on and acknowledge, as after a clean stop of the cluster software
    in maintenance. A node that is not connected is waited for `degrade_after` seconds (0: for ever), and only while there is
    no acknowledger at all; then going solo is recorded.
    """
    keep = record.sync
    if overview is None or not overview.quorum:
        return Review(False, keep, "no quorum: the other side may rely on the record")
    unclean = keep & overview.unclean
    if unclean:
        return Review(False, keep, f"{', '.join(sorted(unclean))} is not fenced yet")
    # A dead node's connection lingers for minutes, and a live one's is back within a second: what Pacemaker knows counts.
    gone = frozenset(node for node in keep if _gone(node, followers, overview))
    left = keep - gone
    if not left:
        return Review(True, left, f"{', '.join(sorted(gone)) or 'nobody'} cannot acknowledge any more")
    if left & followers:
        return Review(bool(gone), left, f"{', '.join(sorted(gone))} cannot acknowledge any more")
    if degrade_after and absent_for >= degrade_after:
        return Review(True, frozenset(), f"no acknowledgement for {absent_for:.0f} s from {', '.join(sorted(left))}")
    return Review(False, keep, f"waiting for {', '.join(sorted(left))}{_runs_on(left & overview.offline)}")


def _gone(node: str, followers: frozenset[str], overview: Overview) -> bool:
    """followers: of those that are no nodes of the cluster only who acknowledges."""
    return overview.surely_inactive(node) or (node not in overview.nodes and node not in followers)


def _runs_on(nodes: frozenset[str]) -> str:
    """What to do about nodes that left the cluster, and are not known to have stopped."""
    if not nodes:
        return ""
    names = ", ".join(sorted(nodes))
    return (
        f"; {names} left the cluster without stopping the server: start the cluster software there, or power it off and"
        f" confirm that with stonith_admin --confirm"
    )
