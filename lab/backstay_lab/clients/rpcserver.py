"""Servers of remote procedure calls on oslo.messaging, as nova-compute is one. Every execution is noted.

    rpcserver TRANSPORT_URL [--quorum] [--topic compute]

A JSON line per execution goes to standard output; the end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from backstay_lab.clients.program import note
from backstay_lab.clients.rpc import SERVERS, TOPIC, Oslo


class Compute:
    """What the servers offer. `echo` and `ready` are called, `note` is cast."""

    def __init__(self, oslo: Oslo, server: str) -> None:
        self.target = oslo.target(version="1.0")
        self.server = server

    def echo(self, context: object, number: int) -> int:
        self._note(number)
        return number

    def ready(self, context: object) -> bool:
        """Unrecorded: whether this server's queue is there."""
        return True

    def note(self, context: object, number: int) -> None:
        self._note(number)

    def _note(self, number: int) -> None:
        note({"id": number, "at": time.monotonic(), "server": self.server})


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve remote procedure calls and note every execution.")
    parser.add_argument("url")
    parser.add_argument("--quorum", action="store_true")
    parser.add_argument("--topic", default=TOPIC)
    options = parser.parse_args()
    oslo = Oslo(options.url, options.quorum)
    for name in SERVERS:
        oslo.server(oslo.target(topic=options.topic, server=name), Compute(oslo, name)).start()
    sys.stdin.read()
    os._exit(0)  # a server that stops asks brokers for their goodbye first


if __name__ == "__main__":
    main()
