"""Clients that come all in one moment, as after a failover, and what became of each. Needs python3 and pymysql.

    crowd.py URL [--clients 500] [--patience 30]

They come when a connection that rested has ended, as those of a pool do. Each connects, commits a row and goes. The first JSON
line is empty: the resting connection is there. Then one comes for each client when it is done: its error, "" for none, and the
seconds that it took. Connecting and each answer have `patience` seconds. The end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any

import pymysql

from backstay_lab.checkers.operations import kind
from backstay_lab.clients.ledger import ask, connect
from backstay_lab.clients.program import note, run

TABLE = "CREATE TABLE IF NOT EXISTS crowd (client INT NOT NULL)"
LOOK_EVERY = 0.1  # seconds
STACK = 256 << 10  # bytes of a thread: hundreds of the usual eight megabytes are more than a small machine has


def come(url: str, number: int, patience: float) -> None:
    begun, error = time.monotonic(), ""
    try:
        connection = connect(url, patience)
        ask(connection, "INSERT INTO crowd VALUES (%s)", number)
        connection.close()
    except (OSError, pymysql.err.MySQLError) as reason:
        error = kind(reason)
    note({"error": error, "seconds": time.monotonic() - begun})


def lives(connection: Any) -> bool:
    try:
        connection.ping(reconnect=False)
    except (OSError, pymysql.err.MySQLError):
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Clients that come all in one moment.")
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--patience", type=float, default=30.0)
    options = parser.parse_args()
    resting = connect(options.url, options.patience)
    ask(resting, TABLE)
    threading.stack_size(STACK)

    def all_of_them(stop: threading.Event) -> None:
        note({})
        while not stop.wait(LOOK_EVERY) and lives(resting):
            pass
        crowd = [
            threading.Thread(target=come, args=(options.url, number, options.patience))
            for number in range(options.clients)
        ]
        for client in crowd:
            client.start()
        for client in crowd:
            client.join()

    run([all_of_them], 2 * options.patience)


if __name__ == "__main__":
    main()
