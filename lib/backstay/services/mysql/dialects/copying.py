"""Copies a server's data, as its family does it."""

from __future__ import annotations

from backstay.services.mysql.dialects.mariadb import Mariadb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.dialects.base import Dialect, Source
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.layout import Layout
    from backstay.services.mysql.server import Server


def copy(dialect: Dialect, donor: Server, source: Source, local: Server, layout: Layout, workspace: str) -> History:
    """Make the directory `layout.datadir`, fill it with the donor's data, and return what it surely holds. source: the donor
    and the replication account. local: the running server beside it. workspace: a private directory for secrets.
    Takes up to the local server's deadline. Raises AgentError."""
    if isinstance(dialect, Mariadb):
        from backstay.services.mysql.dialects import mariadb_copy

        return mariadb_copy.copy(dialect, donor, source, layout, workspace, local.deadline)
    from backstay.services.mysql.dialects import mysql_copy

    return mysql_copy.copy(dialect, donor, source, local, layout)
