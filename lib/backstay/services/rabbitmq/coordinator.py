"""What the promoted instance does for the cluster, and what each instance does when another one has ended."""

from __future__ import annotations

import time

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import broker, partition
from backstay.services.rabbitmq.context import ABSENT, BELONGS, PARTITION, RETURNED
from backstay.services.rabbitmq.health import Restart

_TURN = 0.3  # seconds between two nodes' calls for an election
_QUEUES = 8.0  # seconds of a monitor for copies of queues to be taken away, or added
_FENCING = 3.0  # seconds for which a monitor waits for the fencing of a node that left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.host.deadline import Deadline
    from backstay.host.process import Process
    from backstay.services.rabbitmq.amqp import Account
    from backstay.services.rabbitmq.boot_steps import Looked
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.observation import Seen
    from backstay.services.rabbitmq.record import Record


def attend(
    context: RabbitmqContext, node: Node, dialect: Dialect, account: Account, seen: Seen | None = None
) -> list[str]:
    """The duties of the promoted instance, each idempotent: compare, then write. What an admin should know. account: the
    probe's. seen: None at promotion. Raises AgentError."""
    members = seen.members if seen else dialect.members(node)
    running = seen.running if seen else dialect.running(node)
    said = _keep_record(context, node, dialect, members, running)
    if seen:
        said += _heal(context, seen)
        _complete(context, node, members, running)
    dialect.ensure_probe(node, account)
    for line in dialect.ensure_mirroring(node, context.parameters.mirroring(dialect)):
        if line.startswith("set policy"):
            context.log.notice(line)
        else:
            said.append(line)
    return said


def _heal(context: RabbitmqContext, seen: Seen) -> list[str]:
    """Have the smaller side of a partition that lasts restarted: tell the cluster that it failed. Raises Restart when it is
    this one's."""
    apart = " ".join(sorted(seen.partitions))
    lasted = context.state.lasting(PARTITION, apart)
    me = context.broker.erlang_name
    healing = partition.heal(me, seen.members, seen.partitions, lasted, context.parameters.partition_grace)
    if not healing.restart:
        return []
    from backstay.agent.interpreter import carry_out
    from backstay.services.rabbitmq import membership_steps

    context.state.remove(PARTITION)
    context.log.warning(f"{healing.reason}: what was confirmed there since the partition began is discarded")
    end = carry_out(membership_steps.healing(me, healing.restart, healing.reason), _Healing(context), context.deadline)
    if end.kind == membership_steps.RESTART:
        raise Restart(end.reason)
    return [end.reason]


class _Healing:
    """What the steps of healing a partition do."""

    def __init__(self, context: RabbitmqContext) -> None:
        self._context = context

    def read(self, deadline: Deadline) -> Record:
        return self._context.record.read()

    def fail(self, deadline: Deadline, nodes: tuple[str, ...]) -> None:
        for node in nodes:
            self._context.pacemaker.fail(node)


def tell_again(context: RabbitmqContext) -> None:
    """That there is a broker here with data, and its name: a node that leaves the cluster while its broker runs on takes what it
    said with it, and who is no member on record yet would never be one. Asks nobody while that is known to be there."""
    from backstay.services.rabbitmq import peers

    peers.tell(context.pacemaker, context.broker.erlang_name, True, frozenset())


def compare(context: RabbitmqContext, running: Process, members: frozenset[str]) -> None:
    """With the record, where no start did: it did not wait for this broker, or there was none. Raises Stray, AgentError."""
    if context.state.read(BELONGS) != running.identity:
        from backstay.services.rabbitmq import belonging

        belonging.note(context, running, members)


def _keep_record(
    context: RabbitmqContext, node: Node, dialect: Dialect, members: frozenset[str], running: frozenset[str]
) -> list[str]:
    """Have the record name the members, and forget those that leave for good. This node's copy saves asking the cluster. Raises
    Stray where this broker is none of them."""
    if not members:
        return []
    leaving = frozenset(context.parameters.removed_nodes())
    if not context.record.copy().differs(members, leaving):
        return []
    from backstay.agent.interpreter import carry_out
    from backstay.services.rabbitmq import belonging, membership_steps
    from backstay.services.rabbitmq.boot_steps import STRAY

    verbs = _Keeping(context, node, dialect)
    steps = membership_steps.keeping(context.pacemaker.node(), context.broker.erlang_name, members, running, leaving)
    end = carry_out(steps, verbs, context.deadline)
    if end.kind == STRAY:
        raise belonging.stray(context, end.reason, verbs.read)
    return [end.reason] if end.reason else []


