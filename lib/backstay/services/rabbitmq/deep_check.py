"""The agent's own account, and the deep probe with it (OCF_CHECK_LEVEL 10): what depends on this node alone, and a
confirmed publish, a declaration and a get."""

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import amqp, broker
from backstay.services.rabbitmq.amqp import Account
from backstay.services.rabbitmq.observation import ANSWERS, SHUT_OUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.host.process import Process
    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.observation import Seen


def account(agent: "Rabbitmq") -> Account:
    """Raises AgentError when there is no cookie to derive the password from."""
    password = agent.probe_password
    if not password:
        from backstay.services.rabbitmq.cookie import derived_password

        password = derived_password(agent.read_cookie(), f"probe of {agent.invocation.resource}")
        agent.log.secrets.append(password)
    return Account(agent.probe_user, password, agent.probe_vhost)


def known_account(agent: "Rabbitmq", running: "Process") -> "Account | None":
    """The account that this very broker is known to let in."""
    fields = agent.state.read("account").split("\n")
    if len(fields) != 4 or fields[0] != running.identity:
        return None
    noted = Account(*fields[1:])
    wanted = (agent.probe_user, agent.probe_password or noted.password, agent.probe_vhost)
    return noted if (noted.user, noted.password, noted.vhost) == wanted else None  # the parameters may have changed


def greeting(agent: "Rabbitmq", account: "Account | None", notes: "list[str]") -> "tuple[str, Account | None]":
    """How the broker answers AMQP, asked by a login with the account where there is one: ANSWERS, REFUSES or SILENT; and the
    account, None where the broker has it no more. It lets nobody in with a password that somebody changed, and is not silent
    for that. notes: gets what is wrong with a broker that answers."""
    greeted = broker.greets(agent.listener, agent.deadline.within(agent.probe_timeout), account, notes)
    if account is None or greeted != SHUT_OUT:
        return greeted, account
    try:
        with agent.connect(agent.deadline.within(agent.probe_timeout)) as node:
            known = broker.dialect_of(node).lets_in(node, account)
    except AgentError as error:
        agent.log.info(f"not asked whether the broker has the account {account.user}: {error}")
        known = True
    if known:  # refused by others than its own accounts
        return ANSWERS, account
    agent.log.warning(f"the broker does not let {account.user} in any more: the promoted instance sees to it")
    agent.state.remove("account")
    return ANSWERS, None


def learn_account(agent: "Rabbitmq", node: "Node", dialect: "Dialect", running: "Process") -> Account:
    """The account, noted once the broker has it."""
    ours = account(agent)
    if ours.vhost in dialect.vhosts(node) and dialect.lets_in(node, ours):
        agent.state.write("account", "\n".join([running.identity, ours.user, ours.password, ours.vhost]))
    return ours


def findings(agent: "Rabbitmq", node: "Node", dialect: "Dialect", seen: "Seen") -> "list[str]":
    """What is degraded; empty when all is well. Raises AgentError."""
    found = []
    if len(seen.members) > 1:
        found = [f"only here: {count} {what}" for what, count in sorted(dialect.irreplaceable(node).items())]
    if seen.alarms:
        return found  # a publish would only wait; the alarm is told already
    trouble = round_trip(agent, agent.deadline.within(agent.probe_timeout))
    return [*found, trouble] if trouble else found


def round_trip(agent: "Rabbitmq", deadline: "Deadline") -> str:
    """Declare a queue, publish with a confirmation, get. What went wrong, "" when nothing did."""
    ours, seconds = account(agent), deadline.remaining()
    try:
        amqp.round_trip(agent.listener, deadline, ours, f"probe.{agent.erlang_name}", agent.me.encode())
    except amqp.LoginRefused:
        return f"the probe's account {ours.user} is refused: is probe_password what the broker has?"
    except amqp.BrokerSilent:
        return f"a confirmed publish takes over {seconds:.0f} s"
    except AgentError as error:
        return f"a confirmed publish failed: {error}"
    return ""
