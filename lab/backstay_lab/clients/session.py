"""A client's AMQP connection to whichever node takes it, for the programs on the lab's client. Needs python3 and pika.

Everything runs in pika's own loop, in one thread: a hung node blocks nothing but what waits for it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPError

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.05  # seconds before the next node is tried: refusals must not make a busy loop
HEARTBEAT = 4  # seconds; a silent node is given up after about two of them


def parameters(url: str, deadline: float) -> Any:
    """Connection parameters: one attempt, `deadline` seconds for TCP and for the whole hand-shake."""
    found = pika.URLParameters(url)
    found.connection_attempts, found.retry_delay = 1, 0
    found.socket_timeout = found.stack_timeout = found.blocked_connection_timeout = deadline
    found.heartbeat = HEARTBEAT
    return found


class Session:
    """Connects at once, to the next node whenever a connection fails or is lost, until `close`.

    `opened(channel)` is called with a fresh channel, `lost(reason)` when it is gone; never twice in a row the same.
    `server` is the 1-based place of the node's URL, None while there is no channel; `number` counts the connections.
    """

    def __init__(
        self,
        loop: Any,
        urls: list[str],
        start: int,
        deadline: float,
        opened: Callable[[Any], None],
        lost: Callable[[str], None],
    ) -> None:
        self.server: int | None = None
        self.number = 0
        self._loop, self._urls, self._deadline = loop, urls, deadline
        self._next = start
        self._opened, self._lost = opened, lost
        self._connection: Any = None
        self._closed = False
        self._connect()

    def drop(self, reason: str) -> None:
        """Give this connection up without waiting for the node's goodbye, and try the next node."""
        self._ended(self.number, reason)

    def close(self) -> None:
        self._closed = True
        self._goodbye()

    def _connect(self) -> None:
        if self._closed:
            return
        self.number += 1
        number, place = self.number, self._next % len(self._urls)
        self._next += 1
        self._connection = pika.SelectConnection(
            parameters(self._urls[place], self._deadline),
            on_open_callback=lambda connection: self._channel(number, connection, place + 1),
            on_open_error_callback=lambda _, error: self._ended(number, repr(error)),
            on_close_callback=lambda _, error: self._ended(number, repr(error)),
            custom_ioloop=self._loop,
        )
        # The hand-shake has deadlines of its own; opening the channel has not.
        self._loop.call_later(2 * self._deadline, lambda: self._late(number))

    def _late(self, number: int) -> None:
        if number == self.number and self.server is None:
            self._ended(number, "no channel in time")

    def _channel(self, number: int, connection: Any, server: int) -> None:
        if number != self.number:
            connection.close()  # its time was over
            return

        def opened(channel: Any) -> None:
            if number != self.number:
                return
            channel.add_on_close_callback(lambda _, error: self._ended(number, repr(error)))
            self.server = server
            self._opened(channel)

        connection.channel(on_open_callback=opened)

    def _ended(self, number: int, reason: str) -> None:
        if number != self.number or self._closed:
            return
        self.number += 1  # nothing that the old connection still says counts
        had, self.server = self.server, None
        self._goodbye()
        if had is not None:
            self._lost(reason)
        self._loop.call_later(PAUSE if had is None else 0, self._connect)

    def _goodbye(self) -> None:
        """A connection that is still being made is left to its own deadlines: closed in the moment in which its hand-shake is
        done, it ends in an assertion (pika 1.3, connection_workflow.py hands over the class of the error)."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.is_open:
            with contextlib.suppress(AMQPError):  # it is gone already
                connection.close()


def run(loop: Any, stop: Callable[[], None]) -> None:
    """Run the loop; `stop` is called in it at the end of standard input, and ends it."""

    def watch() -> None:
        sys.stdin.read()
        loop.add_callback_threadsafe(stop)

    threading.Thread(target=watch, daemon=True).start()
    loop.start()
    sys.stdout.flush()
    os._exit(0)  # goodbyes that hung nodes never answer are not waited for


def new_loop() -> Any:
    return IOLoop()
