"""How a primary steps down. A module of its own: a demotion waits for what is loaded, and the duties of monitors are much."""

from __future__ import annotations

from backstay.host.deadline import poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.server import Server


def step_down(context: MysqlContext, server: Server) -> None:
    """Close for writes, let commits under way finish, send clients off; those that come back write nothing, whatever their
    account may. Raises AgentError when that takes too long; then only a kill leaves nothing behind.

    It goes on waiting for acknowledgements, of nothing: MySQL takes up to a second to stop that (its acknowledgement
    receiver sleeps so long), and a client would wait with it. Whatever applies here next ends it first."""
    dialect = context.servers.dialect(server)
    closed = dialect.observe(server).read_only
    dialect.close(server)
    # Only then: killing a session that waits would commit what it waits for.
    poll(lambda: not dialect.observe(server).acks.waiting, server.deadline, "acknowledgements", 0.02)
    if closed:  # it never took a write, and its applier may have to begin again
        server.kill(dialect.client_threads(server))
    else:
        dialect.shut_out(server)
