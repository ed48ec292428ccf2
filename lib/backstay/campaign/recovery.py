"""What each fault cost, from the records of runs. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def alone(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Kind and target of each fault of a run that hit and that no other overlapped, and the seconds without an acknowledgement,
    infinite where none came any more. With an overlap the gap belongs to neither, nor where the next fault came before the gap
    was over, since what a fault costs may begin late. A later fault may meet a service that takes the load and is not whole: that
    is what a campaign is for. record: as `runner.as_json` has it, or that of a run that broke off."""
    hits = record.get("hits", ())
    first = [number for number, hit in enumerate(hits) if not hit["injection"]["overlaps"]]
    for begin, end, (what, seconds) in zip(first, [*first[1:], len(hits)], record.get("gaps", ())):
        over = math.isfinite(seconds) or end == len(hits)
        if end - begin == 1 and not hits[begin]["missed"] and over:
            yield what, seconds


def by_fault(records: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """The same of many runs, by kind and target."""
    found: dict[str, list[float]] = {}
    for record in records:
        for what, seconds in alone(record):
            found.setdefault(what, []).append(seconds)
    return dict(sorted(found.items()))
