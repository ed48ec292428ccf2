"""The workload of a rehearsal: programs on the lab's client that write a history, and the reading of it while it grows."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.checkers.history import OK, Attempt, parse_attempts
from backstay_lab.machines.enter import argv_for
from backstay_lab.machines.layout import CLIENT

if TYPE_CHECKING:
    from types import TracebackType

    from backstay_lab.machines.cluster import Lab

STEADY = 1.0  # seconds of uninterrupted acknowledgements that count as "it works"
FINISH = 90.0  # seconds for the programs to end: a caller waits for its answers and servers, the api a minute for boots


class Program:
    """A program of ours that runs beside us until its standard input ends, and the file with its JSON lines."""

    def __init__(self, name: str, argv: list[str], directory: str) -> None:
        """Start it. `name`: of its files in the directory."""
        self.path = os.path.join(directory, f"{name}.jsonl")
        self._errors = os.path.join(directory, f"{name}.err")
        self._running = command.Running(argv, self.path, self._errors)
        self._read = 0
        self._name = name

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._running.status

    def fresh(self) -> list[str]:
        """The whole lines that came since the last call."""
        with open(self.path, encoding="utf-8") as source:
            source.seek(self._read)
            text = source.read()
        whole = text.rpartition("\n")[0]
        self._read += len(whole.encode()) + 1 if whole else 0
        return whole.splitlines()

    def finish(self) -> list[str]:
        """End the program; all its lines."""
        status = self._running.finish(FINISH)
        if status != 0:
            raise AgentError(f"the {self._name} failed: {self.complaint()}")
        with open(self.path, encoding="utf-8") as source:
            return source.read().splitlines()

    def kill(self) -> None:
        self._running.kill()

    def complaint(self) -> str:
        """The last that it said on standard error."""
        with open(self._errors, encoding="utf-8", errors="replace") as source:
            return (source.read().strip().splitlines() or ["no message"])[-1]


class Recorder(Program):
    """One program of this package on the client."""

    def __init__(self, lab: Lab, program: str, arguments: list[str], directory: str, path: str = "") -> None:
        """`path`: a directory of the client with packages that the program needs beyond Debian's."""
        python = ["env", f"PYTHONPATH={path}", "python3"] if path else ["python3"]
        argv = argv_for(lab.layout, CLIENT, [*python, "-m", f"backstay_lab.clients.{program}", *arguments])
        super().__init__(program, argv, directory)

    def lines(self) -> list[str]:
        """The whole lines that came since the last call. Raises AgentError when it has ended."""
        if self.status is not None:
            raise AgentError(f"the {self._name} ended early: {self.complaint()}")
        return self.fresh()


class Load:
    """Recorders, of which the first writes what `attempts_of` reads. Use as a context: leaving it early ends the programs."""

    def __init__(self, recorders: list[Recorder]) -> None:
        self.recorders = recorders
        self.attempts: list[Attempt] = []

    def __enter__(self) -> Load:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for recorder in self.recorders:
                recorder.kill()

    def attempts_of(self, lines: list[str]) -> list[Attempt]:
        """What the first recorder's lines say of attempts that have ended."""
        return parse_attempts(lines)

    def _read(self) -> None:
        """What ended since the last time."""
        self.attempts += self.attempts_of(self.recorders[0].lines())

    def acknowledged(self) -> list[Attempt]:
        """What was acknowledged so far."""
        self._read()
        return [attempt for attempt in self.attempts if attempt.result == OK]

    def wait_steady(self, since: float, timeout: float, not_by: int | None = None) -> Attempt:
        """Until every writer's acknowledgements of attempts begun after `since` have come for STEADY seconds; the first.

        With `not_by` only acknowledgements by another server than this count. Raises TimedOut.
        """

        looked, fresh = 0, []  # a soak has some hundred thousand attempts: each is looked at once
        span: dict[int, tuple[float, float]] = {}

        def steady() -> Attempt | None:
            nonlocal looked
            self._read()
            for one in self.attempts[looked:]:
                first, last = span.setdefault(one.writer, (math.inf, 0.0))
                if one.result == OK and one.begun >= since and (not_by is None or one.server != not_by):
                    fresh.append(one)
                    span[one.writer] = min(first, one.ended), max(last, one.ended)
            looked = len(self.attempts)
            served = bool(span) and all(last - first >= STEADY for first, last in span.values())
            return fresh[0] if served else None

        return poll(steady, Deadline(timeout), "writes to be acknowledged steadily", interval=0.1)

    def finish(self) -> list[list[str]]:
        """End the programs; the lines that each wrote. `attempts` is complete then."""
        lines = [recorder.finish() for recorder in self.recorders]
        self.attempts = self.attempts_of(lines[0])
        return lines


def echo(lab: Lab, directory: str, address: str) -> Load:
    """An echo request to an address every 10 ms."""
    return Load([Recorder(lab, "echo", [address], directory)])
