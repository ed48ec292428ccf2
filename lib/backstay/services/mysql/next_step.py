"""What to do next, for a replica and for the primary. Pure: the agent carries it out.

A replica's steps, first match wins:

| step        | when                                                   | why                                                  |
|-------------|--------------------------------------------------------|------------------------------------------------------|
| NOTHING     | no primary recorded yet, or this node is the recorded  | there is no one to follow                            |
| END_WAITING | it has a source and waits for acknowledgements as a    | the role was taken back before the source was        |
|             | primary does                                           | forgotten: what it applies would wait for ever       |
| WAIT        | still replaying the relay log it had before a restart  | those events may be the only acknowledged copy       |
| JOIN        | follows nobody, or not the address it should, or with  | histories are compared before anything replicates    |
|             | another password than is configured now                |                                                      |
| APPLY       | the applier is stopped without an error                | someone stopped it; received events must get applied |
| EXAMINE     | the applier stopped with an error, or was found errant | transactions of its own may be why; nothing more     |
|             |                                                        | is acknowledged while they are there                 |
| RECEIVE     | the receiver is stopped, the applier runs              | a source refused it once; the comparison says why    |
| ACKNOWLEDGE | its acknowledgements count, and it gives none          | it was recorded first, so now it may                 |

The primary's, likewise:

| step     | when                                                            | why                                         |
|----------|-----------------------------------------------------------------|---------------------------------------------|
| FORGET   | it still has a source                                           | off the path of the failover, where it      |
|          |                                                                 | costs two seconds                           |
| REPAIR   | it waits for acknowledgements otherwise than recorded           | someone changed it by hand                  |
| ADMIT    | a follower is not recorded and the primary is not solo; once it | recorded first, it may acknowledge          |
|          | received all there is                                           |                                             |
| END_SOLO | it runs alone and a replica is ready to acknowledge             | waiting first, recording last               |
| BEGIN    | it has a history, and the record none                           | else an empty disk would pass for one of    |
|          |                                                                 | the set's                                   |
| REVIEW   | a recorded node is not connected, commits wait, or it is time   | drop it, or go solo, once that is safe      |
"""

from __future__ import annotations

from enum import Enum

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.cluster.pacemaker import Overview
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


def replica_step(
    seen: Observed, me: str, record: Record | None, source_host: str, errant: bool = False, rejoin: bool = False
) -> Step:
    """source_host: whom this node should follow. errant: it was found so. rejoin: the account's password changed."""
    if record is None or record.primary == me:
        return Step.NOTHING
    replica = seen.replica
    if replica and seen.acks.waits:
        return Step.END_WAITING
    if replica and not replica.by_gtid and replica.sql:
        return Step.WAIT if not seen.applied.includes(seen.received) else Step.JOIN
    if replica is None or replica.host != source_host or not replica.by_gtid:
        return Step.JOIN
    if not replica.sql:
        if replica.applier_error[0]:
            return Step.EXAMINE
        return Step.APPLY if replica.io != "No" else Step.JOIN
    if rejoin and not errant:
        return Step.JOIN
    if replica.io == "No":
        return Step.RECEIVE
    if errant:
        return Step.EXAMINE
    if not seen.acks.gives and (record.solo or me in record.sync):
        return Step.ACKNOWLEDGE
    return Step.NOTHING


def primary_step(seen: Observed, record: Record, unreviewed: float, settled: bool = False) -> Step:
    """record: this primary's own record; nobody else writes it while it is promoted. unreviewed: seconds since the last
    review. settled: that found all recorded nodes there, and the cluster's membership is the same since."""
    if seen.replica is not None:
        return Step.FORGET
    if not seen.acks.waits or seen.acks.forever == record.solo:
        return Step.REPAIR
    followers = seen.followers - {record.primary}
    unbegun = not record.gtid and bool(seen.applied)
    if record.solo:
        if followers and seen.acks.clients:
            return Step.END_SOLO
        return Step.BEGIN if unbegun else Step.NOTHING
    if followers - record.sync:
        return Step.ADMIT
    if unbegun:
        return Step.BEGIN
    if record.sync - followers or not seen.acks.clients or seen.acks.waiting:
        return Step.REVIEW
    return Step.REVIEW if unreviewed > (REVIEW_SETTLED if settled else REVIEW_EVERY) else Step.NOTHING


class Review:
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

    A node leaves only when it surely cannot acknowledge any more, since it was fenced or its stop is confirmed, and with
    quorum: else the other side of a partition might promote by the old record. One that merely left the cluster may run on and
    acknowledge, as after a clean stop of the cluster software in maintenance. A node that is not connected is waited for
    `degrade_after` seconds (0: for ever), and only while there is no acknowledger at all; then going solo is recorded.
    """
    keep = record.sync
    if overview is None or not overview.quorum:
        return Review(False, keep, "no quorum: the other side may rely on the record")
    unclean = keep & overview.unclean
    if unclean:
        return Review(False, keep, f"{', '.join(sorted(unclean))} is not fenced yet")
    # A dead node's connection lingers for minutes, and a live one's is back within a second: what Pacemaker knows counts.
    gone = frozenset(node for node in keep if overview.surely_inactive(node))
    left = keep - gone
    if not left:
        return Review(True, left, f"{', '.join(sorted(gone)) or 'nobody'} cannot acknowledge any more")
    if left & followers:
        return Review(bool(gone), left, f"{', '.join(sorted(gone))} cannot acknowledge any more")
    if degrade_after and absent_for >= degrade_after:
        return Review(True, frozenset(), f"no acknowledgement for {absent_for:.0f} s from {', '.join(sorted(left))}")
    return Review(False, keep, f"waiting for {', '.join(sorted(left))}{_runs_on(left & overview.offline)}")


def _runs_on(nodes: frozenset[str]) -> str:
    """What to do about nodes that left the cluster, and are not known to have stopped."""
    if not nodes:
        return ""
    names = ", ".join(sorted(nodes))
    return (
        f"; {names} left the cluster without stopping the server: start the cluster software there, or power it off and"
        f" confirm that with stonith_admin --confirm"
    )
