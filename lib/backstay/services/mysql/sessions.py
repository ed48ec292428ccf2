"""Which clients' connections may end without a failed operation. Pure.

A pool asks a connection for an answer before it hands it out, and opens another when there is none: so one that lies in a pool
may end at any time. What must not end is a transaction, or what comes just after the pool's question. So a connection may
end when its session is idle outside a transaction and its client has been quiet for a while. The kernel says of each
connection how long that is, and it must be since before the server was asked for its sessions: what that answer says is
still so then.
"""

from __future__ import annotations

from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# From how many seconds of draining on, so many seconds of quiet suffice. On a busy client as much as the first can lie between
# the answer to a pool's question and the statement of its user; a client that never rests so long has to end as well.
QUIET = ((0.0, 0.05), (0.5, 0.02), (1.5, 0.005))
# In INNODB_TRX, which the server brings up to date only when nobody has read it for a tenth of a second.
QUERY = (
    "SELECT p.HOST AS host, p.COMMAND AS command, t.trx_id IS NOT NULL AS transaction FROM information_schema.PROCESSLIST p"
    " LEFT JOIN information_schema.INNODB_TRX t ON t.trx_mysql_thread_id = p.ID WHERE p.ID <> CONNECTION_ID()"
)
LOOK_EVERY = 0.12  # seconds, for that reason
_REPLICATES = ("Binlog Dump", "Binlog Dump GTID")


class Session(Value):
    """port: the client's TCP port. idle: it executes nothing, outside a transaction. replicates: it is a replica's."""

    __slots__ = ("idle", "port", "replicates")

    def __init__(self, port: int, idle: bool, replicates: bool) -> None:
        self.port = port
        self.idle = idle
        self.replicates = replicates


def sessions(rows: Iterable[dict[str, object]]) -> list[Session]:
    """Of the rows of QUERY, without those that did not come by TCP. The host may be a name, so only the port tells which."""
    found = []
    for row in rows:
        port = str(row["host"]).rpartition(":")[2]
        if port.isdigit():
            command = str(row["command"])
            found.append(Session(int(port), command == "Sleep" and not row["transaction"], command in _REPLICATES))
    return found


def ports_at_rest(all_of_them: Iterable[Session]) -> set[int]:
    """Ports of which every session is idle: two clients may have the same one."""
    busy: set[int] = set()
    idle: set[int] = set()
    for session in all_of_them:
        (idle if session.idle else busy).add(session.port)
    return idle - busy


def may_end(at_rest: bool, unread: bool, quiet: float, asked: float, waited: float) -> bool:
    """at_rest: as the server said. unread: the kernel has something of it that one of the two ends has not read. quiet: seconds
    since its client sent something. asked: seconds since the server was asked. waited: seconds since draining began."""
    enough = [seconds for since, seconds in QUIET if waited >= since][-1]
    return at_rest and not unread and quiet >= max(enough, asked)
