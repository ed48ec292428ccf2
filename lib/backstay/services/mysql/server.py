"""Talks SQL to one server, by the driver. Decides nothing; every call has a deadline. connect.py chooses between this and the
protocol alone.

A call that goes wrong raises one of these, each with a sentence for the admin:

| error           | means                                                                       | is the server dead?       |
|-----------------|-----------------------------------------------------------------------------|---------------------------|
| ServerDown      | nothing listens                                                             | yes, or not yet up        |
| ServerSilent    | it accepted the connection or the network swallowed it; no answer in time   | hung, stalled or far away |
| ServerUntrusted | its certificate is not one that the authority vouches for, it offers no     | no                        |
|                 | TLS, or the authority's file is of no use                                   |                           |
| ServerBusy      | no free connection (1040, 1203)                                             | no                        |
| ServerRefused   | it answered and denies the account or the privilege                         | no                        |
| StatementFailed | it answered with another error; `number` is MySQL's                         | no                        |
"""

from __future__ import annotations

from struct import pack

from backstay.host import site_packages
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

    Row = dict[str, Any]

# Server error numbers, "Server Error Message Reference"
_BUSY = {
    1040: "max_connections is full",
    1203: "max_user_connections is full",
    1226: "a limit of its account is reached",
}
_DENIED = {1044, 1045, 1130, 1142, 1227, 1396, 1698, 3118, 1862}
_LOST = {2006, 2013}
_REFUSED = 111  # ECONNREFUSED
NO_SUCH_THREAD, NO_SUCH_DATABASE, NO_SUCH_TABLE, NO_SUCH_VARIABLE = 1094, 1049, 1146, 1193
LOCKED = {1205, 1223, 1099}  # a lock was waited for too long; this session's own read lock; a table locked for reading
BINLOG_DUMP = 0x12  # COM_BINLOG_DUMP
_HEAVY = ("cryptography", "ssl", "_hashlib")


class ServerDown(AgentError):
    """Nothing listens there."""


class ServerSilent(TimedOut):
    """No answer in time."""


class ServerUntrusted(AgentError):
    """Verified TLS is asked for and cannot be had. Nothing secret was said."""


class ServerBusy(AgentError):
    """All connections are taken; the server lives."""


class ServerRefused(AgentError):
    """The server lives and denies the account."""


class StatementFailed(AgentError):
    """The server lives and the statement failed. number: MySQL's, 0 when it is not known any more."""

    number = 0

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.number = number


