"""Which side of a partition between brokers starts anew. Pure.

In such a partition the nodes see each other and Pacemaker is whole; else one of them would have been fenced. Only the
brokers have lost each other. Each side takes the other for dead, and they do not come together by themselves. The side that
restarts loses what it has confirmed since then. So wait first, since the partition may be about to end, and then restart the
smaller side.
"""

from __future__ import annotations

from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Healing(Value):
    """restart: Erlang names of the brokers to start anew, in order. reason: what to tell the admin."""

    __slots__ = ("reason", "restart")

    def __init__(self, restart: tuple[str, ...], reason: str = "") -> None:
        self.restart = restart
        self.reason = reason


def heal(me: str, members: AbstractSet[str], apart: AbstractSet[str], lasted: float, grace: float) -> Healing:
    """me: the coordinator's Erlang name. apart: the members that it is partitioned from. Of equal sides it keeps its own."""
    if not apart:
        return Healing(())
    ours = members - apart | {me}
    words = f"partitioned from {', '.join(sorted(apart))}"
    if lasted < grace:
        return Healing(())
    if len(apart) > len(ours):
        return Healing(tuple(sorted(ours)), f"{words}, the greater side: restarting this one")
    return Healing(tuple(sorted(apart)), f"{words}, the smaller side: restarting it")
