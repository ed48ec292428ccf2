"""As watch/liveness.py judged before its table was executed."""

from __future__ import annotations

from backstay.watch.liveness import LATE, Finding, Heard


def judge(heard: Heard, late: float, before: Finding) -> Finding:
    """late: seconds after its deadline at which the look ended, 0 or less when in time. before: the last finding."""
    if heard is Heard.ANSWER:
        return Finding.OK
    if heard is Heard.UNCLEAR:
        return Finding.UNKNOWN
    if late > LATE:
        return Finding.STARVED
    return Finding.SILENT if before in (Finding.UNSURE, Finding.SILENT) else Finding.UNSURE
