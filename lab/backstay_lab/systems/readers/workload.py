"""What readers get while things go wrong, on a lab with topology `readers`: measured from the client's own records.

Each scenario begins and ends with reads spread over the replicas. Times are seconds.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.clients.workload import Recorder
from backstay_lab.machines import logs
from backstay_lab.machines.enter import argv_for
from backstay_lab.systems.mysql.deploy import CONFIG
from backstay_lab.systems.readers.deploy import reading, wait_spread

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backstay_lab.machines.cluster import Lab

SPREAD_TIMEOUT = 120.0
MAX_LAG = 2  # seconds, so that a rehearsal need not wait for the default
MYSQL = ["mysql", f"--defaults-file={CONFIG}", "--user=root", "--batch", "--skip-column-names"]
# A replica that cannot write a table falls behind, while it goes on receiving and acknowledging.
BLOCK = "LOCK TABLES app.ledger READ; SELECT SLEEP(60);"


class Read(NamedTuple):
    begun: float
    ended: float
    kept: bool
    result: str
    server: str
    error: str


class Gap(NamedTuple):
    """gap: the longest time without a successful new read after the fault. failed: new reads that failed. elsewhere: kept
    connections to servers that nothing happened to, and that broke nevertheless (all do when their balancer dies).
    fenced: when the lost node was known dead, after the fault. balanced: from its return to the cluster until reads and reader
    addresses were spread over the replicas again. Both 0 where no node was lost."""

    gap: float
    failed: int
    elsewhere: int
    fenced: float
    balanced: float = 0.0


class Lag(NamedTuple):
    """unread: from the moment the replica was seen more behind than it may be, to the last new read that it got (0: none
    after that moment). kept: to the last read on a kept connection. back: from its catching up to its first new read."""

    unread: float
    kept: float
    back: float


def parse(lines: Iterable[str]) -> list[Read]:
    return [Read(**json.loads(line)) for line in lines]


def longest_gap(reads: list[Read], since: float) -> float:
    """Between the ends of successive successful new reads, from the last one before `since` on."""
    good = sorted(read.ended for read in reads if read.result == "ok" and not read.kept)
    after = [moment for moment in good if moment >= since]
    before = [moment for moment in good if moment < since][-1:]
    if not after:
        raise AgentError("no read succeeded after the fault")
    moments = [*before, *after]
    return max(later - earlier for earlier, later in zip(moments, moments[1:]))


def broken_elsewhere(reads: list[Read], since: float, but: str) -> int:
    return sum(
        read.kept and read.result != "ok" and read.ended >= since and read.server not in ("", but) for read in reads
    )


def start(lab: Lab, directory: str) -> Recorder:
    """Readers, once they read from every replica."""
    wait_spread(lab, SPREAD_TIMEOUT)
    recorder = Recorder(lab, "reads", [str(lab.endpoints["balancer"])], directory)
    seen: set[str] = set()

    def everywhere() -> bool:
        seen.update(read.server for read in parse(recorder.lines()) if read.result == "ok")
        return len(seen) >= len(lab.nodes) - 1

    poll(everywhere, Deadline(30), "reads from every replica")
    return recorder


def holder(lab: Lab, resource: str) -> str:
    return next((node for node, held in lab.roles().items() if resource in held), "")


def replica(lab: Lab, balancer: bool) -> str:
    """A replica, that has the balancer's address or has not."""
    address = holder(lab, "haproxy-address")
    found = [
        node
        for node, held in sorted(lab.roles().items())
        if held.get("mysql") == "Unpromoted" and (node == address) == balancer
    ]
    if not found:
        raise AgentError(f"no replica that {'has' if balancer else 'has not'} the balancer's address")
    return found[0]


def kill_balancer(lab: Lab, directory: str) -> Gap:
    """SIGKILL to HAProxy, master and worker, where the balancer's address is."""
    node = holder(lab, "haproxy-address")
    recorder = start(lab, directory)
    fault = time.monotonic()
    lab.fault("kill", node, "haproxy")
    outcome = _outcome(lab, recorder, fault, "", 0.0)
    lab.run(lab.nodes[0], ["crm_resource", "--cleanup", "--resource", "haproxy"])
    # It forgets where the resource is active, and looks again: a death meanwhile would be told to nobody.
    lab.run(lab.nodes[0], ["crm_resource", "--wait", "--timeout", "30"], timeout=40)
    return outcome


