"""MariaDB 10.5 and later.

Traps, all seen live:
- With GTID, START SLAVE throws away relay logs that were received and not applied, when both threads are stopped
  (MDEV-4698). So threads stop one at a time, and a restart rescues those logs first.
- STOP SLAVE IO_THREAD takes two seconds while the receiver is connecting.
- Gtid_IO_Pos is empty after a restart, though relay logs hold acknowledged data. So a server starts with relay_log_purge off,
  and its word counts once that is on: then its relay log was read. Nothing else that a running server has would tell others.
"""

from __future__ import annotations

import os

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql.dialects.base import FETCH, FOREVER, DamagedRelayLog, Dialect, Source, asked, quoted
from backstay.services.mysql.gtid import MariadbHistory, binlog_state
from backstay.services.mysql.observation import Acks, Observed, Peer, ReplicaStatus
from backstay.services.mysql.server import StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.server import Row, Server

_FIRST_EVENT = 4  # its position in a log
_PAGE = 50  # events that are read of a relay log at once; a statement in one may be some MiB long
_NOBODY = 2**32 - 1  # a server id that no server has
_LOOK = (
    "SELECT @@version AS version, @@server_id AS server_id, @@read_only AS read_only,"
    " @@gtid_binlog_state AS binlog_state, @@gtid_slave_pos AS slave_pos,"
    " @@rpl_semi_sync_master_enabled AS waits, @@rpl_semi_sync_master_timeout AS timeout,"
    " @@rpl_semi_sync_slave_enabled AS gives, @@report_host AS name, "
)
# MDEV-33465: from these releases on, semi-sync recovery truncates the unacknowledged tail only when told to
_INIT_ROLE = {(10, 6): 19, (10, 11): 9, (11, 1): 6, (11, 2): 5, (11, 4): 3}


def _top(history: History) -> dict[str, tuple[int, str]]:
    """The highest number of each domain, and whose it is."""
    top: dict[str, tuple[int, str]] = {}
    for origin, intervals in history.sets.items():
        domain = origin.partition("-")[0]
        top[domain] = max(top.get(domain, (0, "")), (intervals[-1][1], origin))
    return top


def _position(history: History) -> str:
    """The position that stands for a history."""
    return ",".join(f"{origin}-{number}" for _, (number, origin) in sorted(_top(history).items()))


