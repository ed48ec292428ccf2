"""The steps of those duties of the primary that change the record: ADMISSION, BEGINNING, END_SOLO and REVIEW. Pure:
services/mysql/primary does what they say.

What another node relies on is recorded before it matters. Before each write the node notes that it is in doubt what is on
record, and until a write is answered it stays in doubt: then the primary's next monitor asks the cluster first.
"""

from __future__ import annotations

from backstay.ocf.steps import DONE, LEFT, End, Steps, Value, unchanged, without_arguments
from backstay.services.mysql.next_step import Review, review

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from backstay.cluster.overview import Overview
    from backstay.ocf.steps import Protocol
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Record

HEAR = 0.5  # seconds for one node to say what it has
KEEP_UP = 1.0  # seconds for one of those who stay on record to have everything
# Seconds for which commits may wait until a replica that returned has everything. One that writes each event to a busy disk
# falls behind a primary that does not wait, and catches up only while that one does: with one second it took ten attempts.
CATCH_UP = 3.0
SETTLED = "settled"  # a review found nothing to do


class Look(Value):
    """Of the primary, while it waits again. able: somebody is ready to acknowledge. followers: without itself."""

    __slots__ = ("able", "applied", "followers")

    def __init__(self, applied: History, followers: frozenset[str], able: bool) -> None:
        self.applied = applied
        self.followers = followers
        self.able = able


class Duty(Value):
    """What the primary knows. record: its own. applied, followers: of this monitor's look; followers without itself. new: the
    record to be. able: a follower has everything, and acknowledges. waited: seconds without any acknowledger. degrade_after: of
    those after which it goes on alone, 0 for never. act, why: what the review came to. whole: it found all there."""

    __slots__ = (
        *("able", "act", "applied", "degrade_after", "followers", "me"),
        *("new", "record", "waited", "whole", "why"),
    )

    def __init__(
        self, me: str, record: Record, applied: History, followers: frozenset[str], degrade_after: float
    ) -> None:
        self.me = me
        self.record = record
        self.applied = applied
        self.followers = followers
        self.degrade_after = degrade_after
        self.able = False
        self.waited = 0.0
        self.act = False
        self.why = ""
        self.whole = False
        self.new = record


def _to_be_admitted(known: Duty) -> tuple[Any, ...]:
    return tuple(sorted(known.followers - known.record.sync)), known.applied


def _admitted(known: Duty, ready: frozenset[str]) -> Duty | Steps:
    if not ready:
        return Steps(REVIEW, known)
    return known.but(new=known.record.changed(known.record.sync | ready, solo=False))


def _begun(known: Duty, ready: frozenset[str]) -> Duty | Steps:
    if ready < known.record.sync:
        return Steps(REVIEW, known)
    return known.but(new=known.record.begun(str(known.applied)))


def _looked(known: Duty, look: Look) -> Duty:
    return known.but(applied=look.applied, followers=look.followers, able=look.able)


def _runs_alone(known: Duty, why: str) -> End:
    return End(DONE, f"runs alone: {why or 'a replica is catching up'}")


def _counted_again(known: Duty, overview: Overview | None) -> Duty:
    """Whoever ever ran may have begun to acknowledge while this primary was solo, or does so before the record is written: one
    that was down a moment ago starts. The next review drops who surely does not."""
    others = frozenset(filter(overview.may_have_run, overview.nodes)) if overview else frozenset()
    return known.but(new=known.record.changed((known.followers | others) - {known.me}, solo=False))


def _absent(known: Duty) -> bool:
    return not (known.followers & known.record.sync)


def reviewed(judge: Callable[..., Review]) -> Callable[[Duty, Any], Duty]:
    """What the cluster shows of those whose acknowledgements count."""

    def told(known: Duty, overview: Overview | None) -> Duty:
        record = known.record
        outcome = judge(record, known.followers, overview, known.waited, known.degrade_after)
        whole = overview is not None and record.sync <= overview.online and not outcome.act and not record.leaving
        new = record.changed(outcome.sync, solo=not outcome.sync) if outcome.act else record
        return known.but(act=outcome.act, why=outcome.reason, whole=whole, new=new)

    return told


def _unless_nothing_is_to_do(known: Duty, answer: object) -> Duty | End:
    """One who was about to leave and runs again stays."""
    if known.act:
        return known
    if known.record.leaving:
        return known.but(new=known.record.changed(known.record.sync, solo=False))
    return End(SETTLED, known.why if _absent(known) else "")


def _some_leave_and_some_stay(known: Duty) -> bool:
    return known.act and not known.new.solo


def _dismissal(known: Duty) -> tuple[Record] | None:
    return (known.record.dismissing(known.record.sync - known.new.sync),) if _some_leave_and_some_stay(known) else None


def _dismissed(known: Duty, answer: object) -> Duty:
    return known.but(record=known.record.dismissing(known.record.sync - known.new.sync))


def _still_gone(known: Duty, overview: Overview | None) -> Duty | End:
    nodes = known.record.leaving & overview.nodes if overview else frozenset()
    if overview and overview.quorum and all(map(overview.surely_inactive, nodes)):
        return known
    return End(DONE, f"{', '.join(sorted(known.record.leaving))} runs again")


