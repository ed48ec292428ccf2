"""What an application went through because of a fault: how many of its operations failed, and how long one took. Pure.

The ledger tries again at once, so a shorter gap may mean more errors; an application has none of that. What counts here is
that an exception reaches it, whatever its libraries did before.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import OK, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from backstay_lab.checkers.history import Request

UNENDED = "no end"  # the kind of failure of an operation that never returned
USUAL = 1.0  # seconds, at most, that an operation takes while all is well; 0.01


class Operations(NamedTuple):
    """Those of one client in one window. longest: seconds, of those that failed too. errors: kind -> how many."""

    done: int
    failed: int
    longest: float
    errors: Mapping[str, int] = {}

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in self.errors.items())
        told = f" ({kinds})" if kinds else ""
        return f"{self.failed} of {self.done + self.failed} operations failed{told}, longest {self.longest:.2f} s"


def count(operations: Sequence[Operation], fault: float, end: float) -> Operations:
    """What ended after the fault, or never returned until the end of the run (monotonic seconds)."""
    return by_fault(operations, [fault], end)[0]


def by_fault(operations: Sequence[Operation], faults: Sequence[float], end: float) -> list[Operations]:
    """The same for each of some faults, in order: until the next one.

    An operation belongs to the window in which it ended, wherever it began. One that never returned belongs to the last fault
    that can have caught it: one that came later than USUAL after it began found it stuck already.
    """
    windows: list[list[Operation]] = [[] for _ in faults]
    for one in operations:
        if one.begun > end:
            continue
        at = one.begun + USUAL if one.ended is None else one.ended
        before = [place for place, fault in enumerate(faults) if fault <= at]
        if before or one.ended is None:
            windows[before[-1] if before else 0].append(one)
    return [_summed(window, end) for window in windows]


def _summed(window: Sequence[Operation], end: float) -> Operations:
    failed = Counter(UNENDED if one.ended is None else one.error for one in window if one.ended is None or one.error)
    return Operations(
        done=len(window) - sum(failed.values()),
        failed=sum(failed.values()),
        longest=max(((end if one.ended is None else one.ended) - one.begun for one in window), default=0.0),
        errors=dict(failed.most_common()),
    )


def total(clients: Iterable[Operations]) -> Operations | None:
    """Of several clients; None of none."""
    every = list(clients)
    errors: Counter[str] = Counter()
    for one in every:
        errors.update(one.errors)
    return (
        Operations(
            sum(one.done for one in every),
            sum(one.failed for one in every),
            max(one.longest for one in every),
            dict(errors.most_common()),
        )
        if every
        else None
    )


def as_json(clients: Mapping[str, Operations]) -> dict[str, dict[str, Any]]:
    """For json.dumps."""
    return {client: one._asdict() for client, one in clients.items()}


def from_json(told: Mapping[str, Mapping[str, Any]]) -> Operations | None:
    """The total of what `as_json` told; None where nothing was counted."""
    return total(Operations(**one) for one in told.values())


def of_requests(requests: Sequence[Request]) -> list[Operation]:
    """Remote procedure calls and casts as operations: what the driver reported, and wrong answers."""
    return [
        Operation(one.id, one.begun, one.ended, "" if one.ended is None or one.result == OK else _reported(one))
        for one in requests
    ]


def _reported(request: Request) -> str:
    """The class of the exception: the error is its repr()."""
    return request.error.partition("(")[0] or f"{request.result} answer"


def kind(error: BaseException) -> str:
    """The number that the server or its client library gives an error, else its class: "1290", "2013", "TimeoutError". For a
    connection that was not made also why: "2003 ConnectionRefusedError". Looks under what oslo.db and SQLAlchemy wrap it in."""
    inner: Any = error
    for wrapped in ("inner_exception", "orig"):
        inner = getattr(inner, wrapped, None) or inner
    number = inner.args[0] if inner.args and isinstance(inner.args[0], int) else 0
    cause = getattr(inner, "original_exception", None)
    if number and not isinstance(inner, OSError):
        return f"{number} {type(cause).__name__}" if cause else str(number)
    return type(error).__name__
