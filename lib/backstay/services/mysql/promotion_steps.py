"""The steps of a promotion: the table PROMOTION. Pure: services/mysql/promotion does what it says.

Prove, catch up, record, wait for acknowledgements from then on, open. The order is what makes it safe.
"""

from __future__ import annotations

from backstay.ocf.steps import LEFT, REFUSED, Again, End, Steps, Value, unchanged, without_arguments
from backstay.services.mysql.election import (
    ALLOWED,
    ASK,
    Fetch,
    Promote,
    Refuse,
    Report,
    Round,
    acknowledgers,
    decide,
    witnesses,
)
from backstay.services.mysql.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from backstay.cluster.overview import Ends
    from backstay.ocf.steps import Protocol
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding

READY = 3.0  # seconds to wait for one that will acknowledge, where the promotion needs nobody's word
SETTLE = 8.0  # seconds for all of them to; while promote waits, Pacemaker starts none that is down
PAUSE = 0.1  # seconds between rounds
NOBODY = Round({})


class Recorded(Value):
    """What is on record, None where the set was never promoted. promoted_with: its history. nodes: all that the cluster knows,
    only where nothing is on record."""

    __slots__ = ("nodes", "promoted_with", "record")

    def __init__(self, record: Record | None, promoted_with: History | None, nodes: tuple[str, ...]) -> None:
        self.record = record
        self.promoted_with = promoted_with
        self.nodes = nodes


class Candidate(Value):
    """What a candidate knows. present: who was in the cluster as the action began, None once that is too old. applied: what it
    has. holding: data that may be in no history. absent: witnesses that are not in the cluster. everyone: they are asked as well.
    missed: the recorded primary was among them, and is not known to have ended. proof: why it has every acknowledged transaction,
    "" for none. source: who has more, with what that has and what is missing here. waited: seconds since the first question.
    why: what is in the way. admits: the replicas' accounts are there."""

    __slots__ = (
        *("absent", "admits", "allow_loss", "applied", "everyone", "holding", "me", "missed"),
        *("present", "proof", "recorded", "round", "source", "waited", "why"),
    )

    def __init__(self, me: str, allow_loss: bool) -> None:
        self.me = me
        self.allow_loss = allow_loss
        self.recorded = Recorded(None, None, ())
        self.present: frozenset[str] | None = None
        self.applied: History | None = None
        self.holding: Holding | None = None
        self.absent: frozenset[str] = frozenset()
        self.missed = False
        self.everyone = False
        self.round = NOBODY
        self.proof = ""
        self.source: tuple[str, History, str] | None = None
        self.waited = 0.0
        self.why = ""
        self.admits = True


def promotion(me: str, allow_loss: bool, table: Protocol | None = None) -> Steps:
    return Steps(PROMOTION if table is None else table, Candidate(me, allow_loss))


def refuse(why: str) -> End:
    return End(REFUSED, f"not promoted: {why}")


def _errant(known: Candidate, errant: str) -> Candidate | End:
    return refuse(f"errant {errant}") if errant else known


def _suited(known: Candidate, flaw: str) -> Candidate | End:
    return refuse(flaw) if flaw else known


def _at_a_first_promotion(known: Candidate) -> tuple[()] | None:
    return () if known.recorded.record is None else None


def _whom(known: Candidate) -> tuple[str, ...]:
    told = known.recorded
    return tuple(witnesses(known.me, told.record, told.nodes))


def _away(known: Candidate, absent: frozenset[str]) -> Candidate:
    record = known.recorded.record
    missed = record is not None and record.primary in absent
    return known.but(absent=absent, missed=known.missed or missed)


def _who_may_serve(known: Candidate) -> tuple[str] | None:
    """The recorded primary, where it may still serve. Pacemaker demoted or stopped one in the cluster; one that left may run on,
    unless it was fenced or its stop is confirmed."""
    record = known.recorded.record
    return (record.primary,) if record and known.missed else None


def _ended(known: Candidate, end: Ends | None) -> Candidate:
    from backstay.cluster.overview import Ends  # most promotions need not ask

    return known.but(missed=False) if end in (Ends.FENCED, Ends.STOPPED) else known


