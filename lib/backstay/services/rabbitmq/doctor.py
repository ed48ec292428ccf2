"""Finds now what would cause trouble later: validate-all at level 10. Every finding is a sentence that says what to do.

Looks at files, names, peers and, when it runs, the broker; changes nothing.
"""

from __future__ import annotations

import os
import re

from backstay.host import untrusted
from backstay.ocf.errors import AgentError, NotInstalled, TimedOut
from backstay.services.rabbitmq import amqp, belonging, boot, broker, cookie, launch, settings
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.distribution import WrongCookie
from backstay.services.rabbitmq.health import Stray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node

_REMARK = re.compile(r"""%[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\$.""", re.DOTALL)  # or text in which % is none
_CHECK = 15.0  # seconds for RabbitMQ to read its settings; it takes two
_SETTING = re.compile(r"\s*([\w.$-]+)\s*=\s*(\S.*)?$")


def findings(context: RabbitmqContext) -> list[str]:
    """All findings, the gravest first; empty for a host that suits. Raises NotInstalled, WrongParameter, Misconfigured for
    what makes looking further pointless."""
    layout = context.broker.layout()
    dialect = dialect_for(launch.version(layout.server))
    context.parameters.mirroring(dialect)
    launch.account(layout.user)
    boot.check_files(context, layout, dialect)
    _read_by_the_broker(context, layout)
    secret = cookie.read(layout.cookie_file)
    found = [*_cookie(context, layout), *_files(context, layout), *_names(context, layout), *_settings(layout)]
    found += _data(context, layout, dialect)
    if layout.listener.ca:
        amqp.context(layout.listener.ca)
    found += _peers(context, secret)
    if context.broker.find():
        try:
            with context.broker.connect(context.deadline.within(5)) as node:
                found += _running(context, node, dialect)
        except AgentError as error:
            found.append(str(error))
    return found


def _read_by_the_broker(context: RabbitmqContext, layout: launch.Layout) -> None:
    """Raises WrongParameter where RabbitMQ itself does not accept the admin's settings."""
    try:
        launch.check_settings(layout, context.deadline.within(_CHECK))
    except (TimedOut, NotInstalled) as error:
        context.log.info(f"whether RabbitMQ accepts its settings is not known: {error}")


def _cookie(context: RabbitmqContext, layout: launch.Layout) -> Iterator[str]:
    path = layout.cookie_file
    status = os.stat(path)
    if status.st_mode & 0o077 or status.st_uid != launch.account(layout.user).pw_uid:
        yield f"the Erlang cookie {path} must be {layout.user}'s and nobody else's: chown {layout.user}, chmod 400"
    if context.parameters.cookie and context.parameters.cookie != cookie.read(path):
        yield f"the Erlang cookie {path} is not what the parameter cookie says: the next start writes it"


def _files(context: RabbitmqContext, layout: launch.Layout) -> Iterator[str]:
    there = [path for path in (layout.base, layout.logs) if os.path.isdir(path)]
    unwritable = launch.unwritable_by(layout.user, there)
    if unwritable:
        yield f"{unwritable} cannot be written by {layout.user}: change its owner or mount it writable"
    port = layout.listener.port
    taken = amqp.holder(port)
    if taken and context.broker.find() is None:
        yield f"port {port} is taken by {taken}: end that, or set port"


def _data(context: RabbitmqContext, layout: launch.Layout, dialect: Dialect) -> Iterator[str]:
    """What is there before a broker runs, as far as its files tell."""
    if context.broker.find() or not launch.has_data(layout.directory, dialect):
        return
    members, record = dialect.members_on_disk(layout.directory), context.record.read()
    try:
        belonging.compare(context, members, record)
    except Stray as error:
        yield str(error)
    if not record.members and not record.seed and members <= {layout.node}:
        why = "nothing is recorded, and this broker has data: if only the package's first start made it"
        yield f"{why}, rename {layout.directory}"


def _names(context: RabbitmqContext, layout: launch.Layout) -> Iterator[str]:
    """Brokers reach each other by the host part of their names."""
    import socket

    hosts = {name.partition("@")[2] for name in (layout.node, *context.record.read().members.values())}
    if not context.parameters.node_name:
        hosts |= {name.partition(".")[0] for name in context.pacemaker.nodes()}
    for host in sorted(hosts):
        try:
            socket.getaddrinfo(host, layout.listener.port, type=socket.SOCK_STREAM)
        except OSError:
            yield f"the name {host} does not resolve: add its address to /etc/hosts on every node"


def _settings(layout: launch.Layout) -> Iterator[str]:
    """What the admin's files say that the agent overrides, or cannot."""
    given = {}
    for line in launch.admin_settings(layout).split("\n"):
        found = _SETTING.match(line.partition("#")[0].strip())
        if found:
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
    for name in sorted(ours & set(launch.admin_environment(layout))):
        yield f"{launch.ENVIRONMENT} sets {name}, which is a parameter of this resource: remove it there"
    advanced = os.path.join(os.path.dirname(layout.config), "advanced.config")
    try:
        with untrusted.rights_of(launch.account(layout.user)):
            text = launch.given_text(advanced)
    except OSError:
        return
    spoken = _REMARK.sub(lambda found: "" if found[0].startswith("%") else found[0], text)
    for key in ("cluster_partition_handling", "net_ticktime", "msg_store_shutdown_timeout", "cluster_nodes"):
        if re.search(rf"\{{\s*'?{key}'?\s*,", spoken):
            yield f"{advanced} sets {key} and wins over the agent's settings: remove it there"


def _peers(context: RabbitmqContext, secret: str) -> Iterator[str]:
    online = context.pacemaker.members()
    for node, erlang in sorted(context.record.read().members.items()):
        if node != context.pacemaker.node() and node in online:
            try:
                broker.serves(erlang, secret, context.deadline.within(2))
            except WrongCookie as error:
                yield str(error)


def _running(context: RabbitmqContext, node: Node, dialect: Dialect) -> Iterator[str]:
    wanted = settings.partition_handling(boot.broker_count(context))
    effective = dialect.partition_handling(node)
    if effective not in ("", wanted, "pause_if_all_down"):
        yield f"cluster_partition_handling is {effective} and should be {wanted}: restart the broker through the cluster"
    ticktime, asked = dialect.ticktime(node), context.parameters.net_ticktime
    if ticktime != round(asked):
        yield f"net_ticktime is {ticktime} and should be {asked:g}: restart the broker through the cluster"
    yield from dialect.unsafe_policies(node)
