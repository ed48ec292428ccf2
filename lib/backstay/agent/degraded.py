"""The reason why a running promotable instance is degraded, as an attribute publishes it. The result of the monitor does not
say it. Pure.

A degraded result (190, 191) would show the reason in Pacemaker's own status, but would cost a failover 80 s. Pacemaker files
such a result as RESOURCE_last_failure_0 alone. A coordinator that has just taken over knows no other record of the recurring
monitor. To promote the instance, it cancels that monitor and waits until the record RESOURCE_monitor_INTERVAL vanishes, but
there never was one. The executor reports the cancellation, but this report carries the lost coordinator's mark, so the new
coordinator ignores it ("Foreign event", controld_te_events.c, process_graph_event; seen with 2.1.5 and 3.0.3). Only the
action's timer ends the wait: docs/decisions/0028-no-degraded-results-where-roles-change.md.
"""

from backstay.ocf.table import Value

WELL = "ok"
_LONGEST = 120  # characters, as of an exit reason


class Standing(Value):
    """What the monitors of one instance found last: a reason for each check level, none for a level that found nothing."""

    __slots__ = ("reasons",)

    def __init__(self, reasons: "dict[str, str]") -> None:
        self.reasons = reasons

    @classmethod
    def parse(cls, text: str) -> "Standing":
        """From str(); what is not that is left out."""
        lines = (line.partition(" ") for line in text.splitlines())
        return cls({level: reason for level, _, reason in lines if reason})

    def __str__(self) -> str:
        return "\n".join(f"{level} {reason}" for level, reason in sorted(self.reasons.items()))

    @property
    def published(self) -> str:
        """As the attribute has it. Two levels may have seen the same."""
        told = dict.fromkeys(reason for _, reason in sorted(self.reasons.items()))
        return "; ".join(told)[:_LONGEST] or WELL

    def found(self, level: int, reason: str) -> "Standing":
        """After a monitor of this level found this, "" for nothing. A reason of which only numbers changed stays as it was:
        a changed public attribute has the scheduler plan anew."""
        before = self.reasons.get(str(level), "")
        reason = " ".join(reason.split())[:_LONGEST]
        others = {each: text for each, text in self.reasons.items() if each != str(level)}
        if not reason:
            return Standing(others)
        return Standing({**others, str(level): before if _words(before) == _words(reason) else reason})


def _words(text: str) -> str:
    return "".join(char for char in text if not char.isdigit())
