"""As services/mysql/claims.py decided before its table was executed."""

from __future__ import annotations

from collections.abc import Mapping

from backstay.services.mysql.claims import _named
from backstay.services.mysql.observation import Holding


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
