"""Before a broker ends: wait, for a while, where a queue would lose something or its majority with it."""

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.rabbitmq import broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node


def announce(agent: "Rabbitmq", leaving: bool) -> None:
    """Tell the other nodes whether we are about to stop: those that stop too need not wait for us. A private attribute.
    Raises AgentError."""
    agent.pacemaker.set_attribute(_attribute(agent), "1" if leaving else "0", private=True)


def leave(agent: "Rabbitmq", deadline: "Deadline") -> None:
    """Returns when nothing depends on this broker alone, when nobody is left to take over, or at the deadline. Never
    fails: it is part of stop."""
    try:
        announce(agent, True)
        with agent.connect(deadline.within(agent.probe_timeout)) as node:
            dialect = broker.dialect_of(node)
            if not dialect.running(node) - {agent.erlang_name}:
                return
            node.deadline = deadline
            needed = dialect.irreplaceable(node)
            if not needed:
                return
            agent.log.notice(f"stop waits: {', '.join(f'{count} {what}' for what, count in sorted(needed.items()))}")
            poll(
                lambda: not _successors(agent, node, dialect) or not dialect.irreplaceable(node),
                deadline,
                "the queues to have another copy",
                interval=0.5,
            )
    except TimedOut as error:
        agent.log.warning(f"stop waits no longer: {error}")
    except AgentError as error:
        agent.log.info(f"stop does not wait: {error}")


def _successors(agent: "Rabbitmq", node: "Node", dialect: "Dialect") -> "set[str]":
    """Erlang names of the brokers that stay."""
    staying = set(dialect.running(node)) - {agent.erlang_name}
    for name, erlang in agent.facts().members.items():
        if erlang in staying and agent.pacemaker.attribute(_attribute(agent), name) == "1":
            staying.discard(erlang)
    return staying


def _attribute(agent: "Rabbitmq") -> str:
    return f"{agent.invocation.resource}-leaving"
