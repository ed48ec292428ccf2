"""The deep probe (OCF_CHECK_LEVEL 10): checks what depends on this node alone, and makes a confirmed publish, a declaration
and a get."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import amqp, probe_account

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.observation import Seen


def findings(context: RabbitmqContext, node: Node, dialect: Dialect, seen: Seen) -> list[str]:
    """What is degraded; empty when all is well. Raises AgentError."""
    found = []
    if len(seen.members) > 1:
        found = [f"only here: {count} {what}" for what, count in sorted(dialect.irreplaceable(node).items())]
    if context.parameters.note_clients:
        _note_clients(context, node, dialect)
    if seen.alarms:
        return found  # a publish would only wait; the alarm is told already
    trouble = round_trip(context, context.deadline.within(context.parameters.probe_timeout))
    return [*found, trouble] if trouble else found


def _note_clients(context: RabbitmqContext, node: Node, dialect: Dialect) -> None:
    """Of the other brokers, for whoever stands in for one that is lost."""
    from backstay.agent import clients

    try:
        clients.note(context.state, {other: dialect.clients(node, other) for other in dialect.connected(node)})
    except AgentError as error:
        context.log.info(f"the other brokers' clients are not known: {error}")


def round_trip(context: RabbitmqContext, deadline: Deadline) -> str:
    """Declare a queue, publish with a confirmation, get. What went wrong, "" when nothing did."""
    ours, seconds = probe_account.wanted(context), deadline.remaining()
    try:
        queue, text = f"probe.{context.broker.erlang_name}", context.pacemaker.node().encode()
        amqp.round_trip(context.broker.listener, deadline, ours, queue, text)
    except amqp.LoginRefused:
        return f"the probe's account {ours.user} is refused: is probe_password what the broker has?"
    except amqp.LoginSlow as error:
        return str(error)
    except amqp.BrokerSilent:
        return f"a confirmed publish takes over {seconds:.0f} s"
    except AgentError as error:
        return f"a confirmed publish failed: {error}"
    return ""
