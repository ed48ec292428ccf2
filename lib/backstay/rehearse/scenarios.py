"""One rehearsal of one fault, from a whole set to a whole set again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from backstay.rehearse import checkers, workload
from backstay.rehearse.faults import Fault, Stage
from backstay.rehearse.mysqlset import MysqlSet, phases_since

if TYPE_CHECKING:
    from backstay.lab.cluster import Lab

STEADY_TIMEOUT = 30.0  # seconds for a whole set to take the load
WHOLE_TIMEOUT = 240.0  # seconds until all nodes are back; includes booting and, unless cleaned up, failure-timeout


class Outcome(NamedTuple):
    """What one fault cost. gap: seconds without an acknowledgement. phases: seconds after the fault; `first write` and
    `whole` among them. copies_differ: nodes whose rows are not the primary's, once the set is whole. was, now: the
    primary before and after. coordinator: the one before was the cluster's DC too."""

    fault: str
    gap: float
    verdict: checkers.Verdict
    phases: dict[str, float]
    copies_differ: list[str]
    was: str
    now: str
    coordinator: bool

    @property
    def clean(self) -> bool:
        return self.verdict.clean and not self.copies_differ


def rehearse(lab: Lab, fault: Fault, directory: str, order: tuple[str, ...] = (), clean_up: bool = True) -> Outcome:
    """Inflict the fault under load, wait until the set is whole, and judge.

    `directory` gets the histories. `order`: of power-on in a blackout. `clean_up`: forget failures once writes work, as
    an admin would, instead of waiting for failure-timeout. Raises TimedOut when writes or the set do not come back.
    """
    mysql = MysqlSet(lab)
    mysql.wait_whole(WHOLE_TIMEOUT)
    with workload.ledger(lab, directory, mysql.readers) as load:
        load.wait_steady(0.0, STEADY_TIMEOUT)
        stage = Stage(mysql, load, order)
        before = load.acknowledged()[-1].server
        coordinator = mysql.is_dc(stage.primary)
        marks = mysql.log_marks()
        wall, start = time.time(), time.monotonic()
        fault.inflict(stage)
        # In-flight writes of the old primary may be acknowledged just after the fault; a planned move ends later.
        since = start if fault.elsewhere else time.monotonic()
        first = load.wait_steady(since, fault.patience, not_by=before if fault.elsewhere else None)
        if clean_up and fault.fails:
            mysql.cleanup(fault.fails(stage))
        fault.heal(stage)
        load.wait_steady(time.monotonic(), fault.patience)
        attempts, samples = load.finish()
    mysql.wait_whole(WHOLE_TIMEOUT)
    whole = time.monotonic() - start
    ids = [attempt.id for attempt in attempts]
    held = {node: mysql.ids(node, min(ids), max(ids)) for node in lab.nodes}
    primary = mysql.primary()
    return Outcome(
        fault=fault.name,
        gap=checkers.write_gap(attempts, start).seconds,
        verdict=checkers.judge(attempts, samples, held[primary], fault.moves),
        phases={**phases_since(marks, wall), "first write": first.ended - start, "whole": whole},
        copies_differ=sorted(node for node in lab.nodes if held[node] != held[primary]),
        was=stage.primary,
        now=primary,
        coordinator=coordinator,
    )