class Mariadb(Dialect):
    family = "MariaDB"
    package = "mariadb-server"
    history = MariadbHistory
    privilege_aliases = {"REPLICA MONITOR": "SLAVE MONITOR", "REPLICATION REPLICA": "REPLICATION SLAVE"}  # noqa: RUF012
    # The binary log tells nothing: two servers that never met give the same numbers, since all have 1 as their id by default.
    position_query = "SELECT @@gtid_slave_pos AS position"
    lock_holders_query = (
        "SELECT DISTINCT p.ID AS id, p.USER AS user, p.HOST AS host FROM information_schema.METADATA_LOCK_INFO l"
        " JOIN information_schema.PROCESSLIST p ON p.ID = l.THREAD_ID"
        " WHERE l.LOCK_MODE LIKE 'MDL_BACKUP_FTWRL%' OR l.LOCK_MODE LIKE 'MDL_BACKUP_WAIT%'"
    )
    telling = ("log-bin", "log-slave-updates", "gtid-strict-mode")
    changeable = frozenset(
        (
            "gtid-strict-mode",
            "sync-binlog",
            "innodb-flush-log-at-trx-commit",
            "sync-relay-log",
            "relay-log-recovery",
            "rpl-semi-sync-master-wait-point",
            "rpl-semi-sync-master-wait-no-slave",
        )
    )

    def __init__(self, version: tuple[int, int, int]) -> None:
        super().__init__(version)
        self._reads_only = "transaction_read_only" if version >= (11, 1, 0) else "tx_read_only"

    # -- the daemon ---------------------------------------------------------------------------------------------------

    def required(self) -> dict[str, str]:
        return {
            "log-slave-updates": "ON",
            "gtid-strict-mode": "ON",
            "sync-binlog": "1",
            "innodb-flush-log-at-trx-commit": "1",
            "sync-relay-log": "1",  # an acknowledgement promises that the relay log is on disk
            "relay-log-recovery": "OFF",  # it would discard acknowledged events
            "rpl-semi-sync-master-wait-point": "AFTER_SYNC",
            "rpl-semi-sync-master-wait-no-slave": "ON",
        }

    def start_options(self, discard_unacknowledged: bool) -> list[str]:
        options = [
            "--skip-slave-start",
            "--read-only=ON",
            "--rpl-semi-sync-master-enabled=OFF",
            "--rpl-semi-sync-slave-enabled=OFF",
            f"--rpl-semi-sync-master-timeout={FOREVER}",
            # Stopping a receiver first connects to the source, to end the old connection there: five seconds, when the
            # writer address is just moving.
            "--loose-rpl-semi-sync-slave-kill-conn-timeout=1",
            "--relay-log-purge=OFF",  # until `vouch`
            "--slave-net-timeout=4",  # seconds until a receiver takes a silent source for dead
        ]
        if self.version[2] >= _INIT_ROLE.get(self.version[:2], 0 if self.version >= (11, 5, 0) else 10**6):
            options.append(f"--init-rpl-role={'SLAVE' if discard_unacknowledged else 'MASTER'}")
            if discard_unacknowledged:
                options = [o for o in options if "slave-enabled" not in o] + ["--rpl-semi-sync-slave-enabled=ON"]
        return options

    def wrote_last(self, datadir: str, admin: dict[str, str]) -> bool:
        """Forgetting the source removes this file. While it is there, what recovery would cut off was received, and may have
        been acknowledged; the relay log that had it may be purged by now."""
        from backstay.host import untrusted

        return not untrusted.size(os.path.join(datadir, admin.get("master-info-file") or "master.info"))

    def initialize_command(self, binary: str, datadir: str, user: str, config: str) -> list[str]:
        return [
            "mariadb-install-db",
            f"--defaults-file={config}",
            f"--user={user}",
            f"--datadir={datadir}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--force",  # or it refuses when this host's own name does not resolve, which it does not need
        ]

    def secure(self, server: Server) -> None:
        server.query("SET SESSION sql_log_bin = 0")
        server.query("DELETE FROM mysql.global_priv WHERE User = ''")
        server.query("FLUSH PRIVILEGES")
        server.query("RESET MASTER")
        server.query("SET GLOBAL gtid_slave_pos = ''")

    def grants(self, rebuild: bool) -> tuple[str, str]:
        # What mariadb-dump asks for: it takes a snapshot and no locks, so neither RELOAD nor LOCK TABLES.
        dump = ", SELECT, SHOW VIEW, TRIGGER, EVENT, BINLOG MONITOR" if rebuild else ""
        # CONNECTION ADMIN: one more connection than max_connections, or readers that fill it forbid every promotion
        return "SLAVE MONITOR, BINLOG MONITOR, SHOW DATABASES, CONNECTION ADMIN", f"REPLICATION SLAVE{dump}"

    def identified(self, password: str) -> str:
        """Statements go as they are into the binary log, and with it to every replica and backup (seen on 10.11)."""
        import hashlib

        once = hashlib.sha1(password.encode("utf-8", "surrogateescape"), usedforsecurity=False).digest()
        return f"IDENTIFIED BY PASSWORD '*{hashlib.sha1(once, usedforsecurity=False).hexdigest().upper()}'"

    # -- looking ------------------------------------------------------------------------------------------------------

    def unsafe_tables(self, server: Server) -> list[str]:
        """Where a replica notes its position. Outside of transactions a crash leaves that behind the data."""
        rows = server.query(
            "SELECT t.TABLE_NAME AS name, t.ENGINE AS engine FROM information_schema.TABLES t"
            " LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE WHERE t.TABLE_SCHEMA = 'mysql'"
            " AND t.TABLE_NAME LIKE 'gtid\\_slave\\_pos%' AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'"
        )
        follows = bool(rows) and bool(server.query("SHOW SLAVE STATUS"))
        stop, start = ("STOP SLAVE SQL_THREAD; ", "; START SLAVE SQL_THREAD") if follows else ("", "")
        return [
            f"mysql.{row['name']} is {row['engine']}, so after a crash it does not tell what was applied:"
            f" SET sql_log_bin = 0; {stop}ALTER TABLE mysql.{row['name']} ENGINE = InnoDB{start}"
            for row in rows
        ]

    def observe(self, server: Server) -> Observed:
        look = server.one(_LOOK + asked(self.wanted()))
        status = {
            row["Variable_name"]: row["Value"] for row in server.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'")
        }
        slave = server.one("SHOW SLAVE STATUS")
        applied = MariadbHistory.parse(look["binlog_state"] or "", look["slave_pos"] or "")
        read_only = bool(look["read_only"])
        followers: frozenset[str] = frozenset()
        if not read_only:
            followers = frozenset(str(row["Host"]) for row in server.query("SHOW SLAVE HOSTS") if row["Host"])
        return Observed(
            version=str(look["version"]),
            server_id=int(look["server_id"]),
            read_only=read_only,
            applied=applied,
            received=applied.union(MariadbHistory.parse(slave.get("Gtid_IO_Pos") or "")),
            replica=_replica(slave) if slave else None,
            acks=Acks(
                waits=bool(look["waits"]),
                active=status.get("Rpl_semi_sync_master_status") == "ON",
                forever=int(look["timeout"]) >= FOREVER,
                clients=int(status.get("Rpl_semi_sync_master_clients", 0)),
                waiting=int(status.get("Rpl_semi_sync_master_wait_sessions", 0)),
                confirmed=int(status.get("Rpl_semi_sync_master_yes_tx", 0)),
                gives=bool(look["gives"]),
            ),
            followers=followers,
            lacks=self.lacking(look),
            name=str(look["name"] or ""),
        )

    def replica(self, server: Server) -> ReplicaStatus | None:
        slave = server.one("SHOW SLAVE STATUS")
        return _replica(slave) if slave else None

    def peer(self, server: Server) -> Peer:
        look = server.one(
            "SELECT @@gtid_binlog_state AS state, @@gtid_slave_pos AS pos, @@read_only AS read_only,"
            f" @@server_id AS server_id, @@rpl_semi_sync_slave_enabled AS gives, @@relay_log_purge AS vouches,"
            f" {asked(self.telling)}"
        )
        slave = server.one("SHOW SLAVE STATUS")
        applied = MariadbHistory.parse(look["state"] or "", look["pos"] or "")
        why = self.untold(look)
        if slave and slave["Using_Gtid"] == "No" and slave["Slave_SQL_Running"] == "Yes":
            why = "is still applying the relay log it had before its restart"
        elif slave and not look["vouches"] and slave["Slave_SQL_Running"] == slave["Slave_IO_Running"] == "No":
            why = "has yet to read the relay log it had before its restart"
        received = applied.union(MariadbHistory.parse(slave.get("Gtid_IO_Pos") or ""))
        own = received.written_by(str(look["server_id"]))
        receives = bool(slave) and slave["Slave_IO_Running"] != "No"
        return Peer(received, own, not look["read_only"], why, bool(look["gives"]), receives)

    def out_of_reach(self, source: Server, applied: History) -> str:
        reached = _top(applied)
        begins = _top(MariadbHistory.parse(self._log_begins(source)))
        return ",".join(
            f"{origin}-{number}"
            for domain, (number, origin) in sorted(begins.items())
            if reached.get(domain, (0, ""))[0] < number
        )

    def take_over_past(self, server: Server, seen: Observed, theirs: History) -> str:
        """A position names the newest transaction of each domain alone, and so not what earlier primaries wrote. The binary log
        tells of that, and a copy by mariadb-backup has none."""
        look = server.one("SELECT @@gtid_binlog_state AS state, @@gtid_slave_pos AS position")
        position = str(look["position"] or "")
        if look["state"] or not position or not theirs.includes(seen.applied):
            return ""
        state = binlog_state(str(theirs), position)
        if seen.applied.includes(MariadbHistory.parse(state)):
            return ""
        server.query("RESET MASTER")  # it holds nothing
        server.query(f"SET GLOBAL gtid_binlog_state = {quoted(state)}")
        return state

    def log_begins_empty(self, server: Server) -> bool:
        return not self._log_begins(server)

    def _log_begins(self, server: Server) -> str:
        """What was before the first binary log that is left."""
        first = str(server.one("SHOW BINARY LOGS")["Log_name"])
        return str(server.one("SELECT BINLOG_GTID_POS(%s, 4) AS position", (first,))["position"] or "")

    # -- replicating --------------------------------------------------------------------------------------------------

    def follow(self, server: Server, source: Source, seen: Observed) -> None:
        server.query("STOP SLAVE")
        self._let_in(server)  # an applier that begins meanwhile could apply nothing
        # What this server wrote itself, as a primary, counts as applied: slave_pos alone would fetch it again.
        server.query(f"SET GLOBAL gtid_slave_pos = {quoted(_position(seen.applied))}")
        server.query(f"CHANGE MASTER TO {self._source(source)}")
        self.vouch(server)
        server.query("START SLAVE")

    def _source(self, source: Source) -> str:
        tls = "MASTER_SSL = 0"
        if source.ca:
            tls = f"MASTER_SSL = 1, MASTER_SSL_CA = {quoted(source.ca)}, MASTER_SSL_VERIFY_SERVER_CERT = 1"
        return (
            f"MASTER_HOST = {quoted(source.host)}, MASTER_PORT = {source.port}, MASTER_USER = {quoted(source.user)},"
            f" MASTER_PASSWORD = {quoted(source.password)}, MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1,"
            f" MASTER_HEARTBEAT_PERIOD = 1, {tls}"
        )

    def restart_receiver(self, server: Server) -> None:
        server.query("STOP SLAVE IO_THREAD")  # the applier runs on: with both stopped, the relay logs would go
        server.query("START SLAVE IO_THREAD")

    def stop_receiver(self, server: Server) -> None:
        server.query("STOP SLAVE IO_THREAD")

    def start_applier(self, server: Server) -> None:
        self._let_in(server)
        server.query("START SLAVE SQL_THREAD")

    def forget_source(self, server: Server) -> None:
        server.query("STOP ALL SLAVES")
        for row in server.query("SHOW ALL SLAVES STATUS"):
            server.query(f"RESET SLAVE {quoted(row['Connection_name'])} ALL")

    def wait_applied(self, server: Server, received: History, seconds: float) -> bool:
        position = _position(received)
        row = server.one("SELECT MASTER_GTID_WAIT(%s, %s) AS reached", (position, round(max(seconds, 0.001), 3)))
        return bool(row["reached"] == 0)

    def rescue(self, server: Server, datadir: str, appliers: Callable[[int], None]) -> str:
        """The sequence that keeps what both threads stopped would lose: replay by file and position, with GTID off, and by one
        thread, since several crash the server then (seen on 10.11).

        Replaying starts at the first event group that gtid_slave_pos does not cover: relay-log.info is not crash-safe
        under GTID, and gtid_strict_mode stops at a repeated one. It ends in a log that is begun for this.
        """
        slave = server.one("SHOW SLAVE STATUS")
        if not slave or not slave["Relay_Log_File"]:
            return ""
        if slave["Slave_SQL_Running"] == "No":
            first = _pending(server, slave, datadir)
            if first is None:
                return ""
            server.query("FLUSH RELAY LOGS")  # an end that has nothing in it
            last = _relay_logs(server, datadir)[-1]
            threads = int(server.one("SELECT @@slave_parallel_threads AS threads")["threads"])
            if threads:
                appliers(threads)
                server.query("SET GLOBAL slave_parallel_threads = 0")
            server.query(
                f"CHANGE MASTER TO MASTER_USE_GTID = no, RELAY_LOG_FILE = {quoted(first[0])}, RELAY_LOG_POS = {first[1]}"
            )
            server.query(
                f"START SLAVE SQL_THREAD UNTIL RELAY_LOG_FILE = {quoted(last)}, RELAY_LOG_POS = {_FIRST_EVENT}"
            )
        elif not _replica(slave).replays:
            return ""

        def finished() -> bool:
            nonlocal slave
            before, slave = slave, server.one("SHOW SLAVE STATUS")
            if int(slave["Last_SQL_Errno"]):
                damage = (
                    f"the relay log cannot be replayed, what it held may be acknowledged: {slave['Last_SQL_Error']}"
                )
                raise DamagedRelayLog(damage)
            if slave["Slave_SQL_Running"] == "No":
                return True
            # Where it stands still it may wait for the rest of what a crash cut off.
            stands = _where(slave) == _where(before) and _nothing_pending(server, slave, datadir)
            if not stands and slave["Relay_Log_File"] != slave["Until_Log_File"]:
                return False
            server.query("STOP SLAVE SQL_THREAD")
            return True

        try:
            poll(finished, server.deadline.within(server.deadline.remaining() * 0.9), "the relay log", 0.1)
        except TimedOut:
            return f"replaying the relay log from before the restart, at {_where(slave)}"
        return f"replayed the relay log up to {_where(slave)}"

    def vouches(self, server: Server) -> bool:
        return bool(server.one("SELECT @@relay_log_purge AS yes")["yes"])

    def vouch(self, server: Server) -> None:
        server.query("SET GLOBAL relay_log_purge = ON")

    def set_appliers(self, server: Server, count: int) -> None:
        server.query("STOP SLAVE")
        server.query(f"SET GLOBAL slave_parallel_threads = {count:d}")

    def fetch(self, server: Server, source: Source, seen: Observed) -> None:
        self.end_fetch(server)
        self._let_in(server)
        # gtid_slave_pos is what a channel starts from; only a server that has written itself is behind there, and then
        # its own channel is stopped, so it can be set.
        if seen.replica is None:
            server.query(f"SET GLOBAL gtid_slave_pos = {quoted(_position(seen.applied))}")
        server.query(f"CHANGE MASTER '{FETCH}' TO {self._source(source)}")
        server.query(f"START SLAVE '{FETCH}'")

    def end_fetch(self, server: Server) -> None:
        if any(row["Connection_name"] == FETCH for row in server.query("SHOW ALL SLAVES STATUS")):
            server.query(f"STOP SLAVE '{FETCH}'")
            server.query(f"RESET SLAVE '{FETCH}' ALL")

    # -- acknowledging and writing ------------------------------------------------------------------------------------

    def wait_for_acks(self, server: Server, milliseconds: int) -> None:
        server.query(f"SET GLOBAL rpl_semi_sync_master_timeout = {milliseconds:d}")
        server.query("SET GLOBAL rpl_semi_sync_master_enabled = ON")

    def stop_waiting(self, server: Server) -> None:
        server.query("SET GLOBAL rpl_semi_sync_master_enabled = OFF")

    def wake_ack_receiver(self, source: Server) -> bool:
        # It wakes when a replica registers, and that of the thread which waits for it may not. Whoever asks for the log from a
        # position is taken to have acknowledged all before it: from the very beginning that is nothing.
        source.query("SET @rpl_semi_sync_slave = 1, @mariadb_slave_capability = 4")
        source.query("SET @master_binlog_checksum = @@global.binlog_checksum")
        source.dump(_NOBODY)
        return True

    def acknowledge(self, server: Server, wanted: bool) -> None:
        server.query(f"SET GLOBAL rpl_semi_sync_slave_enabled = {'ON' if wanted else 'OFF'}")

    def set_read_only(self, server: Server, wanted: bool) -> None:
        # A commit that waits for an acknowledgement holds this up (T16); the session's lock wait bounds it.
        server.query(f"SET SESSION lock_wait_timeout = {max(1, int(server.deadline.remaining()))}")
        if wanted:
            self.stop_events(server)
        else:
            self._let_in(server)
        server.query(f"SET GLOBAL read_only = {'ON' if wanted else 'OFF'}")

    def close(self, server: Server) -> None:
        self.stop_events(server)
        self.past_clients(server, "SET GLOBAL read_only = ON")

    def shut_out(self, server: Server) -> None:
        """ALL PRIVILEGES writes through read_only, and until 12 nothing is above that. What such accounts begin from now on are
        transactions that only read. The lock sees that no commit is under way while sessions are ended: one that waits for its
        acknowledgement would be completed without it."""
        server.query(f"SET GLOBAL {self._reads_only} = ON")
        self.past_clients(server, "FLUSH TABLES WITH READ LOCK")
        try:
            server.kill(self.client_threads(server))
        finally:
            server.query("UNLOCK TABLES")

    def write_closed(self, server: Server, statement: str) -> None:
        server.query(f"SET SESSION {self._reads_only} = OFF")
        super().write_closed(server, statement)

    def _let_in(self, server: Server) -> None:
        """End that, and the sessions that began meanwhile: theirs would stay so. Not those of the agent's account: they read."""
        server.query(
            f"SET SESSION {self._reads_only} = OFF"
        )  # a position is a row, and this session may be one of them
        if not server.one(f"SELECT @@global.{self._reads_only} AS yes")["yes"]:
            return
        server.query(f"SET GLOBAL {self._reads_only} = OFF")
        own = server.query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = SUBSTRING_INDEX(USER(), '@', 1) AND HOST = 'localhost'"
        )
        server.kill(sorted(set(self.client_threads(server)) - {int(row["ID"]) for row in own}))

    def client_threads(self, server: Server) -> list[int]:
        rows = server.query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()"
            " AND USER NOT IN ('system user', 'event_scheduler') AND COMMAND NOT IN ('Binlog Dump', 'Slave_IO',"
            " 'Slave_SQL', 'Slave_worker', 'Daemon')"
        )
        return [int(row["ID"]) for row in rows]


