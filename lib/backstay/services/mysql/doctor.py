"""Finds now what would cause trouble later: validate-all at level 10. Every finding is a sentence that says what to do.

Looks at files, names and, when it runs, the server; changes nothing. A server that does not run yet is not asked.
"""

from __future__ import annotations

import os

from backstay.host import clocks, mounts
from backstay.host.command import available, run
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.ocf.parameters import whole
from backstay.services.mysql import claims, daemon
from backstay.services.mysql.layout import Layout, layout_of
from backstay.services.mysql.options import Given, hazards
from backstay.services.mysql.server import ServerDown, ServerRefused, ServerSilent, ServerUntrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.server import Server


_TABLES = 1000  # files for the least of tables that a server keeps open, and some


def findings(context: MysqlContext) -> list[str]:
    """All findings, the gravest first; empty for a host that suits. Raises NotInstalled, WrongParameter for what makes
    looking further pointless."""
    layout = layout_of(context.parameters, context.servers.me, context.servers.number)
    dialect = daemon.dialect_of(layout.binary)
    values = daemon.resolved(layout)
    admin, given = daemon.configured(layout), Given(context.parameters)
    known = hazards({**admin, **values}, given, layout.config)
    found = [*known.values(), *_files(context, layout), *_history(layout, admin), *_names(context)]
    try:
        with context.servers.here(context.deadline.within(5)) as server:
            running = hazards(
                dialect.in_force(server), given, layout.config, ", then restart the server through the cluster"
            )
            found += [sentence for name, sentence in running.items() if name not in known]
            found += _server(context, server, dialect, layout.config, admin)
    except ServerDown:
        context.log.info("the server does not run: accounts and settings are not checked")
    except AgentError as error:
        found.append(f"{error}: the agent needs all privileges over {context.parameters.socket}")
    return found


def _files(context: MysqlContext, layout: Layout) -> Iterator[str]:
    if daemon.is_uninitialised(layout.datadir) and not context.parameters.initialize:
        yield f"{layout.datadir} holds no database: set initialize=true, or restore a backup there"
    if os.path.isdir(layout.datadir) and not os.access(layout.datadir, os.W_OK):
        yield f"{layout.datadir} cannot be written: mount it writable"
    misplaced = mounts.misplaced(layout.datadir)
    if misplaced:
        yield misplaced
    if context.parameters.rebuild == "auto" and mounts.is_point(context.parameters.datadir):
        yield f"rebuild=auto cannot move {context.parameters.datadir}, a mount point: set datadir to a directory below it"
    if context.parameters.tls_ca:
        yield from _authority(context.parameters.tls_ca, layout.user)
    if context.parameters.writer_address and context.parameters.on_loss == "hold" and not available("nft"):
        yield "nft is not installed, so a failover refuses clients for a moment: install nftables, or set on_loss=refuse"


def _history(layout: Layout, admin: dict[str, str]) -> Iterator[str]:
    """Names of the binary logs under which the server would begin another history than the one that it has."""
    own = daemon.left_behind(layout, admin)
    if own:
        name = admin["log-bin"]
        yield f"log-bin={name} in {layout.config} is not used, since {own} has this server's history: remove it there"
    elif admin.get("log-bin", "binlog") == "":
        what = f"log-bin in {layout.config} names no file, so a host of another name begins another history"
        yield f"{what}: give it the name that the logs have now"


def _authority(path: str, user: str) -> Iterator[str]:
    """Whether agent and server, which replicates, can use the file."""
    import ssl

    if not os.access(path, os.R_OK):
        yield f"tls_ca {path} is not readable: put the certificate authority's file there"
        return
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        yield f"tls_ca {path} holds no certificate, {error.args[-1]}: put the authority's there, in PEM"
    if run(["runuser", "-u", user, "--", "test", "-r", path], timeout=5, check=False).status:
        yield f"tls_ca {path} cannot be read by {user}, who replicates with it: chmod it and its directories"


def _names(context: MysqlContext) -> Iterator[str]:
    """Peers are reached by their node names, replicas by the writer address."""
    for name in [*context.pacemaker.nodes(), *filter(None, [context.parameters.writer_address])]:
        if not _addresses(name, context.parameters.port):
            yield f"the name {name} does not resolve: add its address to /etc/hosts on every node"


def _server(
    context: MysqlContext, server: Server, dialect: Dialect, config: str, admin: dict[str, str]
) -> Iterator[str]:
    yield from _settings(server, dialect)
    yield from _room(server, config, admin)
    yield from dialect.unsafe_tables(server)
    if context.parameters.writer_address:
        yield from _queue(server)
    yield from _accounts(context, server, dialect)
    yield from _from_outside(context, dialect, config)
    yield from _peers(context, server, dialect)


def _settings(server: Server, dialect: Dialect) -> Iterator[str]:
    """What the agent's promises rest on, as the running server has it: one that the agent started has it all."""
    for option, value in dialect.wanted().items():
        name = option.replace("-", "_")
        row = server.one("SHOW GLOBAL VARIABLES WHERE Variable_name = %s", (name,))
        actual = str(row.get("Value", "missing"))
        if actual.upper() != value:
            yield f"{name} is {actual} and must be {value}: restart the server through the cluster, which sets it"


