"""As services/rabbitmq/health.py judged before its table was executed."""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.services.rabbitmq.health import DEGRADED, FAILED, HUNG, OK, SERVING, Verdict
from backstay.services.rabbitmq.observation import (
    ALIVE,
    ANSWERS,
    BOOTING,
    DRAINED,
    PAUSED,
    RUNNING,
    SILENT,
    STOPPED,
    UNKNOWN,
    Seen,
)


def judge(
    seen: Seen, in_a_row: int, tolerated: int, not_serving_for: float, grace: float, boot: float | None = None
) -> Verdict:
    """in_a_row: monitors without a greeting, this one included; `tolerated` of them make a failure. not_serving_for:
    seconds since the first of them. grace: for how many a paused broker may stay paused. boot: the seconds that are left to
    a broker whose start did not wait until it served, and that has not served yet; None for any other."""
    if seen.amqp == ANSWERS:
        return _serving(seen)
    if boot is not None and seen.app not in (PAUSED, DRAINED):
        if boot > 0:
            return Verdict(DEGRADED, NEVER, "the broker is booting")
        return Verdict(FAILED, NEVER, "the broker did not answer AMQP within the timeout of its start")
    if seen.amqp == SILENT and (in_a_row < tolerated or seen.app == UNKNOWN):
        return _counted(in_a_row, tolerated, HUNG, "the broker does not answer AMQP")
    if seen.amqp == SILENT and seen.app in (RUNNING, ALIVE):  # since then: Erlang's word counts
        told = "it greets no new client, and Erlang answers: look at its limits of sockets and connections"
        return Verdict(DEGRADED, SERVING, told)
    if seen.app == STOPPED:
        return Verdict(FAILED, NEVER, "the RabbitMQ application is stopped in a running Erlang machine")
    if seen.app == BOOTING:
        return Verdict(DEGRADED, NEVER, "the broker is booting")
    if seen.app == DRAINED:
        return Verdict(DEGRADED, NEVER, "in maintenance mode: rabbitmq-upgrade revive ends it")
    if seen.app == PAUSED:
        if not_serving_for <= grace:
            return Verdict(DEGRADED, NEVER, "paused: this broker sees a minority of its cluster")
        return Verdict(FAILED, NEVER, f"paused for over {grace:g} s: this broker sees a minority of its cluster")
    return _counted(in_a_row, tolerated, FAILED, "the broker refuses AMQP connections")


def _counted(in_a_row: int, tolerated: int, outcome: str, what: str) -> Verdict:
    if in_a_row >= tolerated:
        return Verdict(outcome, NEVER, f"{what}, {in_a_row} monitors in a row")
    # No finding yet, and no changed result: that would abort a transition, such as the one that ends this broker.
    return Verdict(OK, SERVING)


def _serving(seen: Seen) -> Verdict:
    if seen.partitions:
        names = ", ".join(sorted(seen.partitions))
        return Verdict(DEGRADED, SERVING, f"partitioned from {names}")
    if seen.alarms:
        return Verdict(DEGRADED, SERVING, f"alarm, publishers are blocked: {', '.join(seen.alarms)}")
    return Verdict(OK, SERVING)
