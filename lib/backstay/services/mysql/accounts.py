"""The accounts with which nodes ask each other and replicate."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.mysql import process
from backstay.services.mysql.server import ServerRefused
from backstay.services.mysql.state import ACCOUNTS, PASSWORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server


def _statements(context: MysqlContext, dialect: Dialect) -> list[str]:
    return dialect.account_statements(
        (context.parameters.monitor_user, context.parameters.monitor_password),
        (context.parameters.replication_user, context.parameters.replication_password),
        context.parameters.rebuild == "auto",
    )


def create(context: MysqlContext, server: Server, dialect: Dialect) -> None:
    """In a data directory that was made just now; every node makes its own, so none is replicated."""
    server.query("SET SESSION sql_log_bin = 0")
    for statement in _statements(context, dialect):
        server.query(statement)


def ensure(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> None:
    """Once after a promotion, while commits do not wait: a set that was not made by `initialize` may lack the accounts,
    and replicas cannot come to acknowledge without them. Also while acknowledgements flow: an admin may set rebuild=auto
    on a set that runs, and another version of the agent may ask for other privileges."""
    if not record.solo and not (seen.acks.clients and not seen.acks.waiting):
        return
    grants = " ".join(dialect.grants(context.parameters.rebuild == "auto"))
    identity = process.running(context.parameters).identity
    users = f"{context.parameters.monitor_user} {context.parameters.replication_user}"
    done = f"{identity} {record.epoch} {context.parameters.rebuild} {grants} {users}"
    if context.state.read(ACCOUNTS) == done:
        return
    if missing(context, server, dialect):
        context.log.notice("creating the accounts for monitoring and replication")
        for statement in _statements(context, dialect):
            server.query(statement)
    context.state.write(ACCOUNTS, done)


def missing(context: MysqlContext, server: Server, dialect: Dialect) -> bool:
    """Whether others could not ask this server, or replicate from it."""
    return any(dialect.missing_grant(server, statement) for statement in _statements(context, dialect))


def follow_passwords(context: MysqlContext, server: Server, dialect: Dialect) -> str:
    """On the primary, once the configured passwords have changed: give them to the accounts that have others; replicas get
    them by replication. Sessions that are open stay. What is in the way, "" for nothing."""
    before = context.state.read(PASSWORDS)
    try:
        if before and before != context.parameters.passwords():
            _change_passwords(context, server, dialect)
    except AgentError as error:
        return f"the accounts keep their passwords: {error}"
    if before != context.parameters.passwords():
        context.state.write(PASSWORDS, context.parameters.passwords())
    return ""


def _change_passwords(context: MysqlContext, server: Server, dialect: Dialect) -> None:
    pairs = (
        (context.parameters.monitor_user, context.parameters.monitor_password),
        (context.parameters.replication_user, context.parameters.replication_password),
    )
    for user, password in pairs:
        try:
            context.servers.peer(context.servers.me, dialect, 2.0, (user, password)).close()
        except ServerRefused:
            context.log.notice(f"changing the password of {user}")
            server.query(dialect.password_statement(user, password))