def _room(server: Server, config: str, admin: dict[str, str]) -> Iterator[str]:
    """A server that may open too few files takes fewer clients than it was told to, and says so in its log alone."""
    asked = whole(admin.get("max-connections", "")) or 0
    row = server.one("SELECT @@global.max_connections AS clients, @@open_files_limit AS files")
    taken, files = int(str(row["clients"])), int(str(row["files"]))
    if taken < asked and files < asked + _TABLES:
        what = f"max_connections is {taken} and not {asked} as {config} has it, since the server may open {files} files"
        yield f"{what}: raise LimitNOFILE of pacemaker, then restart the server through the cluster"


def _queue(server: Server) -> Iterator[str]:
    """After a failover all clients come at once; those who find the queue full may hang (daemon.BACKLOG)."""
    row = server.one("SELECT @@back_log AS queue, @@max_connections AS clients")
    queue, wanted = int(str(row["queue"])), min(int(str(row["clients"])), daemon.BACKLOG)
    with open("/proc/sys/net/core/somaxconn", encoding="ascii") as file:
        kernel = int(file.read())
    if queue < wanted:
        yield f"back_log is {queue}, so clients that come all at once may hang: remove it from the options file, or set {wanted}"
    if kernel < wanted:
        yield f"net.core.somaxconn is {kernel}, so clients that come all at once may hang: set it to {wanted} with sysctl"


def _accounts(context: MysqlContext, server: Server, dialect: Dialect) -> Iterator[str]:
    monitor = (context.parameters.monitor_user, "PASSWORD")
    replication = (context.parameters.replication_user, "PASSWORD")
    for statement in dialect.account_statements(monitor, replication, context.parameters.rebuild == "auto", shown=True):
        missing = dialect.missing_grant(server, statement)
        if missing:
            yield missing
    for row in server.query("SELECT Host FROM mysql.user WHERE User = '' AND Host <> 'localhost'"):
        yield (
            f"the anonymous account ''@'{row['Host']}' is taken before {context.parameters.monitor_user}@'%':"
            f" DROP USER ''@'{row['Host']}'"
        )


def _from_outside(context: MysqlContext, dialect: Dialect, config: str) -> Iterator[str]:
    """This node's server, as the others will see it."""
    me, port = context.servers.me, context.parameters.port
    try:
        context.servers.peer(me, dialect, 2.0).close()
    except ServerUntrusted as error:
        yield str(error)
    except ServerDown as error:
        if _addresses(me, port):
            where = f"{me}, port {port}, where the other nodes ask it"
            yield f"the server does not listen on {where}: see bind-address and skip-networking in {config}"
        else:
            context.log.info(str(error))  # told with the names
    except AgentError as error:
        context.log.info(str(error))  # told with the accounts


def _addresses(name: str, port: int) -> bool:
    import socket

    try:
        return bool(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
    except OSError:
        return False


def _unreachable(error: AgentError, port: int) -> str:
    """What is to be said of a peer that runs and gave no answer, "" for nothing."""
    if isinstance(error, ServerRefused):
        return f"{error}: give that account there the password that the parameter has"
    if isinstance(error, (ServerDown, ServerSilent)):
        return f"{error}, though the cluster runs it: see bind-address there, and let port {port} through between the nodes"
    return ""


def _peers(context: MysqlContext, server: Server, dialect: Dialect) -> Iterator[str]:
    """Whether each that runs answers: a promotion asks it. Equal server ids silently drop events; and before there is a primary,
    data on several nodes leaves open whose is the set's."""
    mine = server.one("SELECT @@server_id AS id")["id"]
    overview = context.pacemaker.overview()
    run_there = {one.node for one in overview.instances if one.settled} if overview else set()
    first, others = context.record.read() is None, {}
    for node in context.pacemaker.members():
        if node == context.servers.me:
            continue
        try:
            with context.servers.peer(node, dialect, Deadline(2).remaining()) as peer:
                asked = clocks.here()
                look = peer.one("SELECT @@server_id AS id, UNIX_TIMESTAMP(NOW(6)) AS now")
                theirs, told = look["id"], clocks.apart(node, float(str(look["now"])), asked, clocks.here())
                if first:
                    others[node] = dialect.holding(peer)
        except ServerUntrusted as error:
            yield str(error)
            continue
        except AgentError as error:
            said = _unreachable(error, context.parameters.port) if node in run_there else ""
            if said:
                yield said
            else:
                context.log.info(str(error))
            continue
        if told:
            yield told
        if theirs == mine:
            yield f"server id {mine} is also that of {node}: set server_id differently on each node"
    here = dialect.holding(server) if others else None
    if here and here.databases:
        rival = claims.rival(context.servers.me, here, others, False)
        if rival:
            yield rival
