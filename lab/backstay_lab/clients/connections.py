"""Connect through a balancer again and again and note what became of it. Needs python3 alone.

    connections.py HOST PORT [--rate 200] [--keepers 4] [--deadline 1.0]
    connections.py HOST PORT --once        one connection; the exit status is 0 when its line came back

Writer 0 begins `rate` connections a second; each sends a line of its own, wants it back, and closes. Writers 1 to `keepers` send
a line every 50 ms on a connection that they keep until it breaks. Connecting and the answer have `deadline` seconds each. A
JSON line per attempt goes to standard output, in the ledger's format: ok, the line came back; fail, no connection was made;
unknown, it broke or said nothing; wrong, another line came. The end of standard input ends the run.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import sys
import threading
import time
from typing import NamedTuple

from backstay_lab.clients.program import note, run

TURN = 0.005  # seconds between two looks for connections that are due
PAUSE = 0.05  # seconds between two lines of a keeper
ERRORS = (OSError, asyncio.TimeoutError)
_ids = itertools.count(1)


class Target(NamedTuple):
    """Where to, and seconds for the connection and for the answer."""

    host: str
    port: int
    deadline: float


class Connection:
    """One connection, from the first line that is sent on it to the one that fails."""

    def __init__(self, target: Target, writer: int) -> None:
        self.target = target
        self.number = writer
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def attempt(self) -> dict[str, object]:
        """Send a line of its own and want it back; the record of it."""
        key, begun = next(_ids), time.monotonic()
        result, error = await self._exchange(f"{key}\n".encode())
        if result != "ok":
            self.close()
        known = {"writer": self.number, "id": key, "begun": begun, "ended": time.monotonic(), "result": result}
        return {**known, "error": error}

    async def _exchange(self, line: bytes) -> tuple[str, str]:
        try:
            if self._streams is None:
                opening = asyncio.open_connection(self.target.host, self.target.port)
                self._streams = await asyncio.wait_for(opening, self.target.deadline)
        except ERRORS as reason:
            return "fail", repr(reason)
        reader, writer = self._streams
        try:
            writer.write(line)
            said = await asyncio.wait_for(reader.readline(), self.target.deadline)
        except ERRORS as reason:
            return "unknown", repr(reason)
        if not said.endswith(b"\n"):
            return "unknown", "it was closed"
        return ("ok", "") if said == line else ("wrong", repr(said))

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


async def once(target: Target) -> bool:
    connection = Connection(target, 0)
    record = await connection.attempt()
    connection.close()
    return record["result"] == "ok"


async def new(target: Target, rate: float, stop: threading.Event) -> None:
    """A connection for each turn, whether the ones before have ended or not."""
    under_way: set[asyncio.Task[None]] = set()

    async def one() -> None:
        connection = Connection(target, 0)
        note(await connection.attempt())
        connection.close()

    begun, count = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - begun) * rate)
        for _ in range(due - count):
            task = asyncio.create_task(one())
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        count = max(count, due)
        await asyncio.sleep(TURN)
    await asyncio.gather(*under_way)


async def keep(target: Target, number: int, stop: threading.Event) -> None:
    connection = Connection(target, number)
    while not stop.is_set():
        note(await connection.attempt())
        await asyncio.sleep(PAUSE)
    connection.close()


async def connect(target: Target, rate: float, keepers: int, stop: threading.Event) -> None:
    await asyncio.gather(new(target, rate, stop), *(keep(target, number, stop) for number in range(1, keepers + 1)))


def main() -> int:
    parser = argparse.ArgumentParser(description="Connect through a balancer and note what became of it.")
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("--rate", type=float, default=200.0, help="new connections a second")
    parser.add_argument("--keepers", type=int, default=4)
    parser.add_argument("--deadline", type=float, default=1.0, help="seconds to connect, and to get the line back")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    target = Target(options.host, options.port, options.deadline)
    if options.once:
        return 0 if asyncio.run(once(target)) else 1
    run([lambda stop: asyncio.run(connect(target, options.rate, options.keepers, stop))])
    return 0


if __name__ == "__main__":
    sys.exit(main())
