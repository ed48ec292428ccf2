"""What would hurt later, found before: validate-all at level 10. Every finding is a sentence that says what to do."""

import os

from backstay.rabbitmq import amqp, cookie, launch
from backstay.rabbitmq.dialect import dialect_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.rabbitmq.agent import Rabbitmq


def findings(agent: "Rabbitmq") -> "list[str]":
    """All findings, the gravest first; empty for a host that suits. Raises NotInstalled, WrongParameter for what makes
    looking further pointless."""
    layout = agent.layout()
    agent.mirroring(dialect_for(launch.version(layout.server)))
    cookie.read(layout.cookie_file)
    return [*_files(agent, layout), *_names(agent, layout)]


def _files(agent: "Rabbitmq", layout: launch.Layout) -> "Iterator[str]":
    unwritable = launch.unwritable_by(layout.user, [path for path in (layout.base, layout.logs) if os.path.isdir(path)])
    if unwritable:
        yield f"{unwritable} cannot be written by {layout.user}: change its owner or mount it writable"
    taken = amqp.holder(layout.port)
    if taken and agent.find_process() is None:
        yield f"port {layout.port} is taken by {taken}: end that, or set port"


def _names(agent: "Rabbitmq", layout: launch.Layout) -> "Iterator[str]":
    """Brokers reach each other by the host part of their names."""
    import socket

    hosts = {name.partition("@")[2] for name in (layout.node, *agent.facts().members.values())}
    for host in sorted(hosts):
        try:
            socket.getaddrinfo(host, layout.port, type=socket.SOCK_STREAM)
        except OSError:
            yield f"the name {host} does not resolve: add its address to /etc/hosts on every node"
