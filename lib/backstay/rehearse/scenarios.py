"""One rehearsal of one fault, from a whole service to a whole service again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from backstay.rehearse.checkers import unsilenced
from backstay.rehearse.faults import Fault, Stage

if TYPE_CHECKING:
    from backstay.rehearse.history import Attempt
    from backstay.rehearse.service import Service, Verdict

STEADY_TIMEOUT = 30.0  # seconds for a whole service to take the load
WHOLE_TIMEOUT = 240.0  # seconds until all nodes are back; includes booting and, unless cleaned up, failure-timeout


class Outcome(NamedTuple):
    """What one fault cost. gap: seconds without an acknowledgement. phases: seconds after the fault; `first write` and
    `whole` among them. was, now: the leader before and after. coordinator: the one before was the cluster's DC too.
    unsilenced: acknowledgements by the old leader of what was begun after a fault that silences it."""

    fault: str
    gap: float
    verdict: Verdict
    phases: dict[str, float]
    was: str
    now: str
    coordinator: bool
    unsilenced: list[Attempt]

    @property
    def clean(self) -> bool:
        return self.verdict.clean and not self.unsilenced


def rehearse(
    service: Service, fault: Fault, directory: str, order: tuple[str, ...] = (), clean_up: bool = True
) -> Outcome:
    """Inflict the fault under load, wait until the service is whole, and judge.

    `directory` gets the histories. `order`: of power-on in a blackout. `clean_up`: forget failures once writes work, as
    an admin would, instead of waiting for failure-timeout. Raises TimedOut when writes or the service do not come back.
    """
    hit = fault.hits(service)
    service.wait_whole(WHOLE_TIMEOUT)
    with service.load(directory) as load:
        load.wait_steady(0.0, STEADY_TIMEOUT)
        stage = Stage(hit, load, order)
        before = load.acknowledged()[-1].server
        coordinator = hit.is_dc(stage.leader)
        marks = hit.log_marks()
        wall, start = time.time(), time.monotonic()
        stage.began = start
        fault.inflict(stage)
        inflicted = time.monotonic()
        # In-flight writes of the old leader may be acknowledged just after the fault; a planned move ends later.
        since = start if fault.elsewhere else time.monotonic()
        first = load.wait_steady(since, fault.patience, not_by=before if fault.elsewhere else None)
        if clean_up and fault.fails:
            hit.cleanup(fault.fails(stage))
        fault.heal(stage)
        load.wait_steady(time.monotonic(), fault.patience)
        histories = load.finish()
    service.wait_whole(WHOLE_TIMEOUT)
    whole = time.monotonic() - start
    return Outcome(
        fault=fault.name,
        gap=service.gap(load.attempts, start),
        verdict=service.judge(histories, fault, stage),
        phases={
            **hit.phases_since(marks, wall),
            **stage.phases,
            "first write": first.ended - start,
            "whole": whole,
        },
        was=stage.leader,
        now=hit.leader(),
        coordinator=coordinator,
        unsilenced=unsilenced(load.attempts, before, inflicted) if fault.silences else [],
    )
