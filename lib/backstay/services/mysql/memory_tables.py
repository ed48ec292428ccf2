"""MEMORY tables after a start. Whoever first opens one, if only to read, has the server note in its binary log that it is empty:
a transaction of a replica's own, which the primary lacks. The agent opens them first, with nothing noted.
"""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext

_LONGEST = 10.0  # seconds: to find them the server reads the definition of each table
_FIND = (
    "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.TABLES WHERE ENGINE = 'MEMORY'"
    " AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')"
)


def open_all(context: MysqlContext) -> None:
    """On a server that has just started. It serves all the same where that is not possible."""
    try:
        with context.servers.here(context.deadline.within(_LONGEST)) as server:
            server.query("SET SESSION sql_log_bin = 0")
            for row in server.query(_FIND):
                db, name = (str(row[key]).replace("`", "``") for key in ("db", "name"))
                try:
                    server.query(f"SELECT 1 FROM `{db}`.`{name}` LIMIT 0")
                except StatementFailed as error:
                    context.log.warning(f"whoever reads {db}.{name} first may make this server errant: {error}")
    except AgentError as error:
        context.log.warning(f"whoever reads a MEMORY table first may make this server errant: {error}")
