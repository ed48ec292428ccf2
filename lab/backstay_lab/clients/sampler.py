"""The sampler: is this server writable, asked of every server every 15 ms. Needs python3 and pymysql.

    sampler NODE=URL ... [--interval 0.015] [--deadline 0.3]

Reading @@read_only needs no privilege. A JSON line per sample goes to standard output; the end of standard input ends
the run. A server that gives no answer within `deadline` is sampled as unknown, never as read-only.

One thread asks all servers, each over a connection that is kept, and waits for whoever answers; it does nothing that could
block. Connections are made, and lines written, by others. `blind` of a sample is for how long this program did not run while
the question was open, where that was long: a late answer may then be its own doing.
"""

from __future__ import annotations

import argparse
import json
import os
import selectors
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pymysql

from backstay_lab.clients.ledger import connect
from backstay_lab.clients.program import hasten

if TYPE_CHECKING:
    import socket

# super_read_only implies read_only, so one variable tells; MariaDB 12 answers in words.
QUESTION = b"\x03SELECT @@global.read_only"
PACKET = len(QUESTION).to_bytes(3, "little") + b"\0" + QUESTION
WRITABLE = (b"0", b"OFF")
PACKETS = 5  # of an answer: one column, what it is, an end, one row, an end
ERROR = 0xFF  # first byte of a packet
BATCH = 0.5  # seconds from one writing of lines to the next


class Garbled(Exception):
    """The server reported an error, or hung up."""


def packets(buffer: bytes) -> list[bytes]:
    """The whole packets at the beginning of the buffer, without their headers."""
    found = []
    while len(buffer) >= 4:
        end = 4 + int.from_bytes(buffer[:3], "little")
        if len(buffer) < end:
            break
        found.append(buffer[4:end])
        buffer = buffer[end:]
    return found


def answer(buffer: bytes) -> bool | None:
    """Whether an ordinary account may write, as the answer says; None while it is not whole. Raises Garbled."""
    found = packets(buffer)
    if any(one[:1] == bytes([ERROR]) for one in found):
        raise Garbled
    return found[PACKETS - 2][1:] in WRITABLE if len(found) >= PACKETS else None


class Server:
    """One server: its connection, and the question that is open there. It has a connection, or makes one, or is about to."""

    def __init__(self, node: str, url: str) -> None:
        self.node, self.url = node, url
        self.connection: Any = None
        self.making: Future[Any] | None = None
        self.begun = 0.0  # of the open question, or of making the connection
        self.due = 0.0
        self.asked = False
        self.buffer = b""
        self.blind = 0.0

    @property
    def socket(self) -> socket.socket:
        return self.connection._sock  # type: ignore[no-any-return]

    def ask(self, now: float) -> None:
        self.begun, self.asked, self.buffer, self.blind = now, True, b"", 0.0
        self.socket.sendall(PACKET)  # a few bytes, and nothing else is under way

    def read(self) -> bool | None:
        """None while there is no whole answer. Raises OSError and Garbled."""
        with suppress(BlockingIOError):
            came = self.socket.recv(4096)
            if not came:
                raise Garbled
            self.buffer += came
        return answer(self.buffer)

    def drop(self) -> None:
        if self.connection is not None:
            self.connection._force_close()  # no goodbye: the server may not be there to hear it
        self.connection, self.asked = None, False