def _may_serve(known: Candidate) -> str:
    """Why the recorded primary may still serve, "" when it does not."""
    record, reports = known.recorded.record, known.round.reports
    if record is None or not known.missed or reports[record.primary].received is not None:
        return ""
    return (
        f"{record.primary} left the cluster, and was neither fenced nor seen to stop: it may still serve; start the cluster"
        f" software there, or power it off and confirm that with stonith_admin --confirm {record.primary}"
    )


def _anew(known: Candidate, **changes: object) -> Candidate:
    """Before another round: what the last one brought counts no more."""
    return known.but(round=NOBODY, proof="", why="", **{"source": None, **changes})


def heard(decide: Callable[..., Promote | Fetch | Refuse]) -> Callable[..., Any]:
    """What the answers of a round come to."""

    def told(known: Candidate, round_: Round) -> Candidate | Again | End:
        at = known.recorded
        known = known.but(round=round_, proof="", source=None)
        verdict = decide(
            *(known.me, known.applied, at.record, at.nodes, round_.reports),
            *(at.promoted_with, known.allow_loss, known.holding),
        )
        if isinstance(verdict, Fetch):
            received = round_.reports[verdict.node].received
            return _anew(known, source=(verdict.node, received, verdict.missing))
        if isinstance(verdict, Promote):
            why = _may_serve(known)
            return known.but(proof="" if why else verdict.proof, why=why)
        if known.absent and not known.everyone:
            # A node that left the cluster in maintenance runs its server on, and can answer.
            return Again("ASK", _anew(known, everyone=True))
        return known.but(why=verdict.reason) if verdict.passing else refuse(verdict.reason)

    return told


def _fetched(known: Candidate, applied: History) -> Again:
    return Again("ASK", _anew(known, applied=applied))


class _Recording:
    """The record of a promotion, by who decides whose acknowledgements count."""

    def __init__(self, acknowledgers: Callable[..., frozenset[str]]) -> None:
        self._acknowledgers = acknowledgers

    def new(self, known: Candidate) -> Record:
        record = known.recorded.record
        sync = self._acknowledgers(known.me, record, known.applied, known.round.reports, known.admits)
        epoch = record.epoch + 1 if record else 1
        return Record(
            epoch=epoch,
            primary=known.me,
            gtid=str(known.applied),
            sync=sync,
            solo=not sync,
            loss=epoch if known.proof == ALLOWED else (record.loss if record else 0),
            later=record.later if record else "",
        )

    def when_it_may_not_go_on(self, known: Candidate) -> tuple[()] | None:
        """There is no proof yet; or it would be alone, while the server of a recorded node may just be starting, as after a loss
        of all power."""
        record, reports = known.recorded.record, known.round.reports
        if not known.proof:
            return ()
        starting = record and any(reports[node].why for node in record.sync & reports.keys())
        return () if starting and known.waited < READY and self.new(known).solo else None

    def record(self, known: Candidate) -> tuple[Record]:
        return (self.new(known),)

    def epoch(self, known: Candidate) -> tuple[int]:
        return (self.new(known).epoch,)

    def forever(self, known: Candidate) -> tuple[bool]:
        return (not self.new(known).solo,)


def _drained_again(known: Candidate, applied: History) -> Candidate | Again:
    return known if known.applied == applied else Again("ASK", _anew(known, applied=applied))


def _waited(known: Candidate, seconds: float) -> Again | End:
    return Again("MEMBERS", _anew(known, waited=seconds, present=None)) if seconds < SETTLE else refuse(known.why)


def _to_begin_with(known: Candidate) -> tuple[Mapping[str, Report]] | None:
    begins = known.recorded.record is None or known.proof == ALLOWED
    return (known.round.reports,) if begins else None


