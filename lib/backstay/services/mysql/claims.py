"""Decides whose data a set begins with: the table CLAIMS, asked at the first promotion. Pure.

No node's history need tell it: what was written without a binary log is in no history.
"""

from __future__ import annotations

from backstay.ocf.table import Value, always, first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backstay.ocf.table import Table
    from backstay.services.mysql.observation import Holding

_NAMED = 3  # databases that a sentence names


class Inputs(Value):
    """What it rests on; as for `rival`. asked: the candidate was. empty: it holds no database that it knows of. holders: others
    that hold some. mute: others that do not say. claimants: who holds some, or does not say, and whose history does not tell
    of it."""

    __slots__ = ("allow_loss", "asked", "claimants", "empty", "holders", "me", "mute")

    def __init__(self, me: str, mine: Holding | None, others: Mapping[str, Holding | None], allow_loss: bool) -> None:
        self.me = me
        self.allow_loss = allow_loss
        self.asked = mine is not None
        self.empty = mine is None or not mine.databases
        said = {node: other for node, other in sorted(others.items()) if other is not None}
        self.holders = {node: other.databases for node, other in said.items() if other.databases}
        self.mute = tuple(node for node, other in said.items() if other.databases is None)
        holdings = {me: mine, **said} if mine is not None else said
        self.claimants = {
            node: held.databases for node, held in holdings.items() if held.databases != () and not held.told
        }


def _may(i: Inputs) -> str:
    return ""


def _not_the_empty_one(i: Inputs) -> str:
    node, held = next(iter(i.holders.items()))
    return f"{node} holds databases ({_named(held)}) and this node none: the set begins with {node}'s"


def _the_only_one(i: Inputs) -> str:
    node, held = next(iter(i.claimants.items()))
    return f"{node} holds databases ({_named(held)}) that no history tells of: the set begins with {node}'s"


def _one_of_them(i: Inputs) -> str:
    each = ", ".join(f"{node} ({_named(held)})" for node, held in sorted(i.claimants.items()))
    return (
        f"{each} hold databases of their own: keep those of one, and move the others' data directories away, or restore a"
        f" copy with its position there"
    )


# fmt: off
CLAIMS: Table[tuple[str, Callable[[Inputs], str]], Inputs] = (
    (("goes on", _may), lambda i: not i.asked,
     "the candidate was not asked", "it is not the first promotion"),
    (("refuses", _not_the_empty_one), lambda i: i.empty and i.holders,
     "the candidate holds no database, and another node does", "whatever the admin allows: the data would be lost"),
    (("refuses", lambda i: f"{i.mute[0]} does not say whether it holds databases: grant its monitor_user SHOW DATABASES there"),
     lambda i: i.empty and i.mute,
     "the candidate holds no database, and another node does not say", "the same"),
    (("goes on", _may), lambda i: i.empty,
     "nobody holds any", "there is nothing to lose"),
    (("goes on", _may), lambda i: i.allow_loss,
     "`allow_loss` is set", "the admin's policy accepts loss"),
    (("goes on", _may), lambda i: not i.claimants or list(i.claimants) == [i.me],
     "nobody, or only the candidate, holds what no history tells of", "the histories decide"),
    (("refuses", _the_only_one), lambda i: len(i.claimants) == 1,
     "the candidate's history tells of its databases, and one other node holds some that no history tells of",
     "that one was nobody's replica, and could not become one"),
    (("refuses", _one_of_them), always,
     "otherwise", "several hold what no history tells of: no set can keep all of it"),
)
# fmt: on


def rival(me: str, mine: Holding | None, others: Mapping[str, Holding | None], allow_loss: bool) -> str:
    """Why the set must not begin with this node's data, "" when it may. None: it was not asked."""
    inputs = Inputs(me, mine, others, allow_loss)
    (_, reason), *_ = first(CLAIMS, inputs)
    return reason(inputs)


def foreign(mine: Holding, marked: int) -> str:
    """The databases that make a server no part of the set it is to join, "" for none: they are there, they did not come by
    replication, and the directory was never in the set. marked: its mark, 0 for none."""
    return "" if marked or mine.told or not mine.databases else _named(mine.databases)


def _named(databases: tuple[str, ...] | None) -> str:
    if databases is None:
        return "perhaps"
    more = len(databases) - _NAMED
    return ", ".join(databases[:_NAMED]) + (f" and {more} more" if more > 0 else "")
