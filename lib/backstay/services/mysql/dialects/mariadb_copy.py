"""Copies a MariaDB server's data over SQL: a temporary server on the new directory, filled by mariadb-dump.

Why over SQL: docs/decisions/0003-rebuild-over-sql.md. The temporary server reads the admin's options file, since page size,
names' case and the like must be those of the real server. It listens on a socket inside its directory and nowhere else. Its
binary log starts with the donor's GTID state, for two reasons. This node must be able to prove later what it holds, also of
servers that were primary long ago. And it must not seem to have the binary log of what came by the dump.
"""

from __future__ import annotations

import os
import signal

from backstay.host import untrusted
from backstay.host.command import pipe, run
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay.services.mysql import daemon
from backstay.services.mysql.gtid import MariadbHistory, binlog_state
from backstay.services.mysql.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.dialects.base import Dialect, Source
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.layout import Layout
    from backstay.services.mysql.process import Process

_START = 120.0  # seconds for an empty server to come up
_END = 900.0  # seconds for a full one to write its buffers and end
# A short life beside the real server: little memory, and no care for a crash, after which all starts over.
_TEMPORARY = [
    "--skip-networking",
    "--read-only=OFF",
    "--event-scheduler=OFF",
    "--performance-schema=OFF",
    "--slow-query-log=OFF",
    "--general-log=OFF",
    "--max-allowed-packet=1G",
    "--sync-binlog=0",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-doublewrite=OFF",
    "--innodb-buffer-pool-size=128M",
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
    "--loose-wsrep-on=OFF",
]
# Options that put files which belong to the data elsewhere; the temporary server would write to the real one's.
_PLACES = (
    "log-bin",
    "log-bin-index",
    "relay-log",
    "relay-log-index",
    "log-basename",
    "innodb-data-home-dir",
    "innodb-data-file-path",
    "innodb-log-group-home-dir",
    "innodb-undo-directory",
    "innodb-temp-data-file-path",
    "aria-log-dir-path",
    "tokudb-data-dir",
    "rocksdb-datadir",
)


def copy(
    dialect: Dialect, donor: Server, source: Source, layout: Layout, workspace: str, deadline: Deadline
) -> History:
    """See copying.copy."""
    outside = misplaced(daemon.configured(layout))
    if outside:
        raise AgentError(f"{layout.config} sets {outside}, outside the data directory: rebuild this node by hand")
    # Before the dump, so that all of it is in the dump.
    look = donor.one("SELECT @@gtid_binlog_state AS state, @@gtid_slave_pos AS pos")
    before = f"{look['state'] or ''},{look['pos'] or ''}"
    daemon.initialize(layout, dialect, deadline.within(_START))  # programs of root's: so long the directory is root's
    untrusted.set_directory(os.path.dirname(layout.datadir), daemon.account(layout.user), 0o700)
    running = daemon.launch(layout, dialect, 0, False, deadline.within(_START), _TEMPORARY)
    try:
        _fill(source, layout, workspace, deadline)
        with Server("the copy's server", deadline, "root", "", socket=layout.socket) as server:
            state = _settle(server, before)
        _end(running, deadline.within(_END))
    finally:
        running.end(Deadline(30), gently=False)
    run(["sync"], timeout=deadline.remaining())  # the moves that follow must not be on disk before the data
    return MariadbHistory.parse(state)


def misplaced(admin: dict[str, str]) -> str:
    """The first option of the admin's file that puts data outside the data directory, "" when none does."""
    for name in _PLACES:
        value = admin.get(name, "")
        if "/" in value and not value.startswith("./"):
            return f"{name}={value}"
    return ""


def _fill(source: Source, layout: Layout, workspace: str, deadline: Deadline) -> None:
    """The dump, straight into the temporary server. The password goes by a file that only root reads."""
    secret = os.path.join(workspace, "client.cnf")
    tls = f"ssl-ca={_option(source.ca)}\nssl-verify-server-cert\n" if source.ca else ""
    text = (
        f"[client]\nhost={source.host}\nport={source.port}\nprotocol=tcp\nuser={_option(source.user)}\n"
        f"password={_option(source.password)}\n{tls}"
    )
    with open(
        os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", errors="surrogateescape"
    ) as sink:
        sink.write(text)
    pipe(
        [
            "mariadb-dump",
            f"--defaults-file={secret}",
            "--all-databases",
            "--ignore-database=sys",
            "--single-transaction",  # a snapshot: the primary is not locked
            "--gtid",
            "--master-data=1",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
            "--max-allowed-packet=1G",
        ],
        [
            "mariadb",
            "--no-defaults",
            f"--socket={layout.socket}",
            "--user=root",
            "--max-allowed-packet=1G",
            "--init-command=SET SESSION sql_log_bin = 0",
            "--local-infile=0",  # the server, which is the account's, would be sent any file of root's that it asks for
            "--binary-mode",  # or the dump, which is the donor's word, could have the client start programs
        ],
        timeout=deadline.remaining(),
    )


def _option(value: str) -> str:
    """Quoted as options files have it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _settle(server: Server, before: str) -> str:
    """Give the copy the history that belongs to its data; the GTID state it has now."""
    position = str(server.one("SELECT @@gtid_slave_pos AS pos")["pos"] or "")
    if not position and before.strip(","):
        raise AgentError("the dump did not say which position it has")
    state = binlog_state(before, position)
    _calm(server)
    server.query("RESET SLAVE ALL")
    server.query("RESET MASTER")
    server.query(f"SET GLOBAL gtid_slave_pos = '{position}'")
    server.query(f"SET GLOBAL gtid_binlog_state = '{state}'")
    return str(server.one("SELECT @@gtid_binlog_state AS state")["state"] or "")


def _calm(server: Server) -> None:
    """Events run on the primary alone; replication would have brought them disabled, the dump brings them alive."""
    server.query("SET SESSION sql_log_bin = 0")
    for row in server.query(
        "SELECT EVENT_SCHEMA AS db, EVENT_NAME AS name FROM information_schema.EVENTS WHERE STATUS = 'ENABLED'"
    ):
        db, name = (str(row[key]).replace("`", "``") for key in ("db", "name"))
        server.query(f"ALTER EVENT `{db}`.`{name}` DISABLE ON SLAVE")


def _end(running: Process, deadline: Deadline) -> None:
    """By itself, however long it takes: killed, with the settings above, the data would be worthless."""
    running.signal(signal.SIGTERM)
    poll(lambda: not running.alive(), deadline, "the copy's server to end", 0.1)
