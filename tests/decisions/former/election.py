"""As services/mysql/election.py decided before its table of proofs was executed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from backstay.services.mysql.claims import rival
from backstay.services.mysql.election import ALLOWED, Fetch, Promote, Refuse, Report, witnesses
from backstay.services.mysql.gtid import History
from backstay.services.mysql.observation import Holding
from backstay.services.mysql.record import Record


def decide(
    me: str,
    mine: History,
    record: Record | None,
    nodes: Collection[str],
    reports: Mapping[str, Report],
    promoted_with: History | None,
    allow_loss: bool,
    holding: Holding | None = None,
) -> Promote | Fetch | Refuse:
    """mine: all applied here. nodes: all that the cluster knows. reports: answers of `witnesses`, silent ones absent or
    with received None. promoted_with: `record.gtid` parsed. holding: what this node holds, at a first promotion."""
    said = {node: report.received for node, report in reports.items() if report.received is not None}
    writable = sorted(node for node, report in reports.items() if report.writable)
    if writable:
        return Refuse(
            f"{writable[0]} is writable: two primaries would tear the set apart; make it read-only or fence it"
        )

    ask = witnesses(me, record, nodes)
    unsettled = any(reports[node].why for node in ask if node in reports)
    online = {node for node, report in reports.items() if report.why}
    if record is None or promoted_with is None:
        silent = [node for node in ask if node not in said]
        other = rival(me, holding, {node: report.holding for node, report in reports.items()}, allow_loss)
        if other:
            return Refuse(other)
        if not silent:
            return _ahead(mine, said, ask) or Promote("first")
        reason = (
            f"first promotion, and {', '.join(silent)} did not say what it holds: start it{_or_loss(silent, online)}"
        )
    else:
        whole = mine.includes(promoted_with)
        if record.primary == me and whole:
            return _ahead(mine, said, [node for node in ask if node in record.sync]) or Promote("own record")
        answers = {node: history for node, history in said.items() if history.includes(promoted_with)}
        voters = [node for node in ask if node != record.primary]
        missing = [node for node in voters if node not in answers]
        counted = bool(voters) or me in record.sync
        vouched = whole or me not in record.sync
        lacks = "" if whole else str(promoted_with.minus(mine))
        if not record.solo and not missing and counted and vouched:
            return _ahead(mine, answers, voters) or Promote("witnesses")
        if record.primary in answers:
            return _ahead(mine, answers, [record.primary]) or Promote("primary")
        lacking = [node for node in ask if node in said and node not in answers]
        reason = _unproven(me, record, missing, lacking, lacks, online)
    if allow_loss:
        return _ahead(mine, said, [node for node in ask if node in said]) or Promote(ALLOWED)
    why = "; ".join(f"{node}: {report.why}" for node, report in sorted(reports.items()) if report.why)
    return Refuse(f"{reason} ({why})" if why else reason, passing=unsettled)


def _or_loss(silent: Collection[str], online: Collection[str], then: str = "") -> str:
    """The way that gives up acknowledged transactions: not where each that is silent is in the cluster and can be mended."""
    return "" if set(silent) <= set(online) else f", or set allow_loss=true{then}"


def _unproven(
    me: str, record: Record, missing: list[str], lacking: list[str], lacks: str, online: Collection[str]
) -> str:
    """Why there is no proof. missing: voters whose answer counts for nothing, or who gave none. lacking: who lacks what the
    record has. lacks: what this node lacks of it, "" for nothing. online: who does not answer, though its node is there."""
    if record.primary == me:
        who = f", and {', '.join(missing)} may hold acknowledged transactions: start it" if missing else ""
        return (
            f"this node lacks {lacks} of what it was promoted with, so its data is not what it was{who},"
            f" bring its data back, or set allow_loss=true to give up what it alone had"
        )
    start = f"start {record.primary}{_or_loss([record.primary], online, ' to give up what it alone has')}"
    if record.solo:
        empty = f" and {record.primary} lacks what it was promoted with: bring its data back" if lacking else ""
        return f"{record.primary} ran alone, only it has every acknowledged transaction{empty}: {start}"
    if lacks and me in record.sync:
        return f"this node lacks {lacks} of what {record.primary} was promoted with, and may have acknowledged more: {start}"
    if lacking:
        return (
            f"{', '.join(lacking)} lacks what {record.primary} was promoted with, so it cannot tell what was acknowledged:"
            f" {start}"
        )
    return (
        f"{', '.join(missing) or record.primary} may hold acknowledged transactions and gives no answer:"
        f" start it or {record.primary}{_or_loss(missing or [record.primary], online)}"
    )


def _ahead(mine: History, answers: Mapping[str, History], voters: Collection[str]) -> Fetch | Refuse | None:
    """Fetch from the voter that has all we lack; refuse when its history and ours exclude each other."""
    ahead = [node for node in voters if node in answers and not mine.includes(answers[node])]
    if not ahead:
        return None
    for node in ahead:
        if answers[node].includes(mine) and all(answers[node].includes(answers[other]) for other in ahead):
            return Fetch(node, str(answers[node].minus(mine)))
    ours, theirs = mine.minus(answers[ahead[0]]), answers[ahead[0]].minus(mine)
    return Refuse(f"histories part: only here {ours or 'nothing'}, only on {ahead[0]} {theirs}; rebuild the wrong one")
