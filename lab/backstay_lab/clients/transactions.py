"""Registers, lists and transactions through the writer address, every operation noted. Needs python3 and pymysql.

    transactions URL --first ID [--clients 3] [--keys 2] [--interval 0.05] [--deadline 1.0]

A register is one row that is changed by compare-and-set alone. A list is a text that grows by an item in a transaction which
also inserts PARTS rows with the item's id. Clients take turns, an operation every `interval` seconds; the second half of
them reads more than it writes. A JSON line per operation goes to standard output, in the format of campaign.registers; the
end of standard input ends the run.

    transactions URL --final ID NEXT      what is there of the ids from ID to before NEXT, as one JSON object
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

import pymysql

from backstay_lab.clients.ledger import ask, classify, connect
from backstay_lab.clients.program import note, run, turns

if TYPE_CHECKING:
    import threading

PARTS = 3  # as campaign.registers has it
TABLES = (
    "CREATE TABLE IF NOT EXISTS register (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS list (id BIGINT PRIMARY KEY, items MEDIUMTEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS part (id BIGINT NOT NULL, part INT NOT NULL, list BIGINT NOT NULL, PRIMARY KEY (id, part))",
)
ERRORS = (OSError, pymysql.err.MySQLError)


def swap(connection: Any, key: int, item: int, seen: dict[int, int]) -> dict[str, object]:
    """From the value that this client saw last."""
    old = seen.get(key, 0)
    with connection.cursor() as cursor:
        found = cursor.execute("UPDATE register SET value = %s WHERE id = %s AND value = %s", (item, key, old))
    if found:
        seen[key] = item
    return {"old": old, "new": item, "result": "ok" if found else "fail"}


def read(connection: Any, key: int, item: int, seen: dict[int, int]) -> dict[str, object]:
    value = seen[key] = ask(connection, "SELECT value FROM register WHERE id = %s", key)
    return {"value": value}


def append(connection: Any, key: int, item: int, seen: dict[int, int]) -> dict[str, object]:
    with connection.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute("UPDATE list SET items = CONCAT(items, %s, ',') WHERE id = %s", (str(item), key))
        for part in range(PARTS):
            cursor.execute("INSERT INTO part VALUES (%s, %s, %s)", (item, part, key))
        cursor.execute("COMMIT")
    return {"new": item}


def listed(connection: Any, key: int, item: int, seen: dict[int, int]) -> dict[str, object]:
    return {"values": items(ask(connection, "SELECT items FROM list WHERE id = %s", key))}


def items(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


OPERATIONS = {"swap": swap, "read": read, "append": append, "list": listed}
MIXES = (("swap", "read", "swap", "append"), ("read", "list", "swap", "read", "append"))


class Client:
    """One client with one connection and a memory of what it read."""

    def __init__(self, number: int, options: argparse.Namespace) -> None:
        self.number, self.options = number, options
        self.chance = Random(number)  # noqa: S311
        self.mix = MIXES[number % 2]
        self.connection: Any = None
        self.server: int | None = None
        self.seen: dict[int, int] = {}

    def operate(self, item: int) -> dict[str, object]:
        """One operation; the record of it. What an error leaves uncertain is `unknown`, where only the last statement of a
        transaction can leave anything uncertain: nothing before it commits."""
        kind, key = self.chance.choice(self.mix), self.options.first + self.chance.randrange(self.options.keys)
        begun = time.monotonic()
        record: dict[str, object] = {"worker": self.number, "kind": kind, "key": key, "begun": begun, "result": "ok"}
        if kind in ("swap", "append"):
            record["new"] = item
        if kind == "swap":
            record["old"] = self.seen.get(key, 0)
        try:
            if self.connection is None:
                self.connection = connect(self.options.url, self.options.deadline)
                self.server = ask(self.connection, "SELECT @@server_id")
        except ERRORS as error:
            record.update(result="fail", error=str(error))  # nothing was sent
            self.drop()
        else:
            record["server"] = self.server
            try:
                record.update(OPERATIONS[kind](self.connection, key, item, self.seen))
            except ERRORS as error:
                record.update(result=classify(error), error=str(error))
                self.drop()
        return {**record, "ended": time.monotonic()}

    def drop(self) -> None:
        if self.connection is not None:
            self.connection._force_close()
        self.connection = None


def work(client: Client, start: float, stop: threading.Event) -> None:
    """An operation at each of the client's turns."""
    options = client.options
    for turn in turns(stop, start, options.interval, client.number, options.clients):
        note(client.operate(options.first + options.keys + turn))


def prepare(options: argparse.Namespace) -> None:
    connection = connect(options.url, 10)
    for statement in TABLES:
        ask(connection, statement)
    for key in range(options.first, options.first + options.keys):
        ask(connection, "INSERT INTO register VALUES (%s, 0)", key)
        ask(connection, "INSERT INTO list VALUES (%s, '')", key)


def final(url: str, first: int, last: int) -> dict[str, object]:
    """{"registers": {key: value}, "lists": {key: [item]}, "parts": {id: rows}}."""
    connection = connect(url, 10)

    def rows(sql: str) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(sql, (first, last))
            return cursor.fetchall()

    return {
        "registers": dict(rows("SELECT id, value FROM register WHERE id >= %s AND id < %s")),
        "lists": {key: items(text) for key, text in rows("SELECT id, items FROM list WHERE id >= %s AND id < %s")},
        "parts": dict(rows("SELECT id, COUNT(*) FROM part WHERE id >= %s AND id < %s GROUP BY id")),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Use registers, lists and transactions, and note every operation.")
    parser.add_argument("url")
    parser.add_argument("--first", type=int, help="the smallest id")
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--keys", type=int, default=2, help="registers, and lists")
    parser.add_argument("--interval", type=float, default=0.05, help="seconds between operations, all clients together")
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds to connect, to send, to receive")
    parser.add_argument("--final", type=int, nargs=2, metavar=("ID", "NEXT"))
    options = parser.parse_args()
    if options.final:
        json.dump(final(options.url, *options.final), sys.stdout)
        return
    prepare(options)
    start = time.monotonic()
    run([partial(work, Client(number, options), start) for number in range(options.clients)])


if __name__ == "__main__":
    main()
