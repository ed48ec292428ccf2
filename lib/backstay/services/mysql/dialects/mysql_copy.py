"""Copies a MySQL server's data with CLONE: the local server fetches the data into a directory beside its own."""

from __future__ import annotations

import os

from backstay.host import untrusted
from backstay.ocf.errors import AgentError
from backstay.services.mysql import daemon
from backstay.services.mysql.dialects.base import quoted
from backstay.services.mysql.gtid import MysqlHistory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.dialects.base import Dialect, Source
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.layout import Layout
    from backstay.services.mysql.server import Server


def copy(dialect: Dialect, donor: Server, source: Source, local: Server, layout: Layout) -> History:
    """See copying.copy."""
    if dialect.version < (8, 0, 17):
        raise AgentError("CLONE needs MySQL 8.0.17: rebuild this node by hand")
    # The snapshot is that of the copy's end, so it holds at least this.
    held = MysqlHistory.parse(donor.one("SELECT @@global.gtid_executed AS executed")["executed"] or "")
    for each in (donor, local):
        if not each.query(
            "SELECT 1 AS there FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone' AND PLUGIN_STATUS = 'ACTIVE'"
        ):
            raise AgentError(f"{each.where} has no clone plugin: restart it with rebuild=auto")
    # The server makes the copy itself.
    untrusted.set_directory(os.path.dirname(layout.datadir), daemon.account(layout.user), 0o700)
    local.query(f"SET GLOBAL clone_valid_donor_list = {quoted(f'{source.host}:{source.port}')}")
    if source.ca:
        local.query(f"SET GLOBAL clone_ssl_ca = {quoted(source.ca)}")
    local.query(
        f"CLONE INSTANCE FROM {quoted(source.user)}@{quoted(source.host)}:{source.port}"
        f" IDENTIFIED BY {quoted(source.password)} DATA DIRECTORY = {quoted(layout.datadir)}"
        + (" REQUIRE SSL" if source.ca else "")
    )
    return held
