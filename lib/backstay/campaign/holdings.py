"""Which of some addresses a node has, twenty times a second. Needs python3 alone.

    holdings INIT NODE ADDRESS ...

INIT is the pid of the node's init as seen from where this runs: on the host of a lab, or in the node itself. The kernel's own
table of the node's network is read, which a partition does not hide, and which from the host a frozen node still has.

A JSON line, a Sample with its address, goes to standard output for each span between two looks that both found an address; one
without an address tells of the first look. The end of standard input ends the run, and so does the end of the node.
"""

from __future__ import annotations

import os
import select
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from backstay.rehearse.program import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERY = 0.05  # seconds from look to look
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


def main() -> None:
    init, node, *addresses = sys.argv[1:]
    process = os.open(f"/proc/{init}", os.O_PATH | os.O_DIRECTORY)  # this one, whoever gets its pid later
    before = look(process, addresses)
    note({"address": "", "node": node, "begun": before.begun, "ended": before.ended, "writable": None})
    while not select.select([sys.stdin], [], [], EVERY)[0]:
        try:
            now = look(process, addresses)
        except OSError:
            return  # the node is off
        for address, begun, ended in held_between(before, now):
            note({"address": address, "node": node, "begun": begun, "ended": ended, "writable": True})
        before = now


if __name__ == "__main__":
    main()
