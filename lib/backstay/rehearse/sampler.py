"""The sampler: is this server writable, asked of every server every 50 ms. Needs python3 and pymysql.

    sampler NODE=URL ... [--interval 0.05] [--deadline 0.3]

Reading @@read_only needs no privilege. A JSON line per sample goes to standard output; the end of standard input ends
the run. A server that gives no answer within `deadline` is sampled as unknown, never as read-only.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from typing import Any

import pymysql

from backstay.rehearse.ledger import ask, connect


def writable(connection: Any) -> bool:
    """Whether an ordinary account may write. super_read_only implies read_only, so one variable tells; MariaDB 12
    answers in words."""
    return str(ask(connection, "SELECT @@global.read_only")) in ("0", "OFF")


def sample(node: str, url: str, options: argparse.Namespace, stop: threading.Event, emit: threading.Lock) -> None:
    """One thread, one connection, one server."""
    connection = None
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        begun = time.monotonic()
        due = max(due + options.interval, begun)
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
        line = json.dumps({"node": node, "begun": begun, "ended": time.monotonic(), "writable": answer})
        with emit:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Sample which servers are writable.")
    parser.add_argument("servers", nargs="+", metavar="NODE=URL")
    parser.add_argument("--interval", type=float, default=0.05)
    parser.add_argument("--deadline", type=float, default=0.3)
    options = parser.parse_args()
    stop, emit = threading.Event(), threading.Lock()
    servers = [server.partition("=") for server in options.servers]
    threads = [threading.Thread(target=sample, args=(node, url, options, stop, emit)) for node, _, url in servers]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
