"""The api of the boot flow, and its callers. Every boot is noted.

    bootapi WRITER BALANCER TRANSPORT --first ID [--quorum] [--rate 20]

The URLs are those of the writer address, of the balancer in front of the replicas, and of all brokers. Waits until the
workers answer. Then four threads ask for boots, `rate` a second together: insert the instance's row, cast to the
scheduler. One more reads the open instances' states from the replicas, as callers do who ask again and again. A JSON line
when a boot begins, when it is accepted, and when it has ended go to standard output. The end of standard input ends the
run, once all boots have ended.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from oslo_db.exception import DBError
from sqlalchemy.exc import OperationalError

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.checkers.boots import FAILED, FINAL
from backstay_lab.checkers.history import Boot
from backstay_lab.clients.bootdb import Database
from backstay_lab.clients.program import note, run, turns
from backstay_lab.clients.rpc import SCHEDULER, SERVERS, TOPIC, Oslo
from backstay_lab.clients.rpcclient import wait_ready

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLERS = 4
TRIES = 30  # of a transaction, half a second apart, before the caller is told that it failed
LOOK = 0.1  # seconds between two looks at the open instances
ANSWERS = 20.0  # seconds for the api's last answers
PATIENCE = 60.0  # seconds for the last boots to end


class Record:
    """What is known of the boots that are open. All threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, Boot] = {}

    def note(self, boot: Boot) -> None:
        with self._lock:
            if boot.accepted is not None and boot.ended is None:
                self._open[boot.id] = boot
            else:
                self._open.pop(boot.id, None)
            note(boot._asdict())

    def open(self) -> list[Boot]:
        with self._lock:
            return list(self._open.values())


def boot(database: Database, scheduler: Any, record: Record, number: int, caller: int) -> None:
    """One request to the api."""
    asked = Boot(number, caller, time.monotonic())
    record.note(asked)
    try:
        database.insert(number)
        scheduler.cast({}, "build", number=number)
    except Exception as reason:  # noqa: BLE001 - whatever went wrong, the caller is told that it did
        record.note(asked._replace(ended=time.monotonic(), state=FAILED, error=repr(reason)))
    else:
        record.note(asked._replace(accepted=time.monotonic()))


def ask(
    request: tuple[Database, Any, Record, Iterator[int]], caller: int, period: float, stop: threading.Event
) -> None:
    """Boot after boot; `request`: database, scheduler, record, numbers."""
    database, scheduler, record, numbers = request
    for _ in turns(stop, time.monotonic() + period * caller / CALLERS, period):
        boot(database, scheduler, record, next(numbers), caller)


def look(database: Database, record: Record, stop: threading.Event) -> None:
    """Note which instances have come to an end, until `stop`. A caller who gets no answer asks again."""
    while not stop.wait(LOOK):
        pending = {one.id: one for one in record.open()}
        if not pending:
            continue
        try:
            states = database.states(list(pending))
        except (DBError, OperationalError) as error:
            logging.warning("no answer from the replicas: %s", error)
            continue
        for number in (number for number, state in states.items() if state in FINAL):
            record.note(pending[number]._replace(ended=time.monotonic(), state=states[number]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Boot instances, and note every boot.")
    parser.add_argument("writer")
    parser.add_argument("balancer")
    parser.add_argument("transport")
    parser.add_argument("--first", type=int, required=True, help="the smallest id")
    parser.add_argument("--quorum", action="store_true")
    parser.add_argument("--rate", type=float, default=20.0, help="boots a second")
    options = parser.parse_args()
    database = Database(options.writer, options.balancer, TRIES)
    database.create_tables()
    oslo = Oslo(options.transport, options.quorum)
    for topic, server in ((SCHEDULER, SCHEDULER), *((TOPIC, name) for name in SERVERS)):
        wait_ready(oslo.client(oslo.target(topic=topic, server=server, version="1.0"), 10))
    scheduler = oslo.client(oslo.target(topic=SCHEDULER, version="1.0"), 10)
    record, ended = Record(), threading.Event()
    request = database, scheduler, record, itertools.count(options.first)
    threading.Thread(target=look, args=(database, record, ended), daemon=True).start()
    with contextlib.suppress(TimedOut):  # a boot without an end is the checker's to find
        run([partial(ask, request, caller, CALLERS / options.rate) for caller in range(CALLERS)], ANSWERS)
    with contextlib.suppress(TimedOut):
        poll(lambda: not record.open(), Deadline(PATIENCE), "the last boots to end", LOOK)
    ended.set()


if __name__ == "__main__":
    main()
