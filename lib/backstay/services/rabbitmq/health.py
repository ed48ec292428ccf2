"""Judges a look at a broker. Pure: an observation in, a verdict with its reason out.

There are two kinds of evidence. A broker that refuses has said that it does not serve; whether that is a failure depends on
what its application does. A broker that is silent has said nothing. Load makes brokers silent too, so only silences in a row
count; and one whose Erlang machine answers does not hang.

The table JUDGEMENTS says what follows.
"""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError
from backstay.ocf.table import Value, always, decide
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.ocf.table import Table


class Restart(AgentError):
    """This broker answers, and has to be started anew all the same."""


class Stray(AgentError):
    """This broker belongs to another cluster than the record's. A hard error: what it confirms, the cluster has not."""

    code = ExitCode.ERR_ARGS


SERVING = 100
OK, DEGRADED, FAILED, HUNG = "ok", "degraded", "failed", "hung"


class Verdict(Value):
    """outcome: OK, DEGRADED, FAILED, or HUNG, which is failed and not worth another question. score: the wish to be
    promoted. reason: "" when all is well."""

    __slots__ = ("outcome", "reason", "score")

    def __init__(self, outcome: str, score: int | str, reason: str = "") -> None:
        self.outcome = outcome
        self.score = score
        self.reason = reason


class Inputs(Value):
    """What a verdict rests on; as for `judge`. late: `boot` is of account, since no admin and no minority is why it does not
    serve."""

    __slots__ = ("boot", "grace", "in_a_row", "late", "not_serving_for", "seen", "tolerated")

    def __init__(
        self, seen: Seen, in_a_row: int, tolerated: int, not_serving_for: float, grace: float, boot: float | None = None
    ) -> None:
        self.seen = seen
        self.in_a_row = in_a_row
        self.tolerated = tolerated
        self.not_serving_for = not_serving_for
        self.grace = grace
        self.late = boot is not None and seen.app not in (PAUSED, DRAINED)
        self.boot = boot or 0.0


def _well(i: Inputs) -> str:
    return ""


def _booting(i: Inputs) -> str:
    return "the broker is booting"


_MINORITY = "this broker sees a minority of its cluster"

if TYPE_CHECKING:
    _Row = tuple[str, int | str, Callable[[Inputs], str]]  # outcome, score, the sentence

# fmt: off
JUDGEMENTS: Table[_Row, Inputs] = (
    ((DEGRADED, SERVING, lambda i: f"partitioned from {', '.join(sorted(i.seen.partitions))}"),
     lambda i: i.seen.amqp == ANSWERS and i.seen.partitions,
     "it answers, and is partitioned from others", "the coordinator decides which side restarts"),
    ((DEGRADED, SERVING, lambda i: f"alarm, publishers are blocked: {', '.join(i.seen.alarms)}"),
     lambda i: i.seen.amqp == ANSWERS and i.seen.alarms,
     "it answers, and has an alarm", "a restart heals no alarm, and loses nothing but time"),
    ((OK, SERVING, _well), lambda i: i.seen.amqp == ANSWERS,
     "it answers", "it serves"),
    ((DEGRADED, NEVER, _booting), lambda i: i.late and i.boot > 0,
     "the start did not wait until it served, and its timeout is not over; neither paused nor drained",
     "it boots (start_wait)"),
    ((FAILED, NEVER, lambda i: "the broker did not answer AMQP within the timeout of its start"), lambda i: i.late,
     "the same, and the start's timeout is over", "it should serve by now"),
    ((OK, SERVING, _well), lambda i: i.seen.amqp == SILENT and i.in_a_row < i.tolerated,
     "silent, in fewer monitors in a row than make a failure", "load does that too: no finding yet"),
    ((HUNG, NEVER, lambda i: f"the broker does not answer AMQP, {i.in_a_row} monitors in a row"),
     lambda i: i.seen.amqp == SILENT and i.seen.app == UNKNOWN,
     "silent in so many, and its Erlang machine does not answer either", "hung, or starved"),
    ((DEGRADED, SERVING, lambda i: "it greets no new client, and Erlang answers: look at its limits of sockets and connections"),
     lambda i: i.seen.amqp == SILENT and i.seen.app in (RUNNING, ALIVE),
     "silent in so many, and its Erlang machine answers",
     "its sockets are used up, say: a restart would end the connections that it serves, on all nodes at once"),
    ((FAILED, NEVER, lambda i: "the RabbitMQ application is stopped in a running Erlang machine"),
     lambda i: i.seen.app == STOPPED,
     "it refuses, and its application is stopped", "nobody starts it but us"),
    ((DEGRADED, NEVER, _booting), lambda i: i.seen.app == BOOTING,
     "it refuses, and its application boots", "somebody restarts it; the start's own wait is over"),
    ((DEGRADED, NEVER, lambda i: "in maintenance mode: rabbitmq-upgrade revive ends it"), lambda i: i.seen.app == DRAINED,
     "it refuses, and is drained", "maintenance mode: the admin's wish"),
    ((DEGRADED, NEVER, lambda i: f"paused: {_MINORITY}"),
     lambda i: i.seen.app == PAUSED and i.not_serving_for <= i.grace,
     "it refuses, and is paused, not for long", "it comes back by itself with the majority"),
    ((FAILED, NEVER, lambda i: f"paused for over {i.grace:g} s: {_MINORITY}"), lambda i: i.seen.app == PAUSED,
     "it refuses, and is paused", "a hole in that (rabbitmq-server #8110, #12160) must not last"),
    ((FAILED, NEVER, lambda i: f"the broker refuses AMQP connections, {i.in_a_row} monitors in a row"),
     lambda i: i.in_a_row >= i.tolerated,
     "it refuses, in as many monitors in a row as make a failure; its application runs, or nobody knows",
     "listeners die rarely, and unknown is not dead"),
    ((OK, SERVING, _well), always,
     "otherwise: it refuses, in fewer",
     "no finding yet: a changed result would abort a transition, such as the one that ends this broker"),
)
# fmt: on


def judge(
    seen: Seen, in_a_row: int, tolerated: int, not_serving_for: float, grace: float, boot: float | None = None
) -> Verdict:
    """in_a_row: monitors without a greeting, this one included; `tolerated` of them make a failure. not_serving_for:
    seconds since the first of them. grace: for how many a paused broker may stay paused. boot: the seconds that are left to
    a broker whose start did not wait until it served, and that has not served yet; None for any other."""
    inputs = Inputs(seen, in_a_row, tolerated, not_serving_for, grace, boot)
    outcome, score, reason = decide(JUDGEMENTS, inputs)
    return Verdict(outcome, score, reason(inputs))


def calm(seen: Seen, connected: frozenset[str]) -> str:
    """What a look found where a monitor would have nothing to do and nothing to say, "" where it would: `calm`, and who is
    there. connected: to this one. Who is to be let go of, or to be recorded, or comes or goes, is seen by that, or by a new
    membership of the cluster (cluster/ring.py)."""
    if seen.amqp != ANSWERS or seen.app != RUNNING or not seen.members or seen.partitions or seen.alarms:
        return ""
    return " ".join(["calm", *(",".join(sorted(some)) or "-" for some in (seen.members, seen.running, connected))])
