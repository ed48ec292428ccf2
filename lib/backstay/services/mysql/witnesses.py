"""Asks the other nodes' servers what they have, and whether their answers would have a promotion here refused."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.mysql import election

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding, Observed
    from backstay.services.mysql.record import Record


def absent(context: MysqlContext, witnesses: Sequence[str], present: frozenset[str] | None = None) -> frozenset[str]:
    """Those that are not in the cluster. present: who is, where that was asked."""
    if present is None:
        present = frozenset(context.pacemaker.members() if witnesses else ())
    return frozenset(witnesses) - present if present else frozenset()


def ask(
    context: MysqlContext,
    dialect: Dialect,
    record: Record | None,
    promoted_with: History | None,
    witnesses: Sequence[str],
    absent: frozenset[str],
    everyone: bool = False,
) -> election.Round:
    """What each witness has. Nodes that left the cluster are asked only for `everyone`: most are fenced, silence takes time."""
    reports = {}
    for node in witnesses:
        if node in absent and not everyone:
            reports[node] = election.Report(None)
            continue
        try:
            with context.servers.peer(node, dialect, election.ASK) as peer:
                said = dialect.peer(peer)
                received = said.received
                stray = election.own_writes(node, said.own, record, promoted_with)
                if stray:
                    context.log.warning(f"{node} wrote {stray} itself and was not the primary: that does not count")
                    received = received.minus(stray)
                reports[node] = election.Report(
                    None if said.why else received,
                    said.writable,
                    said.why,
                    said.gives,
                    said.receives,
                    bool(stray),
                    dialect.holding(peer) if record is None else None,
                )
        except AgentError as error:
            # Its node is a member, so its server may just be starting: worth waiting for, if its word is needed.
            reports[node] = election.Report(None, why="" if node in absent else str(error))
    return election.Round(reports)


def still_refused(context: MysqlContext, dialect: Dialect, seen: Observed) -> str:
    """Why a promotion would be refused as the last one was, "" when it is worth trying. Asks each witness once."""
    record = context.record.read()
    nodes = context.pacemaker.nodes() if record is None else []
    promoted_with = dialect.history.parse(record.gtid) if record else None
    if not seen.applied.includes(seen.received):
        return f"not promoted: applying {seen.received.minus(seen.applied)}"
    whom = election.witnesses(context.servers.me, record, nodes)
    asked = ask(context, dialect, record, promoted_with, whom, absent(context, whom), everyone=True)
    holding = _holding(context, dialect) if record is None else None
    allowed = context.parameters.allow_loss
    verdict = election.decide(
        context.servers.me, seen.applied, record, nodes, asked.reports, promoted_with, allowed, holding
    )
    return f"not promoted: {verdict.reason}" if isinstance(verdict, election.Refuse) else ""


def _holding(context: MysqlContext, dialect: Dialect) -> Holding:
    with context.servers.here(context.deadline.within(election.ASK)) as server:
        return dialect.holding(server)
