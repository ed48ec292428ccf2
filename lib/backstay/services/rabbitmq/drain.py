"""Waits before a broker ends, for a while, where a queue would lose something, or its majority, with this broker."""

from __future__ import annotations

from backstay.cluster.attributes import Attribute
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.rabbitmq import broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.cluster.pacemaker import Pacemaker
    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node

LEAVING = Attribute(
    "{resource}-leaving",
    "RabbitMQ: 1 while the broker is about to stop, else 0",
    lost="others that stop at the same time count on this one",
    public=False,
)


def announce(pacemaker: Pacemaker, leaving: bool) -> None:
    """Tell the other nodes whether this broker is about to stop: those that stop too need not wait for it. A private attribute.
    Raises AgentError."""
    pacemaker.set_attribute(LEAVING, "1" if leaving else "0")


def leave(context: RabbitmqContext, deadline: Deadline) -> None:
    """Returns when nothing depends on this broker alone, when nobody is left to take over, or at the deadline. Never
    fails: it is part of stop."""
    try:
        announce(context.pacemaker, True)
        with context.broker.connect(deadline.within(context.parameters.probe_timeout)) as node:
            dialect = broker.dialect_of(node)
            if not dialect.running(node) - {context.broker.erlang_name}:
                return
            node.deadline = deadline
            needed = dialect.irreplaceable(node)
            if not needed:
                return
            context.log.notice(f"stop waits: {', '.join(f'{count} {what}' for what, count in sorted(needed.items()))}")
            poll(
                lambda: not _successors(context, node, dialect) or not dialect.irreplaceable(node),
                deadline,
                "the queues to have another copy",
                interval=0.5,
            )
    except TimedOut as error:
        context.log.warning(f"stop waits no longer: {error}")
    except AgentError as error:
        context.log.info(f"stop does not wait: {error}")


def _successors(context: RabbitmqContext, node: Node, dialect: Dialect) -> set[str]:
    """Erlang names of the brokers that stay."""
    staying = set(dialect.running(node)) - {context.broker.erlang_name}
    pacemaker = context.pacemaker
    for name, erlang in context.record.read().members.items():
        if erlang in staying and pacemaker.attribute(LEAVING, name) == "1":
            staying.discard(erlang)
    return staying
