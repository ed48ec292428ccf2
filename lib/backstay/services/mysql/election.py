"""May this node become the primary? Pure: values in, a verdict with its reason out.

Pacemaker picks the candidate by scores that can be a monitor old. So the candidate itself decides here, on facts. It must
prove that it holds every acknowledged transaction, by one of the proofs of the table PROOFS.

An answer counts only from a node that has what the record has. Every node that acknowledged anything since that promotion
had that by then. So a node that lacks it acknowledged nothing, or its disk is not the one that did. That goes for this node
as well: if `sync` names it and it lacks what the record has, only the recorded primary can vouch for it.

The candidate first fetches from a witness that has more; nobody is refused merely for being second best. A witness is
`unsettled` when its node is up, but it does not answer yet or still sorts out its relay log. Such a witness is asked again
until the deadline.

What a witness wrote itself does not count, beyond what the record has. Since that promotion only the recorded primary
acknowledged, so what the witness wrote is errant. If it counted, it would be fetched and become part of the set. Or it could
not be fetched, since the witness stopped applying over it, and nobody could be promoted.
"""

from __future__ import annotations

from backstay.ocf.table import Value, always, first
from backstay.services.mysql.claims import rival
from backstay.services.mysql.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from backstay.ocf.table import Table
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding


ALLOWED = "allowed"  # the proof that is none
NONE = "none"
ASK = 1.0  # seconds for one witness to answer


class Report(Value):
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


class Round(Value):
    """One round of questions: reports of all witnesses."""

    __slots__ = ("reports",)

    def __init__(self, reports: Mapping[str, Report]) -> None:
        self.reports = reports


class Promote(Value):
    """Go ahead. `proof` names the row of PROOFS."""

    __slots__ = ("proof",)

    def __init__(self, proof: str) -> None:
        self.proof = proof


class Fetch(Value):
    """Get what `node` has more, then ask again."""

    __slots__ = ("missing", "node")

    def __init__(self, node: str, missing: str) -> None:
        self.node = node
        self.missing = missing


class Refuse(Value):
    """Do not promote. `reason` is for the admin; `passing` when waiting may cure it."""

    __slots__ = ("passing", "reason")

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


class Inputs(Value):
    """What a proof rests on; as for `decide`. said: what each node holds that gave an answer, in the order of asking. silent: who
    was asked and gave none. first: there was never a primary; then what follows says nothing. whole: this node has what the
    recorded primary was promoted with. answers: those of `said` that have it too. voters: who was asked, without the recorded
    primary. missing: voters without an answer. counted: somebody's acknowledgements count. vouched: this node's disk is the one
    that acknowledged, or acknowledged nothing."""

    __slots__ = (
        *("allow_loss", "answers", "ask", "counted", "first", "me", "missing", "primary"),
        *("said", "silent", "solo", "sync", "voters", "vouched", "whole"),
    )

    def __init__(
        self,
        me: str,
        mine: History,
        record: Record | None,
        nodes: Collection[str],
        reports: Mapping[str, Report],
        promoted_with: History | None,
        allow_loss: bool,
    ) -> None:
        self.me = me
        self.allow_loss = allow_loss
        self.ask = tuple(witnesses(me, record, nodes))
        heard = {node: reports[node].received for node in self.ask if node in reports}
        self.said = {node: received for node, received in heard.items() if received is not None}
        self.silent = tuple(node for node in self.ask if node not in self.said)
        self.first = record is None or promoted_with is None
        self.primary = record.primary if record else ""
        self.solo = record is not None and record.solo
        self.sync = record.sync if record else frozenset()
        self.whole = promoted_with is None or mine.includes(promoted_with)
        self.answers = {
            node: history
            for node, history in self.said.items()
            if promoted_with is None or history.includes(promoted_with)
        }
        self.voters = tuple(node for node in self.ask if node != self.primary)
        self.missing = tuple(node for node in self.voters if node not in self.answers)
        self.counted = bool(self.voters) or me in self.sync
        self.vouched = self.whole or me not in self.sync


# Whose histories a proof rests on: this node must have all of them, and fetches what it lacks.


def _all_that_answer(i: Inputs) -> Mapping[str, History]:
    return i.said


def _those_of_sync_that_answer(i: Inputs) -> Mapping[str, History]:
    return {node: history for node, history in i.said.items() if node in i.sync}


def _sync_without_the_primary(i: Inputs) -> Mapping[str, History]:
    return {node: i.answers[node] for node in i.voters}


def _the_recorded_primary(i: Inputs) -> Mapping[str, History]:
    return {i.primary: i.answers[i.primary]}


def _nobody(i: Inputs) -> Mapping[str, History]:
    return {}


if TYPE_CHECKING:
    _Proof = tuple[str, Callable[[Inputs], Mapping[str, History]]]

