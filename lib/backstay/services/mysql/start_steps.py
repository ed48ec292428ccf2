"""The steps of a start: the table START. Pure: services/mysql/starting does what it says."""

from __future__ import annotations

from backstay.ocf.steps import LEFT, Value, unchanged, without_arguments
from backstay.services.mysql.rescue_steps import RESCUE, Rescue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backstay.ocf.steps import Protocol
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Record


class Start(Value):
    """What is known. fresh: its data directory was just made. promoted_with: the history on record. The rest as in `Rescue`."""

    __slots__ = (*Rescue.__slots__, "fresh", "promoted_with")

    def __init__(self, me: str, fresh: bool) -> None:
        self.me = me
        self.fresh = fresh
        self.record: Record | None = None
        self.promoted_with: History | None = None
        self.ended = False
        self.damage = ""


def _read(known: Start, found: tuple[Record | None, History | None]) -> Start:
    record, promoted_with = found
    return known.but(record=record, promoted_with=promoted_with)


def _another_was_promoted(known: Start) -> bool:
    """It proved that it has all that was acknowledged. What this server wrote and nobody acknowledged may go."""
    return known.record is not None and known.record.primary != known.me


def _survived(known: Start) -> tuple[Any] | None:
    return (known.promoted_with,) if _another_was_promoted(known) else None


def _options(known: Start) -> tuple[int, bool]:
    return known.record.epoch if known.record else 0, _another_was_promoted(known)


def _where_another_was_promoted(known: Start) -> tuple[()] | None:
    return () if _another_was_promoted(known) else None


def _where_fresh(known: Start) -> tuple[()] | None:
    return () if known.fresh else None


# fmt: off
START: Protocol = (
    ("READ", "recorded", without_arguments, _read, LEFT,
     "on; the end where it cannot be read", "who was promoted last decides what this server keeps, and under which id it starts"),
    ("CUT", "cut_tail", _survived, unchanged, LEFT,
     "on; left out unless another than this node is on record",
     "that one has all that was acknowledged: what only this server wrote, no client was told of"),
    ("NOTE", "note", without_arguments, unchanged, LEFT,
     "on", "readers come once a monitor has seen it replicate, and notes of other data count no more"),
    ("LAUNCH", "launch", _options, unchanged, LEFT,
     "on", "read-only, replicating nothing, vouching for nothing; its own commits that nobody acknowledged are kept where it is"
     " the recorded primary, else its recovery may undo them"),
    ("CEASE", "cease", _where_another_was_promoted, unchanged, LEFT,
     "on; left out unless another is on record", "MariaDB undoes those commits only as one that acknowledges"),
    ("SECURE", "secure", _where_fresh, unchanged, LEFT,
     "on; left out where it has data", "the accounts with which others reach it"),
    *RESCUE,
    ("READY", "ready", without_arguments, unchanged, LEFT,
     "the end: the first monitor joins it to the set", "what was given at the start is noted, for monitors to compare"),
)
# fmt: on
