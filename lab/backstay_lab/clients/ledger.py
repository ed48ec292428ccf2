"""The ledger: unique rows through the writer address, every attempt noted. Needs python3 and pymysql.

    ledger.py URL --first ID [--writers 4] [--interval 0.01] [--deadline 1.0]

Writers take turns, so that there is one attempt every `interval` seconds; that is the precision of a measured gap.
Each keeps its connection until an error and then opens a fresh one. Connecting, sending and receiving have `deadline`
seconds each. A JSON line per attempt goes to standard output; the end of standard input ends the run.

The row carries the @@server_id of the server that stored it, so that the table itself tells who acknowledged what.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pymysql

from backstay_lab.clients.program import note, run, turns

if TYPE_CHECKING:
    import threading

TABLE = "CREATE TABLE IF NOT EXISTS ledger (id BIGINT PRIMARY KEY, writer INT NOT NULL, server BIGINT NOT NULL)"
# Errors that a server may report for a statement that it nevertheless commits: shutdown, interrupted, killed, network.
AMBIGUOUS = {1053, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 3058, 3168}


def connect(url: str, timeout: float, patience: float = 0.0) -> Any:
    """A connection in autocommit mode. `timeout` bounds connecting, `patience` (default: the same) every answer."""
    where = urlsplit(url)
    return pymysql.connect(
        host=where.hostname,
        port=where.port or 3306,
        user=unquote(where.username or ""),
        password=unquote(where.password or ""),
        database=where.path.strip("/") or None,
        connect_timeout=timeout,
        read_timeout=patience or timeout,
        write_timeout=patience or timeout,
        autocommit=True,
    )


def ask(connection: Any, sql: str, *values: object) -> Any:
    """The first column of the first row, None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    return row[0] if row else None


def classify(error: Exception) -> str:
    """What is known of an insert that ended in `error`. Numbers from 2000 to 2999 are the client's own, about the
    connection; all others come from the server."""
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    reported = isinstance(error, pymysql.err.MySQLError) and code >= 1000 and not 2000 <= code < 3000
    return "fail" if reported and code not in AMBIGUOUS else "unknown"


class Writer:
    """One client with one connection."""

    def __init__(self, number: int, options: argparse.Namespace) -> None:
        self.number = number
        self.options = options
        self.connection: Any = None
        self.server: int | None = None
        self.refused = False  # the last attempt did not get a connection

    def attempt(self, key: int) -> dict[str, object]:
        """Insert one row; the record of it."""
        begun = time.monotonic()
        result, error = "ok", ""
        try:
            self.open()
        except (OSError, pymysql.err.MySQLError) as reason:
            result, error = "fail", str(reason)  # the insert was never sent
            self.drop()
            self.refused = True
        else:
            self.refused = False
            try:
                ask(self.connection, "INSERT INTO ledger VALUES (%s, %s, @@server_id)", key, self.number)
            except (OSError, pymysql.err.MySQLError) as reason:
                result, error = classify(reason), str(reason)
        record = {
            "writer": self.number,
            "id": key,
            "begun": begun,
            "ended": time.monotonic(),
            "result": result,
            "server": self.server,
            "error": error,
        }
        if result != "ok":
            self.drop()
        return record

    def open(self) -> None:
        if self.connection is not None:
            return
        # All writers lose their connections in the same moment. Equal deadlines would make them try again in step,
        # once a second; the first new try gets a share of the deadline, and from then on they are spread over it.
        share = 1.0 if self.refused else (self.number + 1) / self.options.writers
        self.connection = connect(self.options.url, self.options.deadline * share, self.options.deadline)
        self.server = ask(self.connection, "SELECT @@server_id")

    def drop(self) -> None:
        if self.connection is not None:
            self.connection._force_close()  # no goodbye: the server may not be there to hear it
        self.connection = None
        self.server = None


def write(writer: Writer, start: float, stop: threading.Event) -> None:
    """Attempt a row at each of the writer's turns."""
    options = writer.options
    for turn in turns(stop, start, options.interval, writer.number, options.writers):
        note(writer.attempt(options.first + turn))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write unique rows through the writer address and note every attempt.")
    parser.add_argument("url")
    parser.add_argument("--first", type=int, required=True, help="the smallest id")
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between attempts, all writers together")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds to connect, to send, to receive")
    options = parser.parse_args()
    ask(connect(options.url, 10), TABLE)
    start = time.monotonic()
    run([partial(write, Writer(number, options), start) for number in range(options.writers)])


if __name__ == "__main__":
    main()
