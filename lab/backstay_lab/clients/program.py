"""What the programs on the lab's client have in common: their turns, their lines and their end. Needs python3 alone."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline
from backstay.ocf.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_LINES = threading.Lock()


def note(record: Mapping[str, object]) -> None:
    """A JSON line on standard output, whole and at once, whichever thread it comes from."""
    line = json.dumps(record) + "\n"
    with _LINES:
        sys.stdout.write(line)
        sys.stdout.flush()


def hasten() -> None:
    """Run this thread before all that is not so urgent, where that is allowed. For who has little to do, in time."""
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def turns(stop: threading.Event, start: float, interval: float, place: int = 0, places: int = 1) -> Iterator[int]:
    """The numbers of one worker's turns, each when it is due, until `stop`; turns that a slow one missed are skipped.

    Turn N is due at start + N * interval (CLOCK_MONOTONIC, seconds). The worker has every `places`-th, from `place` on.
    """
    turn = place
    while not stop.wait(max(0.0, start + turn * interval - time.monotonic())):
        yield turn
        turn = following(turn, (time.monotonic() - start) / interval, places)


def following(turn: int, passed: float, places: int) -> int:
    """The worker's next turn after `turn`, which was done when `passed` intervals had passed since the start."""
    return turn + places * max(1, -(-(int(passed) - turn) // places))


def run(parts: Sequence[Callable[[threading.Event], None]], patience: float = 30.0) -> None:
    """Do the parts, each in a thread of its own, until standard input ends; the event that they are given says so then.

    A part that raises ends the program at once, with status 1 and its traceback: what is not written down would be taken
    for what did not happen. Raises TimedOut when a part is not done `patience` seconds after the end.
    """
    stop = threading.Event()
    threads = [threading.Thread(target=_do, args=(part, stop), daemon=True) for part in parts]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    deadline = Deadline(patience)
    for thread in threads:
        thread.join(deadline.remaining())
    late = sum(thread.is_alive() for thread in threads)
    if late:
        raise TimedOut(f"{late} of {len(threads)} threads are not done {patience:.0f} s after the end of the run")


def _do(part: Callable[[threading.Event], None], stop: threading.Event) -> None:
    try:
        part(stop)
    except Exception:  # noqa: BLE001 - whatever it is, it must not end this thread alone
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
