"""False alarms of the watchers: none may tell the cluster of a failure while nothing fails.

Under the load of four writers, in rounds: the processors of every node are taken by busy loops, watchers are stopped for
longer than their looks and continued, and the server and its address are stopped and started as an admin does. Counted
are the watchers' tellings in the nodes' logs, and what the cluster recorded as failed (which may also be a monitor that
got no processor in time).

    python3 -m backstay_lab.run.false_alarms --dir LAB --minutes 60 --stops 1000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from backstay.host.deadline import Deadline
from backstay_lab.systems.mysql.workload import WRITER, MysqlSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from backstay_lab.machines.cluster import Lab as LabType

LOOPS = 4  # busy loops in each node
_LOG = "/var/log/pacemaker/pacemaker.log"
_WATCHERS = "for lock in /run/backstay/*/watch.lock; do cut -d' ' -f3 $lock; done"
_SETTLE = 240.0  # seconds for a planned stop or start under all that load


class Count(NamedTuple):
    """told: what the watchers told. failures: on the cluster's record. stops: instances that were stopped and started.
    stopped_watchers: how often one was stopped. starved: looks that were set aside."""

    told: list[str]
    failures: list[str]
    stops: int
    stopped_watchers: int
    starved: int
    seconds: float


@contextmanager
def starvation(lab: LabType, loops: int = LOOPS) -> Iterator[None]:
    """Busy loops at nice 0 in every node."""
    script = f"for i in $(seq {loops}); do (while :; do :; done) </dev/null >/dev/null 2>&1 & echo $!; done"
    started = {node: lab.run(node, ["sh", "-c", script]).out.split() for node in lab.nodes}
    try:
        yield
    finally:
        for node, pids in started.items():
            lab.run(node, ["kill", "-9", *pids], check=False)


def stop_watchers(lab: LabType, seconds: float) -> int:
    """SIGSTOP every watcher, SIGCONT it after a while; how many there were."""
    pids = {node: lab.run(node, ["sh", "-c", _WATCHERS]).out.split() for node in lab.nodes}
    for node, own in pids.items():
        lab.run(node, ["kill", "-STOP", *own], check=False)
    time.sleep(seconds)
    for node, own in pids.items():
        lab.run(node, ["kill", "-CONT", *own], check=False)  # some were replaced meanwhile
    return sum(map(len, pids.values()))


def restart(lab: LabType, resource: str, instances: int) -> int:
    """Stop and start it everywhere, as planned; how many instances that were. Raises TimedOut, CommandFailed."""
    node = lab.nodes[0]
    for role in ("Stopped", "Started"):
        argv = ["crm_resource", "--resource", resource, "--meta", "--set-parameter", "target-role"]
        lab.run(node, [*argv, "--parameter-value", role])
        lab.run(node, ["crm_resource", "--wait", f"--timeout={_SETTLE:.0f}s"], timeout=_SETTLE + 10)
    return instances


def told(lab: LabType, marks: dict[str, int]) -> tuple[list[str], int]:
    """What the watchers told since the marks, and how many looks they set aside."""
    lines: list[str] = []
    starved = 0
    for node in lab.nodes:
        text = lab.run(node, ["tail", "-n", f"+{marks[node] + 1}", _LOG]).out
        lines += [f"{node}: {line}" for line in text.splitlines() if line.endswith(": telling the cluster")]
        starved += text.count("INFO: starved after")
    return lines, starved


def measure(lab: LabType, minutes: float, stops: int) -> Count:
    """At least so many minutes, and so many planned stops and starts. Raises TimedOut when the set does not settle."""
    mysql = MysqlSet(lab)
    mysql.wait_whole(_SETTLE)
    marks = {node: int(lab.run(node, ["wc", "-l", _LOG]).out.split()[0]) for node in lab.nodes}
    begun, end = time.monotonic(), Deadline(minutes * 60)
    done = halted = turn = 0
    with tempfile.TemporaryDirectory() as histories, mysql.load(histories) as load:
        while not end.expired or done < stops:
            turn += 1
            with starvation(lab):
                halted += stop_watchers(lab, 2.5)
                if turn % 5 == 0:
                    halted += stop_watchers(lab, 14.0)
                for _ in range(3):
                    if done < stops:
                        done += restart(lab, WRITER, 1)
                if done < stops:
                    done += restart(lab, mysql.clone, len(lab.nodes))
            if turn % 10 == 0:
                so_far = f"{(time.monotonic() - begun) / 60:.0f} minutes, {done} of {stops} planned stops and starts"
                print(f"{so_far}, {len(told(lab, marks)[0])} false alarms", flush=True)
            time.sleep(min(5.0, end.remaining()))
        load.finish()
    lines, starved = told(lab, marks)
    seen = lab.cluster()
    failures = [one.told for one in seen.failures] if seen else []
    return Count(lines, failures, done, halted, starved, time.monotonic() - begun)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count the watchers' false alarms.")
    parser.add_argument("--dir", default=".lab-alarms", help="the lab; one is booted if none is")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--stops", type=int, default=1000, help="planned stops and starts of instances")
    options = parser.parse_args(argv)
    from backstay_lab.run.cli import laboratory

    with laboratory(os.path.abspath(options.dir), 3, "bookworm", "mysql") as lab:
        count = measure(lab, options.minutes, options.stops)
    print("\n".join([*count.told, *(f"on record: {failure}" for failure in count.failures)]))
    print(
        f"{count.seconds / 60:.1f} minutes, {count.stops} planned stops and starts, watchers stopped"
        f" {count.stopped_watchers} times, {count.starved} looks set aside: {len(count.told)} false alarms"
    )
    return 1 if count.told else 0


if __name__ == "__main__":
    raise SystemExit(main())
