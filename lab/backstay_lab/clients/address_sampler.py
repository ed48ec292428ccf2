"""Which of some addresses a node has, fifty times a second. Needs python3 alone.

    holdings INIT NODE ADDRESS ...

INIT is the pid of the node's init as seen from where this runs: on the host of a lab, or in the node itself. The kernel's own
table of the node's network is read, which a partition does not hide, and which from the host a frozen node still has.

A JSON line, a Sample with its address, goes to standard output for each span between two looks that both found an address; one
without an address tells of the first look, or from when to when nobody looked, if that was long. The end of standard input ends
the run, and so does the end of the node.
"""

from __future__ import annotations

import errno
import os
import select
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.clients.program import hasten, note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERY = 0.02  # seconds from look to look
GONE = (errno.ENOENT, errno.ESRCH, errno.EINVAL)  # of a dead process; its network is no more before it is
LATE = 0.1  # seconds between two looks that are told: an address may have come and gone
CLOSE = 0.5  # seconds; of what lies between looks that are further apart nothing is known


class Look(NamedTuple):
    """Between `begun` and `ended` (CLOCK_MONOTONIC, seconds) the node had these addresses."""

    begun: float
    ended: float
    found: frozenset[str]


def held_between(before: Look, now: Look) -> Iterator[tuple[str, float, float]]:
    """Address, and from when to when it was surely there: what two looks found that are close, was there in between."""
    if now.ended - before.begun <= CLOSE:
        for address in sorted(before.found & now.found):
            yield address, before.ended, now.begun


def is_local(table: str, address: str) -> bool:
    """Whether the kernel's table of routes (/proc/net/fib_trie) has the address as one of its host."""
    _, found, after = table.partition(f"|-- {address}\n")
    return bool(found) and "host LOCAL" in after.partition("\n")[0]


def look(process: int, addresses: Sequence[str]) -> Look:
    """At the network of a process, of which this is the open directory in /proc. Raises OSError once it is dead."""
    begun = time.monotonic()
    with open(os.open("net/fib_trie", os.O_RDONLY, dir_fd=process), encoding="ascii") as source:
        table = source.read()
    return Look(begun, time.monotonic(), frozenset(one for one in addresses if is_local(table, one)))


def seen(init: str, addresses: Sequence[str]) -> Iterator[tuple[str, float, float]]:
    """What is to be told until standard input or the node ends. A node may be off already: it was about to, when we began."""
    try:
        process = os.open(f"/proc/{init}", os.O_PATH | os.O_DIRECTORY)  # this one, whoever gets its pid later
        before = look(process, addresses)
        yield "", before.begun, before.ended
        while not select.select([sys.stdin], [], [], EVERY)[0]:
            now = look(process, addresses)
            if now.begun - before.ended > LATE:
                yield "", before.ended, now.begun
            yield from held_between(before, now)
            before = now
    except OSError as gone:
        if gone.errno not in GONE:
            raise


def main() -> None:
    init, node, *addresses = sys.argv[1:]
    hasten()
    for address, begun, ended in seen(init, addresses):
        note({"address": address, "node": node, "begun": begun, "ended": ended, "writable": bool(address)})


if __name__ == "__main__":
    main()
