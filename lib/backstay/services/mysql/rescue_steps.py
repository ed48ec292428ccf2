"""The steps that keep what a server received before its start: the table RESCUE. Pure: services/mysql/rescue does what it says.

A replica that ends may have acknowledged rows that it has not applied, and MariaDB does not tell of them until its relay log is
read. So it vouches for nothing before that: until then its word is none (`Dialect.vouch`).
"""

from __future__ import annotations

from backstay.ocf.steps import FAILURE, LEFT, End, Value, without_arguments
from backstay.services.mysql.rebuild_policy import relay_log_kept

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backstay.ocf.steps import Protocol
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.record import Record


class Replay(Value):
    """ended: nothing that was received is left to apply. damage: why it cannot be read, "" where it can."""

    __slots__ = ("damage", "ended")

    def __init__(self, ended: bool, damage: str = "") -> None:
        self.ended = ended
        self.damage = damage


class Standing(Value):
    """Of the recorded primary: whether it is writable, and what it has. promoted_with: the history on record. marked: the last
    epoch that is noted beside this server's data."""

    __slots__ = ("marked", "promoted_with", "received", "writable")

    def __init__(self, writable: bool, received: History, promoted_with: History, marked: int) -> None:
        self.writable = writable
        self.received = received
        self.promoted_with = promoted_with
        self.marked = marked


class Rescue(Value):
    """What is known. record: None where nothing may be given up. ended, damage: as in `Replay`."""

    __slots__ = ("damage", "ended", "me", "record")

    def __init__(self, me: str, record: Record | None) -> None:
        self.me = me
        self.record = record
        self.ended = False
        self.damage = ""


def _replayed(known: Any, replay: Replay) -> Any:
    known = known.but(ended=replay.ended, damage=replay.damage)
    if replay.damage and (known.record is None or known.record.primary == known.me):
        return End(FAILURE, replay.damage)
    return known


def _primary_where_damaged(known: Any) -> tuple[Record] | None:
    return (known.record,) if known.damage else None


def _compared(known: Any, primary: Standing) -> Any:
    kept = relay_log_kept(
        known.me, primary.writable, primary.received, known.record, primary.promoted_with, primary.marked
    )
    return End(FAILURE, f"{known.damage}; {kept}") if kept else known


def _why_given_up(known: Any) -> tuple[str] | None:
    if not known.damage:
        return None
    return (f"{known.damage}: received anew, since {known.record.primary} has all that was acknowledged",)


def _once_it_has_all(known: Any) -> tuple[()] | None:
    return () if known.ended else None


# fmt: off
RESCUE: Protocol = (
    ("REPLAY", "replay", without_arguments, _replayed, LEFT,
     "on; refused where the relay log cannot be read and no other primary is on record",
     "events that it acknowledged may be nowhere else, and joining throws away what is not applied"),
    ("COMPARE", "compare", _primary_where_damaged, _compared, LEFT,
     "on; refused unless the primary surely has all that this server acknowledged; left out, as the next, where it could be read",
     "what cannot be read may be the only copy"),
    ("GIVE UP", "give_up", _why_given_up, lambda known, _: known.but(ended=True), LEFT,
     "on", "all is received anew"),
    ("VOUCH", "vouch", _once_it_has_all, lambda known, _: known, LEFT,
     "the end, or on; left out while it still replays: a monitor goes on",
     "only now it tells of all that it has: a candidate that asked before would not hear of what was acknowledged"),
)
# fmt: on
