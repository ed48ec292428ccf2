"""Oracle MySQL 5.7, 8.0, 8.4 and 9.

8.0.26 renamed everything (master/slave to source/replica) and 8.4 removed the old words. So there are two vocabularies and
one version from which the new one is used. Relay logs survive a restart here, and so does the Retrieved set (seen on 9.7).
So there is nothing to rescue: starting the applier is enough.
"""

from __future__ import annotations

import os

from backstay.services.mysql.dialects.base import FETCH, FOREVER, Dialect, Source, asked, quoted
from backstay.services.mysql.gtid import MysqlHistory
from backstay.services.mysql.observation import Acks, Observed, Peer, ReplicaStatus
from backstay.services.mysql.server import NO_SUCH_VARIABLE, StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.server import Row, Server


def _synchronise(path: str) -> None:
    """A file to the disk. A relay log may be purged meanwhile."""
    from backstay.host import untrusted

    try:
        descriptor = untrusted.descriptor(path)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Oracle(Dialect):
    family = "MySQL"
    package = "mysql-server"
    position_query = "SELECT @@global.gtid_executed AS position"
    lock_holders_query = (
        "SELECT DISTINCT t.PROCESSLIST_ID AS id, t.PROCESSLIST_USER AS user, t.PROCESSLIST_HOST AS host"
        " FROM performance_schema.metadata_locks l JOIN performance_schema.threads t ON t.THREAD_ID = l.OWNER_THREAD_ID"
        " WHERE l.OBJECT_TYPE IN ('GLOBAL', 'COMMIT') AND l.LOCK_TYPE = 'SHARED' AND l.LOCK_STATUS = 'GRANTED'"
    )
    history = MysqlHistory
    # caching_sha2_password wants an encrypted connection; without, the driver wants the package cryptography
    unverified_tls: dict[str, object] | None = {"check_hostname": False}  # noqa: RUF012

    def __init__(self, version: tuple[int, int, int]) -> None:
        super().__init__(version)
        new = version >= (8, 0, 26)
        self._source_word, self._replica_word = ("source", "replica") if new else ("master", "slave")
        self._replica = "REPLICA" if new else "SLAVE"
        self._change = "CHANGE REPLICATION SOURCE TO" if new else "CHANGE MASTER TO"
        self._prefix = "SOURCE" if new else "MASTER"
        self.log_status = "SHOW BINARY LOG STATUS" if version >= (8, 2, 0) else "SHOW MASTER STATUS"
        self._reset_binlog = "RESET BINARY LOGS AND GTIDS" if version >= (8, 2, 0) else "RESET MASTER"
        self._waits = f"rpl_semi_sync_{self._source_word}"
        self._dashed = self._waits.replace("_", "-")
        self._gives = f"rpl_semi_sync_{self._replica_word}"
        self.telling = ("log-bin", "gtid-mode", f"log-{self._replica_word}-updates")
        settable = "sync-binlog", "innodb-flush-log-at-trx-commit", "sync-relay-log"
        semisync = f"{self._dashed}-wait-point", f"{self._dashed}-wait-no-{self._replica_word}"
        self.changeable = frozenset(settable + semisync)
        self.events_by_default = "ON" if version >= (8, 0, 0) else "OFF"

    # -- the daemon ---------------------------------------------------------------------------------------------------

    def required(self) -> dict[str, str]:
        return {
            "gtid-mode": "ON",
            "enforce-gtid-consistency": "ON",
            f"log-{self._replica_word}-updates": "ON",
            "sync-binlog": "1",
            "innodb-flush-log-at-trx-commit": "1",
            "sync-relay-log": "1",  # an acknowledgement promises that the relay log is on disk
            "relay-log-recovery": "OFF",  # it would discard acknowledged events
        }

    def wanted(self) -> dict[str, str]:
        return {
            **super().wanted(),
            f"{self._dashed}-wait-point": "AFTER_SYNC",
            f"{self._dashed}-wait-no-{self._replica_word}": "ON",
        }

    def start_options(self, discard_unacknowledged: bool) -> list[str]:
        source, replica = self._source_word, self._replica_word
        return [
            f"--skip-{replica}-start=ON",
            "--read-only=ON",
            "--super-read-only=ON",
            f"--plugin-load-add=semisync_{source}.so",
            f"--plugin-load-add=semisync_{replica}.so",
            *(["--plugin-load-add=mysql_clone.so"] if self.version >= (8, 0, 17) else []),
            f"--loose-{self._dashed}-enabled=OFF",
            f"--loose-{self._gives.replace('_', '-')}-enabled=OFF",
            f"--loose-{self._dashed}-timeout={FOREVER}",
            f"--loose-{self._dashed}-wait-point=AFTER_SYNC",
            f"--loose-{self._dashed}-wait-no-{replica}=ON",
            f"--{replica}-net-timeout=4",
        ]

    def discard_tail(self, datadir: str, index: str, survived: History) -> str:
        """The server would commit it (bugs.mysql.com 99370). The tail is kept in a file that mysqlbinlog reads.

        The server also gets a new identity: it would give the numbers of what it lost to other transactions. That goes
        first, so that an interruption leaves a tail that is found errant, never a silent one.
        """
        import mmap

        from backstay.host import untrusted
        from backstay.services.mysql import binlog

        identity = os.path.join(datadir, "auto.cnf")
        try:
            told = untrusted.text(identity).splitlines()
            me = next(line.partition("=")[2].strip() for line in told if line.startswith("server-uuid"))
            path = os.path.normpath(os.path.join(datadir, untrusted.tail(index).split()[-1]))
            # The one that is looked at is the one that is shortened, and it is the account's.
            with open(untrusted.descriptor(path, os.O_RDWR), "r+b", buffering=0) as log:
                if os.fstat(log.fileno()).st_uid != os.stat(datadir).st_uid:
                    return f"no unacknowledged tail looked for: {path} does not belong to whom {datadir} does"
                with mmap.mmap(log.fileno(), 0, access=mmap.ACCESS_READ) as text:
                    tail = binlog.own_tail(text, me, MysqlHistory(survived.sets))
                    if tail is None:
                        return ""
                    head, lost = text[: tail.head], text[tail.begin :]
                kept = os.path.join(os.path.dirname(path), f"unacknowledged-{os.path.basename(path)}")
                untrusted.replace(kept, head + lost, None, 0o640, sync=True)
                untrusted.remove(identity, sync=True)
                log.truncate(tail.begin)
                os.fsync(log.fileno())
        except (OSError, StopIteration, IndexError, ValueError) as error:
            return f"no unacknowledged tail looked for: {error}"
        return f"cut {tail.gtids} off the binary log, which the new primary lacks; kept in {kept}"

    def initialize_command(self, binary: str, datadir: str, user: str, config: str) -> list[str]:
        return [binary, f"--defaults-file={config}", "--initialize-insecure", f"--user={user}", f"--datadir={datadir}"]

    def secure(self, server: Server) -> None:
        server.query("SET SESSION sql_log_bin = 0")
        server.query("SET GLOBAL super_read_only = OFF")
        server.query("INSTALL PLUGIN auth_socket SONAME 'auth_socket.so'")
        server.query("ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket")
        server.query(self._reset_binlog)

    def grants(self, rebuild: bool) -> tuple[str, str]:
        # SELECT: to see which tables there are, and how large
        # CONNECTION_ADMIN: as in MariaDB; 5.7 has only SUPER for it, with which a node could change another's settings
        reserved = ", CONNECTION_ADMIN" if self.version >= (8, 0, 0) else ""
        return (
            f"REPLICATION CLIENT, SHOW DATABASES{reserved}",
            f"REPLICATION SLAVE{', BACKUP_ADMIN, SELECT' if rebuild else ''}",
        )

    # -- looking ------------------------------------------------------------------------------------------------------

    def in_force(self, server: Server) -> dict[str, str]:
        found = super().in_force(server)
        if self.version >= (8, 0, 0):
            for row in server.query(
                "SELECT FILTER_NAME AS name, FILTER_RULE AS rule FROM performance_schema.replication_applier_global_filters"
            ):
                found[str(row["name"]).lower().replace("_", "-")] = str(row["rule"] or "")
        return found

    def observe(self, server: Server) -> Observed:
        look = self._look(
            server,
            "SELECT @@version AS version, @@server_id AS server_id, @@global.super_read_only AS read_only,"
            f" @@global.gtid_executed AS executed, @@report_host AS name, {asked(self.wanted())},"
            f" @@global.{self._waits}_enabled AS waits, @@global.{self._waits}_timeout AS timeout,"
            f" @@global.{self._gives}_enabled AS gives",
        )
        lacks = self.lacking(look)
        if not look["gives"]:
            lacks.pop("sync-relay-log", None)  # `follow` does so, and `acknowledge` ends it
        status = {
            row["Variable_name"]: row["Value"] for row in server.query("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'")
        }
        replica = self._status(server)
        read_only = bool(look["read_only"])
        followers: frozenset[str] = frozenset()
        if not read_only:
            listing = "SHOW REPLICAS" if self._replica == "REPLICA" else "SHOW SLAVE HOSTS"
            followers = frozenset(str(row["Host"]) for row in server.query(listing) if row["Host"])
        applied = MysqlHistory.parse(look["executed"] or "")
        prefix = self._waits.replace("rpl", "Rpl")
        return Observed(
            version=str(look["version"]),
            server_id=int(look["server_id"]),
            read_only=read_only,
            applied=applied,
            received=applied.union(MysqlHistory.parse(replica.get("Retrieved_Gtid_Set") or "")),
            replica=self._read(replica) if replica else None,
            acks=Acks(
                waits=bool(look["waits"]),
                active=status.get(f"{prefix}_status") == "ON",
                forever=int(look["timeout"]) >= FOREVER,
                clients=int(status.get(f"{prefix}_clients", 0)),
                waiting=int(status.get(f"{prefix}_wait_sessions", 0)),
                confirmed=int(status.get(f"{prefix}_yes_tx", 0)),
                gives=bool(look["gives"]),
            ),
            followers=followers,
            lacks=lacks,
            name=str(look["name"] or ""),
        )

    def _look(self, server: Server, query: str) -> Row:
        """One that was started by others may lack the plugins: then their variables read as what fits nothing."""
        try:
            return server.one(query)
        except StatementFailed as error:
            if error.number != NO_SUCH_VARIABLE:
                raise
        import re

        return server.one(re.sub(r"@@global\.rpl_semi_sync_\w+", "0", query))

    def lacking(self, look: Row) -> dict[str, str]:
        found = super().lacking(look)
        if found.get(f"{self._dashed}-wait-point") == "0":  # no variable of the plugins', as `_look` has it
            found = {name: value for name, value in found.items() if not name.startswith(self._dashed)}
            found[f"semisync-{self._source_word}"] = "missing"
        return found

    def replica(self, server: Server) -> ReplicaStatus | None:
        row = self._status(server)
        return self._read(row) if row else None

    def _status(self, server: Server) -> Row:
        """The default channel's row, with the FETCH channel left out."""
        rows = server.query(f"SHOW {self._replica} STATUS")
        return next((row for row in rows if row["Channel_Name"] != FETCH), {})

    def _read(self, row: Row) -> ReplicaStatus:
        word, prefix = self._replica.capitalize(), self._prefix.capitalize()
        lag = row[f"Seconds_Behind_{prefix}"]
        return ReplicaStatus(
            host=str(row[f"{prefix}_Host"]),
            port=int(row[f"{prefix}_Port"]),
            io=str(row[f"{word}_IO_Running"]),
            sql=row[f"{word}_SQL_Running"] == "Yes",
            lag=None if lag is None else int(lag),
            by_gtid=bool(int(row["Auto_Position"])),
            receiver_error=(int(row["Last_IO_Errno"]), str(row["Last_IO_Error"])),
            applier_error=(int(row["Last_SQL_Errno"]), str(row["Last_SQL_Error"])),
        )

    def peer(self, server: Server) -> Peer:
        look = self._look(
            server,
            "SELECT @@global.gtid_executed AS executed, @@global.super_read_only AS read_only,"
            f" @@server_uuid AS uuid, @@global.{self._gives}_enabled AS gives, {asked(self.telling)}",
        )
        row = self._status(server)
        received = MysqlHistory.parse(look["executed"] or "", row.get("Retrieved_Gtid_Set") or "")
        own = received.written_by(str(look["uuid"]))
        receives = bool(row) and self._read(row).io != "No"
        return Peer(received, own, not look["read_only"], self.untold(look), bool(look["gives"]), receives)

    def out_of_reach(self, source: Server, applied: History) -> str:
        return str(self._purged(source).minus(applied))

    def log_begins_empty(self, server: Server) -> bool:
        return not self._purged(server)

    def _purged(self, server: Server) -> History:
        return MysqlHistory.parse(server.one("SELECT @@global.gtid_purged AS purged")["purged"] or "")

    # -- replicating --------------------------------------------------------------------------------------------------

    def follow(self, server: Server, source: Source, seen: Observed) -> None:
        server.query(f"STOP {self._replica}")
        if not seen.acks.gives:
            # A disk write for every event is what acknowledging needs; catching up is at least ten times as fast without.
            server.query("SET GLOBAL sync_relay_log = 10000")
        server.query(f"{self._change} {self._spelled(source)}")
        server.query(f"START {self._replica}")

    def _spelled(self, source: Source) -> str:
        p = self._prefix
        # caching_sha2_password over TCP wants TLS or the server's RSA key
        tls = f"{p}_SSL = 0" + (f", GET_{p}_PUBLIC_KEY = 1" if self.version >= (8, 0, 0) else "")
        if source.ca:
            tls = f"{p}_SSL = 1, {p}_SSL_CA = {quoted(source.ca)}, {p}_SSL_VERIFY_SERVER_CERT = 1"
        return (
            f"{p}_HOST = {quoted(source.host)}, {p}_PORT = {source.port}, {p}_USER = {quoted(source.user)},"
            f" {p}_PASSWORD = {quoted(source.password)}, {p}_AUTO_POSITION = 1, {p}_CONNECT_RETRY = 1,"
            f" {p}_RETRY_COUNT = 100000000, {p}_HEARTBEAT_PERIOD = 1, {tls}"
        )

    def restart_receiver(self, server: Server) -> None:
        server.query(f"STOP {self._replica} IO_THREAD")
        server.query(f"START {self._replica} IO_THREAD")

    def stop_receiver(self, server: Server) -> None:
        server.query(f"STOP {self._replica} IO_THREAD")

    def start_applier(self, server: Server) -> None:
        server.query(f"START {self._replica} SQL_THREAD")

    def forget_source(self, server: Server) -> None:
        server.query(f"STOP {self._replica}")
        server.query(f"RESET {self._replica} ALL")

    def wait_applied(self, server: Server, received: History, seconds: float) -> bool:
        row = server.one(
            "SELECT WAIT_FOR_EXECUTED_GTID_SET(%s, %s) AS late", (str(received), round(max(seconds, 0.001), 3))
        )
        return bool(row["late"] == 0)

    def rescue(self, server: Server, datadir: str, appliers: Callable[[int], None]) -> str:
        row = self._status(server)
        if not row:
            return ""
        executed = MysqlHistory.parse(server.one("SELECT @@global.gtid_executed AS executed")["executed"] or "")
        left = MysqlHistory.parse(row.get("Retrieved_Gtid_Set") or "").minus(executed)
        if not left:
            return ""
        self.start_applier(server)
        return f"applying {left} from the relay log"

    def fetch(self, server: Server, source: Source, seen: Observed) -> None:
        self.end_fetch(server)
        server.query(f"{self._change} {self._spelled(source)} FOR CHANNEL '{FETCH}'")
        server.query(f"START {self._replica} FOR CHANNEL '{FETCH}'")

    def end_fetch(self, server: Server) -> None:
        if any(row["Channel_Name"] == FETCH for row in server.query(f"SHOW {self._replica} STATUS")):
            server.query(f"STOP {self._replica} FOR CHANNEL '{FETCH}'")
            server.query(f"RESET {self._replica} ALL FOR CHANNEL '{FETCH}'")

    def copy_series(self, version: str) -> str:
        # CLONE takes another point release of the same series since 8.0.37 (manual, "Cloning Remote Data")
        return ".".join(version.split(".")[:2]) if self.version >= (8, 0, 37) else version.partition("-")[0]

    # -- acknowledging and writing ------------------------------------------------------------------------------------

    def wait_for_acks(self, server: Server, milliseconds: int) -> None:
        server.query(f"SET GLOBAL {self._waits}_timeout = {milliseconds:d}")
        server.query(f"SET GLOBAL {self._waits}_enabled = ON")

    def stop_waiting(self, server: Server) -> None:
        server.query(f"SET GLOBAL {self._waits}_enabled = OFF")

    def acknowledge(self, server: Server, wanted: bool) -> None:
        if wanted:
            import glob

            server.query("SET GLOBAL sync_relay_log = 1")
            base = str(server.one("SELECT @@relay_log_basename AS path")["path"])
            for path in glob.glob(f"{glob.escape(base)}.*"):
                _synchronise(path)  # what came before it was set
        server.query(f"SET GLOBAL {self._gives}_enabled = {'ON' if wanted else 'OFF'}")

    def set_read_only(self, server: Server, wanted: bool) -> None:
        # A commit that waits for an acknowledgement holds this up (T16); the session's lock wait bounds it.
        server.query(f"SET SESSION lock_wait_timeout = {max(1, int(server.deadline.remaining()))}")
        if wanted:
            self.stop_events(server)
            server.query("SET GLOBAL super_read_only = ON")  # implies read_only
        else:
            server.query("SET GLOBAL super_read_only = OFF")
            server.query("SET GLOBAL read_only = OFF")

    def close(self, server: Server) -> None:
        self.stop_events(server)
        self.past_clients(server, "SET GLOBAL super_read_only = ON")

    def write_closed(self, server: Server, statement: str) -> None:
        server.query("SET GLOBAL super_read_only = OFF")  # read_only stays
        try:
            server.query(statement)
        finally:
            server.query("SET GLOBAL super_read_only = ON")

    def client_threads(self, server: Server) -> list[int]:
        rows = server.query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID()"
            " AND USER NOT IN ('system user', 'event_scheduler')"
            " AND COMMAND NOT IN ('Binlog Dump', 'Binlog Dump GTID', 'Daemon')"
        )
        return [int(row["ID"]) for row in rows]
