"""Data that did not come by the set's binary log. Sees that each server that joins gets a copy of it, and joins with no data
of its own.

At its first promotion a server with databases begins its binary log anew, behind one transaction. An empty server lacks that
transaction, so the primary's server itself refuses it. Otherwise the empty server would replicate all the log there is, and
miss what was never in it.
"""

from __future__ import annotations

import os

from backstay.host import untrusted
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError
from backstay.services.mysql import claims
from backstay.services.mysql.server import ServerSilent
from backstay.services.mysql.state import RESET, STRANDED, read_mark, was_reset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.election import Report
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server

_TRANSACTION = "CREATE DATABASE IF NOT EXISTS backstay"  # in the binary log, and harmless on any replica
_PURGE = 20.0  # seconds: MariaDB keeps a log until its next checkpoint
_ASK = 1.0  # seconds for the primary to answer
KEPT = "before-"  # the binary logs that were purged: they may be wanted to restore an older backup up to the present


def seal(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, reports: Mapping[str, Report]
) -> Observed:
    """Before this server is promoted as the set's first: have its binary log begin behind its data. Raises AgentError."""
    databases = dialect.holding(server).databases
    marked = read_mark(context.parameters.datadir) and not was_reset(context.parameters.datadir)
    if marked or not databases or not dialect.log_begins_empty(server):
        return seen
    behind = [
        node for node, report in reports.items() if report.received and not report.received.includes(seen.applied)
    ]
    if behind and all(report.holding and report.holding.databases for report in reports.values()):
        context.log.warning(
            f"{', '.join(behind)} needs the binary logs: they stay, and no empty node may join this set"
        )
        return seen
    dialect.write_closed(server, _TRANSACTION)
    server.query("FLUSH BINARY LOGS")
    logs = [str(row["Log_name"]) for row in server.query("SHOW BINARY LOGS")]
    _keep(str(server.one("SELECT @@log_bin_basename AS path")["path"]), logs[:-1])

    def purged() -> bool:
        server.query("PURGE BINARY LOGS TO %s", (logs[-1],))
        return str(server.one("SHOW BINARY LOGS")["Log_name"]) == logs[-1]

    poll(purged, context.deadline.within(_PURGE), "the binary logs from before to be purged", 0.1)
    if dialect.log_begins_empty(server):
        raise AgentError("an empty server could still replicate from this one, which has data that its log has not")
    context.log.notice(
        f"the set begins with this node's data; its binary logs from before are kept as {KEPT}{logs[0]} …"
    )
    return dialect.observe(server)


def _keep(base: str, logs: list[str]) -> None:
    """Another name for each, which no server knows."""

    try:
        for log in map(os.path.basename, logs):
            untrusted.name_again(os.path.join(os.path.dirname(base), log), KEPT + log)
    except OSError as error:
        raise AgentError(f"the binary logs from before cannot be kept: {error.strerror}") from None


def stranded(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> bool:
    """Whether this node cannot become a replica by replicating: noted in a sentence, and with rebuild=auto copied."""
    from backstay.services.mysql import rebuild

    try:
        why = _why(context, server, dialect, seen, record)
    except ServerSilent as silence:
        # Two groups of commits that wait keep MariaDB's log locked (docs/decisions/0024), perhaps for this very replica. What
        # the primary's log does not reach, its server refuses by itself, and then it is asked again.
        context.log.info(f"not known whether it can become a replica: {silence}")
        return bool(context.state.read(STRANDED))
    if not why:
        if context.state.read(STRANDED):
            rebuild.discard(context)  # first of all: from now on this node may acknowledge what the copy lacks
            context.state.remove(STRANDED)
        return False
    context.state.write(STRANDED, why)
    if context.parameters.rebuild == "auto":
        rebuild.proceed(context)
    return True


def _why(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> str:
    """The remedy in its first 128 characters: the cluster shows no more."""
    if was_reset(context.parameters.datadir):
        return RESET
    foreign = claims.foreign(dialect.holding(server), read_mark(context.parameters.datadir))
    if foreign:
        return (
            f"holds databases of its own: move the data directory away, set initialize=true and rebuild=auto, or restore a"
            f" copy ({foreign})"
        )
    with context.servers.peer(record.primary, dialect, _ASK) as peer:
        missing = dialect.out_of_reach(peer, seen.received)
    if not missing:
        return ""
    return f"lacks what is in no binary log of {record.primary} any more: set rebuild=auto, or restore a copy of it ({missing})"
