"""Declare, drain or delete queues. Needs python3 and pika.

    queues declare URL NAME ... [--type classic|quorum]   their leaders on the node of the URL, empty of older messages
    queues drain URL NAME ...                             all that is left, a JSON line per message, until they are empty
    queues delete URL NAME ...
    queues fill URL NAME ... [--count N]                  N persistent messages of a kilobyte, numbered from 0, in transactions
    queues check URL NAME                                 a confirmed publish and a get through a queue of its own

Raises what pika raises: whoever calls this does so when the service should be whole.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pika

from backstay_lab.clients.session import parameters

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE = 10.0  # seconds for a connection
SIZE = 1024  # bytes of a message that fills a queue
BATCH = 500  # of them in a transaction
# Names of the same thing before and after 3.11.
PLACE = {"classic": "x-queue-master-locator", "quorum": "x-queue-leader-locator"}


def declare(channel: Any, name: str, options: argparse.Namespace) -> None:
    channel.queue_delete(name)
    arguments = {"x-queue-type": options.type, PLACE[options.type]: "client-local"}
    channel.queue_declare(name, durable=True, arguments=arguments)


def delete(channel: Any, name: str, options: argparse.Namespace) -> None:
    channel.queue_delete(name)


def drain(channel: Any, name: str, options: argparse.Namespace) -> None:
    """With get, whose "empty" is the broker's word; messages that were unacknowledged have been put back by then."""
    while True:
        method, _, body = channel.basic_get(name)
        if method is None:
            return
        record = {"queue": name, "id": int(body), "at": time.monotonic(), "redelivered": method.redelivered}
        print(json.dumps({**record, "session": "drain", "server": None}))
        channel.basic_ack(method.delivery_tag)


def fill(channel: Any, name: str, options: argparse.Namespace) -> None:
    channel.tx_select()
    for number in range(options.count):
        body = b"%0*d" % (SIZE, number)
        channel.basic_publish("", name, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
        if number % BATCH == BATCH - 1 or number == options.count - 1:
            channel.tx_commit()


def check(channel: Any, name: str, options: argparse.Namespace) -> None:
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.confirm_delivery()
    channel.basic_publish("", queue, name.encode(), mandatory=True)
    method, _, _ = channel.basic_get(queue, auto_ack=True)
    if method is None:
        raise SystemExit(f"what was confirmed on {queue} is not there")


DOINGS: dict[str, Callable[[Any, str, argparse.Namespace], None]] = {
    "declare": declare,
    "drain": drain,
    "delete": delete,
    "check": check,
    "fill": fill,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Declare, drain or delete queues.")
    parser.add_argument("do", choices=sorted(DOINGS))
    parser.add_argument("url", metavar="URL")
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--type", choices=sorted(PLACE), default="classic")
    options = parser.parse_args()
    connection = pika.BlockingConnection(parameters(options.url, DEADLINE))
    channel = connection.channel()
    for name in options.names:
        DOINGS[options.do](channel, name, options)
    sys.stdout.flush()
    connection.close()  # which waits until the broker has taken the acknowledgements


if __name__ == "__main__":
    main()
