"""A connection that somebody logged in, used by the protocol alone: text queries, no driver. The watcher uses it, since
PyMySQL would take 4 MiB there. Source: MySQL client/server protocol, "Text Resultset"; without CLIENT_DEPRECATE_EOF, as
PyMySQL logs in."""

from __future__ import annotations

from _socket import socket, timeout

from backstay.host.deadline import Deadline
from backstay.services.mysql.server import Server, ServerDown, ServerSilent, StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.server import Row

_QUERY, _PING = 0x03, 0x0E
_OK, _NULL, _EOF, _ERROR = 0x00, 0xFB, 0xFE, 0xFF  # first byte of a packet or, NULL, of a value
_INTEGERS = {1, 2, 3, 8, 9, 13}  # TINY, SHORT, LONG, LONGLONG, INT24, YEAR
_LONG = 0xFFFFFF  # a packet of this length goes on in the next


class Wire(Server):
    """Answers as Server does: integers are int, the rest is str, NULL is None. Owns the descriptor."""

    def __init__(self, where: str, deadline: Deadline, descriptor: int) -> None:
        self.where = where
        self.deadline = deadline
        self._socket = socket(fileno=descriptor)
        self._unread = b""

    def ping(self) -> None:
        """Raises ServerSilent and ServerDown."""
        self._send(_PING, b"")
        self._packet()

    def query(self, sql: str, arguments: tuple[object, ...] | None = None) -> list[Row]:
        """Run one statement, which takes no arguments here; its rows. Raises ServerSilent, ServerDown, StatementFailed."""
        if arguments:
            raise NotImplementedError("only the driver knows how to quote")
        self._send(_QUERY, sql.encode("utf-8", "surrogateescape"))
        try:
            return self._rows()
        except (LookupError, ValueError):
            raise ServerDown(f"{self.where} says what no text query answers") from None

    def _rows(self) -> list[Row]:
        """The rows of an answer. Raises LookupError and ValueError where it is cut off or none, and as `_packet` does."""
        head = self._packet()
        if head[0] == _OK:
            return []
        columns = [_column(self._packet()) for _ in range(_number(head, 0)[0])]
        self._packet()  # end of the columns
        rows: list[Row] = []
        while True:
            packet = self._packet()
            if packet[0] == _EOF and len(packet) < 9:
                return rows
            at = 0
            row: Row = {}
            for name, kind in columns:
                value, at = _value(packet, at)
                row[name] = int(value) if value is not None and kind in _INTEGERS else value
            rows.append(row)

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _send(self, command: int, body: bytes) -> None:
        self._unread = b""
        try:
            self._socket.settimeout(self.deadline.remaining() or 0.001)
            self._socket.sendall((1 + len(body)).to_bytes(3, "little") + b"\0" + bytes([command]) + body)
        except timeout:
            raise ServerSilent(f"{self.where} does not answer") from None
        except OSError as error:
            raise ServerDown(f"{self.where} went away: {error}") from None

    def _packet(self) -> bytes:
        """The next packet's content, never empty."""
        head = self._bytes(4)
        length = int.from_bytes(head[:3], "little")
        if not 0 < length < _LONG:
            raise ServerDown(f"{self.where} says what no text query answers")
        packet = self._bytes(length)
        if packet[0] == _ERROR:
            raise StatementFailed(
                f"{self.where}: {packet[9:].decode('utf-8', 'replace')}", int.from_bytes(packet[1:3], "little")
            )
        return packet

    def _bytes(self, count: int) -> bytes:
        while len(self._unread) < count:
            try:
                self._socket.settimeout(self.deadline.remaining() or 0.001)
                more = self._socket.recv(1 << 16)
            except timeout:
                raise ServerSilent(f"{self.where} does not answer") from None
            except OSError as error:
                raise ServerDown(f"{self.where} went away: {error}") from None
            if not more:
                raise ServerDown(f"{self.where} ended the connection")
            self._unread += more
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken


def _number(packet: bytes, at: int) -> tuple[int, int]:
    """A length-encoded integer, and where it ends."""
    first = packet[at]
    if first < _NULL:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : at + 1 + size], "little"), at + 1 + size


def _value(packet: bytes, at: int) -> tuple[str | None, int]:
    if packet[at] == _NULL:
        return None, at + 1
    length, at = _number(packet, at)
    return packet[at : at + length].decode("utf-8", "replace"), at + length


def _column(packet: bytes) -> tuple[str, int]:
    """Name and type from a column definition: catalog, schema, table, its own name, NAME, its own name, …, type."""
    at = 0
    for _ in range(4):
        _, at = _value(packet, at)
    name, at = _value(packet, at)
    _, at = _value(packet, at)
    return name or "", packet[at + 7]  # after the length of what follows (1), character set (2) and width (4)
