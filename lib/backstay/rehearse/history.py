"""What the client saw, as values. All times are seconds on CLOCK_MONOTONIC, which every node of a lab shares with this
host: they can be compared with each other and with the moment of a fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

OK = "ok"  # the server acknowledged the commit: the row must never be lost
FAIL = "fail"  # nothing was sent, or the server reported an error: the row must never be seen
UNKNOWN = "unknown"  # the connection broke after the statement was sent: the row may or may not be there


class Attempt(NamedTuple):
    """One insert of one unique id. `server` is the @@server_id that was asked, None when none was reached."""

    writer: int
    id: int
    begun: float
    ended: float
    result: str
    server: int | None = None
    error: str = ""


class Sample(NamedTuple):
    """Between `begun` and `ended` the server on `node` was found writable, or not, or gave no answer (None)."""

    node: str
    begun: float
    ended: float
    writable: bool | None


def parse_attempts(lines: Iterable[str]) -> list[Attempt]:
    """Attempts from the ledger's JSON lines, in the order in which they ended."""
    return sorted((Attempt(**record) for record in _records(lines)), key=lambda attempt: attempt.ended)


def parse_samples(lines: Iterable[str]) -> list[Sample]:
    """Samples from the sampler's JSON lines, in the order in which they began."""
    return sorted((Sample(**record) for record in _records(lines)), key=lambda sample: sample.begun)


def _records(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Anything but a whole JSON object is a defect of the workload, not of the cluster, and raises ValueError."""
    for line in lines:
        if line.strip():
            yield json.loads(line)
