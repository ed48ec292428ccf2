"""What the promoted instance does for the cluster, and what each does when another has ended."""

import time

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import broker, partition
from backstay.services.rabbitmq.health import Restart

_TURN = 0.3  # seconds between two nodes' calls for an election
_QUEUES = 8.0  # seconds of a monitor for copies of queues to be taken away, or added
_FENCING = 3.0  # seconds for which a monitor waits for the fencing of a node that left

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.host.process import Process
    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.amqp import Account
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.observation import Seen


def attend(
    agent: "Rabbitmq", node: "Node", dialect: "Dialect", account: "Account", seen: "Seen | None" = None
) -> "list[str]":
    """The duties of the promoted instance, each idempotent: compare, then write. What an admin should know. account: the
    probe's. seen: None at promotion. Raises AgentError."""
    members = seen.members if seen else dialect.members(node)
    running = seen.running if seen else dialect.running(node)
    said = _keep_record(agent, node, dialect, members, running)
    if seen:
        said += _heal(agent, seen)
        _complete(agent, node, members, running)
    dialect.ensure_probe(node, account)
    for line in dialect.ensure_mirroring(node, agent.mirroring(dialect)):
        if line.startswith("set policy"):
            agent.log.notice(line)
        else:
            said.append(line)
    return said


def _heal(agent: "Rabbitmq", seen: "Seen") -> "list[str]":
    """Have the smaller side of a partition that lasts restarted: tell the cluster that it failed. Raises Restart when it is
    this one's."""
    apart = " ".join(sorted(seen.partitions))
    lasted = agent.state.lasting("partition", apart)
    healing = partition.heal(agent.erlang_name, seen.members, seen.partitions, lasted, agent.partition_grace)
    if not healing.restart:
        return []
    agent.state.remove("partition")
    agent.log.warning(f"{healing.reason}: what was confirmed there since the partition began is discarded")
    nodes = {erlang: name for name, erlang in agent.facts().members.items()}
    for erlang in healing.restart:
        if erlang != agent.erlang_name and erlang in nodes:
            agent.pacemaker.fail(nodes[erlang])
    if agent.erlang_name in healing.restart:
        raise Restart(healing.reason)
    return [healing.reason]


def compare(agent: "Rabbitmq", running: "Process", members: "frozenset[str]") -> None:
    """With the record, where no start did: it did not wait for this broker, or there was none. Raises Stray, AgentError."""
    if agent.state.read("belongs") != running.identity:
        from backstay.services.rabbitmq import belonging

        belonging.note(agent, running, members)


def _keep_record(
    agent: "Rabbitmq", node: "Node", dialect: "Dialect", members: "frozenset[str]", running: "frozenset[str]"
) -> "list[str]":
    """Have the record name the members, and forget those that leave for good. Our own copy saves asking the cluster. Raises
    Stray where this broker is none of them."""
    from backstay.services.rabbitmq import belonging
    from backstay.services.rabbitmq.record import Facts, MalformedFacts

    if not members:
        return []
    leaving = set(agent.removed_nodes())
    try:
        facts = Facts.parse(agent.state.read("facts"))
    except MalformedFacts:
        facts = Facts({}, {})
    if set(facts.members.values()) == members and not leaving & set(facts.members):
        return []
    facts = agent.facts()
    belonging.compare(agent, members, facts)  # a second cluster must not be written over the first
    said = []
    for leaver in sorted(leaving & set(facts.members)):
        erlang = facts.members[leaver]
        if erlang in running:
            said.append(f"{leaver} leaves for good: waiting for its broker to stop")
            continue
        if erlang in members:
            node.deadline = agent.deadline.within(_QUEUES)
            dialect.forget(node, erlang)
            agent.log.notice(f"{leaver} left the cluster for good: {erlang} is forgotten")
            members = members - {erlang}
        facts = facts.without(leaver, erlang)
    known = _who(agent, facts.members, members)
    returned = {erlang for name, erlang in facts.removed.items() if erlang in members and known.get(name) == erlang}
    if returned:  # noted before the record says that they are back
        agent.state.write("returned", " ".join(sorted({*agent.state.read("returned").split(), *returned})))
    changed = facts
    for name, erlang in known.items():
        if erlang in members and changed.members.get(name) != erlang:
            changed = changed.with_member(name, erlang)
    if str(changed) != str(agent.facts()):
        agent.record(changed)
    else:
        agent.state.write("facts", str(changed))
    return said


