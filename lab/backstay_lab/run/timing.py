"""Is a node that is merely disturbed taken for lost? Corosync's timing, as the templates have it, put to the test.

Under the load of four writers the primary's node is disturbed for a while: it loses packets to and from the other nodes, has
a share of one processor, or stops altogether for a moment, every five seconds. It lives all the time, so each fencing, and
each move of the promoted role, is one that nothing justified.

    python3 -m backstay_lab.run.timing --dir LAB [--seconds 60] [--loss 30 ...] [--share 5 ...] [--pause 2 ...]

The share binds Pacemaker, the agents and the server. It does not bind Corosync, which asks for real-time priority, here as
on a real node; what a hypervisor takes from a node altogether is the pause.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from backstay.host.deadline import Deadline
from backstay_lab.checkers.writes import write_gap
from backstay_lab.machines import logs, timeline
from backstay_lab.machines.layout import LabError
from backstay_lab.machines.limits import Limit
from backstay_lab.machines.network import LOSSES
from backstay_lab.systems.mysql.workload import MysqlSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backstay_lab.machines.cluster import Lab

SETTLE = 240.0  # seconds until all is whole again: a boot, and failure-timeout
EVERY = 5.0  # seconds from the beginning of a pause to the next one's
LOOK = 0.5  # seconds between two looks at whether the node was fenced, which ends the disturbance
SIGNS = {
    "token late": re.compile(r"Token has not been received in \d+ ms"),
    "token lost": re.compile(r"A processor failed, forming new configuration"),
    "link down": re.compile(r"link: host: \d+ link: \d+ is down"),
}


class Disturbance(NamedTuple):
    """kind: loss (level: of a hundred packets, one of network.LOSSES), share (of a hundred of one processor), pause (seconds)."""

    kind: str
    level: float

    def __str__(self) -> str:
        unit = {"loss": " % of packets lost", "share": " % of a processor", "pause": " s of pause"}[self.kind]
        return f"{self.level:g}{unit}"


class Count(NamedTuple):
    """What followed. seconds: that it lasted. fenced: nodes. moves: nodes that were promoted. failures: on the cluster's record.
    gap: the longest time without an acknowledged write, seconds. signs: sign of Corosync -> how often it was logged."""

    what: Disturbance
    seconds: float
    fenced: list[str]
    moves: list[str]
    failures: list[str]
    gap: float
    signs: dict[str, int]

    @property
    def clean(self) -> bool:
        return not (self.fenced or self.moves)

    def __str__(self) -> str:
        found = [*(f"{node} fenced" for node in self.fenced), *(f"{node} promoted" for node in self.moves)]
        signs = ", ".join(f"{name} {count}" for name, count in self.signs.items() if count)
        tail = "".join(f"; {part}" for part in (signs, "; ".join(self.failures)) if part)
        return f"{self.what!s:22} {self.seconds:5.1f} s: {', '.join(found) or 'nothing'}; gap {self.gap:.2f} s{tail}"


def measure(lab: Lab, what: Disturbance, seconds: float) -> Count:
    """Disturb the primary's node for so long, or until it is fenced, and wait until all is whole. Raises TimedOut."""
    mysql = MysqlSet(lab)
    mysql.wait_whole(SETTLE)
    node, marks, wall = mysql.primary(), mysql.log_marks(), time.time()

    with tempfile.TemporaryDirectory() as histories, mysql.load(histories) as load:
        load.wait_steady(0.0, SETTLE)
        began = time.monotonic()
        _disturb(lab, node, what, seconds, lambda: bool(timeline.fenced(logs.lines_since(marks))))
        lasted = time.monotonic() - began
        load.wait_steady(time.monotonic(), SETTLE)
        load.finish()
    seen = lab.cluster()
    failures = [one.told for one in seen.failures] if seen else []
    for each in lab.nodes:
        with suppress(LabError):  # it boots
            mysql.forget(each)
    mysql.wait_whole(SETTLE)
    lines = logs.lines_since(marks)
    return Count(
        what,
        lasted,
        timeline.fenced(lines),
        [promoted for promoted, _ in timeline.promotions(lines, mysql.name, wall)],
        failures,
        write_gap(load.attempts, began).seconds,
        {name: sum(bool(sign.search(line)) for line in lines) for name, sign in SIGNS.items()},
    )


def _disturb(lab: Lab, node: str, what: Disturbance, seconds: float, over: Callable[[], bool]) -> None:
    end = Deadline(seconds)
    if what.kind == "pause":
        while not (end.expired or over()):
            begun = time.monotonic()
            with suppress(LabError):  # it was fenced meanwhile, and is off
                lab.fault("hang", node, "node")
                time.sleep(what.level)
                lab.fault("resume", node, "node")
            time.sleep(min(max(0.0, begun + EVERY - time.monotonic()), end.remaining()))
        return
    undo = _lose(lab, node, int(what.level)) if what.kind == "loss" else _starve(lab, node, what.level)
    try:
        while not (end.expired or over()):
            time.sleep(LOOK)
    finally:
        undo()


def _lose(lab: Lab, node: str, share: int) -> Callable[[], None]:
    pairs = lab.between(node, [each for each in lab.nodes if each != node])
    lab.impair("lossy", pairs, share)
    return lambda: lab.repair("lossy", pairs, share)


def _starve(lab: Lab, node: str, share: float) -> Callable[[], None]:
    init = lab.layout.init_of(node)
    if init is None:
        raise LabError(f"{node} is off")
    return Limit.impose(init, "cpu", {"cpu.cfs_quota_us": f"{1000 * share:.0f}"}).lift  # of 100,000 us


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Count fencings and moves that nothing justified.")
    parser.add_argument("--dir", default=".lab-timing", help="the lab; one is booted if none is")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="that each disturbance lasts, unless the node is fenced"
    )
    parser.add_argument("--runs", type=int, default=1, help="of each disturbance")
    parser.add_argument("--loss", type=int, action="append", choices=LOSSES, default=[], help="of a hundred packets")
    parser.add_argument("--share", type=float, action="append", default=[], help="of a hundred of one processor")
    parser.add_argument("--pause", type=float, action="append", default=[], help="seconds without the node, every five")
    options = parser.parse_args(argv)
    from backstay_lab.run.cli import laboratory

    levels = {kind: getattr(options, kind) for kind in ("loss", "share", "pause")}
    wanted = [Disturbance(kind, level) for kind, own in levels.items() for level in own]
    unjustified = 0
    with laboratory(os.path.abspath(options.dir), 3, "bookworm", "mysql") as lab:
        for what in wanted:
            for _ in range(options.runs):
                count = measure(lab, what, options.seconds)
                unjustified += not count.clean
                print(f"{count}; load {os.getloadavg()[0]:.1f}", flush=True)
    return 1 if unjustified else 0


if __name__ == "__main__":
    raise SystemExit(main())