def _has_caught_up(known: Duty, one: bool) -> Duty | End:
    names = ", ".join(sorted(known.new.sync))
    return known if one else End(DONE, f"{names} has not caught up with what the others acknowledged")


def _record(known: Duty) -> tuple[Record]:
    return (known.new,)


def _went_solo(known: Duty, answer: object) -> Duty | End:
    return known if known.new.solo else End()


def _where_none_has_all(known: Duty) -> tuple[()] | None:
    return None if known.able else ()


# fmt: off
_DOUBT = ("DOUBT", "doubt", without_arguments, unchanged, LEFT,
          "on", "from here on only the cluster knows what is on record, until it has answered")
_RECORD = ("RECORD", "record", _record, unchanged, LEFT,
           "the end; refused or not answered, the doubt stays", "recorded first: then it may")

ADMISSION: Protocol = (
    ("COMPARE", "which_have", _to_be_admitted, _admitted, HEAR,
     "on, with those that have everything; REVIEW where none has",
     "one that is still receiving what it missed would hold up every commit, were it the last to acknowledge"),
    _DOUBT,
    _RECORD,
)

BEGINNING: Protocol = (
    ("COMPARE", "which_have", lambda known: (tuple(sorted(known.record.sync)), known.applied), _begun, HEAR,
     "on, where all that count have the first commits; else REVIEW", "an answer counts only from who has what is on record"),
    _DOUBT,
    _RECORD,
)

END_SOLO: Protocol = (
    ("RELEASE", "stop_waiting", without_arguments, unchanged, LEFT,
     "on", "on again, it waits from the next commit on, even if none caught up meanwhile"),
    ("AWAIT", "wait_for_acks", lambda known: (True,), unchanged, LEFT,
     "on", "first: what is committed after the look must be acknowledged"),
    ("LOOK", "look", without_arguments, _looked, LEFT,
     "on; CATCH UP is left out where nobody is ready to acknowledge", "what a follower has to have"),
    ("CATCH UP", "any_has", lambda known: (known.followers, known.applied) if known.able else None,
     lambda known, one: known.but(able=one), CATCH_UP,
     "on; RETURN where none has everything", "only then nothing is left that this node alone has"),
    ("RETURN", "stop_waiting", _where_none_has_all, unchanged, LEFT,
     "on; left out where one has everything, as are the next two", "commits would wait for a replica that is behind"),
    ("ALONE", "wait_for_acks", lambda known: None if known.able else (False,), unchanged, LEFT,
     "on", "as recorded"),
    ("WHY", "distrusted", lambda known: None if known.able else (known.followers,), _runs_alone, HEAR,
     "the end: it still runs alone", "one that cannot be asked for its certificate will not catch up by itself"),
    ("RUNNING", "overview", without_arguments, _counted_again, LEFT,
     "on", "whoever ever ran may have begun to acknowledge while nobody was on record, or be starting now"),
    _DOUBT,
    _RECORD,
)

REVIEW: Protocol = (
    ("ABSENT", "absent_for", lambda known: (_absent(known),), lambda known, seconds: known.but(waited=seconds), LEFT,
     "on", "a node that is not connected is waited for"),
    ("OVERVIEW", "overview", without_arguments, reviewed(review), LEFT,
     "on", "only the cluster knows who surely acknowledges no more"),
    ("NOTE", "reviewed", lambda known: (known.whole, known.why if known.act else ""), _unless_nothing_is_to_do, LEFT,
     "on; the end where all who count stay", "the next review may be later"),
    _DOUBT,
    ("DISMISS", "record", _dismissal, _dismissed, LEFT,
     "on; left out where nobody stays, as are the next two",
     "one who is down starts at any moment, and would acknowledge by the record: now it reads that it must not"),
    ("LOOK AGAIN", "overview", lambda known: () if _some_leave_and_some_stay(known) else None, _still_gone, LEFT,
     "on; the end where one of those who leave runs again: the next review keeps it", "it may have read the record before"),
    ("KEEP UP", "one_keeps_up", lambda known: (known.new.sync,) if _some_leave_and_some_stay(known) else None,
     _has_caught_up, KEEP_UP,
     "on; the end where none of those who stay has everything",
     "those who stay must have what those who go acknowledged, and they acknowledge nothing any more"),
    ("DOUBT AGAIN", *_DOUBT[1:]),
    ("RECORD", "record", _record, _went_solo, LEFT,
     "the end where somebody stays, else on; refused or not answered, the doubt stays",
     "before the waiting ends: another node must know that this one alone has what follows"),
    ("RELEASE", "stop_waiting", without_arguments, unchanged, LEFT,
     "on", "commits that waited for who cannot acknowledge any more succeed"),
    ("ALONE", "wait_for_acks", lambda known: (False,), lambda known, answer: End(DONE, f"runs alone: {known.why}"), LEFT,
     "the end: it runs alone", "replicas that connect stay visible as such"),
)
# fmt: on
