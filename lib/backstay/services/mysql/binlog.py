"""Binary logs as files: the tail that only a crashed primary of MySQL has, and where in a relay log of MariaDB what was not
applied begins. Pure: bytes in, a finding out.

A commit that waits for an acknowledgement is in the binary log, and in the engine it is only prepared. No client was told of
it and no session sees it. Crash recovery commits what it finds in the log and rolls back the rest. So when the log lacks its
tail, the server rolls back exactly the commits of that tail. The caller must know that another primary has all that was
acknowledged. If one of these commits was committed in the engine after all, the engine's own record of GTIDs (since 8.0.17)
would still name it, and the comparison of histories finds it.

Layout: "Binary Log Event" in the server's source documentation, libbinlogevents/include/binlog_event.h.
"""

from __future__ import annotations

import struct

from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap
    from typing import BinaryIO, Union

    from backstay.services.mysql.gtid import MysqlHistory

    Bytes = Union[bytes, mmap]

MAGIC = b"\xfebin"  # an encrypted log begins with another
_EVENT = struct.Struct("<IBIIIH")  # time, type, server id, size, end position, flags
_GTID = struct.Struct("<B16sq")  # flags, source, number
_QUERY, _FORMAT, _XID, _INCIDENT, _XA_PREPARE, _PAYLOAD = 2, 15, 16, 26, 38, 40
_PLAIN, _ANONYMOUS, _TAGGED = 33, 34, 42  # how a transaction begins
_MARIADBS = struct.Struct("<QI")  # number, domain
_MARIADB_PLAIN, _MARIADB_ENCRYPTION = 162, 164
_IN_USE = 1  # flag of the format event: the log was not closed


class Transaction(Value):
    """begin: where it starts. gtid: source and number, None for one that bears no plain GTID. events: the types
    of what follows its GTID."""

    __slots__ = ("begin", "events", "gtid")

    def __init__(self, begin: int, gtid: tuple[str, int] | None, events: tuple[int, ...]) -> None:
        self.begin = begin
        self.gtid = gtid
        self.events = events

    def recoverable(self, last: bool) -> bool:
        """Whether crash recovery rolls it back once it is not in the log: it is the engine's, so it ends with an XID, or
        compressed, or is one statement that defines data. The last one may have been cut off by the crash."""
        end = self.events[-1] if self.events else 0
        if end in (_XID, _PAYLOAD) or self.events == (_QUERY,):
            return True
        return last and end not in (_QUERY, _INCIDENT, _XA_PREPARE)


class Tail(Value):
    """begin: where it starts. head: how long the log's own head is, without which the tail cannot be read. gtids: what
    is in it."""

    __slots__ = ("begin", "gtids", "head")

    def __init__(self, begin: int, head: int, gtids: str) -> None:
        self.begin = begin
        self.head = head
        self.gtids = gtids


def unclosed(log: Bytes) -> bool:
    """Whether the log is in plain text and its server crashed. Only then does recovery read it."""
    if bytes(log[:4]) != MAGIC or len(log) < 4 + _EVENT.size:
        return False
    _, kind, _, _, _, flags = _EVENT.unpack_from(log, 4)
    return bool(kind == _FORMAT and flags & _IN_USE)


def transactions(log: Bytes) -> Iterator[Transaction]:
    """In order; the last may be cut off. Events before the first are the log's head."""
    at: int = len(MAGIC)
    begun: tuple[int, tuple[str, int] | None] | None = None
    events: list[int] = []
    while at + _EVENT.size <= len(log):
        _, kind, _, size, _, _ = _EVENT.unpack_from(log, at)
        if size < _EVENT.size or at + size > len(log):
            break  # the crash came while this was written
        if kind in (_PLAIN, _ANONYMOUS, _TAGGED):
            if begun:
                yield Transaction(*begun, tuple(events))
            gtid = None
            if kind == _PLAIN and size >= _EVENT.size + _GTID.size:
                _, source, number = _GTID.unpack_from(log, at + _EVENT.size)
                gtid = (_spelled(source), number)
            begun, events = (at, gtid), []
        elif begun:
            events.append(kind)
        at += size
    if begun:
        yield Transaction(*begun, tuple(events))


def first_beyond(log: BinaryIO, top: dict[int, int]) -> int | None:
    """Where in a log of MariaDB the first transaction begins whose number is above what `top` has for its domain; also where an
    event cannot be one. None where there is neither. Raises ValueError for a log that is not in plain text."""
    if log.read(len(MAGIC)) != MAGIC:
        raise ValueError("encrypted")
    at = len(MAGIC)
    size = _EVENT.size + _MARIADBS.size
    while True:
        event = log.read(size)
        if len(event) < _EVENT.size:
            return None
        _, kind, _, length, _, _ = _EVENT.unpack_from(event)
        if kind == _MARIADB_ENCRYPTION:
            raise ValueError("encrypted")
        if length < _EVENT.size:
            return at
        if kind == _MARIADB_PLAIN and len(event) == size:
            number, domain = _MARIADBS.unpack_from(event, _EVENT.size)
            if number > top.get(domain, 0):
                return at
        at += length
        log.seek(at)


def own_tail(log: Bytes, me: str, survived: MysqlHistory) -> Tail | None:
    """From the first transaction of this server, with source `me`, that is not in `survived` to the end of the log.

    None when there is none, or when anything after it is not alike: then the log was written in another order than we
    think, and the comparison of histories must judge.
    """
    if not unclosed(log):
        return None
    begin = head = 0
    tail: list[Transaction] = []
    for found in transactions(log):
        head = head or found.begin
        lacks = found.gtid is not None and found.gtid[0] == me and not _has(survived, *found.gtid)
        if lacks:
            begin = begin or found.begin
            tail.append(found)
        elif tail:
            return None
    if not tail or not all(each.recoverable(each is tail[-1]) for each in tail):
        return None
    numbers = [each.gtid[1] for each in tail if each.gtid]
    return Tail(begin, head, f"{me}:{min(numbers)}" + (f"-{max(numbers)}" if len(numbers) > 1 else ""))


def _has(history: MysqlHistory, source: str, number: int) -> bool:
    return any(first <= number <= last for first, last in history.sets.get(source, ()))


def _spelled(source: bytes) -> str:
    text = source.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