# fmt: off
PROOFS: Table[_Proof, Inputs] = (
    (("first", _all_that_answer), lambda i: i.first and not i.silent,
     "there was never a primary, and all nodes say what they have",
     "no transaction was acknowledged; no one has more, and nobody else has data that is in no history (claims.py)"),
    (("own record", _those_of_sync_that_answer), lambda i: not i.first and i.primary == i.me and i.whole,
     "it is the recorded primary, and has what it had at promotion", "a primary has all it acknowledged"),
    (("witnesses", _sync_without_the_primary),
     lambda i: not i.first and not i.solo and not i.missing and i.counted and i.vouched,
     "the recorded primary did not run alone; every node of `sync` beside it answers, and has what it was promoted with; and so"
     " has this one, if it is of `sync`",
     "together they hold every acknowledged transaction"),
    (("primary", _the_recorded_primary), lambda i: not i.first and i.primary in i.answers,
     "the recorded primary answers, and has what it was promoted with", "it has all it acknowledged"),
    ((ALLOWED, _all_that_answer), lambda i: i.allow_loss,
     "`allow_loss` is set", "the admin's policy accepts loss"),
    ((NONE, _nobody), always,
     "otherwise", "somebody may hold an acknowledged transaction that this node lacks: it is refused"),
)
# fmt: on


def decide(
    me: str,
    mine: History,
    record: Record | None,
    nodes: Collection[str],
    reports: Mapping[str, Report],
    promoted_with: History | None,
    allow_loss: bool,
    holding: Holding | None = None,
    proofs: Table[_Proof, Inputs] = PROOFS,
) -> Promote | Fetch | Refuse:
    """mine: all applied here. nodes: all that the cluster knows. reports: answers of `witnesses`, silent ones absent or
    with received None. promoted_with: `record.gtid` parsed. holding: what this node holds, at a first promotion.
    proofs: another table shows what each row is for."""
    writable = sorted(node for node, report in reports.items() if report.writable)
    if writable:
        return Refuse(
            f"{writable[0]} is writable: two primaries would tear the set apart; make it read-only or fence it"
        )
    inputs = Inputs(me, mine, record, nodes, reports, promoted_with, allow_loss)
    if inputs.first:
        other = rival(me, holding, {node: report.holding for node, report in reports.items()}, allow_loss)
        if other:
            return Refuse(other)
    proof, rests_on = first(proofs, inputs)[0]
    if proof != NONE:
        return _ahead(mine, rests_on(inputs)) or Promote(proof)
    why = {node: report.why for node, report in sorted(reports.items()) if report.why}
    if record is None or promoted_with is None:
        reason = f"first promotion, and {_silent(inputs.silent, why, 'did not say what it holds')}"
    else:
        lacking = [node for node in inputs.said if node not in inputs.answers]
        lacks = "" if inputs.whole else str(promoted_with.minus(mine))
        reason = _unproven(me, record, inputs.missing, lacking, lacks, why)
    rest = "; ".join(f"{node}: {said}" for node, said in why.items() if said not in reason)
    return Refuse(f"{reason} ({rest})" if rest else reason, passing=any(node in why for node in inputs.ask))


def _silent(nodes: Collection[str], why: Mapping[str, str], that: str, start: str = "start it") -> str:
    """Of nodes whose word is needed, what is in the way and what to do. why: of those whose nodes are in the cluster. Their
    servers can be had, so nothing need be given up."""
    if nodes and all(node in why for node in nodes):
        return f"{', '.join(nodes)} {that}: {'; '.join(dict.fromkeys(why[node] for node in nodes))}"
    return f"{', '.join(nodes)} {that}: {start}{_giving_up(nodes, why)}"


def _giving_up(nodes: Collection[str], why: Mapping[str, str], what: str = "") -> str:
    """The last resort, never while one of the nodes is in the cluster."""
    return "" if any(node in why for node in nodes) else f", or set allow_loss=true{what}"


def _unproven(
    me: str, record: Record, missing: Collection[str], lacking: list[str], lacks: str, why: Mapping[str, str]
) -> str:
    """Why there is no proof. missing: voters whose answer counts for nothing, or who gave none. lacking: who lacks what the
    record has. lacks: what this node lacks of it, "" for nothing. why: as in `_silent`."""
    if record.primary == me:
        who = f", and {', '.join(missing)} may hold acknowledged transactions: start it" if missing else ""
        return (
            f"this node lacks {lacks} of what it was promoted with, so its data is not what it was{who},"
            f" bring its data back{_giving_up(missing, why, ' to give up what it alone had')}"
        )
    start = f"start {record.primary}{_giving_up([record.primary], why, ' to give up what it alone has')}"
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
    that = "may hold acknowledged transactions and gives no answer"
    return _silent(missing or [record.primary], why, that, f"start it or {record.primary}")


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


def _ahead(mine: History, others: Mapping[str, History]) -> Fetch | Refuse | None:
    """Fetch from the one that has all that this node lacks; refuse when their histories exclude each other."""
    ahead = {node: history for node, history in others.items() if not mine.includes(history)}
    if not ahead:
        return None
    for node, history in ahead.items():
        if history.includes(mine) and all(history.includes(other) for other in ahead.values()):
            return Fetch(node, str(history.minus(mine)))
    node, theirs = next(iter(ahead.items()))
    ours, more = mine.minus(theirs), theirs.minus(mine)
    return Refuse(f"histories part: only here {ours or 'nothing'}, only on {node} {more}; rebuild the wrong one")
