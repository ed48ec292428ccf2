"""Publishers with confirms: unique persistent messages, every attempt noted. Needs python3 and pika.

    publisher --first ID --queue NAME ... URL ... [--interval 0.005] [--deadline 2.0]

One publisher a queue, each on a connection of its own, the first to the first node and so on. They take turns, so that
there is an attempt every `interval` seconds. A message is published `mandatory` and persistent through the default
exchange; its message id is the attempt's id. A JSON line per attempt goes to standard output, in the ledger's format:

    ok       confirmed, and not returned: it must never be lost
    fail     not sent, or returned as unroutable: it must never be seen
    unknown  refused (the broker may have kept it all the same), not confirmed within `deadline`, or the connection broke

`server` is the 1-based place of the URL whose node was asked. The end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import pika

from backstay_lab.clients.program import note
from backstay_lab.clients.session import Session, new_loop, run

WINDOW = 200  # unconfirmed messages of one publisher; more wait for nothing but memory


class Publisher:
    """One connection, one queue. Outstanding attempts are kept by delivery tag, oldest first."""

    def __init__(self, number: int, options: argparse.Namespace, loop: Any) -> None:
        self.number, self.queue, self.deadline = number, options.queues[number], options.deadline
        self.channel: Any = None
        self.outstanding: dict[int, tuple[int, float]] = {}
        self.returned: set[int] = set()
        self.tag = 0
        self.session = Session(loop, options.urls, number, options.connect, self._opened, self._lost)

    def attempt(self, key: int) -> None:
        now = time.monotonic()
        oldest = next(iter(self.outstanding.values()), None)
        if oldest and now - oldest[1] > self.deadline:
            self.session.drop("not confirmed in time")
        if self.channel is None or len(self.outstanding) >= WINDOW:
            self._note(key, now, "fail", "no connection" if self.channel is None else "too many unconfirmed")
            return
        self.tag += 1
        self.outstanding[self.tag] = key, now
        persistent = pika.BasicProperties(delivery_mode=2, message_id=str(key))
        self.channel.basic_publish("", self.queue, b"%d" % key, persistent, mandatory=True)

    def _opened(self, channel: Any) -> None:
        channel.add_on_return_callback(lambda _, method, head, body: self.returned.add(int(head.message_id)))
        channel.confirm_delivery(self._answered, callback=lambda _: self._ready(channel))

    def _ready(self, channel: Any) -> None:
        self.channel, self.tag = channel, 0

    def _answered(self, frame: Any) -> None:
        method = frame.method
        upto = range(next(iter(self.outstanding), 0), method.delivery_tag + 1)
        for tag in [tag for tag in upto if tag in self.outstanding] if method.multiple else [method.delivery_tag]:
            key, begun = self.outstanding.pop(tag)
            if isinstance(method, pika.spec.Basic.Nack):
                self._note(key, begun, "unknown", "refused")
            elif key in self.returned:
                self._note(key, begun, "fail", "returned as unroutable")
            else:
                self._note(key, begun, "ok", "")

    def _lost(self, reason: str) -> None:
        self.channel = None
        for key, begun in self.outstanding.values():
            self._note(key, begun, "unknown", reason)
        self.outstanding.clear()

    def _note(self, key: int, begun: float, result: str, error: str) -> None:
        note(
            {
                "writer": self.number,
                "id": key,
                "begun": begun,
                "ended": time.monotonic(),
                "result": result,
                "server": self.session.server,
                "error": error,
            }
        )


class Turns:
    """Lets the publishers publish in turn until the end, then waits for what is outstanding."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.loop = new_loop()
        self.options = options
        self.start = time.monotonic()
        self.turn = 0
        self.ending = 0.0
        self.publishers = [Publisher(number, options, self.loop) for number in range(len(options.queues))]

    def next(self) -> None:
        now = time.monotonic()
        if self.ending:
            if now < self.ending and any(publisher.outstanding for publisher in self.publishers):
                self.loop.call_later(0.05, self.next)
                return
            for publisher in self.publishers:
                publisher.session.drop("the run ended")
            self.loop.stop()
            return
        self.publishers[self.turn % len(self.publishers)].attempt(self.options.first + self.turn)
        # Turns that a busy loop missed are skipped, each publisher keeping its own.
        due = int((now - self.start) / self.options.interval)
        self.turn += 1 + max(0, due - self.turn) // len(self.publishers) * len(self.publishers)
        self.loop.call_later(max(0.0, self.start + self.turn * self.options.interval - now), self.next)

    def end(self) -> None:
        self.ending = time.monotonic() + self.options.deadline


def main() -> None:
    parser = argparse.ArgumentParser(description="Publish unique messages with confirms and note every attempt.")
    parser.add_argument("urls", nargs="+", metavar="URL")
    parser.add_argument("--first", type=int, required=True, help="the smallest id")
    parser.add_argument("--queue", dest="queues", action="append", required=True, help="one per publisher")
    parser.add_argument(
        "--interval", type=float, default=0.005, help="seconds between attempts, all publishers together"
    )
    parser.add_argument("--connect", type=float, default=1.0, help="seconds for a connection")
    parser.add_argument("--deadline", type=float, default=2.0, help="seconds for a confirm")
    turns = Turns(parser.parse_args())
    turns.loop.call_later(0, turns.next)
    run(turns.loop, turns.end)


if __name__ == "__main__":
    main()
