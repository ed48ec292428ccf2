"""What the histories of a message broker's clients prove. Pure: histories in, findings out.

What is legitimate
- A message of unknown end may be there or not, and so may one that was refused (`basic.nack`): a refusal says that the
  broker does not answer for the message, not that it is gone.
- A message may come again when the broker says so (`redelivered`), or when the consumer's earlier connection had ended:
  its acknowledgement may not have arrived, and a broker that lost its power may have forgotten that it delivered.
- A cast may vanish where all brokers were lost, until its server has its queue back: oslo.messaging does not ask for a message
  that no queue takes (`mandatory`), and the broker that is up first confirms it while the queue's leader still boots.
- A call may fail, if the client is told so. It may be executed twice, since the driver sends again what was not confirmed.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import FAIL, OK, Attempt, Delivery, Execution, Request
from backstay_lab.checkers.writes import lost, phantoms, write_gap

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outage(NamedTuple):
    """Since `begun` all brokers may have been lost, by what was done until `done`. Monotonic seconds."""

    begun: float
    done: float


# Seconds. A server of remote procedure calls has work ten times a second; without any for so long it stands still. What it had
# in hand when the last broker was lost, or what that one still delivered, it does until so long after.
STANDSTILL = 1.0
ENDING = 2.0


class Requests(NamedTuple):
    """The verdict over remote procedure calls. Counts, then ids of what must not be: `unanswered` have no end,
    `misanswered` got somebody else's answer or one though nobody executed them, `vanished` are casts that were accepted
    and never executed, `unrouted` those of them that may, `strange` are executions that nobody asked for."""

    calls: int
    casts: int
    failed: int
    executed_again: int
    slowest: float
    unanswered: list[int]
    misanswered: list[int]
    vanished: list[int]
    unrouted: list[int]
    strange: list[int]

    @property
    def clean(self) -> bool:
        return not (self.unanswered or self.misanswered or self.vanished or self.strange)

    def __str__(self) -> str:
        return (
            f"{self.calls} calls and {self.casts} casts, {self.failed} failed, {len(self.vanished)} vanished, "
            f"{len(self.unrouted)} unrouted, "
            f"{len(self.unanswered)} unanswered, {len(self.misanswered)} misanswered, {len(self.strange)} strange, "
            f"{self.executed_again} executed again, slowest call {self.slowest:.2f} s"
        )


class Messages(NamedTuple):
    """The verdict over one run. `confirmed` to `consumer_gap` (seconds) inform, but the gap must have an end; the lists must
    be empty, and `requests` clean where there were any."""

    confirmed: int
    failed: int
    unknown: int
    repeated: int
    consumer_gap: float
    lost: list[int]
    phantoms: list[int]
    duplicates: list[Delivery]
    disturbed: list[Attempt]
    requests: Requests | None = None

    @property
    def clean(self) -> bool:
        served = math.isfinite(self.consumer_gap) and (self.requests is None or self.requests.clean)
        return served and not (self.lost or self.phantoms or self.duplicates or self.disturbed)

    def __str__(self) -> str:
        rpc = "" if self.requests is None else f"\n    {self.requests}"
        return (
            f"{self.confirmed} confirmed, {len(self.lost)} lost, {len(self.phantoms)} phantoms, "
            f"{len(self.duplicates)} duplicates, {self.repeated} redelivered, {len(self.disturbed)} disturbed, "
            f"{self.unknown} unknown, no delivery for {self.consumer_gap:.2f} s{rpc}"
        )


def strangers(attempts: Sequence[Attempt], deliveries: Sequence[Delivery]) -> list[int]:
    """Ids that were delivered though nobody published them."""
    return sorted({delivery.id for delivery in deliveries} - {attempt.id for attempt in attempts})


def duplicates(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Deliveries that redelivery does not allow: again, not marked, and to the connection that had it already."""
    had: set[tuple[int, str]] = set()
    found = []
    for delivery in sorted(deliveries, key=lambda delivery: delivery.at):
        if (delivery.id, delivery.session) in had and not delivery.redelivered:
            found.append(delivery)
        had.add((delivery.id, delivery.session))
    return found


