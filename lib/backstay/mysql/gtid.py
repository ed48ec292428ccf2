"""GTID histories: which transactions a server has. Pure: no server is asked, so it also works for a dead one's record.

A history is, for every origin, disjoint intervals of transaction numbers. The origin is a `uuid` or `uuid:tag` on MySQL
and `domain-server` on MariaDB; there, having (domain, server, n) means having all of that server's up to n, since
numbers grow within a domain (gtid_strict_mode). So one algebra serves both families; only the spelling differs.

Sources: MySQL 8.4 manual 19.1.3.1 "GTID Format and Storage" (tags since 8.3); MariaDB "Global Transaction ID" and
`gtid_binlog_state`: the last sequence number of every server id in every domain.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    Intervals = tuple[tuple[int, int], ...]


class MalformedGtid(ValueError):
    """The text is no GTID position or set."""


class History:
    """Treat it as frozen. Subclasses read and spell one family's notation."""

    __slots__ = ("sets",)

    def __init__(self, sets: "dict[str, Intervals]") -> None:
        self.sets = {origin: intervals for origin, intervals in sets.items() if intervals}

    @classmethod
    def parse(cls, *texts: str) -> "History":
        """What the texts name together. Raises MalformedGtid."""
        found: dict[str, list[tuple[int, int]]] = {}
        for text in texts:
            for item in text.split(","):
                item = "".join(item.split()).lower()
                if item:
                    cls._read(item, found)
        return cls({origin: _merged(intervals) for origin, intervals in found.items()})

    @classmethod
    def _read(cls, item: str, found: "dict[str, list[tuple[int, int]]]") -> None:
        raise NotImplementedError

    def _spell(self, origin: str) -> str:
        raise NotImplementedError

    def includes(self, other: "History") -> bool:
        return not other.minus(self)

    def minus(self, other: "History") -> "History":
        """What only this history has: the errant transactions, if `other` is the new primary's."""
        return type(self)({key: _without(mine, other.sets.get(key, ())) for key, mine in self.sets.items()})

    def union(self, other: "History") -> "History":
        keys = {*self.sets, *other.sets}
        return type(self)({k: _merged([*self.sets.get(k, ()), *other.sets.get(k, ())]) for k in keys})

    def __bool__(self) -> bool:
        return bool(self.sets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self.sets == other.sets

    def __hash__(self) -> int:
        return hash(frozenset(self.sets.items()))

    def __str__(self) -> str:
        return ",".join(map(self._spell, sorted(self.sets)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


class MariadbHistory(History):
    """Read from gtid_binlog_state, gtid_slave_pos, Gtid_IO_Pos. A whole history spells as a position, `0-1-55`; a part
    of one with its range, `0-1-51..55`."""

    __slots__ = ()
    _GTID = re.compile(r"(\d{1,10}-\d{1,10})-(?:(\d{1,20})\.\.)?(\d{1,20})\Z")

    @classmethod
    def _read(cls, item: str, found: "dict[str, list[tuple[int, int]]]") -> None:
        gtid = cls._GTID.match(item)
        if not gtid:
            raise MalformedGtid(f"not a MariaDB GTID: {item[:60]!r}")
        first, last = int(gtid[2] or 1), int(gtid[3])
        if first <= last:
            found.setdefault(gtid[1], []).append((first, last))

    def _spell(self, origin: str) -> str:
        return ",".join(f"{origin}-{b}" if a in (1, b) else f"{origin}-{a}..{b}" for a, b in self.sets[origin])


class MysqlHistory(History):
    """Read from gtid_executed, Retrieved_Gtid_Set."""

    __slots__ = ()
    _SOURCE = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
    _TAG = re.compile(r"[a-z_][a-z0-9_]{0,31}\Z")
    _INTERVAL = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?\Z")

    @classmethod
    def _read(cls, item: str, found: "dict[str, list[tuple[int, int]]]") -> None:
        source, *fields = item.split(":")
        if not cls._SOURCE.match(source) or not fields:
            raise MalformedGtid(f"not a MySQL GTID set: {item[:60]!r}")
        origin = source
        for field in fields:
            interval = cls._INTERVAL.match(field)
            if interval:
                first, last = int(interval[1]), int(interval[2] or interval[1])
                if first < 1:
                    raise MalformedGtid(f"not a MySQL GTID set: {item[:60]!r}")
                if first <= last:  # the server accepts 5-3 and reads it as empty
                    found.setdefault(origin, []).append((first, last))
            elif cls._TAG.match(field):
                origin = f"{source}:{field}"
            else:
                raise MalformedGtid(f"not a MySQL GTID set: {item[:60]!r}")

    def _spell(self, origin: str) -> str:
        return origin + "".join(f":{a}-{b}" if a != b else f":{a}" for a, b in self.sets[origin])


def _merged(intervals: "list[tuple[int, int]]") -> "Intervals":
    """Sorted, with overlapping and adjacent ones joined."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(intervals):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _without(intervals: "Intervals", removed: "Intervals") -> "Intervals":
    """The parts of `intervals` outside `removed`, both sorted and disjoint."""
    left: list[tuple[int, int]] = []
    for first, last in intervals:
        for gone_first, gone_last in removed:
            if gone_last < first or gone_first > last:
                continue
            if gone_first > first:
                left.append((first, gone_first - 1))
            first = gone_last + 1
        if first <= last:
            left.append((first, last))
    return tuple(left)
