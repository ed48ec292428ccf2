"""What reads and writes of the same values prove: registers, lists and transactions. Pure: histories in, findings out.

Registers are changed by compare-and-set alone, each to a value that nobody else writes. With unique values whether one
register behaved as if there were a single copy can be told in linear time: the operations on one value span a zone, from
the first end to the last begin among them; zones of two values that exclude each other have no order in time.
Source: P. B. Gibbons, E. Korach, "Testing Shared Memories", SIAM J. Computing 26 (1997), theorem 4.2.

Lists grow by appending unique items in transactions. Whoever reads the whole list learns the order of all appends before
(the idea of K. Kingsbury, P. Alvaro, "Elle", VLDB 14, 2020).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import FAIL, OK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PARTS = 3  # rows that each transaction writes beside the list


class Operation(NamedTuple):
    """One operation of one client; times as in Attempt. kind: swap (of `old` for `new`), read (`value`), append (`new`, with
    PARTS rows of that id in one transaction), list (`values`). result as in Attempt; a swap that found another value
    failed."""

    worker: int
    kind: str
    key: int
    begun: float
    ended: float
    result: str
    server: int | None = None
    old: int = 0
    new: int = 0
    value: int = 0
    values: tuple[int, ...] = ()
    error: str = ""


class Final(NamedTuple):
    """What is there at the end. parts: transaction -> how many of its rows."""

    registers: Mapping[int, int]
    lists: Mapping[int, Sequence[int]]
    parts: Mapping[int, int]


class _Zone(NamedTuple):
    """first: when the first operation on the value had ended. last: when the last one began."""

    value: int
    first: float
    last: float


def register_flaws(operations: Sequence[Operation], final: Mapping[int, int]) -> list[str]:
    """Values that no single register could have shown: read when they were replaced, not yet or never written, or
    replaced twice. final: key -> value at the end; a register begins with 0."""
    found = []
    for key in sorted({one.key for one in operations if one.kind in ("read", "swap")} | set(final)):
        own = [one for one in operations if one.key == key and one.kind in ("read", "swap")]
        found += [f"register {key}: {flaw}" for flaw in _flaws(own, final.get(key))]
    return found


def _flaws(own: Sequence[Operation], final: int | None) -> list[str]:
    swaps = [one for one in own if one.kind == "swap" and one.result != FAIL]
    written = {one.new: one for one in swaps}
    seen: dict[int, list[tuple[float, float]]] = defaultdict(
        list
    )  # value -> when it was certainly there, begun and ended
    for one in own:
        if one.result == OK:
            seen[one.value if one.kind == "read" else one.old].append((one.begun, one.ended))
    if final is not None:
        seen[final].append((math.inf, math.inf))
    twice = Counter(one.old for one in swaps if one.result == OK)
    found = [f"{value} was replaced {times} times" for value, times in twice.items() if times > 1]
    zones = []
    for value in {0, *seen, *(one.new for one in swaps if one.result == OK)}:
        begun, ended = -math.inf, -math.inf
        if value:
            if value not in written:
                found.append(f"{value} was read, nobody wrote it")
                continue
            write = written[value]
            begun, ended = write.begun, write.ended if write.result == OK else math.inf
        looks = seen.get(value, [])
        if any(end < begun for _, end in looks):
            found.append(f"{value} was read before it was written")
        zones.append(
            _Zone(value, min([ended, *(end for _, end in looks)]), max([begun, *(begin for begin, _ in looks)]))
        )
    return found + _clashes(zones)


def _clashes(zones: Sequence[_Zone]) -> list[str]:
    """Values of which neither can have come before the other."""
    lasting = sorted((zone for zone in zones if zone.first < zone.last), key=lambda zone: zone.first)
    found = []
    for sooner, later in zip(lasting, lasting[1:]):
        if later.first < sooner.last:
            found.append(f"{sooner.value} and {later.value} were read in turns: one was stale")
    starts = [zone.first for zone in lasting]
    for zone in zones:
        if zone.first >= zone.last:
            index = bisect_left(starts, zone.last) - 1
            if index >= 0 and lasting[index].last > zone.first:
                found.append(f"{lasting[index].value} was read after {zone.value} had replaced it")
    return found


def list_flaws(operations: Sequence[Operation], final: Mapping[int, Sequence[int]]) -> list[str]:
    """Appended items that are lost, there twice, or there though refused; and reads that no order of appends explains."""
    found = []
    for key, items in final.items():
        appends = [one for one in operations if one.kind == "append" and one.key == key]
        there = Counter(items)
        what = f"list {key}"
        found += [f"{what}: {item} is there {times} times" for item, times in there.items() if times > 1]
        found += [
            f"{what}: {one.new} was acknowledged and is lost"
            for one in appends
            if one.result == OK and not there[one.new]
        ]
        found += [
            f"{what}: {one.new} was refused and is there" for one in appends if one.result == FAIL and there[one.new]
        ]
        found += [f"{what}: {item} is there, nobody appended it" for item in set(items) - {one.new for one in appends}]
        place = {item: index for index, item in enumerate(items)}
        reads = [one for one in operations if one.kind == "list" and one.key == key and one.result == OK]
        found += [
            f"{what}: read {list(one.values[-3:])} at the end, which is no beginning of what is there"
            for one in reads
            if list(one.values) != list(items[: len(one.values)])
        ]
        found += _untimely(what, appends, reads, place)
    return found


def _untimely(
    what: str, appends: Sequence[Operation], reads: Sequence[Operation], place: Mapping[int, int]
) -> list[str]:
    """Reads that lack what had been acknowledged, or have what was not yet sent. By the place in the final list the reads
    with that many items have an item."""
    found = []
    acknowledged = sorted((one.ended, place[one.new]) for one in appends if one.result == OK and one.new in place)
    ends, furthest, reach = [], [], -1
    for ended, index in acknowledged:
        reach = max(reach, index)
        ends.append(ended)
        furthest.append(reach)
    begun = {place[one.new]: one.begun for one in appends if one.new in place}
    for read in reads:
        before = bisect_left(ends, read.begun)
        if before and furthest[before - 1] >= len(read.values):
            found.append(f"{what}: a read lacks items that were acknowledged before: it was stale")
        if any(begun.get(index, -math.inf) > read.ended for index in range(len(read.values))):
            found.append(f"{what}: a read has items that were not yet sent")
    return found


def torn(operations: Sequence[Operation], parts: Mapping[int, int]) -> list[str]:
    """Transactions of which a part is there, or that are there though refused, or not though acknowledged."""
    found = [f"transaction {one}: {count} of {PARTS} rows" for one, count in parts.items() if count != PARTS]
    for one in operations:
        if one.kind == "append":
            if one.result == OK and not parts.get(one.new):
                found.append(f"transaction {one.new}: acknowledged, its rows are lost")
            if one.result == FAIL and parts.get(one.new):
                found.append(f"transaction {one.new}: refused, its rows are there")
    return found