def _complete(agent: "Rabbitmq", node: "Node", members: "frozenset[str]", running: "frozenset[str]") -> None:
    """Give those that have returned the copies of queues that they had, a few seconds' worth in each monitor."""
    returned = agent.state.read("returned").split()
    for erlang in returned:
        if erlang in members and erlang not in running:
            continue
        from backstay.services.rabbitmq import replicas

        node.deadline = agent.deadline.within(_QUEUES)
        added, failed = replicas.give(node, erlang, len(members)) if erlang in members else (0, 0)
        if added:
            agent.log.notice(f"{added - failed} of {added} quorum queues and streams have a copy on {erlang} again")
        if not failed:
            left = " ".join(other for other in returned if other != erlang)
            agent.state.write("returned", left) if left else agent.state.remove("returned")
        return


def _who(agent: "Rabbitmq", recorded: "dict[str, str]", members: "frozenset[str]") -> "dict[str, str]":
    """Node of the cluster -> Erlang name, for each that we can tell."""
    from backstay.services.rabbitmq.boot import attribute

    known = {**recorded, agent.me: agent.erlang_name}
    if members <= set(known.values()):
        return known
    for name in agent.pacemaker.members():
        if name not in known:
            words = (agent.pacemaker.attribute(attribute(agent), name) or "").split()
            if words:
                known[name] = words[0]
    return known


def look_for_lost(
    agent: "Rabbitmq", node: "Node", dialect: "Dialect", connected: "frozenset[str] | None" = None
) -> bool:
    """Let go of brokers whose nodes are known to be down, if ours still holds on to one; whether there was none. The
    notification that tells so after fencing is lost when anything aborts its transition, so each monitor looks, too.
    connected: if it is known already. Raises AgentError."""
    connected = dialect.connected(node) if connected is None else connected
    if not connected or not agent.invocation.node:
        return True
    online = {name.partition(".")[0] for name in agent.pacemaker.members()}
    if all(_host(erlang) in online for erlang in connected):
        agent.state.remove("absent")
        return True
    recorded = {erlang: name for name, erlang in agent.facts().members.items()}
    absent = {erlang for erlang in connected if erlang in recorded and _host(erlang) not in online}
    # One that left in maintenance with its broker running is fenced by nobody, however often it is waited for.
    waited = absent <= set(agent.state.read("absent").split())
    patience = agent.deadline.within(0 if waited else _FENCING)
    while absent:
        down = agent.nodes_down()
        for erlang in sorted(absent):
            if recorded[erlang] in down:
                _release(agent, node, dialect, recorded[erlang], erlang)
                absent.discard(erlang)
        if patience.expired:
            break
        time.sleep(0.2 if absent else 0)
    agent.state.write("absent", " ".join(sorted(absent)))
    return False


def _release(agent: "Rabbitmq", node: "Node", dialect: "Dialect", name: str, erlang: str) -> None:
    """Take a broker that has surely ended for dead, and have the quorum queues that it led choose others. One node after
    the other: those that ask at the same time take each other's votes."""
    node.deadline = agent.deadline.within(_FENCING)
    dialect.disconnect(node, erlang)
    agent.log.notice(f"the broker of {name} has ended: {erlang} is disconnected")
    time.sleep(_TURN * sorted(dialect.connected(node) | {node.node}).index(node.node))
    try:
        elected = dialect.elect(node, erlang)
    except AgentError as error:
        agent.log.info(f"quorum queues choose a leader by themselves, some seconds later: {error}")
        return
    if elected:
        agent.log.info(f"{elected} quorum queues led by {erlang} choose a leader")


def _host(erlang: str) -> str:
    """The short host name in an Erlang name."""
    return erlang.partition("@")[2].partition(".")[0]


def let_go(agent: "Rabbitmq", ended: "Sequence[str]") -> None:
    """Have our broker take those of the nodes `ended` for dead, now: the cluster says that their instances have ended.
    Otherwise it would wait out the tick time for one that lost its power. Raises AgentError."""
    if not ended:
        return
    with agent.connect(agent.deadline.within(agent.probe_timeout)) as node:
        dialect = broker.dialect_of(node)
        connected = dialect.connected(node)
        recorded = agent.facts().members
        surely = {*agent.pacemaker.members()}  # stopped there; of a node that is gone fencing has to be certain
        if not set(ended) <= surely:
            surely |= agent.nodes_down()
        for name in ended:
            erlang = recorded.get(name) or f"rabbit@{name.partition('.')[0]}"
            if erlang in connected and name in surely:
                _release(agent, node, dialect, name, erlang)