class _Keeping:
    """What the steps do that keep the record of members."""

    def __init__(self, context: RabbitmqContext, node: Node, dialect: Dialect) -> None:
        self._context = context
        self._node = node
        self._dialect = dialect
        self.read = context.record.copy()

    def recorded(self, deadline: Deadline) -> Looked:
        from backstay.services.rabbitmq import belonging

        looked = belonging.recorded(self._context)
        self.read = looked.record
        return looked

    def forget(self, deadline: Deadline, leaver: str, erlang: str) -> None:
        self._node.deadline = deadline
        self._dialect.forget(self._node, erlang)
        self._context.log.notice(f"{leaver} left the cluster for good: {erlang} is forgotten")

    def names(self, deadline: Deadline, known: dict[str, str], members: frozenset[str]) -> dict[str, str]:
        """Node of the cluster -> Erlang name, for each that is known."""
        return _who(self._context, known, members)

    def note_returned(self, deadline: Deadline, returned: frozenset[str]) -> None:
        noted = self._context.state.read(RETURNED).split()
        self._context.state.write(RETURNED, " ".join(sorted({*noted, *returned})))

    def doubt(self, deadline: Deadline) -> None:
        self._context.record.forget()

    def record(self, deadline: Deadline, old: Record, new: Record) -> bool:
        return self._context.record.replace(old, new)

    def keep(self, deadline: Deadline, record: Record) -> None:
        self._context.record.keep(record)


def _complete(context: RabbitmqContext, node: Node, members: frozenset[str], running: frozenset[str]) -> None:
    """Give those that have returned the copies of queues that they had, a few seconds' worth in each monitor."""
    returned = context.state.read(RETURNED).split()
    for erlang in returned:
        if erlang in members and erlang not in running:
            continue
        from backstay.services.rabbitmq import replicas

        node.deadline = context.deadline.within(_QUEUES)
        added, failed = replicas.give(node, erlang, len(members)) if erlang in members else (0, 0)
        if added:
            context.log.notice(f"{added - failed} of {added} quorum queues and streams have a copy on {erlang} again")
        if not failed:
            left = " ".join(other for other in returned if other != erlang)
            context.state.write(RETURNED, left) if left else context.state.remove(RETURNED)
        return


def _who(context: RabbitmqContext, known: dict[str, str], members: frozenset[str]) -> dict[str, str]:
    from backstay.services.rabbitmq import peers

    known = dict(known)
    if members <= set(known.values()):
        return known
    for name in context.pacemaker.members():
        if name not in known:
            erlang = peers.erlang_name(context.pacemaker, name)
            if erlang:
                known[name] = erlang
    return known


def look_for_lost(
    context: RabbitmqContext, node: Node, dialect: Dialect, connected: frozenset[str] | None = None
) -> bool:
    """Let go of brokers whose nodes are known to be down, if this node's broker still holds on to one; whether there
    was none. The notification that tells so after fencing is lost when anything aborts its transition, so each monitor
    looks, too. connected: if it is known already. Raises AgentError."""
    connected = dialect.connected(node) if connected is None else connected
    if not connected or not context.invocation.node:
        return True
    online = {name.partition(".")[0] for name in context.pacemaker.members()}
    if all(_host(erlang) in online for erlang in connected):
        context.state.remove(ABSENT)
        return True
    recorded = {erlang: name for name, erlang in context.record.read().members.items()}
    absent = {erlang for erlang in connected if erlang in recorded and _host(erlang) not in online}
    # One that left in maintenance with its broker running is fenced by nobody, however often it is waited for.
    waited = absent <= set(context.state.read(ABSENT).split())
    patience = context.deadline.within(0 if waited else _FENCING)
    from backstay.services.rabbitmq import peers

    while absent:
        down = peers.down(context.pacemaker)
        for erlang in sorted(absent):
            if recorded[erlang] in down:
                _release(context, node, dialect, recorded[erlang], erlang)
                absent.discard(erlang)
        if patience.expired:
            break
        time.sleep(0.2 if absent else 0)
    context.state.write(ABSENT, " ".join(sorted(absent)))
    return False


def _release(context: RabbitmqContext, node: Node, dialect: Dialect, name: str, erlang: str) -> None:
    """Take a broker that has surely ended for dead, and have the quorum queues that it led choose others. One node after
    the other: those that ask at the same time take each other's votes."""
    node.deadline = context.deadline.within(_FENCING)
    dialect.disconnect(node, erlang)
    context.log.notice(f"the broker of {name} has ended: {erlang} is disconnected")
    time.sleep(_TURN * sorted(dialect.connected(node) | {node.node}).index(node.node))
    try:
        elected = dialect.elect(node, erlang)
    except AgentError as error:
        context.log.info(f"quorum queues choose a leader by themselves, some seconds later: {error}")
        return
    if elected:
        context.log.info(f"{elected} quorum queues led by {erlang} choose a leader")


def _host(erlang: str) -> str:
    """The short host name in an Erlang name."""
    return erlang.partition("@")[2].partition(".")[0]


def let_go(context: RabbitmqContext, ended: Sequence[str]) -> None:
    """Have this node's broker take those of the nodes `ended` for dead, now: the cluster says that their instances have ended.
    Otherwise it would wait out the tick time for one that lost its power. Raises AgentError."""
    if not ended:
        return
    with context.broker.connect(context.deadline.within(context.parameters.probe_timeout)) as node:
        dialect = broker.dialect_of(node)
        connected = dialect.connected(node)
        recorded = context.record.read().members
        surely = {*context.pacemaker.members()}  # stopped there; of a node that is gone fencing has to be certain
        if not set(ended) <= surely:
            from backstay.services.rabbitmq import peers

            surely |= peers.down(context.pacemaker)
        for name in ended:
            erlang = recorded.get(name) or f"rabbit@{name.partition('.')[0]}"
            if erlang in connected and name in surely:
                _release(context, node, dialect, name, erlang)
