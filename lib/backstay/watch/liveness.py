"""Judges a row of looks at a daemon: the table FINDINGS. Pure: the watcher looks, and does what the judgement says.

After SILENT the watcher tells the cluster, once. After UNSURE and STARVED it looks again at once, otherwise in a second.
"""

from __future__ import annotations

from enum import Enum

from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.ocf.table import Table

LATE = 0.25  # seconds after its deadline from which on a look counts as starved


class Finding(Enum):
    OK = "ok"
    UNSURE = "unsure"
    SILENT = "silent"
    UNKNOWN = "unknown"
    STARVED = "starved"


class Heard(Enum):
    """What one look heard."""

    ANSWER = "answer"
    NOTHING = "nothing"
    UNCLEAR = "unclear"


class Look(Value):
    """One look, as for `judge`."""

    __slots__ = ("before", "heard", "late")

    def __init__(self, heard: Heard, late: float, before: Finding) -> None:
        self.heard = heard
        self.late = late
        self.before = before


# fmt: off
FINDINGS: Table[Finding, Look] = (
    (Finding.OK, lambda i: i.heard is Heard.ANSWER,
     "it answered, whatever it said", "what it said is for the monitor to judge"),
    (Finding.UNKNOWN, lambda i: i.heard is Heard.UNCLEAR,
     "it refuses us, has no room, or nothing listens", "unknown is not dead: the monitor decides"),
    (Finding.STARVED, lambda i: i.late > LATE,
     f"no answer, in a look that ended more than {LATE:g} s after its deadline",
     "who does not get the processor in time (load, a stopped process, a paused machine) cannot say of another that it should"
     " have answered"),
    (Finding.SILENT, lambda i: i.before in (Finding.UNSURE, Finding.SILENT),
     "no answer again, nor on the new connection", "it lives and does not serve"),
    (Finding.UNSURE, always,
     "no answer, for the first time", "a connection may be stuck while the daemon serves the others"),
)
# fmt: on


def judge(heard: Heard, late: float, before: Finding) -> Finding:
    """late: seconds after its deadline at which the look ended, 0 or less when in time. before: the last finding."""
    return decide(FINDINGS, Look(heard, late, before))
