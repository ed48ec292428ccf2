"""Looks at the broker's Erlang node, and asks it."""

from __future__ import annotations

from backstay.ocf.errors import AgentError, WrongParameter
from backstay.services.rabbitmq import amqp
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.distribution import CallFailed, Node, NodeDown, NodeSilent
from backstay.services.rabbitmq.observation import ALIVE, ANSWERS, DRAINED, REFUSES, RUNNING, SHUT_OUT, SILENT, Seen
from backstay.services.rabbitmq.tcp import LOOPBACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.dialects.base import Dialect

    T = TypeVar("T")

_PATIENCE = 0.5  # seconds for a question that may have to wait for other nodes


def connect(node: str, cookie: str, deadline: Deadline, purpose: str, local: bool = True) -> Node:
    """The broker's Erlang node. `local`: this node's, which listens on the loopback unless it is told otherwise."""
    if local:
        try:
            return Node(node, cookie, deadline, purpose, LOOPBACK)
        except NodeDown:
            pass
    return Node(node, cookie, deadline, purpose)


def dialect_of(node: Node) -> Dialect:
    from backstay.services.rabbitmq.etf import text

    return dialect_for(text(node.call("rabbit_misc", "version")))


def greets(
    listener: amqp.Listener,
    deadline: Deadline,
    account: amqp.Account | None = None,
    notes: list[str] | None = None,
) -> str:
    """ANSWERS, REFUSES or SILENT; with an account also SHUT_OUT. One that is not to be trusted answers; why
    goes into `notes`, else BrokerUntrusted or WrongParameter is raised. So does one that greets and is slow to log in."""
    try:
        if not amqp.greet(listener, deadline, account) and account:
            return SHUT_OUT
    except (amqp.BrokerUntrusted, WrongParameter) as error:
        if notes is None:
            raise
        notes.append(str(error))
    except amqp.LoginSlow as error:
        if notes is not None:
            notes.append(str(error))
    except amqp.LoginUnknown:
        pass  # the deep monitor, which needs a login, says it
    except amqp.BrokerSilent:
        return SILENT
    except amqp.BrokerRefuses:
        return REFUSES
    return ANSWERS


def look(node: Node, dialect: Dialect, greeted: str) -> Seen:
    """Everything that the fast monitor asks. What the broker cannot say is left unknown. Raises NodeDown, NodeSilent."""
    app = ALIVE
    members: frozenset[str] = frozenset()
    running: frozenset[str] = frozenset()
    try:
        app = dialect.application(node)
        if greeted == ANSWERS:
            members = dialect.members(node)
            running = dialect.running(node)
    except CallFailed:
        pass
    if app == RUNNING and greeted != ANSWERS and _in_time(node, dialect.drained):
        app = DRAINED
    if app != RUNNING or greeted != ANSWERS:
        return Seen(greeted, app, members, running)
    alarms = _in_time(node, dialect.alarms) or ()
    return Seen(greeted, app, members, running, _in_time(node, dialect.partitions) or frozenset(), alarms)


def _in_time(node: Node, question: Callable[[Node], T]) -> T | None:
    """The answer, None when it is not known or late. These are asked of processes that talk to the other nodes, and wait
    with them for one that has just lost its power."""
    whole = node.deadline
    node.deadline = whole.within(_PATIENCE)
    try:
        return question(node)
    except (CallFailed, NodeSilent):
        return None
    finally:
        node.deadline = whole


def serves(node: str, cookie: str, deadline: Deadline) -> bool:
    """Whether the broker of another host is up and serving. Raises WrongCookie."""
    try:
        with connect(node, cookie, deadline, "backstay-peer", local=False) as peer:
            return peer.call("rabbit", "is_running") is True
    except WrongParameter:
        raise
    except AgentError:
        return False
