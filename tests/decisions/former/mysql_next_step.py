"""As services/mysql/next_step.py decided before its tables were executed."""

from __future__ import annotations

from backstay.services.mysql.next_step import REVIEW_EVERY, REVIEW_SETTLED, Step
from backstay.services.mysql.observation import Observed
from backstay.services.mysql.record import Record


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
