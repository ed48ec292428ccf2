"""A client of remote procedure calls on oslo.messaging, as nova-api and nova-conductor are. Every request is noted.

    rpcclient TRANSPORT_URL --first ID [--quorum] [--topic compute] [--rate 10] [--timeout 10] [--unjudged]

Waits until all servers answer. Then one thread casts, some call; `rate` requests of each kind a second. A JSON line when
a request begins and one when it has ended go to standard output. The end of standard input ends the run, once all
requests have ended and, unless nobody judges what became of casts, each server has answered once more: by then it has had
all that came before.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from typing import TYPE_CHECKING, Any

import oslo_messaging

from backstay.ocf.errors import TimedOut
from backstay_lab.clients.program import note, run, turns
from backstay_lab.clients.rpc import SERVERS, TOPIC, Oslo

if TYPE_CHECKING:
    import threading

CALLERS = 4
PATIENCE = 30  # seconds for the servers' first answer, and for the last


class Requester:
    """One thread. Takes numbers from a counter that all share."""

    def __init__(self, kind: str, clients: list[Any], numbers: Any, period: float) -> None:
        self.kind, self.clients, self.numbers, self.period = kind, clients, numbers, period

    def request(self, stop: threading.Event) -> None:
        for _ in turns(stop, time.monotonic(), self.period):
            number = next(self.numbers)
            begun = time.monotonic()
            self._note(number, begun)
            try:
                result, error = self._ask(number), ""
            except Exception as reason:  # noqa: BLE001 - whatever the driver reports, it reported it
                result, error = "fail", repr(reason)
            self._note(number, begun, time.monotonic(), result, error)

    def _ask(self, number: int) -> str:
        client = self.clients[number % len(self.clients)]
        if self.kind == "cast":
            client.cast({}, "note", number=number)
            return "ok"
        return "ok" if client.call({}, "echo", number=number) == number else "wrong"

    def _note(self, number: int, begun: float, ended: float | None = None, result: str = "", error: str = "") -> None:
        note({"id": number, "kind": self.kind, "begun": begun, "ended": ended, "result": result, "error": error})


def wait_ready(client: Any) -> None:
    """Until the client's server answers: what is sent to a queue that is not there yet is dropped."""
    begun = time.monotonic()
    while True:
        try:
            client.prepare(timeout=1).call({}, "ready")
            return
        except oslo_messaging.MessagingTimeout:
            if time.monotonic() - begun > PATIENCE:
                raise


def main() -> None:
    parser = argparse.ArgumentParser(description="Call and cast, and note every request.")
    parser.add_argument("url")
    parser.add_argument("--first", type=int, required=True, help="the smallest id")
    parser.add_argument("--quorum", action="store_true")
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--rate", type=float, default=10.0, help="calls a second, and casts")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for an answer")
    parser.add_argument("--unjudged", action="store_true", help="nobody asks what became of casts")
    options = parser.parse_args()
    oslo = Oslo(options.url, options.quorum)
    clients = [
        oslo.client(oslo.target(topic=options.topic, server=name, version="1.0"), options.timeout) for name in SERVERS
    ]
    for client in clients:
        wait_ready(client)
    numbers = itertools.count(options.first)
    kinds = [("cast", 1 / options.rate), *[("call", CALLERS / options.rate)] * CALLERS]
    with contextlib.suppress(TimedOut):  # a request without an end is the checker's to find
        run([Requester(kind, clients, numbers, period).request for kind, period in kinds], 2 * options.timeout)
    for client in [] if options.unjudged else clients:
        wait_ready(client)


if __name__ == "__main__":
    main()
