"""Which side of a partition between brokers starts anew. Pure.

The nodes see each other and Pacemaker is whole, or one of them would have been fenced; only the brokers have fallen out, each
side taking the other for dead, and they do not come together by themselves. What was confirmed on the side that restarts
since then is lost: so wait, for the partition may be on its way to an end, and restart the smaller side.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Healing:
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
