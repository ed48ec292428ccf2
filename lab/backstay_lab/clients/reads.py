"""Read through a balancer and note who answered. Needs python3 and pymysql.

    reads.py URL [--readers 4] [--keepers 4] [--interval 0.01] [--deadline 1.0]

Readers connect anew for each read; together they begin one every `interval` seconds. Keepers read ten times a second on a
connection that they keep until it breaks. A JSON line per read goes to standard output: begun and ended (CLOCK_MONOTONIC),
kept, result, server (the node's name; of a broken connection the one that it was to) and error. The end of standard
input ends the run.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pymysql

from backstay_lab.clients.ledger import ask, connect
from backstay_lab.clients.program import note, run, turns

if TYPE_CHECKING:
    import threading

ERRORS = (OSError, pymysql.err.MySQLError)


def read(connection: Any) -> str:
    return str(ask(connection, "SELECT @@report_host"))


class Reader:
    def __init__(self, options: argparse.Namespace, kept: bool) -> None:
        self.options = options
        self.kept = kept
        self.connection: Any = None
        self.server = ""

    def attempt(self) -> dict[str, object]:
        begun = time.monotonic()
        result, error = "ok", ""
        try:
            if self.connection is None:
                self.server = ""
                self.connection = connect(self.options.url, self.options.deadline)
            self.server = read(self.connection)
        except ERRORS as reason:
            result, error = "fail", str(reason)
        record = {
            "begun": begun,
            "ended": time.monotonic(),
            "kept": self.kept,
            "result": result,
            "server": self.server,
            "error": error,
        }
        if self.connection is not None and (not self.kept or result != "ok"):
            self.connection._force_close()
            self.connection = None
        return record


def use(reader: Reader, start: float, step: float, stop: threading.Event) -> None:
    """A read at each of the reader's turns."""
    for _ in turns(stop, start, step):
        note(reader.attempt())


def main() -> None:
    parser = argparse.ArgumentParser(description="Read through a balancer and note who answered.")
    parser.add_argument("url")
    parser.add_argument("--readers", type=int, default=4)
    parser.add_argument("--keepers", type=int, default=4)
    parser.add_argument("--interval", type=float, default=0.01, help="seconds between reads, all readers together")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds to connect, to send, to receive")
    options = parser.parse_args()
    start = time.monotonic()
    run(
        [
            partial(use, Reader(options, kept), start + step * number / count, step)
            for kept, count, step in (
                (False, options.readers, options.interval * options.readers),
                (True, options.keepers, 0.1),
            )
            for number in range(count)
        ]
    )


if __name__ == "__main__":
    main()
