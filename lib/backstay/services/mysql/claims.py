"""Whose data does a set begin with? Asked at the first promotion, where nobody's history need tell it: what was written
without a binary log is in none. Pure.

| the candidate                           | another node                              | then                                  |
|-----------------------------------------|-------------------------------------------|---------------------------------------|
| holds no database                       | holds some, or does not say               | refuses, whatever the admin allows    |
| holds some that no history tells of     | so does it, or does not say               | refuses, unless loss is allowed       |
| holds some that its history tells of    | alone holds some that no history tells of | refuses: the other was nobody's       |
|                                         |                                           | replica, and could not become one     |
| holds some                              | holds none, or what its history tells of  | goes on: the histories decide         |
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay.services.mysql.observation import Holding

_NAMED = 3  # databases that a sentence names


def rival(me: str, mine: Holding | None, others: Mapping[str, Holding | None], allow_loss: bool) -> str:
    """Why the set must not begin with this node's data, "" when it may. None: it was not asked."""
    if mine is None:
        return ""
    asked = {node: other for node, other in sorted(others.items()) if other is not None}
    if not mine.databases:
        for node, other in asked.items():
            if other.databases:
                return f"{node} holds databases ({_named(other.databases)}) and this node none: the set begins with {node}'s"
        for node, other in asked.items():
            if other.databases is None:
                return f"{node} does not say whether it holds databases: grant its monitor_user SHOW DATABASES there"
        return ""
    claimants = {node: other for node, other in {me: mine, **asked}.items() if other.databases != () and not other.told}
    if allow_loss or not claimants or list(claimants) == [me]:
        return ""
    if len(claimants) == 1:
        (node, held), *_ = claimants.items()
        return (
            f"{node} holds databases ({_named(held.databases)}) that no history tells of: the set begins with {node}'s"
        )
    each = ", ".join(f"{node} ({_named(held.databases)})" for node, held in sorted(claimants.items()))
    return (
        f"{each} hold databases of their own: keep those of one, and move the others' data directories away, or restore a"
        f" copy with its position there"
    )


def foreign(mine: Holding, marked: int) -> str:
    """The databases that make a server no part of the set it is to join, "" for none: they are there, they did not come by
    replication, and the directory was never in the set. marked: its mark, 0 for none."""
    return "" if marked or mine.told or not mine.databases else _named(mine.databases)


def _named(databases: tuple[str, ...] | None) -> str:
    if databases is None:
        return "perhaps"
    more = len(databases) - _NAMED
    return ", ".join(databases[:_NAMED]) + (f" and {more} more" if more > 0 else "")
