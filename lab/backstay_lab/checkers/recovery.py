"""What each fault cost, from the records of runs. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class Cost(NamedTuple):
    """what: a fault's kind and target. seconds: without an acknowledgement, infinite where none came any more. operations: of an
    application, as `operations.as_json` has them; none of a run that did not count them."""

    what: str
    seconds: float
    operations: Mapping[str, Any] = {}


def alone(record: Mapping[str, Any]) -> Iterator[Cost]:
    """Of each fault of a run that hit and that no other overlapped. With an overlap the gap belongs to neither, nor where the
    next fault came before the gap was over, since what a fault costs may begin late. A later fault may meet a service that takes
    the load and is not whole: that is what a campaign is for. record: as `runner.as_json` has it, or that of a run that broke
    off."""
    hits = record.get("hits", ())
    first = [number for number, hit in enumerate(hits) if not hit["injection"]["overlaps"]]
    gaps = record.get("gaps", ())
    counted = record.get("operations") or [{}] * len(gaps)
    for begin, end, (what, seconds), operations in zip(first, [*first[1:], len(hits)], gaps, counted):
        over = math.isfinite(seconds) or end == len(hits)
        if end - begin == 1 and not hits[begin]["missed"] and over:
            yield Cost(what, seconds, operations)


def by_fault(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Cost]]:
    """The same of many runs, by kind and target."""
    found: dict[str, list[Cost]] = {}
    for record in records:
        for cost in alone(record):
            found.setdefault(cost.what, []).append(cost)
    return dict(sorted(found.items()))