# fmt: off
def protocol(
    decide: Callable[..., Promote | Fetch | Refuse] = decide,
    acknowledgers: Callable[..., frozenset[str]] = acknowledgers,
) -> Protocol:
    """The table, by what decides."""
    recording = _Recording(acknowledgers)
    return (
        ("READ", "read", without_arguments, lambda known, recorded: known.but(recorded=recorded), LEFT,
         "on", "the record says whose word is needed; without it nothing may be promised"),
        ("PRESENT", "members", without_arguments, lambda known, present: known.but(present=present), LEFT,
         "on", "asked beside READ, as the action begins: Pacemaker demoted or stopped by then whoever was a member then"),
        ("ERRANT", "errant", without_arguments, _errant, LEFT,
         "refused, where this node has transactions of its own", "they would become the set's"),
        ("DRAIN", "drain", without_arguments, lambda known, applied: known.but(applied=applied), LEFT,
         "on; refused where that takes longer than promote may", "what it received may be the only copy"),
        ("SUIT", "flaw", without_arguments, _suited, LEFT,
         "refused, where the set may not rest on this server", "something else started it, or changed what promises rest on"),
        ("HOLD", "holding", _at_a_first_promotion, lambda known, holding: known.but(holding=holding), LEFT,
         "on; left out where the set was promoted before", "data may be in no history"),
        ("MEMBERS", "absent", lambda known: (_whom(known), known.present), _away, LEFT,
         "on; by PRESENT's answer at first, and asked anew after WAIT",
         "silence takes time: a node that left the cluster was fenced, most likely"),
        ("ENDS", "end_of", _who_may_serve, _ended, LEFT,
         "on. Left out where the recorded primary is in the cluster, or is known to have ended",
         "it may serve where nobody sees it; before the witnesses are asked, since until it ends they may get more"),
        ("ASK", "ask", lambda known: (known.recorded, _whom(known), known.absent, known.everyone), heard(decide), ASK,
         "FETCH, where another has more; WAIT, where the recorded primary may serve; refused where there is no proof, and"
         " waiting would bring none; ASK once more, with those that left the cluster, before that",
         "scores can be a monitor old: the proof rests on what the witnesses say now"),
        ("FETCH", "fetch", lambda known: known.source, _fetched, LEFT,
         "ASK; left out where nobody has more", "nobody is refused for being second best"),
        ("WAIT", "pause", recording.when_it_may_not_go_on, _waited, PAUSE,
         f"MEMBERS; refused after {SETTLE:g} s. Left out where there is a proof, and somebody will acknowledge",
         f"a witness may sort itself out, and for an acknowledger it waits {READY:g} s: its server may just be starting"),
        ("DRAIN AGAIN", "drain", without_arguments, _drained_again, LEFT,
         "on; ASK, where that brought more",
         "a primary that is stopped meanwhile may have sent more, which this node acknowledged"),
        ("TELL", "tell", lambda known: (f"promoting by {known.proof}",), unchanged, LEFT,
         "on", "the log shows the proof"),
        ("SEAL", "seal", _to_begin_with, lambda known, applied: known.but(applied=applied), LEFT,
         "on; left out in all but a first promotion, and one with `allow_loss`", "who joins must not miss data in no log"),
        ("ACCOUNTS", "accounts", _at_a_first_promotion, lambda known, there: known.but(admits=there), LEFT,
         "on; left out where the set was promoted before", "to make accounts is a commit, which would wait for their replicas"),
        ("CHECK", "check", without_arguments, unchanged, LEFT,
         "on", "what is recorded has to be noted on this node as well"),
        ("RECORD", "record", recording.record, unchanged, LEFT,
         "on; the end where it is refused or not answered: it stays closed, and the next candidate reads what is there",
         "who acknowledges from now on is written down before anybody does"),
        ("MARK", "mark", recording.epoch, unchanged, LEFT,
         "on", "these data were part of the set's history in this epoch"),
        ("DROP", "drop", without_arguments, unchanged, LEFT,
         "on", "connections from when it was primary before: a replica that comes back would wait five seconds for its old one"),
        ("CEASE", "cease", without_arguments, unchanged, LEFT,
         "on", "a primary acknowledges nobody's commits"),
        ("AWAIT", "wait_for_acks", recording.forever, unchanged, LEFT,
         "on", "from the first commit on, as recorded"),
        ("OPEN", "open", without_arguments, unchanged, LEFT,
         "the end: it is the primary", "last: before, nothing can be acknowledged"),
    )


PROMOTION = protocol()
# fmt: on
