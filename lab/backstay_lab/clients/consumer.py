"""Consumers that acknowledge: every delivery noted before it is acknowledged. Needs python3 and pika.

    consumer --queue NAME ... URL ...

One consumer a queue, each on a connection of its own, the first to the last node and so on. A JSON line per delivery goes
to standard output; `session` tells the connections of all consumers apart, `server` is the 1-based place of the URL whose
node delivered. The end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from backstay_lab.clients.program import note
from backstay_lab.clients.session import Session, new_loop, run

PREFETCH = 20


class Consumer:
    """One connection, one queue."""

    def __init__(self, number: int, options: argparse.Namespace, loop: Any) -> None:
        self.number, self.queue = number, options.queues[number]
        start = len(options.urls) - 1 - number % len(options.urls)
        self.session = Session(loop, options.urls, start, options.connect, self._opened, lambda reason: None)

    def _opened(self, channel: Any) -> None:
        channel.add_on_cancel_callback(lambda _: self.session.drop("the broker cancelled the consumer"))
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(self.queue, self._delivered)

    def _delivered(self, channel: Any, method: Any, head: Any, body: bytes) -> None:
        note(
            {
                "queue": self.queue,
                "id": int(body),
                "at": time.monotonic(),
                "redelivered": method.redelivered,
                "session": f"{self.number}.{self.session.number}",
                "server": self.session.server,
            }
        )
        channel.basic_ack(method.delivery_tag)


def main() -> None:
    parser = argparse.ArgumentParser(description="Consume, note and acknowledge.")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--queue", dest="queues", action="append", required=True, help="one per consumer")
    parser.add_argument("--connect", type=float, default=1.0, help="seconds for a connection")
    options = parser.parse_args()
    loop = new_loop()
    consumers = [Consumer(number, options, loop) for number in range(len(options.queues))]

    def end() -> None:
        for consumer in consumers:
            consumer.session.close()
        loop.call_later(0.5, loop.stop)  # the acknowledgements under way

    run(loop, end)


if __name__ == "__main__":
    main()
