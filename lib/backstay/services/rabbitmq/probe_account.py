"""The agent's own account: what it should be, whether the broker lets it in, and how the broker answers a login with it."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import broker
from backstay.services.rabbitmq.amqp import Account
from backstay.services.rabbitmq.context import ACCOUNT
from backstay.services.rabbitmq.observation import ANSWERS, SHUT_OUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node


def wanted(context: RabbitmqContext) -> Account:
    """Raises AgentError when there is no cookie to derive the password from."""
    given = context.parameters
    password = given.probe_password
    if not password:
        from backstay.services.rabbitmq.cookie import derived_password

        password = derived_password(context.broker.cookie(), f"probe of {context.invocation.resource}")
        context.log.secrets.append(password)
    return Account(given.probe_user, password, given.probe_vhost)


def known(context: RabbitmqContext, running: Process) -> Account | None:
    """The account that this very broker is known to let in."""
    fields = context.state.read(ACCOUNT).split("\n")
    if len(fields) != 4 or fields[0] != running.identity:
        return None
    noted = Account(*fields[1:])
    given = context.parameters
    as_wanted = (given.probe_user, given.probe_password or noted.password, given.probe_vhost)
    return noted if (noted.user, noted.password, noted.vhost) == as_wanted else None  # the parameters may have changed


def greeting(context: RabbitmqContext, account: Account | None, notes: list[str]) -> tuple[str, Account | None]:
    """How the broker answers AMQP, asked by a login with the account where there is one: ANSWERS, REFUSES or SILENT; and the
    account, None where the broker has it no more. It lets nobody in with a password that somebody changed, and is not silent
    for that. notes: gets what is wrong with a broker that answers."""
    patience = context.parameters.probe_timeout
    greeted = broker.greets(context.broker.listener, context.deadline.within(patience), account, notes)
    if account is None or greeted != SHUT_OUT:
        return greeted, account
    try:
        with context.broker.connect(context.deadline.within(patience)) as node:
            there = broker.dialect_of(node).lets_in(node, account)
    except AgentError as error:
        context.log.info(f"not asked whether the broker has the account {account.user}: {error}")
        there = True
    if there:  # refused by others than its own accounts
        return ANSWERS, account
    context.log.warning(f"the broker does not let {account.user} in any more: the promoted instance sees to it")
    context.state.remove(ACCOUNT)
    return ANSWERS, None


def learn(context: RabbitmqContext, node: Node, dialect: Dialect, running: Process) -> Account:
    """The account, noted once the broker has it."""
    ours = wanted(context)
    if ours.vhost in dialect.vhosts(node) and dialect.lets_in(node, ours):
        context.state.write(ACCOUNT, "\n".join([running.identity, ours.user, ours.password, ours.vhost]))
    return ours
