"""The agent's own account, and the deep probe with it (OCF_CHECK_LEVEL 10): what depends on this node alone, and a
confirmed publish, a declaration and a get."""

from backstay.rabbitmq.amqp import Account

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.deadline import Deadline
    from backstay.process import Process
    from backstay.rabbitmq.agent import Rabbitmq
    from backstay.rabbitmq.dialect import Dialect
    from backstay.rabbitmq.distribution import Node


def account(agent: "Rabbitmq") -> Account:
    """Raises AgentError when there is no cookie to derive the password from."""
    password = agent.probe_password
    if not password:
        from backstay.rabbitmq.cookie import derived_password

        password = derived_password(agent.read_cookie(), f"probe of {agent.invocation.resource}")
    return Account(agent.probe_user, password, agent.probe_vhost)


def known_account(agent: "Rabbitmq", running: "Process") -> "Account | None":
    """The account that this very broker is known to let in."""
    fields = agent.state.read("account").split("\n")
    return Account(*fields[1:]) if len(fields) == 4 and fields[0] == running.identity else None


def learn_account(agent: "Rabbitmq", node: "Node", dialect: "Dialect", running: "Process") -> None:
    """Note the account once the broker has it."""
    ours = account(agent)
    if ours.vhost in dialect.vhosts(node) and dialect.lets_in(node, ours):
        agent.state.write("account", "\n".join([running.identity, ours.user, ours.password, ours.vhost]))


def findings(agent: "Rabbitmq", node: "Node", dialect: "Dialect") -> "list[str]":
    """What is degraded; empty when all is well. Raises AgentError."""
    found = [f"{count} {what}" for what, count in sorted(dialect.irreplaceable(node).items())]
    trouble = round_trip(agent, agent.deadline.within(agent.probe_timeout))
    return [*found, trouble] if trouble else found


def round_trip(agent: "Rabbitmq", deadline: "Deadline") -> str:
    """Declare a queue, publish with a confirmation, get. What went wrong, "" when nothing did."""
    import logging

    import pika
    from pika.exceptions import AMQPError, ProbableAuthenticationError

    logging.getLogger("pika").setLevel(logging.CRITICAL)
    ours = account(agent)
    seconds = max(0.5, deadline.remaining())
    parameters = pika.ConnectionParameters(
        host="127.0.0.1",
        port=agent.port,
        virtual_host=ours.vhost,
        credentials=pika.PlainCredentials(ours.user, ours.password),
        heartbeat=0,
        blocked_connection_timeout=seconds,
        socket_timeout=seconds,
        stack_timeout=seconds,
        connection_attempts=1,
    )
    blocked: list[str] = []
    try:
        connection = pika.BlockingConnection(parameters)
        connection.add_on_connection_blocked_callback(
            lambda _, frame: blocked.append(str(getattr(frame.method, "reason", "")))
        )
        connection.call_later(seconds, connection.close)
        channel = connection.channel()
        channel.confirm_delivery()
        queue = f"probe.{agent.erlang_name}"
        channel.queue_declare(queue, durable=True, arguments={"x-max-length": 100, "x-expires": 3600000})
        channel.basic_publish("", queue, agent.me.encode(), pika.BasicProperties(delivery_mode=2), mandatory=True)
        method, _, _ = channel.basic_get(queue, auto_ack=True)
        connection.close()
    except ProbableAuthenticationError:
        return f"the probe's account {ours.user} is refused: is probe_password what the broker has?"
    except AMQPError as error:
        if blocked:
            return f"publishers are blocked: {blocked[0]}"
        return f"a confirmed publish failed: {type(error).__name__} {error}".rstrip()
    return "" if method else "what was published and confirmed could not be fetched"