def lose(lab: Lab, directory: str, node: str) -> Gap:
    """The node's power cord, out and in again."""
    recorder = start(lab, directory)
    marks = logs.marks(lab)
    fault, clock = time.monotonic(), time.time()
    lab.power_off(node)
    poll(
        lambda: "fenced" in logs.phases_since(marks, clock, "haproxy"),
        Deadline(30),
        "the node to be fenced",
        interval=0.2,
    )
    time_out = Deadline(60)
    survivors = [name for name in lab.nodes if name != node]
    poll(lambda: bool(reading(lab)) and reading(lab) <= set(survivors), time_out, "reads elsewhere", interval=0.3)
    outcome = _outcome(lab, recorder, fault, node, logs.phases_since(marks, clock, "haproxy")["fenced"])
    lab.power_on(node)
    lab.wait_online(lab.nodes, 90)
    online = time.monotonic()
    wait_spread(lab, SPREAD_TIMEOUT)
    return outcome._replace(balanced=time.monotonic() - online)


def lag(lab: Lab, directory: str, node: str) -> Lag:
    """The replica falls behind while the primary is written, and catches up."""
    lab.run(
        node, ["crm_resource", "--resource", "mysql", "--set-parameter", "max_lag", "--parameter-value", str(MAX_LAG)]
    )
    first = int(time.time() * 1000)
    writes = Recorder(
        lab, "ledger", [str(lab.endpoints["writer"]), "--first", str(first), "--interval", "0.1"], directory
    )
    recorder = start(lab, directory)
    blocker = command.Running(
        argv_for(lab.layout, node, [*MYSQL, "-e", BLOCK]), f"{directory}/block", f"{directory}/block.err"
    )
    crossed = poll(lambda: _behind(lab, node), Deadline(30), "the replica to be behind", interval=0.02)
    poll(lambda: node not in reading(lab), Deadline(30), "no more reads there", interval=0.2)
    settled = time.monotonic()
    lab.run(node, [*MYSQL, "-e", "SELECT CONCAT('KILL ', id) FROM information_schema.processlist WHERE info LIKE '%SLEEP(60)%' "
            "AND id <> CONNECTION_ID() INTO @kill; PREPARE kill_it FROM @kill; EXECUTE kill_it"])  # fmt: skip
    blocker.kill()
    caught_up = poll(lambda: not _behind(lab, node) and time.monotonic(), Deadline(60), "it to catch up", interval=0.05)
    poll(lambda: node in reading(lab), Deadline(60), "reads there again", interval=0.2)
    reads = parse(recorder.finish())
    writes.finish()
    there = [read for read in reads if read.server == node and read.result == "ok"]
    fresh = [read.begun for read in there if not read.kept]
    late = [moment - crossed for moment in fresh if crossed < moment < settled]
    kept = [read.begun - crossed for read in there if read.kept and crossed < read.begun < settled]
    back = [moment - caught_up for moment in fresh if moment > settled]
    return Lag(max(late, default=0.0), max(kept, default=0.0), min(back, default=float("inf")))


def _behind(lab: Lab, node: str) -> float | bool:
    """When it was asked, if the replica was then more behind than it may be."""
    asked = time.monotonic()
    status = lab.run(node, [*MYSQL[:-2], "--vertical", "-e", "SHOW REPLICA STATUS"]).out
    # MariaDB says Master, MySQL since 8.4 Source; NULL while replication does not run.
    seconds = re.search(r"Seconds_Behind_(?:Master|Source): (\d+)", status)
    return asked if seconds and int(seconds[1]) > MAX_LAG else False


def _outcome(lab: Lab, recorder: Recorder, fault: float, lost: str, fenced: float) -> Gap:
    """Once reads have gone well for two seconds."""
    good: list[Read] = []

    def steady() -> bool:
        good.extend(parse(recorder.lines()))
        new = [read for read in good if not read.kept and read.begun > fault]
        last_bad = max((read.ended for read in new if read.result != "ok"), default=fault)
        fine = [read.ended for read in new if read.result == "ok" and read.ended > last_bad]
        return bool(fine) and fine[-1] - max(last_bad, fault) > 2

    poll(steady, Deadline(60), "reads to go well", interval=0.2)
    reads = parse(recorder.finish())
    failed = sum(not read.kept and read.result != "ok" and read.ended >= fault for read in reads)
    return Gap(longest_gap(reads, fault), failed, broken_elsewhere(reads, fault, lost), fenced)


def as_json(outcome: Gap | Lag) -> dict[str, Any]:
    return {name: round(value, 2) for name, value in outcome._asdict().items()}