def _replica(slave: Row) -> ReplicaStatus:
    lag = slave["Seconds_Behind_Master"]
    return ReplicaStatus(
        host=str(slave["Master_Host"]),
        port=int(slave["Master_Port"]),
        io=str(slave["Slave_IO_Running"]).replace("Preparing", "Connecting"),
        sql=slave["Slave_SQL_Running"] == "Yes",
        lag=None if lag is None else int(lag),
        by_gtid=slave["Using_Gtid"] != "No",
        receiver_error=(int(slave["Last_IO_Errno"]), str(slave["Last_IO_Error"])),
        applier_error=(int(slave["Last_SQL_Errno"]), str(slave["Last_SQL_Error"])),
        replays=slave["Using_Gtid"] == "No"
        and slave["Slave_SQL_Running"] == "Yes"
        and slave["Until_Condition"] == "Relay",
    )


def _where(slave: Row) -> str:
    """Up to where it applied."""
    return f"{slave['Relay_Log_File']}:{slave['Relay_Log_Pos']}"


def _relay_logs(server: Server, datadir: str) -> list[str]:
    """Names, oldest first. Raises AgentError."""
    from backstay.host import untrusted

    index = str(server.one("SELECT @@relay_log_index AS path")["path"] or "")
    if not index:
        base = str(server.one("SELECT @@relay_log_basename AS path")["path"])
        index = base + ".index"
    path = os.path.join(datadir, index)
    try:
        return [os.path.basename(line.strip()) for line in untrusted.text(path).splitlines() if line.strip()]
    except OSError as error:
        raise AgentError(f"the relay log index cannot be read: {error}") from None


