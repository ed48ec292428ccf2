"""Before a broker ends: wait, for a while, where a queue would lose something or its majority with it."""

from backstay.deadline import poll
from backstay.errors import AgentError, TimedOut
from backstay.rabbitmq import broker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.deadline import Deadline
    from backstay.rabbitmq.agent import Rabbitmq

_ATTRIBUTE = "leaving"  # private, of each node: it is about to stop


def leave(agent: "Rabbitmq", deadline: "Deadline") -> None:
    """Returns when nothing depends on this broker alone, or at the deadline. Never fails: it is part of stop."""
    try:
        with agent.connect(deadline.within(agent.probe_timeout)) as node:
            dialect = broker.dialect_of(node)
            others = dialect.running(node) - {agent.erlang_name}
            if not others:
                return
            node.deadline = deadline
            needed = dialect.irreplaceable(node)
            if not needed:
                return
            agent.log.notice(f"stop waits: {_words(needed)}")

            def replaceable() -> bool:
                left = dialect.irreplaceable(node)
                return not left or not dialect.running(node) - {agent.erlang_name}

            poll(replaceable, deadline, "the queues to have another copy", interval=0.5)
    except TimedOut as error:
        agent.log.warning(f"stop waits no longer: {error}")
    except AgentError as error:
        agent.log.info(f"stop does not wait: {error}")


def _words(needed: "dict[str, int]") -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(needed.items()))
