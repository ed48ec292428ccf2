"""May this node become the primary? Pure: values in, a verdict with its reason out.

Pacemaker picks the candidate by scores that can be a monitor old; the candidate decides here, on facts. It must prove
that it holds every acknowledged transaction, by one of these proofs, tried in this order:

| proof       | why it suffices                                                                                       |
|-------------|-------------------------------------------------------------------------------------------------------|
| first       | there was never a primary: no transaction was acknowledged; all nodes agree that no one has more, and |
|             | nobody else has data that is in no history (claims.py)                                                |
| own record  | it is the recorded primary and has what it had at promotion: a primary has all it acknowledged        |
| witnesses   | it includes what every node of `sync` received: together they hold every acknowledged transaction;    |
|             | and what the recorded primary was promoted with, which they may lack until they have caught up        |
| primary     | it includes what the recorded primary has, which answers                                              |
| allowed     | the admin's policy accepts loss                                                                       |

An answer that lacks what the record has is no answer. Who acknowledged anything since that promotion had it by then; so
either this node acknowledged nothing, or its disk is not the one that did. That goes for this node as well: in `sync` and
without it, only the recorded primary can vouch for it.

A witness that has more is fetched from first; nobody is refused merely for being second best. A witness whose node is
up, but which does not answer yet or still sorts out its relay log, is asked again until the deadline: it is `unsettled`.

What a witness wrote itself does not count, beyond what the record has: since that promotion only the recorded primary
acknowledged, so it is errant. Counted, it would be fetched and become part of the set; or could not be fetched, since the
witness stopped applying over it, and nobody could be promoted.
"""

from __future__ import annotations

from backstay.services.mysql.claims import rival
from backstay.services.mysql.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding


ALLOWED = "allowed"  # the proof that is none


class Report:
    """What a peer said of itself. received: applied or in its relay log, None when it did not answer or is unsettled.
    why: what is in the way, "" when there is nothing to wait for. gives: it acknowledges. receives: its receiver runs.
    parted: it has written what does not count, and will not replicate. holding: what it holds, None when it was not asked."""

    __slots__ = ("gives", "holding", "parted", "received", "receives", "why", "writable")

    def __init__(
        self,
        received: History | None,
        writable: bool = False,
        why: str = "",
        gives: bool = False,
        receives: bool = False,
        parted: bool = False,
        holding: Holding | None = None,
    ) -> None:
        self.gives = gives
        self.holding = holding
        self.parted = parted
        self.received = received
        self.receives = receives
        self.writable = writable
        self.why = why


class Promote:
    """Go ahead. `proof` names the row of the table above."""

    def __init__(self, proof: str) -> None:
        self.proof = proof


class Fetch:
    """Get what `node` has more, then ask again."""

    def __init__(self, node: str, missing: str) -> None:
        self.node = node
        self.missing = missing


class Refuse:
    """Do not promote. `reason` is for the admin; `passing` when waiting may cure it."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        self.reason = reason
        self.passing = passing


def own_writes(node: str, own: History, record: Record | None, promoted_with: History | None) -> History | None:
    """What of a witness's history does not count, None for nothing. own: what it wrote itself."""
    if record is None or promoted_with is None or node == record.primary:
        return None
    return own.minus(promoted_with) or None


def witnesses(me: str, record: Record | None, nodes: Collection[str]) -> list[str]:
    """Whom to ask, in order: those whose answer can decide, the recorded primary last since it may well be dead."""
    if record is None:
        return sorted(set(nodes) - {me})
    if record.solo:
        return [] if record.primary == me else [record.primary]
    return sorted(record.sync - {me, record.primary}) + ([] if record.primary == me else [record.primary])


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
    if record is None or promoted_with is None:
        silent = [node for node in ask if node not in said]
        other = rival(me, holding, {node: report.holding for node, report in reports.items()}, allow_loss)
        if other:
            return Refuse(other)
        if not silent:
            return _ahead(mine, said, ask) or Promote("first")
        reason = f"first promotion, and {', '.join(silent)} did not say what it holds: start it, or set allow_loss=true"
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
        reason = _unproven(me, record, missing, lacking, lacks)
    if allow_loss:
        return _ahead(mine, said, [node for node in ask if node in said]) or Promote(ALLOWED)
    why = "; ".join(f"{node}: {report.why}" for node, report in sorted(reports.items()) if report.why)
    return Refuse(f"{reason} ({why})" if why else reason, passing=unsettled)


def _unproven(me: str, record: Record, missing: list[str], lacking: list[str], lacks: str) -> str:
    """Why there is no proof. missing: voters whose answer counts for nothing, or who gave none. lacking: who lacks what the
    record has. lacks: what this node lacks of it, "" for nothing."""
    if record.primary == me:
        who = f", and {', '.join(missing)} may hold acknowledged transactions: start it" if missing else ""
        return (
            f"this node lacks {lacks} of what it was promoted with, so its data is not what it was{who},"
            f" bring its data back, or set allow_loss=true to give up what it alone had"
        )
    start = f"start {record.primary}, or set allow_loss=true to give up what it alone has"
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
        f" start it or {record.primary}, or set allow_loss=true"
    )


def acknowledgers(
    me: str, record: Record | None, mine: History, reports: Mapping[str, Report], admits: bool = True
) -> frozenset[str]:
    """Whose acknowledgements count from a promotion on; empty when nobody is ready to give any, then it is alone. mine: what is
    promoted. reports: as for `decide`. admits: the accounts are there with which replicas come; to make them is a commit, which
    would wait for an acknowledgement of theirs.

    Nobody is dropped who may acknowledge by the record before, however far behind: what it acknowledges from now on comes
    after all that is promoted. After a loss of all power under load all of them lack what was not acknowledged any more. Added
    is who has everything. Either must acknowledge now, or its receiver does not run: then it joins by the new record, and so
    acknowledges from its first event on. Who receives without acknowledging would leave the commits that
    it receives unacknowledged: it is added later, and so is the recorded primary, whose history is compared first.

    While a primary is alone anybody may begin to acknowledge, and the record names nobody; so it stays alone, until its monitor
    has seen who runs.
    """
    if not admits or (record and record.solo):
        return frozenset()
    kept = record.sync - {me} if record else frozenset()

    def ready(node: str) -> bool:
        report = reports[node]
        if report.received is None or report.parted:
            return False
        return (node in kept or report.received.includes(mine)) and (report.gives or not report.receives)

    able = frozenset(node for node in reports if ready(node) and not (record and node == record.primary))
    counted = kept | able
    if not able or any(report.gives and node not in counted for node, report in reports.items()):
        return frozenset()
    return counted


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
