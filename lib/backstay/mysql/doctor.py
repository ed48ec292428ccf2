"""What would hurt later, found before: validate-all at level 10. Every finding is a sentence that says what to do.

Looks at files, names and, when it runs, the server; changes nothing. A server that does not run yet is not asked.
"""

import os

from backstay.command import available
from backstay.deadline import Deadline
from backstay.errors import AgentError
from backstay.mysql import daemon
from backstay.mysql.server import ServerDown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.mysql.agent import Mysql
    from backstay.mysql.dialect import Dialect
    from backstay.mysql.server import Server


def findings(agent: "Mysql") -> "list[str]":
    """All findings, the gravest first; empty for a host that suits. Raises NotInstalled, WrongParameter for what makes
    looking further pointless."""
    layout = agent.layout()
    dialect = daemon.dialect_of(layout.binary)
    daemon.check_config(layout, dialect)
    found = [*_files(agent, layout), *_names(agent)]
    try:
        with agent.connect(agent.deadline.within(5)) as server:
            found += _server(agent, server, dialect)
    except ServerDown:
        agent.log.info("the server does not run: accounts and settings are not checked")
    except AgentError as error:
        found.append(f"{error}: the agent needs all privileges over {agent.socket}")
    return found


def _files(agent: "Mysql", layout: daemon.Layout) -> "Iterator[str]":
    if daemon.is_virgin(layout.datadir) and not agent.initialize:
        yield f"{layout.datadir} holds no database: set initialize=true, or restore a backup there"
    if os.path.isdir(layout.datadir) and not os.access(layout.datadir, os.W_OK):
        yield f"{layout.datadir} cannot be written: mount it writable"
    if agent.rebuild == "auto" and os.path.ismount(agent.datadir):
        yield f"rebuild=auto cannot move {agent.datadir}, a mount point: set datadir to a directory below it"
    if agent.tls_ca and not os.access(agent.tls_ca, os.R_OK):
        yield f"tls_ca {agent.tls_ca} is not readable: put the certificate authority's file there"
    if not available("my_print_defaults"):
        yield "my_print_defaults is not installed: it comes with the server's client programs"


def _names(agent: "Mysql") -> "Iterator[str]":
    """Peers are reached by their node names, replicas by the writer address."""
    import socket

    for name in [*agent.pacemaker.nodes(), *filter(None, [agent.writer_address])]:
        try:
            socket.getaddrinfo(name, agent.port, type=socket.SOCK_STREAM)
        except OSError:
            yield f"the name {name} does not resolve: add its address to /etc/hosts on every node"


def _server(agent: "Mysql", server: "Server", dialect: "Dialect") -> "Iterator[str]":
    yield from _settings(server, dialect)
    yield from _accounts(agent, server, dialect)
    yield from _peers(agent, server, dialect)


def _settings(server: "Server", dialect: "Dialect") -> "Iterator[str]":
    """What our promises rest on, as the running server has it: one that we started has it all."""
    wanted = {"log_bin": "ON", **{name.replace("-", "_"): value for name, value in dialect.required().items()}}
    for name, value in wanted.items():
        row = server.one("SHOW GLOBAL VARIABLES WHERE Variable_name = %s", (name,))
        actual = str(row.get("Value", "missing"))
        if actual.upper() != value:
            yield f"{name} is {actual} and must be {value}: restart the server through the cluster, which sets it"


def _accounts(agent: "Mysql", server: "Server", dialect: "Dialect") -> "Iterator[str]":
    monitor = (str(agent.monitor_user), "PASSWORD")
    replication = (str(agent.replication_user), "PASSWORD")
    for statement in dialect.account_statements(monitor, replication, agent.rebuild == "auto"):
        missing = dialect.missing_grant(server, statement)
        if missing:
            yield missing
    for row in server.query("SELECT Host FROM mysql.user WHERE User = '' AND Host <> 'localhost'"):
        yield (
            f"the anonymous account ''@'{row['Host']}' is taken before {agent.monitor_user}@'%':"
            f" DROP USER ''@'{row['Host']}'"
        )


def _peers(agent: "Mysql", server: "Server", dialect: "Dialect") -> "Iterator[str]":
    """Equal server ids silently drop events. Peers that do not answer are their own nodes' findings."""
    mine = server.one("SELECT @@server_id AS id")["id"]
    for node in agent.pacemaker.members():
        if node == agent.me:
            continue
        try:
            with agent.connect_peer(node, dialect, Deadline(2).remaining()) as peer:
                theirs = peer.one("SELECT @@server_id AS id")["id"]
        except AgentError as error:
            agent.log.info(str(error))
            continue
        if theirs == mine:
            yield f"server id {mine} is also that of {node}: set server_id differently on each node"