def driver(encrypted: bool) -> ModuleType:
    """PyMySQL, without what this connection cannot need.

    It imports cryptography, ssl and OpenSSL's hashes at once, 48 of its 58 ms, for logins over a network. A monitor asks
    over the local socket, so there they look absent to it (it is made for that; hashlib has its own SHA-1); an encrypted
    connection loads it again whole.
    """
    import sys

    loaded = sys.modules.get("pymysql")
    if loaded is not None and (not encrypted or loaded.connections.SSL_ENABLED):
        return loaded
    for name in [name for name in sys.modules if name.partition(".")[0] == "pymysql"]:
        del sys.modules[name]
    site_packages.reach()
    hidden = [] if encrypted else [name for name in _HEAVY if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes an import fail
    try:
        import pymysql.cursors
    finally:
        for name in hidden:
            del sys.modules[name]
    made: ModuleType = pymysql
    return made


class Server:
    """A connection. `where` is how messages call it.

    Connects at once; raises ServerDown, ServerSilent, ServerBusy or ServerRefused.
    """

    def __init__(
        self,
        where: str,
        deadline: Deadline,
        user: str,
        password: str,
        socket: str = "",
        host: str = "",
        port: int = 0,
        tls: Mapping[str, object] | None = None,
    ) -> None:
        pymysql = self._pymysql = driver(encrypted=tls is not None)
        self.where = where
        self.deadline = deadline
        self._user = user
        self._remote = "" if socket else f"port {port}"
        self._authority = str(tls.get("ca") or "") if tls else ""
        seconds = _whole(deadline)
        how: dict[str, Any] = {"unix_socket": socket} if socket else {"host": host, "port": port}
        if tls is not None:
            how["ssl"] = dict(tls)
        try:
            self._connection = pymysql.connect(
                user=user,
                password=password.encode("utf-8", "surrogateescape"),  # of a text the driver would make Latin-1
                connect_timeout=seconds,
                read_timeout=seconds,
                write_timeout=seconds,
                autocommit=True,
                cursorclass=pymysql.cursors.DictCursor,
                defer_connect=True,
                **how,
            )
            if self._authority:
                self._insist_on_tls()
            self._connection.connect()
        except pymysql.MySQLError as error:
            raise self._translated(error) from None
        except OSError as error:
            if self._authority:  # connecting fails as a MySQLError: this is its file
                why = error.strerror or str(error)
                raise ServerUntrusted(f"tls_ca {self._authority} cannot be used: {why}") from None
            raise ServerDown(f"{where} cannot be reached: {error}") from None
        except RuntimeError as error:  # RuntimeError: cryptography is missing for sha2 without TLS
            raise ServerDown(f"{where} cannot be reached: {error}") from None

    def _insist_on_tls(self) -> None:
        """Log in with TLS or not at all: the driver goes on in clear text with a server that offers none."""
        pymysql, log_in = self._pymysql, self._connection._request_authentication

        def guarded() -> None:
            if not self._connection.server_capabilities & pymysql.constants.CLIENT.SSL:
                raise ServerUntrusted(
                    f"{self.where} offers no TLS, and tls_ca asks for it: set ssl_cert and ssl_key there"
                )
            log_in()

        self._connection._request_authentication = guarded

    def query(self, sql: str, arguments: tuple[object, ...] | None = None) -> list[Row]:
        """Run one statement within the deadline; its rows, as dictionaries. Raises the errors of the table."""
        pymysql = self._pymysql
        # The driver's timeouts are per read of the socket; one statement is one read here, so they bound it.
        self._connection._read_timeout = max(0.05, self.deadline.remaining())
        try:
            with self._connection.cursor() as cursor:
                cursor.execute(sql, arguments)
                return list(cursor.fetchall() or ())
        except pymysql.MySQLError as error:
            raise self._translated(error) from None
        except OSError as error:
            raise ServerDown(f"{self.where} went away: {error}") from None

    def one(self, sql: str, arguments: tuple[object, ...] | None = None) -> Row:
        """The first row, empty when there is none."""
        rows = self.query(sql, arguments)
        return rows[0] if rows else {}

    def kill(self, threads: list[int]) -> None:
        """End these connections; one that is gone already is fine."""
        for thread in threads:
            try:
                self.query(f"KILL {thread:d}")
            except StatementFailed as error:
                if error.number != NO_SUCH_THREAD:
                    raise

    def dump(self, server_id: int) -> None:
        """Ask for the binary log from its beginning, as a replica of that id does (COMBINLOG_DUMP), and read none of it."""
        try:
            self._connection._execute_command(BINLOG_DUMP, pack("<IHI", 4, 0, server_id))  # 4: the first event
        except self._pymysql.MySQLError as error:
            raise self._translated(error) from None
        except OSError as error:
            raise ServerDown(f"{self.where} went away: {error}") from None

    def within(self, deadline: Deadline) -> Server:
        """The same connection, bounded by another deadline from now on."""
        self.deadline = deadline
        return self

    def fileno(self) -> int:
        """The connection's descriptor, for whoever goes on with it by the protocol alone."""
        descriptor: int = self._connection._sock.fileno()
        return descriptor

    def close(self) -> None:
        self._connection.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _translated(self, error: Exception) -> AgentError:
        number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        said = str(error.args[-1]) if error.args else str(error)
        cause = error.__context__ or getattr(error, "original_exception", None)
        distrust = getattr(cause, "verify_message", "")  # of ssl.SSLCertVerificationError, which is seldom loaded
        if distrust and self._authority:
            return ServerUntrusted(
                f"{self.where} has no certificate that tls_ca {self._authority} vouches for: {distrust}"
            )
        if number in (2002, 2003) or number in _LOST:
            cause = getattr(error, "original_exception", cause)
            if self.deadline.expired or isinstance(cause, TimeoutError) or "timed out" in said:
                return ServerSilent(f"{self.where} does not answer")
            return unreachable(self.where, self._remote, getattr(cause, "errno", 0), said)
        if isinstance(error, self._pymysql.InterfaceError):
            return not_connected(self.where)  # the driver closes what it lost
        return denied(self.where, self._user, number, said)


def unreachable(where: str, remote: str, errno: int, said: str) -> ServerDown:
    """remote: its port in words, "" for a socket."""
    refused = errno == _REFUSED and remote
    listens = f": start it, or have it listen there ({remote}, bind-address)" if refused else f": {said}"
    return ServerDown(f"{where} is not reachable{listens}")


def not_connected(where: str) -> ServerDown:
    """A connection whose answer did not come in time is no use: the next answer read would be the late one."""
    return ServerDown(f"{where} is not connected any more")


def denied(where: str, user: str, number: int, said: str) -> AgentError:
    """An error that the server answers with. number: MySQL's."""
    if number in _BUSY:
        return ServerBusy(f"{_BUSY[number]} on {where.replace('the server on ', '')}, it has no free connection")
    if number in _DENIED:
        return ServerRefused(f"{where} refuses {user}: {said}")
    return StatementFailed(f"{where}: {said} ({number})", number)


def _whole(deadline: Deadline) -> float:
    """The driver takes seconds above zero."""
    return max(0.05, deadline.remaining())


def answers(socket: str, seconds: float) -> bool:
    """Whether a server greets on the socket: no login needed, a few bytes read. A hung one accepts and stays silent."""
    import socket as sockets

    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(seconds)
        try:
            probe.connect(socket)
            return bool(probe.recv(5))
        except OSError:
            return False
