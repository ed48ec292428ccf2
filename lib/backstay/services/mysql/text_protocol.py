"""A connection by the protocol alone: text queries, no driver. PyMySQL loads for 40 ms of CPU what one action asks in two, and
takes 4 MiB where a process stays. Source: MySQL client/server protocol, "Text Resultset"; without CLIENT_DEPRECATE_EOF, as
PyMySQL logs in. login.py logs in."""

from __future__ import annotations

from _socket import socket, timeout
from struct import pack

from backstay.host.deadline import Deadline
from backstay.services.mysql.server import BINLOG_DUMP, Server, ServerDown, ServerSilent, denied, not_connected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.server import Row

_QUIT, _QUERY, _PING = 0x01, 0x03, 0x0E
_OK, _NULL, _EOF, _ERROR = 0x00, 0xFB, 0xFE, 0xFF  # first byte of a packet or, NULL, of a value
_INTEGERS = {1, 2, 3, 8, 9, 13}  # TINY, SHORT, LONG, LONGLONG, INT24, YEAR
_LONG = 0xFFFFFF  # a packet of this length goes on in the next
_LONGEST = 1 << 30  # bytes of an answer, max_allowed_packet at most


class Wire(Server):
    """Answers as Server does: integers are int, the rest is str, NULL is None. Owns the descriptor. user: for messages.
    escapes: a backslash in a literal is one (no NO_BACKSLASH_ESCAPES). sequence: number of the last packet that came."""

    def __init__(self, where: str, deadline: Deadline, descriptor: int, user: str = "") -> None:
        self.where = where
        self.deadline = deadline
        self.escapes = True
        self.sequence = -1
        self._user = user
        self._socket = socket(fileno=descriptor)
        self._unread = b""
        self._lost = False

    def ping(self) -> None:
        """Raises ServerSilent and ServerDown."""
        self._command(_PING, b"")
        self.packet()

    def query(self, sql: str, arguments: tuple[object, ...] | None = None) -> list[Row]:
        """Run one statement; its rows. arguments: int, float or str. Raises the errors of server.py's table."""
        if arguments is not None:
            sql %= tuple(self._literal(argument) for argument in arguments)
        self._command(_QUERY, sql.encode("utf-8", "surrogateescape"))
        try:
            return self._rows()
        except (LookupError, ValueError):
            raise self._gone(f"{self.where} says what no text query answers") from None

    def dump(self, server_id: int) -> None:
        self._command(BINLOG_DUMP, pack("<IHI", 4, 0, server_id))  # 4: the first event

    def _literal(self, value: object) -> str:
        if not isinstance(value, str):
            return str(value)
        text = value.replace("\\", "\\\\") if self.escapes else value
        return "'" + text.replace("'", "''") + "'"

    def _rows(self) -> list[Row]:
        """The rows of an answer. Raises LookupError and ValueError where it is cut off or none, and as `packet` does."""
        head = self.packet()
        if head[0] == _OK:
            return []
        columns = [_column(self.packet()) for _ in range(_number(head, 0)[0])]
        self.packet()  # end of the columns
        rows: list[Row] = []
        while True:
            packet = self.packet()
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
        """With a goodbye, or the server would log that the connection was aborted."""
        try:
            if not self._lost:
                self._socket.settimeout(0)
                self._socket.send(b"\1\0\0\0" + bytes([_QUIT]))
        except OSError:
            pass  # what it does not take it need not hear
        self._socket.close()

    def _command(self, command: int, body: bytes) -> None:
        if self._lost:
            raise not_connected(self.where)
        self._unread = b""
        self.send(0, bytes([command]) + body)

    def send(self, sequence: int, body: bytes) -> None:
        """One packet. Raises ServerSilent and ServerDown."""
        try:
            self._socket.settimeout(self.deadline.remaining() or 0.001)
            self._socket.sendall(len(body).to_bytes(3, "little") + bytes([sequence & 0xFF]) + body)
        except timeout:
            raise self._silent() from None
        except OSError as error:
            raise self._gone(f"{self.where} went away: {error}") from None

    def packet(self) -> bytes:
        """The next packet's content, never empty. Raises ServerSilent, ServerDown, and the error that the server answers with."""
        packet = b""
        while True:
            head = self._bytes(4)
            self.sequence = head[3]
            length = int.from_bytes(head[:3], "little")
            packet += self._bytes(length)
            if length < _LONG:
                break
            if len(packet) > _LONGEST:
                raise self._gone(f"{self.where} says what no text query answers")
        if not packet:
            raise self._gone(f"{self.where} says what no text query answers")
        if packet[0] == _ERROR:
            said = packet[9:] if packet[3:4] == b"#" else packet[3:]  # before the login there is no SQLSTATE
            number = int.from_bytes(packet[1:3], "little")
            raise denied(self.where, self._user, number, said.decode("utf-8", "replace"))
        return packet

    def _bytes(self, count: int) -> bytes:
        while len(self._unread) < count:
            try:
                self._socket.settimeout(self.deadline.remaining() or 0.001)
                more = self._socket.recv(max(1 << 16, count - len(self._unread)))
            except timeout:
                raise self._silent() from None
            except OSError as error:
                raise self._gone(f"{self.where} went away: {error}") from None
            if not more:
                raise self._gone(f"{self.where} ended the connection")
            self._unread += more
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _silent(self) -> ServerSilent:
        self._lost = True
        return ServerSilent(f"{self.where} does not answer")

    def _gone(self, why: str) -> ServerDown:
        self._lost = True
        return ServerDown(why)


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
