"""Replicas of the primary that are no nodes of the cluster, such as one for reports, and nodes that were deleted.

No agent is there that reads the record, and a promotion may not be able to ask them. So one that does not acknowledge counts for
nothing. One that does may be the only one that has a commit beside the primary: it is recorded like any other, or a promotion
could lose that commit, and the admin is told at once what it costs and how to end it.
"""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.mysql.state import NODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Record

_EVERY = 30.0  # seconds: a node may have been added meanwhile
_ASK = 0.5  # seconds
_OFF = "set rpl_semi_sync_slave_enabled=OFF (MySQL: rpl_semi_sync_replica_enabled) there and restart its receiver"


def sort_out(context: MysqlContext, dialect: Dialect, seen: Observed, record: Record) -> tuple[Observed, str]:
    """The look without the followers that count for nothing; what the admin should know of the others, "" for nothing."""
    nodes = context.state.read(NODES).split()
    if not nodes or context.state.age(NODES) > _EVERY:
        nodes = context.pacemaker.nodes()
        context.state.write(NODES, " ".join(nodes))
    if not nodes:  # outside a cluster
        return seen, ""
    strangers = seen.followers - {context.servers.me, *nodes}
    return judged(seen, record, {name: _acknowledges(context, dialect, name) for name in sorted(strangers)})


def judged(seen: Observed, record: Record, gives: dict[str, bool | None]) -> tuple[Observed, str]:
    """The same. Pure. gives: of each follower that is no node whether it acknowledges, None where it does not say."""
    # One that counts and cannot be asked goes on counting.
    counting = {name for name, said in gives.items() if said or (said is None and name in record.sync)}
    mute = [name for name in gives if gives[name] is None and name not in counting]
    seen = seen.followed_by(seen.followers - (set(gives) - counting))
    if counting:
        who = ", ".join(sorted(counting))
        return seen, f"{who} acknowledges and is no node of the cluster, so no promotion goes without it: {_OFF}"
    if mute and seen.acks.clients > len(seen.followers):
        who = ", ".join(mute)
        return seen, f"{who} is no node of the cluster and may acknowledge, so a commit may be there alone: {_OFF}"
    return seen, ""


def _acknowledges(context: MysqlContext, dialect: Dialect, name: str) -> bool | None:
    """None where it does not say."""
    try:
        with context.servers.peer(name, dialect, _ASK) as peer:
            # What is set takes effect with the receiver's next connection.
            return dialect.peer(peer).gives or bool(peer.query(_RECEIVER_ACKNOWLEDGES))
    except AgentError as error:
        context.log.debug(str(error))
        return None


_RECEIVER_ACKNOWLEDGES = (
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_slave_status', 'Rpl_semi_sync_replica_status')"
    " AND Value = 'ON'"
)