class Sampler:
    """The one thread. `lines` gets what is to be written."""

    def __init__(self, servers: list[Server], interval: float, deadline: float, lines: SimpleQueue[str]) -> None:
        self.servers, self.interval, self.deadline, self.lines = servers, interval, deadline, lines
        self.selector = selectors.DefaultSelector()
        self.makers = ThreadPoolExecutor(len(servers))
        self.made, self._tell = os.pipe()  # readable when a connection was made, or not
        os.set_blocking(self.made, False)

    def run(self, end: int) -> None:
        """Until the file `end` does."""
        self.selector.register(end, selectors.EVENT_READ)
        self.selector.register(self.made, selectors.EVENT_READ)
        woke = time.monotonic()
        for server in self.servers:
            server.due = woke
        while True:
            ready = {key.fd for key, _ in self.selector.select(self._patience())}
            now = time.monotonic()
            if now - woke > 2 * self.interval:
                for server in self.servers:
                    server.blind = max(server.blind, now - woke)
            woke = now
            if end in ready and not os.read(end, 4096):
                return
            if self.made in ready:
                os.read(self.made, 4096)
            for server in self.servers:
                self._turn(server, ready)

    def _patience(self) -> float:
        """Seconds until the next thing is to be done unasked, at most an interval."""
        now = time.monotonic()
        waits = [server.due - now for server in self.servers if not server.asked and server.making is None]
        return max(0.0, min([self.interval, *waits]))

    def _turn(self, server: Server, ready: set[int]) -> None:
        try:
            if server.making is not None:
                self._made(server)
            if server.connection is not None and server.socket.fileno() in ready:
                said = server.read()  # or it hung up
                if said is not None:
                    self._note(server, said)
                    server.asked = False
            now = time.monotonic()
            if server.asked and now - server.begun > self.deadline:
                raise Garbled
            if server.connection is not None and not server.asked and now >= server.due:
                server.due += self.interval * (int((now - server.due) / self.interval) + 1)
                server.ask(now)
        except (OSError, Garbled):
            self._lost(server)
        if server.connection is None and server.making is None and time.monotonic() >= server.due:
            self._make(server)

    def _make(self, server: Server) -> None:
        """The next try is an interval later at the soonest."""
        server.begun, server.blind = time.monotonic(), 0.0
        server.due = server.begun + self.interval
        server.making = self.makers.submit(connect, server.url, self.deadline)
        server.making.add_done_callback(lambda _: os.write(self._tell, b"."))

    def _made(self, server: Server) -> None:
        """Until then there was no answer. With a connection the first question comes at once."""
        if server.making is None or not server.making.done():
            return
        making, server.making = server.making, None
        self._note(server, None)
        try:
            server.connection = making.result()
        except (OSError, pymysql.err.MySQLError):
            return
        server.socket.setblocking(False)
        self.selector.register(server.socket, selectors.EVENT_READ)
        server.due = time.monotonic()

    def _lost(self, server: Server) -> None:
        """A connection that ends between two questions tells nothing; the next try does."""
        if server.asked:
            self._note(server, None)
        if server.connection is not None:
            self.selector.unregister(server.socket)
        server.drop()
        server.due = time.monotonic()

    def _note(self, server: Server, writable: bool | None) -> None:
        record: dict[str, object] = {"node": server.node, "begun": server.begun, "ended": time.monotonic()}
        record["writable"] = writable
        if server.blind:
            record["blind"] = server.blind
        self.lines.put(json.dumps(record) + "\n")


def write(lines: SimpleQueue[str], ended: threading.Event) -> None:
    """What there is, now and then: a slow disk must not keep anybody from asking. The last after the end."""
    last = False
    while not last:
        last = ended.wait(BATCH)
        sys.stdout.write("".join([lines.get() for _ in range(lines.qsize())]))
        sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description="Sample which servers are writable.")
    parser.add_argument("servers", nargs="+", metavar="NODE=URL")
    parser.add_argument("--interval", type=float, default=0.015)
    parser.add_argument("--deadline", type=float, default=0.3)
    options = parser.parse_args()
    servers = [Server(node, url) for node, _, url in (server.partition("=") for server in options.servers)]
    lines: SimpleQueue[str] = SimpleQueue()
    ended = threading.Event()
    writer = threading.Thread(target=write, args=(lines, ended))
    hasten()  # all threads: one that is not let run while it holds the interpreter's lock would keep the others waiting
    writer.start()
    try:
        Sampler(servers, options.interval, options.deadline, lines).run(sys.stdin.fileno())
    finally:
        ended.set()
        writer.join()
    sys.stdout.flush()
    os._exit(0)  # connections that are being made are not waited for


if __name__ == "__main__":
    main()
