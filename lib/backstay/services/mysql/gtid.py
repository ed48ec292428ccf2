"""GTID histories: which transactions a server has. Pure: no server is asked, so it also works for a dead one's record.

A history has, for every origin, disjoint intervals of transaction numbers. On MySQL the origin is a `uuid` or `uuid:tag`. On
MariaDB it is `domain-server`; there, to have (domain, server, n) means to have all of that server's up to n, since numbers
grow within a domain (gtid_strict_mode). So one algebra serves both families; only the spelling differs.

Sources: MySQL 8.4 manual 19.1.3.1 "GTID Format and Storage" (tags since 8.3); MariaDB "Global Transaction ID" and
`gtid_binlog_state`: the last sequence number of every server id in every domain.
"""

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

    def written_by(self, server: str) -> "History":
        """The part that one server wrote itself. server: its UUID on MySQL, its id on MariaDB."""
        return type(self)({key: mine for key, mine in self.sets.items() if self._writer(key) == server.lower()})

    @staticmethod
    def _writer(origin: str) -> str:
        raise NotImplementedError

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

    @classmethod
    def _read(cls, item: str, found: "dict[str, list[tuple[int, int]]]") -> None:
        fields = item.split("-")
        if len(fields) != 3 or not (_number(fields[0]) and _number(fields[1])):
            raise MalformedGtid(f"not a MariaDB GTID: {item[:60]!r}")
        low, dots, high = fields[2].partition("..")
        if not _number(low) or (dots and not _number(high)):
            raise MalformedGtid(f"not a MariaDB GTID: {item[:60]!r}")
        first, last = (int(low), int(high)) if dots else (1, int(low))
        if first <= last:
            found.setdefault(f"{fields[0]}-{fields[1]}", []).append((first, last))

    @staticmethod
    def _writer(origin: str) -> str:
        return origin.partition("-")[2]

    def _spell(self, origin: str) -> str:
        return ",".join(f"{origin}-{b}" if a in (1, b) else f"{origin}-{a}..{b}" for a, b in self.sets[origin])


def binlog_state(before: str, position: str) -> str:
    """What gtid_binlog_state must be for a copy at `position`, spelled so that each domain's last entry is its newest.

    before: the donor's state and slave position, read before the copy began, or a later one's of the same set. Entries that
    are not older than the position are left out: rather claim less than this node holds.
    """
    newest: dict[str, tuple[int, int]] = {}
    for domain, server, number in _entries(position):
        newest[domain] = (number, server)
    found: dict[tuple[str, int], int] = {}
    for domain, server, number in _entries(before):
        if domain in newest and number < newest[domain][0] and server != newest[domain][1]:
            found[domain, server] = max(number, found.get((domain, server), 0))
    lines = [(int(domain), number, server) for (domain, server), number in found.items()]
    lines += [(int(domain), number, server) for domain, (number, server) in newest.items()]
    return ",".join(f"{domain}-{server}-{number}" for domain, number, server in sorted(lines))


def _entries(text: str) -> "list[tuple[str, int, int]]":
    parts = [item.strip().split("-") for item in text.split(",") if item.strip()]
    return [(domain, int(server), int(number)) for domain, server, number in parts]


class MysqlHistory(History):
    """Read from gtid_executed, Retrieved_Gtid_Set."""

    __slots__ = ()

    @classmethod
    def _read(cls, item: str, found: "dict[str, list[tuple[int, int]]]") -> None:
        source, *fields = item.split(":")
        if not _uuid(source) or not fields:
            raise MalformedGtid(f"not a MySQL GTID set: {item[:60]!r}")
        origin = source
        for field in fields:
            if _tag(field):
                origin = f"{source}:{field}"
                continue
            low, dash, high = field.partition("-")
            if not _number(low) or (dash and not _number(high)) or int(low) < 1:
                raise MalformedGtid(f"not a MySQL GTID set: {item[:60]!r}")
            first, last = int(low), int(high or low)
            if first <= last:  # the server accepts 5-3 and reads it as empty
                found.setdefault(origin, []).append((first, last))

    @staticmethod
    def _writer(origin: str) -> str:
        return origin.partition(":")[0]

    def _spell(self, origin: str) -> str:
        return origin + "".join(f":{a}-{b}" if a != b else f":{a}" for a, b in self.sets[origin])


# By hand: `re` and its patterns cost 6 ms of every monitor.


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 20


def _uuid(text: str) -> bool:
    parts = text.split("-")
    return [len(part) for part in parts] == [8, 4, 4, 4, 12] and all(c in "0123456789abcdef-" for c in text)


def _tag(text: str) -> bool:
    """Letters, digits and underscores, at most 32, the first no digit (manual 19.1.3.1)."""
    return 0 < len(text) <= 32 and text.isascii() and text.replace("_", "a").isalnum() and not text[0].isdigit()


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