def confirm_gap(attempts: Sequence[Attempt], fault: float) -> float:
    """Seconds without a confirm because of the fault at `fault`, for the publisher that waited longest."""
    publishers = {attempt.writer for attempt in attempts}
    gaps = [
        write_gap([attempt for attempt in attempts if attempt.writer == publisher], fault).seconds
        for publisher in publishers
    ]
    return max(gaps, default=math.inf)


def consumer_gap(deliveries: Sequence[Delivery], fault: float) -> float:
    """Seconds without a delivery because of the fault, on the queue that waited longest; without the final drain."""
    worst = 0.0
    for queue in {delivery.queue for delivery in deliveries if delivery.session != "drain"}:
        came = sorted(one.at for one in deliveries if one.queue == queue and one.session != "drain")
        after = [later - sooner for sooner, later in zip(came, came[1:]) if later > fault]
        worst = max(worst, max(after, default=math.inf))
    return worst


def disturbed(attempts: Sequence[Attempt], fault: float, lost_server: int) -> list[Attempt]:
    """What went wrong after the fault for publishers that were connected to another server than the lost one."""
    found = []
    for publisher in {attempt.writer for attempt in attempts}:
        own = sorted((one for one in attempts if one.writer == publisher), key=lambda attempt: attempt.ended)
        before = [one.server for one in own if one.result == OK and one.ended < fault]
        if before and before[-1] != lost_server:
            found += [one for one in own if one.ended >= fault and one.result != OK]
    return found


def judge(attempts: Sequence[Attempt], deliveries: Sequence[Delivery], fault: float) -> Messages:
    """All checks but `disturbed` over one run; the deliveries end with a full drain."""
    results = Counter(attempt.result for attempt in attempts)
    present = {delivery.id for delivery in deliveries}
    return Messages(
        confirmed=results[OK],
        failed=results[FAIL],
        unknown=sum(results.values()) - results[OK] - results[FAIL],
        repeated=len(deliveries) - len({(delivery.queue, delivery.id) for delivery in deliveries}),
        consumer_gap=consumer_gap(deliveries, fault),
        lost=lost(attempts, present),
        phantoms=sorted({*phantoms(attempts, present), *strangers(attempts, deliveries)}),
        duplicates=duplicates(deliveries),
        disturbed=[],
    )


def judge_requests(
    requests: Sequence[Request], executions: Sequence[Execution], outages: Sequence[Outage] = ()
) -> Requests:
    """All checks over the remote procedure calls of one run. outages: when all brokers were lost, if they were."""
    executed = Counter(execution.id for execution in executions)
    calls = [request for request in requests if request.kind == "call"]
    casts = [request for request in requests if request.kind == "cast"]
    lost_casts = [cast for cast in casts if cast.result == OK and not executed[cast.id]]
    spans = [(outage.begun, served_again(executions, outage)) for outage in outages]
    unrouted = [
        cast
        for cast in lost_casts
        if cast.ended is not None and any(begun <= cast.ended <= back for begun, back in spans)
    ]
    unexecuted = [call for call in calls if call.result == OK and not executed[call.id]]
    return Requests(
        calls=len(calls),
        casts=len(casts),
        failed=sum(request.result == FAIL for request in requests),
        executed_again=sum(times - 1 for times in executed.values()),
        slowest=max((call.ended - call.begun for call in calls if call.ended is not None), default=0.0),
        unanswered=[request.id for request in requests if request.ended is None],
        misanswered=[call.id for call in calls if call.result == "wrong"] + [call.id for call in unexecuted],
        vanished=[cast.id for cast in lost_casts if cast not in unrouted],
        unrouted=[cast.id for cast in unrouted],
        strange=sorted(set(executed) - {request.id for request in requests}),
    )


def served_again(executions: Sequence[Execution], outage: Outage) -> float:
    """The outage's own end: when the last server that stood still because of it went on; its beginning when none did. A
    standstill that began later has another cause."""
    back = outage.begun
    for server in {execution.server for execution in executions}:
        times = sorted(execution.at for execution in executions if execution.server == server)
        stood = [
            (later - sooner, later)
            for sooner, later in zip(times, times[1:])
            if later > outage.begun and sooner <= outage.done + ENDING
        ]
        length, went_on = max(stood, default=(0.0, back))
        back = max(back, went_on if length > STANDSTILL else back)
    return back
