"""A client of the database as nova is one: oslo.db (machines/packages.py) with its defaults. Every operation is noted.

    dbclient URL [--threads 10] [--interval 0.1]

oslo.db pings a pooled connection before it is used, connects once more when that fails, and then gives up; nothing here tries
again, and nothing bounds how long an answer may take. Each thread has an operation every `interval` seconds: a transaction of
an INSERT and a SELECT. A thread whose operation has not returned after LATE is left to it, and another
goes on: an application's users do. A
JSON line when an operation begins and one when it has ended go to standard output; the end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa
from oslo_db.sqlalchemy import enginefacade

from backstay.ocf.errors import TimedOut
from backstay_lab.checkers.history import Operation
from backstay_lab.checkers.operations import kind
from backstay_lab.clients.program import note, run, turns

if TYPE_CHECKING:
    import threading

LATE = 60.0  # seconds, as long as a proxy or a caller of an API usually waits
PATIENCE = 2.0  # seconds for what is under way at the end; what has no end by then is the reader's to find

# The lab's servers speak no TLS here. Unless told so, PyMySQL reads all certificates of the system before it connects: 60 ms of
# CPU for a connection that is refused, and the client would be busy with that instead of operating.
PLAIN = "?ssl_disabled=true"

TABLES = sa.MetaData()
ROWS = sa.Table(
    "operations",
    TABLES,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("thread", sa.Integer, nullable=False),
)


@enginefacade.transaction_context_provider
class Context:
    """Of one transaction."""


class Client:
    """An application's way to its database. Its threads share it."""

    def __init__(self, url: str) -> None:
        self._manager = enginefacade.transaction_context()
        self._manager.configure(connection=url.replace("mysql://", "mysql+pymysql://", 1) + PLAIN)
        TABLES.create_all(self._manager.writer.get_engine())
        self._numbers = itertools.count()

    def operate(self, thread: int) -> None:
        """One operation, noted."""
        begun = Operation(next(self._numbers), time.monotonic())
        note(begun._asdict())
        error = ""
        try:
            with self._manager.writer.using(Context()) as session:
                session.execute(sa.insert(ROWS).values(thread=thread))
                session.execute(sa.select(sa.func.count()).select_from(ROWS).where(ROWS.c.id < 5))
        except Exception as reason:  # noqa: BLE001 - whatever it is, it reached the application
            error = kind(reason)
        note(begun._replace(ended=time.monotonic(), error=error)._asdict())


def work(client: Client, thread: int, options: argparse.Namespace, start: float, stop: threading.Event) -> None:
    """A thread's operations, one after the other."""
    pool = ThreadPoolExecutor(1)
    for _ in turns(stop, start, options.interval / options.threads, thread, options.threads):
        try:
            pool.submit(client.operate, thread).result(LATE)
        except Late:
            pool = ThreadPoolExecutor(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Transactions as an application has them, each noted.")
    parser.add_argument("url")
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between two operations of a thread")
    options = parser.parse_args()
    client, start = Client(options.url), time.monotonic()
    with contextlib.suppress(TimedOut):
        run([partial(work, client, thread, options, start) for thread in range(options.threads)], PATIENCE)
    os._exit(0)  # threads that wait for ever are not waited for


if __name__ == "__main__":
    main()
