"""A way from a replica to its source that lets through one transaction when it is told to.

It stands where a replica looks for the writer address, and speaks no MySQL of its own: it passes packets on, and holds those
that begin a transaction in MariaDB's binary log. So a replica receives exactly when an event of the explorer says so.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Iterator

_PORT = 3306
_COMMAND_QUERY, _COMMAND_DUMP = 0x03, 0x12  # COM_QUERY, COM_BINLOG_DUMP
_ACKNOWLEDGES = b"rpl_semi_sync_slave"  # a replica says so before it asks for the log
_GTID_EVENT = 162  # begins each transaction of MariaDB's binary log
_STARTS = 30.0  # seconds for a connection to be let on


class Gate:
    """address: where the replica looks. It leads to `source`, an address, "" for nowhere: then who comes waits."""

    def __init__(self, address: str) -> None:
        self.source = ""
        self._changed = threading.Condition()
        self._tokens = 0
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server((address, _PORT))
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, source: str) -> None:
        """From now on; connections to another end."""
        if source != self.source:
            self.cut()
        with self._changed:
            self.source = source
            self._changed.notify_all()

    def cut(self) -> None:
        """End what is connected, and let nobody through any more."""
        with self._changed:
            self.source, self._tokens = "", 0
            ended, self._connections = self._connections, []
            self._changed.notify_all()
        for one in ended:
            _end(one)

    def let_through(self, count: int) -> None:
        """So many transactions more, or, with 0, none any more."""
        with self._changed:
            self._tokens = count and self._tokens + count
            self._changed.notify_all()

    def close(self) -> None:
        self.cut()
        _end(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                replica, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(replica,), daemon=True).start()

    def _serve(self, replica: socket.socket) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.source, _STARTS)
            where = self.source
        try:
            source = socket.create_connection((where, _PORT), 5.0) if where else None
        except OSError:
            source = None  # it was killed just now
        if source is None:
            _end(replica)
            return
        source.settimeout(None)
        with self._changed:
            current = where == self.source
            if current:
                self._connections += [replica, source]
        if not current:
            _end(replica)
            _end(source)
            return
        stream = _Stream()
        threading.Thread(target=self._pass, args=(replica, source, stream.asked), daemon=True).start()
        self._pass(source, replica, lambda packet: self._hold(packet, stream, source))

    def _pass(self, one: socket.socket, other_side: socket.socket, seen: object) -> None:
        with contextlib.suppress(OSError, EOFError):
            for packet in _packets(one):
                seen(packet[4:])  # type: ignore[operator]
                other_side.sendall(packet)
        with self._changed:
            self._connections = [other for other in self._connections if other not in (one, other_side)]
            self._changed.notify_all()
        _end(one)
        _end(other_side)

    def _hold(self, packet: bytes, stream: _Stream, source: socket.socket) -> None:
        if not stream.begins(packet):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._tokens or source not in self._connections)
            if source not in self._connections:
                raise EOFError
            self._tokens -= 1


class _Stream:
    """What is known of a connection."""

    def __init__(self) -> None:
        self.header = 0  # bytes before an event, 0 where none are sent yet

    def asked(self, packet: bytes) -> None:
        """Of the replica's side."""
        if packet[:1] == bytes([_COMMAND_QUERY]) and _ACKNOWLEDGES in packet and b"SET" in packet[:8].upper():
            self._acknowledges = True
        elif packet[:1] == bytes([_COMMAND_DUMP]):
            self.header = 3 if self._acknowledges else 1

    _acknowledges = False

    def begins(self, packet: bytes) -> bool:
        """Whether it begins a transaction; of the source's side."""
        return bool(self.header) and packet[:1] == b"\0" and packet[self.header + 4 : self.header + 5] == _GTID

    # an event: seconds (4 bytes), type (1), and so on


_GTID = bytes([_GTID_EVENT])


def _packets(one: socket.socket) -> Iterator[bytes]:
    """Each with its header: length (3 bytes) and number (1). Raises EOFError at the end."""
    while True:
        header = _exactly(one, 4)
        yield header + _exactly(one, int.from_bytes(header[:3], "little"))


def _exactly(one: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = one.recv(size - len(found))
        if not more:
            raise EOFError
        found += more
    return found


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side may have ended it
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def until(question: object, seconds: float, what: str) -> bool:
    """Whether it comes true in time."""
    try:
        return bool(poll(question, Deadline(seconds), what, 0.02))  # type: ignore[arg-type]
    except TimedOut:
        return False