def _pending(server: Server, slave: Row, datadir: str) -> tuple[str, int, int, str] | None:
    """The first whole event group that is not applied, as whole_groups has it. A crash cuts the last group off; that one was
    not acknowledged, and waiting for it would last for ever. Raises AgentError, DamagedRelayLog.

    Where the applier's own note points to says nothing: a crash may undo what is before it.
    """
    names = _relay_logs(server, datadir)
    current = str(slave["Relay_Log_File"])
    applied = MariadbHistory.parse(server.one("SELECT @@gtid_slave_pos AS pos")["pos"] or "")
    top = {int(domain): number for domain, (number, _) in _top(applied).items()}
    events = _events(server, datadir, names[names.index(current) :] if current in names else names, top)
    return next((group for group in whole_groups(events) if int(group[3].split("-")[2]) > top.get(group[2], 0)), None)


def _nothing_pending(server: Server, slave: Row, datadir: str) -> bool:
    """Of an applier that runs: it may get on, and purge a log, while this is looked at."""
    try:
        return _pending(server, slave, datadir) is None
    except DamagedRelayLog:
        if _where(server.one("SHOW SLAVE STATUS")) == _where(slave):
            raise
        return False


def _events(server: Server, datadir: str, names: list[str], top: dict[int, int]) -> Iterator[tuple[str, int, str, str]]:
    """Of relay logs in order, from the first group on that has a higher number than `top` has for its domain, a page at a time:
    file, position, type, text. Raises DamagedRelayLog."""
    for name in names:
        at = _begin(os.path.join(datadir, name), top)
        seen = 0
        while at:
            rows = _page(server, name, at)
            yield from ((name, int(row["Pos"]), str(row["Event_type"]), str(row["Info"])) for row in rows[seen:])
            at, seen = int(rows[-1]["Pos"]) if len(rows) == _PAGE else 0, 1


