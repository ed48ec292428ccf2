"""The sampler: is this server writable, asked of every server every 50 ms. Needs python3 and pymysql.

    sampler NODE=URL ... [--interval 0.05] [--deadline 0.3]

Reading @@read_only needs no privilege. A JSON line per sample goes to standard output; the end of standard input ends
the run. A server that gives no answer within `deadline` is sampled as unknown, never as read-only.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pymysql

from backstay.rehearse.ledger import ask, connect
from backstay.rehearse.program import note, run, turns

if TYPE_CHECKING:
    import threading


def writable(connection: Any) -> bool:
    """Whether an ordinary account may write. super_read_only implies read_only, so one variable tells; MariaDB 12
    answers in words."""
    return str(ask(connection, "SELECT @@global.read_only")) in ("0", "OFF")


def sample(node: str, url: str, options: argparse.Namespace, stop: threading.Event) -> None:
    """One thread, one connection, one server."""
    connection = None
    for _ in turns(stop, time.monotonic(), options.interval):
        begun = time.monotonic()
        answer: bool | None = None
        try:
            if connection is None:
                connection = connect(url, options.deadline)
                begun = time.monotonic()
            answer = writable(connection)
        except (OSError, pymysql.err.MySQLError):
            if connection is not None:
                connection._force_close()
            connection = None
        note({"node": node, "begun": begun, "ended": time.monotonic(), "writable": answer})


def main() -> None:
    parser = argparse.ArgumentParser(description="Sample which servers are writable.")
    parser.add_argument("servers", nargs="+", metavar="NODE=URL")
    parser.add_argument("--interval", type=float, default=0.05)
    parser.add_argument("--deadline", type=float, default=0.3)
    options = parser.parse_args()
    servers = [server.partition("=") for server in options.servers]
    run([partial(sample, node, url, options) for node, _, url in servers])


if __name__ == "__main__":
    main()
