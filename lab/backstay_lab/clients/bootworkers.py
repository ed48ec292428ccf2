"""The scheduler and the computes of the boot flow. Every final state that the database acknowledged is noted.

    bootworkers WRITER TRANSPORT [--quorum]

The scheduler casts to one of two computes, which gives the instance its final state. An instance that the scheduler cannot
pass on ends in error. A JSON line per final state goes to standard output; the end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import Any

from oslo_messaging.exceptions import MessagingException

from backstay_lab.checkers.boots import ACTIVE, ERROR
from backstay_lab.checkers.history import Final
from backstay_lab.clients.bootdb import Database
from backstay_lab.clients.program import note
from backstay_lab.clients.rpc import SCHEDULER, SERVERS, TOPIC, Oslo

TRIES = 400  # of a transaction, half a second apart: nobody else would do what the worker was told to


class Worker:
    """What all workers have. `ready` is called, the rest is cast."""

    def __init__(self, oslo: Oslo, database: Database, name: str) -> None:
        self.target = oslo.target(version="1.0")
        self._database = database
        self._name = name

    def ready(self, context: object) -> bool:
        """Whether this worker's queue is there."""
        return True

    def _finish(self, number: int, state: str) -> None:
        if self._database.finish(number, state, self._name):
            note(Final(number, time.monotonic(), state, self._name)._asdict())


class Scheduler(Worker):
    def __init__(self, oslo: Oslo, database: Database, name: str) -> None:
        super().__init__(oslo, database, name)
        self._computes: list[Any] = [
            oslo.client(oslo.target(topic=TOPIC, server=server, version="1.0"), 10) for server in SERVERS
        ]

    def build(self, context: object, number: int) -> None:
        try:
            self._computes[number % len(self._computes)].cast({}, "run", number=number)
        except MessagingException:
            self._finish(number, ERROR)


class Compute(Worker):
    def run(self, context: object, number: int) -> None:
        self._finish(number, ACTIVE)


def main() -> None:
    parser = argparse.ArgumentParser(description="Schedule and run instances, and note every final state.")
    parser.add_argument("writer")
    parser.add_argument("transport")
    parser.add_argument("--quorum", action="store_true")
    options = parser.parse_args()
    database = Database(options.writer, "", TRIES)
    oslo = Oslo(options.transport, options.quorum)
    oslo.server(oslo.target(topic=SCHEDULER, server=SCHEDULER), Scheduler(oslo, database, SCHEDULER)).start()
    for name in SERVERS:
        oslo.server(oslo.target(topic=TOPIC, server=name), Compute(oslo, database, name)).start()
    sys.stdin.read()
    os._exit(0)  # a server that stops asks brokers for their goodbye first


if __name__ == "__main__":
    main()
