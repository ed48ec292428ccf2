"""What a look at a broker means. Pure: an observation in, a verdict with its reason out.

Two kinds of evidence. A broker that refuses has said that it does not serve; whether that is a failure depends on what
its application does. A broker that is silent has said nothing: load does that too, so only silences in a row count.

| AMQP     | application      | verdict                     | why                                                        |
|----------|------------------|-----------------------------|------------------------------------------------------------|
| answers  | any              | fine; degraded by an alarm  | a restart heals no alarm, and loses nothing but time       |
|          |                  | or a partition              | the coordinator decides which side restarts                |
| refuses  | booting          | degraded                    | somebody restarts it; the start's own wait is over         |
| any but  | any but paused   | degraded, failed when the   | the start did not wait until it served (start_wait)        |
| answers  | and drained      | start's timeout is over     |                                                            |
| refuses  | drained          | degraded                    | maintenance mode: the admin's wish                         |
| refuses  | paused           | degraded, then failed       | it comes back by itself with the majority; a hole in that  |
|          |                  |                             | (rabbitmq-server #8110, #12160) must not last              |
| refuses  | stopped          | failed                      | nobody starts it but us                                    |
| refuses  | running, unknown | failed at the Nth           | listeners die rarely, and unknown is not dead              |
| silent   | any              | failed at the Nth           | hung, or starved                                           |
"""

from __future__ import annotations

from backstay.cluster.pacemaker import NEVER
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq.observation import ANSWERS, BOOTING, DRAINED, PAUSED, RUNNING, SILENT, STOPPED, Seen


class Restart(AgentError):
    """This broker answers, and has to be started anew all the same."""


class Stray(AgentError):
    """This broker belongs to another cluster than the record's. A hard error: what it confirms, the cluster has not."""

    code = ExitCode.ERR_ARGS


SERVING = 100
OK, DEGRADED, FAILED, HUNG = "ok", "degraded", "failed", "hung"


class Verdict:
    """outcome: OK, DEGRADED, FAILED, or HUNG, which is failed and not worth another question. score: the wish to be
    promoted. reason: "" when all is well."""

    __slots__ = ("outcome", "reason", "score")

    def __init__(self, outcome: str, score: int | str, reason: str = "") -> None:
        self.outcome = outcome
        self.score = score
        self.reason = reason


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
    if seen.amqp == SILENT:
        return _counted(in_a_row, tolerated, HUNG, "the broker does not answer AMQP")
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


def calm(seen: Seen, connected: frozenset[str]) -> str:
    """What a look found where a monitor would have nothing to do and nothing to say, "" where it would: `calm`, and who is
    there. connected: to this one. Who is to be let go of, or to be recorded, or comes or goes, is seen by that, or by a new
    membership of the cluster (cluster/ring.py)."""
    if seen.amqp != ANSWERS or seen.app != RUNNING or not seen.members or seen.partitions or seen.alarms:
        return ""
    return " ".join(["calm", *(",".join(sorted(some)) or "-" for some in (seen.members, seen.running, connected))])


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
