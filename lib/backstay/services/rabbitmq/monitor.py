"""One monitor of a broker that runs: it looks, judges, and does the duties; or it rests, which means that it uses the
watcher's looks."""

from __future__ import annotations

from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.rabbitmq import health
from backstay.services.rabbitmq.context import UNANSWERED, UNAWAITED, UNSERVED
from backstay.services.rabbitmq.observation import ALIVE, ANSWERS, UNKNOWN, Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.rabbitmq.amqp import Account
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node

DEEP = 10  # OCF_CHECK_LEVEL
_LOOK_EVERY = 120.0  # seconds for which one that is not promoted may rest: the watcher sees all that its monitor sees


def examine(context: RabbitmqContext, running: Process, promoted: bool, notes: list[str]) -> tuple[health.Verdict, str]:
    """The verdict, and what is calm, "" where not all is. What else is to be said goes into `notes`. Raises Restart, Stray."""
    from backstay.services.rabbitmq import broker, coordinator, probe_account

    calm = ""
    given = context.parameters
    greeted, account = probe_account.greeting(context, probe_account.known(context, running), notes)
    seen = Seen(greeted)
    boot = boot_left(context, running)
    # While it boots nothing depends on what else it says, and the cluster may wait for this monitor.
    patience = given.probe_timeout / (2 if boot is None or greeted == ANSWERS else 6)
    try:
        with context.broker.connect(context.deadline.within(patience)) as node:
            dialect = broker.dialect_of(node)
            seen = Seen(greeted, ALIVE)
            connected = dialect.connected(node)
            all_there = coordinator.look_for_lost(context, node, dialect, connected)
            seen = broker.look(node, dialect, greeted)
            if greeted == ANSWERS:
                coordinator.compare(context, running, seen.members)
                coordinator.tell_again(context)
                account = account or probe_account.learn(context, node, dialect, running)
                notes += _duties(context, node, dialect, seen, account if promoted else None)
                if all_there and not notes:
                    calm = health.calm(seen, connected)
    except (health.Restart, health.Stray):
        raise
    except AgentError as error:
        # AMQP decides whether the broker serves, and silence here whether one that is silent there hangs. What else cannot be
        # learnt is unknown.
        context.log.info(f"not asked over Erlang's protocol: {error}")
        # One that is merely late is busy: a changed result would abort what the cluster is doing.
        if greeted == ANSWERS and seen.app in (ALIVE, UNKNOWN) and not isinstance(error, TimedOut):
            notes.append(f"membership and alarms are unknown: {error}")
    in_a_row, since = count(context, running, greeted)
    if greeted == ANSWERS and boot is not None:
        context.state.remove(UNAWAITED)
    return health.judge(seen, in_a_row, given.silences, since, given.partition_grace, boot), calm


def _duties(context: RabbitmqContext, node: Node, dialect: Dialect, seen: Seen, account: Account | None) -> list[str]:
    """account: the probe's, on the promoted node."""
    node.deadline = context.deadline.within(context.parameters.probe_timeout)
    said: list[str] = []
    if context.invocation.check_level >= DEEP:
        from backstay.services.rabbitmq import deep_check

        said += deep_check.findings(context, node, dialect, seen)
        if account:
            from backstay.services.rabbitmq import mirrors

            said += mirrors.attend(context, node, dialect, seen)
    elif account:
        from backstay.services.rabbitmq import coordinator

        said += coordinator.attend(context, node, dialect, account, seen)
    return said


def count(context: RabbitmqContext, running: Process, greeted: str) -> tuple[int, float]:
    """Monitors in a row without a greeting, this one included, and the seconds since the first."""
    if greeted == ANSWERS:
        context.state.remove(UNANSWERED)
        context.state.remove(UNSERVED)
        return 0, 0.0
    lasted = context.state.lasting(UNSERVED, running.identity)
    fields = context.state.read(UNANSWERED).split()
    known = int(fields[1]) if len(fields) == 2 and fields[0] == running.identity else 0
    context.state.write(UNANSWERED, f"{running.identity} {known + 1}")
    if context.unwritten:
        return max(known + 1, context.parameters.silences), lasted  # nobody would count on
    return known + 1, lasted


def boot_left(context: RabbitmqContext, running: Process) -> float | None:
    """Seconds that are left to a broker whose start did not wait until it served; None when it is no such one, or has
    served since."""
    import time

    identity, _, until = context.state.read(UNAWAITED).partition(" ")
    return float(until) - time.monotonic() if identity == running.identity else None


def rests(context: RabbitmqContext, running: Process, promoted: bool) -> bool:
    """Whether the watcher sees, right now, what the last look found, in the same membership of the cluster."""
    from backstay.cluster import ring
    from backstay.watch import reuse

    settled = ring.settled(context.state)
    every = reuse.LOOK_EVERY if promoted else _LOOK_EVERY
    return bool(settled) and reuse.rests(context, running, f"{promoted} {settled}", every)


def note(context: RabbitmqContext, running: Process, promoted: bool, calm: str) -> None:
    """For the next monitors. A membership that changed during the look has not settled."""
    from backstay.cluster import ring
    from backstay.watch import reuse

    settled = ring.settled(context.state)
    reuse.note(context, running, calm if settled else "", f"{promoted} {settled}")
