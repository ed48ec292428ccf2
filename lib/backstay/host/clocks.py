"""Clocks of two nodes, compared: for an admin, who is told, and for no decision."""

from __future__ import annotations

import time

APART = 2.0  # seconds; an answer on its way takes less, and is allowed for besides


def here() -> float:
    """This node's wall clock, in seconds since the epoch."""
    return time.time()


def apart(node: str, theirs: float, asked: float, answered: float) -> str:
    """Whether the other node's clock is another one than this node's, in a sentence with its remedy; "" where it is not. asked,
    answered: by this node's clock, in seconds since the epoch, as `theirs`."""
    if asked - APART <= theirs <= answered + APART:
        return ""
    off = theirs - answered if theirs > answered else asked - theirs
    where = "ahead of" if theirs > answered else "behind"
    return f"the clock of {node} is {off:.0f} s {where} this node's: have a daemon such as chrony keep both"