def _begin(path: str, top: dict[int, int]) -> int:
    """Where to begin in a relay log, 0 for not at all. The file is read, since the server tells of a hundred MiB in minutes; of
    an encrypted one it tells all."""
    from backstay.host import untrusted
    from backstay.services.mysql import binlog

    try:
        with open(untrusted.descriptor(path), "rb") as log:
            return binlog.first_beyond(log, top) or 0
    except (OSError, ValueError):
        return _FIRST_EVENT


def _page(server: Server, name: str, at: int) -> list[Row]:
    """Some events from a position on. Raises DamagedRelayLog."""
    try:
        rows = server.query(f"SHOW RELAYLOG EVENTS IN {quoted(name)} FROM {at:d} LIMIT {_PAGE:d}")
    except StatementFailed as error:
        raise DamagedRelayLog(f"relay log {name} is damaged, what it held may be acknowledged: {error}") from None
    return rows


def whole_groups(events: Iterable[tuple[str, int, str, str]]) -> Iterator[tuple[str, int, int, str]]:
    """Of relay log events (file, position, type, text as SHOW RELAYLOG EVENTS has them) the groups that are complete: file,
    position, domain, GTID. Complete is what is closed by XID, COMMIT or ROLLBACK, or by its only statement, or followed by
    another group. Pure. Raises DamagedRelayLog."""
    begun: tuple[str, int, int, str] | None = None
    several = False
    for name, position, kind, text in events:
        if kind == "Gtid":
            if begun:
                yield begun
            gtid = next((word for word in text.split() if word.count("-") == 2), "")
            if not gtid.isascii() or not all(field.isdigit() for field in gtid.split("-")):
                damage = f"relay log {name} is damaged, what it held may be acknowledged: no GTID at {position}"
                raise DamagedRelayLog(damage)
            begun = (name, position, int(gtid.partition("-")[0]), gtid)
            several = text.startswith("BEGIN")
        elif begun and (kind == "Xid" or (kind.startswith("Query") and (not several or _ends(text)))):
            yield begun
            begun = None


def _ends(text: str) -> bool:
    return text.strip().upper() in ("COMMIT", "ROLLBACK")
