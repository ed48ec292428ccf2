"""The accounts with which nodes ask each other and replicate."""

from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import ServerRefused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Facts
    from backstay.services.mysql.server import Server


def _statements(agent: "Mysql", dialect: "Dialect") -> "list[str]":
    return dialect.account_statements(
        (agent.monitor_user, agent.monitor_password),
        (agent.replication_user, agent.replication_password),
        agent.rebuild == "auto",
    )


def create(agent: "Mysql", server: "Server", dialect: "Dialect") -> None:
    """In a data directory that was made just now; every node makes its own, so none is replicated."""
    server.query("SET SESSION sql_log_bin = 0")
    for statement in _statements(agent, dialect):
        server.query(statement)


def ensure(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed", facts: "Facts") -> None:
    """Once after a promotion, while commits do not wait: a set that was not made by `initialize` may lack the accounts,
    and replicas cannot come to acknowledge without them. Also while acknowledgements flow: an admin may set rebuild=auto
    on a set that runs, and another version of the agent may ask for other privileges."""
    if not facts.solo and not (seen.acks.clients and not seen.acks.waiting):
        return
    done = f"{facts.epoch} {agent.rebuild} {' '.join(dialect.grants(agent.rebuild == 'auto'))}"
    if agent.state.read("accounts") == done:
        return
    if missing(agent, server, dialect):
        agent.log.notice("creating the accounts for monitoring and replication")
        for statement in _statements(agent, dialect):
            server.query(statement)
    agent.state.write("accounts", done)


def missing(agent: "Mysql", server: "Server", dialect: "Dialect") -> bool:
    """Whether others could not ask this server, or replicate from it."""
    return any(dialect.missing_grant(server, statement) for statement in _statements(agent, dialect))


def follow_passwords(agent: "Mysql", server: "Server", dialect: "Dialect") -> str:
    """On the primary, once the configured passwords have changed: give them to the accounts that have others; replicas get
    them by replication. Sessions that are open stay. What is in the way, "" for nothing."""
    before = agent.state.read("passwords")
    try:
        if before and before != agent.passwords():
            _change_passwords(agent, server, dialect)
    except AgentError as error:
        return f"the accounts keep their passwords: {error}"
    if before != agent.passwords():
        agent.state.write("passwords", agent.passwords())
    return ""


def _change_passwords(agent: "Mysql", server: "Server", dialect: "Dialect") -> None:
    pairs = (agent.monitor_user, agent.monitor_password), (agent.replication_user, agent.replication_password)
    for user, password in pairs:
        try:
            agent.connect_peer(agent.me, dialect, 2.0, (user, password)).close()
        except ServerRefused:
            agent.log.notice(f"changing the password of {user}")
            server.query(dialect.password_statement(user, password))
