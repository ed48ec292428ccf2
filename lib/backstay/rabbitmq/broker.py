"""The broker's processes and its Erlang node: find it, look at it, ask it."""

import os

from backstay.errors import AgentError, WrongParameter
from backstay.process import Process, at, start_time
from backstay.rabbitmq import amqp
from backstay.rabbitmq.dialect import Dialect, dialect_for
from backstay.rabbitmq.distribution import CallFailed, Node, NodeDown, NodeSilent
from backstay.rabbitmq.observation import ANSWERS, DRAINED, REFUSES, RUNNING, SILENT, UNKNOWN, Seen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional, TypeVar

    from backstay.deadline import Deadline

    T = TypeVar("T")

_PATIENCE = 0.5  # seconds for a question that may have to wait for other nodes
_BOOTS = b"\0-s\0rabbit\0boot\0"  # arguments that a broker's Erlang machine has and a rabbitmqctl's has not


def find(hint: str, node: str, directory: str) -> "Optional[Process]":
    """The Erlang machine that is the broker `node` with its data in `directory`. hint: identity of the last one known."""
    pid, _, started = hint.partition(":")
    if pid.isdigit() and start_time(int(pid)) == started != "":
        return Process(int(pid), started)
    for name in filter(str.isdigit, os.listdir("/proc")):
        if _is(int(name), node, directory):
            return at(int(name))
    return None


def _is(pid: int, node: str, directory: str) -> bool:
    """By its environment, which names the node when the agent or an admin's file started it, else by the data that it has
    open. Names are compared whole: rabbit@node1 is not rabbit@node10."""
    try:
        if os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0] != "beam.smp":
            return False
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            if _BOOTS not in source.read():
                return False
        with open(f"/proc/{pid}/environ", "rb") as source:
            named = [word for word in source.read().split(b"\0") if word.startswith(b"RABBITMQ_NODENAME=")]
        if named:
            return named[-1].partition(b"=")[2].decode(errors="replace") == node
        inside = directory.rstrip("/") + "/"
        links = (os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
        return any(link.startswith(inside) for link in links)
    except OSError:
        return False


def connect(node: str, cookie: str, deadline: "Deadline", purpose: str, local: bool = True) -> Node:
    """The broker's Erlang node. `local`: ours, which listens on the loopback unless it is told otherwise."""
    if local:
        try:
            return Node(node, cookie, deadline, purpose, amqp.LOOPBACK)
        except NodeDown:
            pass
    return Node(node, cookie, deadline, purpose)


def dialect_of(node: Node) -> Dialect:
    from backstay.rabbitmq.etf import text

    return dialect_for(text(node.call("rabbit_misc", "version")))


def greets(
    listener: amqp.Listener,
    deadline: "Deadline",
    account: "Optional[amqp.Account]" = None,
    notes: "Optional[list[str]]" = None,
) -> str:
    """ANSWERS, REFUSES or SILENT. One that is not to be trusted answers; why goes into `notes`, else BrokerUntrusted or
    WrongParameter is raised."""
    try:
        amqp.greet(listener, deadline, account)
    except (amqp.BrokerUntrusted, WrongParameter) as error:
        if notes is None:
            raise
        notes.append(str(error))
    except amqp.BrokerSilent:
        return SILENT
    except amqp.BrokerRefuses:
        return REFUSES
    return ANSWERS


def look(node: Node, dialect: Dialect, greeted: str) -> Seen:
    """Everything that the fast monitor asks. What the broker cannot say is left unknown. Raises NodeDown, NodeSilent."""
    app = UNKNOWN
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


def _in_time(node: Node, question: "Callable[[Node], T]") -> "Optional[T]":
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


def serves(node: str, cookie: str, deadline: "Deadline") -> bool:
    """Whether the broker of another host is up and serving. Raises WrongCookie."""
    try:
        with connect(node, cookie, deadline, "backstay-peer", local=False) as peer:
            return peer.call("rabbit", "is_running") is True
    except WrongParameter:
        raise
    except AgentError:
        return False
