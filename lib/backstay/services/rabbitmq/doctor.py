"""What would hurt later, found before: validate-all at level 10. Every finding is a sentence that says what to do.

Looks at files, names, peers and, when it runs, the broker; changes nothing.
"""

import os
import re

from backstay.host import untrusted
from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import amqp, belonging, boot, broker, cookie, launch, settings
from backstay.services.rabbitmq.dialects.base import Dialect, dialect_for
from backstay.services.rabbitmq.distribution import WrongCookie
from backstay.services.rabbitmq.health import Stray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.distribution import Node

_ENVIRONMENT = "/etc/rabbitmq/rabbitmq-env.conf"
_SETTING = re.compile(r"\s*([\w.$-]+)\s*=\s*(\S.*)?$")


def findings(agent: "Rabbitmq") -> "list[str]":
    """All findings, the gravest first; empty for a host that suits. Raises NotInstalled, WrongParameter, Misconfigured for
    what makes looking further pointless."""
    layout = agent.layout()
    dialect = dialect_for(launch.version(layout.server))
    agent.mirroring(dialect)
    launch.account(layout.user)
    boot.check_files(agent, layout, dialect)
    secret = cookie.read(layout.cookie_file)
    found = [*_cookie(agent, layout), *_files(agent, layout), *_names(agent, layout), *_settings(layout)]
    found += _data(agent, layout, dialect)
    if layout.listener.ca:
        amqp.context(layout.listener.ca)
    found += _peers(agent, secret)
    if agent.find_process():
        try:
            with agent.connect(agent.deadline.within(5)) as node:
                found += _running(agent, node, dialect)
        except AgentError as error:
            found.append(str(error))
    return found


def _cookie(agent: "Rabbitmq", layout: launch.Layout) -> "Iterator[str]":
    path = layout.cookie_file
    status = os.stat(path)
    if status.st_mode & 0o077 or status.st_uid != launch.account(layout.user).pw_uid:
        yield f"the Erlang cookie {path} must be {layout.user}'s and nobody else's: chown {layout.user}, chmod 400"
    if agent.cookie and agent.cookie != cookie.read(path):
        yield f"the Erlang cookie {path} is not what the parameter cookie says: the next start writes it"


def _files(agent: "Rabbitmq", layout: launch.Layout) -> "Iterator[str]":
    there = [path for path in (layout.base, layout.logs) if os.path.isdir(path)]
    unwritable = launch.unwritable_by(layout.user, there)
    if unwritable:
        yield f"{unwritable} cannot be written by {layout.user}: change its owner or mount it writable"
    port = layout.listener.port
    taken = amqp.holder(port)
    if taken and agent.find_process() is None:
        yield f"port {port} is taken by {taken}: end that, or set port"


def _data(agent: "Rabbitmq", layout: launch.Layout, dialect: Dialect) -> "Iterator[str]":
    """What is there before a broker runs, as far as its files tell."""
    if agent.find_process() or not launch.has_data(layout.directory, dialect):
        return
    members, facts = dialect.members_on_disk(layout.directory), agent.facts()
    try:
        belonging.compare(agent, members, facts)
    except Stray as error:
        yield str(error)
    if not facts.members and not facts.seed and members <= {layout.node}:
        why = "nothing is recorded, and this broker has data: if only the package's first start made it"
        yield f"{why}, rename {layout.directory}"


def _names(agent: "Rabbitmq", layout: launch.Layout) -> "Iterator[str]":
    """Brokers reach each other by the host part of their names."""
    import socket

    hosts = {name.partition("@")[2] for name in (layout.node, *agent.facts().members.values())}
    if not agent.node_name:
        hosts |= {name.partition(".")[0] for name in agent.pacemaker.nodes()}
    for host in sorted(hosts):
        try:
            socket.getaddrinfo(host, layout.listener.port, type=socket.SOCK_STREAM)
        except OSError:
            yield f"the name {host} does not resolve: add its address to /etc/hosts on every node"


def _settings(layout: launch.Layout) -> "Iterator[str]":
    """What the admin's files say that cannot be, or that the agent overrides or cannot."""
    given = {}
    for number, line in enumerate(launch.admin_settings(layout).splitlines(), 1):
        text = line.partition("#")[0].strip()
        found = _SETTING.match(text)
        if text and not found:
            yield f"{layout.config}, line {number} is no setting: {text:.60}"
        elif found:
            given[found[1]] = (found[2] or "").strip()
    if given.get("cluster_partition_handling") == "autoheal":
        yield "cluster_partition_handling = autoheal throws confirmed messages away: remove it, the agent sets a safe one"
    for key in ("load_definitions", "definitions.local.path"):
        if key in given:
            yield f"{key} is read at every boot and undoes what was changed since: use the parameter definitions"
    for key in sorted(given):
        if key.startswith("cluster_formation."):
            yield f"{key} is the agent's to say, which decides who joins whom: remove it"
    ours = {name.partition("_")[2] for name in launch.environment(layout) if name.startswith("RABBITMQ_")}
    with untrusted.rights_of(launch.account(layout.user)):
        theirs = _assigned(_ENVIRONMENT)
    for name in sorted(theirs & ours):
        yield f"{_ENVIRONMENT} sets {name}, which is a parameter of this resource: remove it there"
    advanced = os.path.join(os.path.dirname(layout.config), "advanced.config")
    try:
        with untrusted.rights_of(launch.account(layout.user)):
            text = _text(advanced)
    except OSError:
        return
    for key in ("cluster_partition_handling", "net_ticktime", "msg_store_shutdown_timeout", "cluster_nodes"):
        if key in text:
            yield f"{advanced} sets {key} and wins over the agent's settings: remove it there"


def _text(path: str) -> str:
    """Raises OSError."""
    with open(path, encoding="utf-8", errors="replace", opener=untrusted.waiting_for_nobody) as source:
        return source.read()


def _assigned(path: str) -> "set[str]":
    """Names of variables that a shell file sets, without their prefix."""
    try:
        return set(re.findall(r"^\s*(?:export\s+)?(?:RABBITMQ_)?(\w+)=", _text(path), re.MULTILINE))
    except OSError:
        return set()


def _peers(agent: "Rabbitmq", secret: str) -> "Iterator[str]":
    online = agent.pacemaker.members()
    for node, erlang in sorted(agent.facts().members.items()):
        if node != agent.me and node in online:
            try:
                broker.serves(erlang, secret, agent.deadline.within(2))
            except WrongCookie as error:
                yield str(error)


def _running(agent: "Rabbitmq", node: "Node", dialect: Dialect) -> "Iterator[str]":
    wanted = settings.partition_handling(boot.broker_count(agent))
    effective = dialect.partition_handling(node)
    if effective not in ("", wanted, "pause_if_all_down"):
        yield f"cluster_partition_handling is {effective} and should be {wanted}: restart the broker through the cluster"
    ticktime = dialect.ticktime(node)
    if ticktime != round(agent.net_ticktime):
        yield f"net_ticktime is {ticktime} and should be {agent.net_ticktime:g}: restart the broker through the cluster"
    yield from dialect.unsafe_policies(node)
