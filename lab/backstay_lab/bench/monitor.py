"""What commands cost, run in turn so that a busy machine burdens all alike. A program of the lab's nodes.

    python3 -m backstay_lab.bench.monitor [-n RUNS] 'NAME=VALUE … COMMAND ARGUMENT …' ['…' …]

Each command is one shell-quoted word with its environment in front. Prints a JSON object per command: the exit status, the
least of CPU and wall time (ms) and of the largest process (MiB), and how many programs it started, itself included. The
least is the fairer figure where others use the machine too.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import tempfile
from typing import TYPE_CHECKING

from backstay.host import command

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 120.0  # seconds for one run


class Contender:
    """A command, and what its runs used."""

    def __init__(self, text: str) -> None:
        self.argv = shlex.split(text)
        self.environ = dict(os.environ)
        while "=" in self.argv[0]:
            name, _, value = self.argv.pop(0).partition("=")
            self.environ[name] = value
        self.used: list[command.Usage] = []

    def run(self) -> None:
        self.used.append(command.usage(self.argv, self.environ, TIMEOUT))

    @property
    def cpu(self) -> list[float]:
        """Milliseconds, a run each."""
        return [1000 * one.cpu for one in self.used]

    @property
    def wall(self) -> list[float]:
        """Milliseconds, a run each."""
        return [1000 * one.wall for one in self.used]

    def programs(self, name: str = "") -> int:
        """How many programs one more run starts, under strace; of that name alone, if one is given."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as trace:
            strace = ["strace", "--follow-forks", "--trace=execve", "--quiet=all", f"--output={trace.name}"]
            command.run([*strace, *self.argv], timeout=TIMEOUT, env=self.environ, check=False)
            what = re.escape(name) or '[^"]*'
            started = re.compile(rf'execve\("(?:[^"]*/)?{what}",.*\) = 0$')
            return sum(bool(started.search(line)) for line in trace)


def in_turn(commands: Sequence[str], runs: int) -> list[Contender]:
    """All commands, so many times, one after the other."""
    contenders = [Contender(text) for text in commands]
    for _ in range(runs):
        for contender in contenders:
            contender.run()
    return contenders


def main() -> None:
    parser = argparse.ArgumentParser(description="What commands cost, run in turn.")
    parser.add_argument("-n", "--runs", type=int, default=20)
    parser.add_argument("commands", nargs="+", metavar="COMMAND")
    options = parser.parse_args()
    for contender in in_turn(options.commands, options.runs):
        record = {
            "status": contender.used[-1].status,
            "cpu": min(contender.cpu),
            "wall": min(contender.wall),
            "memory": min(one.memory for one in contender.used),
            "programs": contender.programs(),
        }
        print(json.dumps(record))


if __name__ == "__main__":
    main()
