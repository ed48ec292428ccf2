"""What the programs on the lab's client have in common, in a program of its own: it ends with its standard input."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay_lab.clients.program import following, turns

PROGRAM = """
import sys, threading
from backstay_lab.clients.program import note, run
def steady(stop):
    while not stop.wait(0.001):
        note({"part": "steady"})
    note({"part": "done"})
def broken(stop):
    stop.wait(0.05)
    raise ValueError("something else than the program knows of")
def deaf(stop):
    threading.Event().wait()
run([globals()[name] for name in sys.argv[1:]], 0.2)
note({"part": "main"})
"""


def started(*parts: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *parts],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{CHECKOUT / 'lib'}:{CHECKOUT / 'lab'}"},
    )


def test_the_parts_see_the_end_of_standard_input_and_their_lines_are_whole() -> None:
    program = started("steady", "steady", "steady")
    assert program.stdout is not None
    first = program.stdout.readline()  # the threads run
    rest, errors = program.communicate(timeout=20)
    said = [json.loads(line)["part"] for line in [first, *rest.splitlines()]]
    assert (program.returncode, errors) == (0, "")
    assert said.count("done") == 3
    assert said[-1] == "main"


def test_a_part_that_fails_ends_the_program_at_once() -> None:
    program = started("steady", "broken")
    assert program.wait(20) == 1  # its standard input is open all the while
    assert program.stderr is not None
    assert program.stderr.read().endswith("ValueError: something else than the program knows of\n")


def test_a_part_that_does_not_end_fails_the_program() -> None:
    program = started("steady", "deaf")
    said, errors = program.communicate(timeout=20)
    assert program.returncode == 1
    assert '"main"' not in said
    assert "TimedOut: 1 of 2 threads are not done" in errors


@pytest.mark.parametrize(
    ("turn", "passed", "places", "expected"),
    [
        (1, 1.0, 3, 4),  # it took no time
        (1, 3.9, 3, 4),
        (1, 4.9, 3, 4),  # late, and nobody else's turn
        (1, 5.0, 3, 7),  # its turn 4 is gone
        (1, 7.0, 3, 7),  # done at the very moment of turn 7
        (7, 40.2, 3, 40),
        (5, 5.2, 1, 6),
        (5, 9.5, 1, 9),
    ],
)
def test_turns_that_a_slow_one_missed_are_skipped(turn: int, passed: float, places: int, expected: int) -> None:
    assert following(turn, passed, places) == expected


def test_a_turn_comes_when_it_is_due_and_none_after_the_end() -> None:
    start, interval, stop = time.monotonic(), 0.01, threading.Event()
    taken = []
    for turn in turns(stop, start, interval, place=1, places=2):
        taken.append(turn)
        assert time.monotonic() >= start + turn * interval
        if len(taken) == 3:
            stop.set()
    assert all(turn % 2 == 1 for turn in taken)
    assert taken == sorted(set(taken))
    assert len(taken) == 3
