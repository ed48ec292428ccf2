"""As services/mysql/health.py judged a replica before its table was executed."""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.services.mysql.health import (
    BEHIND,
    DETACHED,
    DISTRUST,
    HEALTHY,
    IDLE,
    LAGGING,
    UNSYNCED,
    Verdict,
    distrusts,
)
from backstay.services.mysql.observation import ReplicaStatus
from backstay.services.mysql.record import Record


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
