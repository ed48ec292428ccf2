"""What differs between the families, named once. MariaDB and MySQL each implement it in a file of their own; anywhere
else a question about the family is a defect."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import LOCKED, StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding, Observed, Peer, ReplicaStatus
    from backstay.services.mysql.server import Row, Server

FOREVER = 2_000_000_000  # ms: 23 days; only the agent ends the waiting for acknowledgements
NOMINAL = 1  # ms: degraded; replicas stay connected as acknowledgers and the count of them stays visible
OWN_DATABASES = frozenset(("mysql", "sys", "information_schema", "performance_schema", "ndbinfo", "backstay"))
_COMMITS = ("ommit", "semi-sync", "binlog")  # parts of the words for it in the list of processes, whatever the version
_WAYS = ("do", "Do"), ("ignore", "Ignore")
FETCH = "backstay_fetch"  # channel that gets what this node lacks from another than its source


def quoted(text: str) -> str:
    """As a string literal, where the driver cannot bind a value."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def spelled(lacks: Mapping[str, str]) -> str:
    """Settings as people read them."""
    return ", ".join(f"{name.replace('-', '_')}={value}" for name, value in lacks.items())


def asked(names: Iterable[str]) -> str:
    """The global variables of these options, for a SELECT whose row is named as they are."""
    return ", ".join(f"@@global.{name.replace('-', '_')} AS `{name}`" for name in names)


class DamagedRelayLog(AgentError):
    """What this server received and did not apply cannot be read, and may be the only copy of what it acknowledged."""


class Source:
    """Where a replica replicates from, and as whom. ca: a file to verify the source's certificate with, "" for none."""

    __slots__ = ("ca", "host", "password", "port", "user")

    def __init__(self, host: str, port: int, user: str, password: str, ca: str = "") -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.ca = ca


class Dialect:
    """Statements and row readers of one family at one version."""

    family = ""
    package = ""  # what to install when the program is missing
    history: type[History]
    unverified_tls: dict[str, object] | None = None  # for nodes among themselves, where no authority is configured
    privilege_aliases: dict[str, str] = {}  # as SHOW GRANTS spells them → as the agent does  # noqa: RUF012
    lock_holders_query = ""  # id, user and host of the sessions that hold a lock on all writes
    position_query = ""  # its `position` is not empty where the history tells whose data it is
    log_status = "SHOW MASTER STATUS"
    telling: tuple[str, ...] = ()  # settings without which a server's history does not tell what it holds
    changeable: frozenset[str] = frozenset()  # of those wanted what a running server takes
    events_by_default = "OFF"  # whether the server runs events where its options do not say

    def __init__(self, version: tuple[int, int, int]) -> None:
        self.version = version

    # -- the daemon ---------------------------------------------------------------------------------------------------

    def required(self) -> dict[str, str]:
        """Variables that the agent's promises rest on: option name on the command line to value."""
        raise NotImplementedError

    def wanted(self) -> dict[str, str]:
        """The same as a running server has them, and what start sees to otherwise."""
        return {"log-bin": "ON", **self.required()}

    def lacking(self, look: Row) -> dict[str, str]:
        """Of the settings in a row, named as options, those that are not as wanted, with what they are."""
        found = {}
        for name, wanted in self.wanted().items():
            if name in look and str(look[name]).upper() not in (wanted, {"ON": "1", "OFF": "0"}.get(wanted)):
                switch = {"1": "ON", "0": "OFF"} if wanted in ("ON", "OFF") else {}
                found[name] = switch.get(str(look[name]), str(look[name]))
        return found

    def untold(self, look: Row) -> str:
        """Why the history of a server with these settings does not tell what it holds, "" when it does."""
        lacks = self.lacking({name: look[name] for name in self.telling})
        return f"it runs with {spelled(lacks)}, so its history does not tell what it holds" if lacks else ""

    def amend(self, server: Server, lacks: Mapping[str, str]) -> list[str]:
        """Set what a running server takes; the names of those."""
        names = [name for name in lacks if name in self.changeable]
        for name in names:
            server.query(f"SET GLOBAL {name.replace('-', '_')} = {self.wanted()[name]}")
        return names

    def start_options(self, discard_unacknowledged: bool) -> list[str]:
        """Further options of every start. discard_unacknowledged: roll back what crashed before its acknowledgement,
        where the family can; only right when another primary is known to hold all that was acknowledged."""
        raise NotImplementedError

    def wrote_last(self, datadir: str, admin: dict[str, str]) -> bool:
        """Whether a server that is down was no replica, as its files say: the end of its binary log is its own. admin: its
        options."""
        return True

    def discard_tail(self, datadir: str, index: str, survived: History) -> str:
        """Before such a start, for a family that cannot do it by an option. index: of the binary logs. survived: what the
        new primary had. Returns what was done, "" for nothing."""
        return ""

    def initialize_command(self, binary: str, datadir: str, user: str, config: str) -> list[str]:
        """The program and arguments that make an empty data directory a database."""
        raise NotImplementedError

    def secure(self, server: Server) -> None:
        """After initialising: root by socket only, no anonymous accounts, an empty GTID history."""
        raise NotImplementedError

    def grants(self, rebuild: bool) -> tuple[str, str]:
        """Privileges of the monitor account and of the replication account; `rebuild`: the latter also copies data."""
        raise NotImplementedError

    def account_statements(
        self, monitor: tuple[str, str], replication: tuple[str, str], rebuild: bool, shown: bool = False
    ) -> list[str]:
        """Make the two accounts, each with what it needs and no more. Pairs are user, password. rebuild: the replication
        account may also copy all data. shown: for people, who write passwords as they are."""
        statements = []
        for (user, password), grants in zip((monitor, replication), self.grants(rebuild)):
            account = f"{quoted(user)}@'%'"
            clause = f"IDENTIFIED BY {quoted(password)}" if shown else self.identified(password)
            statements += [
                f"CREATE USER IF NOT EXISTS {account} {clause}",
                f"GRANT {grants} ON *.* TO {account}",
            ]
        return statements

    def password_statement(self, user: str, password: str) -> str:
        return f"ALTER USER {quoted(user)}@'%' {self.identified(password)}"

    def identified(self, password: str) -> str:
        """The clause of an account's password: the server must write no password in clear to any of its logs."""
        return f"IDENTIFIED BY {quoted(password)}"

    def missing_grant(self, server: Server, statement: str) -> str:
        """For one of `account_statements`: "" when the server has it, else what is missing and the statement to run."""
        import re

        user = re.search(r"'((?:[^']|'')*)'@'%'", statement)
        if user is None:
            return ""
        name = user[1].replace("''", "'")
        if not server.query("SELECT 1 AS there FROM mysql.user WHERE User = %s AND Host = '%%'", (name,)):
            return f"account {name}@'%' is missing: on the primary run {statement}" if "CREATE" in statement else ""
        if not statement.startswith("GRANT"):
            return ""
        lacks = self._lacking_of(
            statement[6 : statement.index(" ON ")], server.query("SHOW GRANTS FOR %s@'%%'", (name,))
        )
        return f"account {name}@'%' lacks {lacks}: on the primary run {statement}" if lacks else ""

    def missing_to_copy(self, donor: Server) -> str:
        """What the account of this connection lacks to copy all data, "" for nothing."""
        return self._lacking_of(self.grants(True)[1], donor.query("SHOW GRANTS"))

    def _lacking_of(self, privileges: str, rows: list[Row]) -> str:
        """Which of the privileges, separated by commas, the rows of SHOW GRANTS do not give everywhere."""
        wanted = {privilege.strip() for privilege in privileges.split(",")}
        held = {
            privilege.strip()
            for row in rows
            for line in row.values()
            if " ON *.* " in str(line)
            for privilege in str(line)[6 : str(line).index(" ON ")].split(",")
        }
        if "ALL PRIVILEGES" in held:
            return ""
        return ", ".join(sorted(wanted - {self.privilege_aliases.get(p, p) for p in held}))

    # -- looking ------------------------------------------------------------------------------------------------------

    def observe(self, server: Server) -> Observed:
        raise NotImplementedError

    def replica(self, server: Server) -> ReplicaStatus | None:
        """The default channel; None where it replicates from nobody."""
        raise NotImplementedError

    def peer(self, server: Server) -> Peer:
        """Of another node, with the monitor account."""
        raise NotImplementedError

    def holding(self, server: Server) -> Holding:
        """Whether there is data, and where it is from; with the monitor account or any that sees more."""
        from backstay.services.mysql.observation import Holding

        names = {
            str(row["name"]) for row in server.query("SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA")
        }
        told = bool(server.one(self.position_query)["position"])
        if "mysql" not in names:  # the account does not see all
            return Holding(None, told)
        if "test" in names and not server.query(
            "SELECT 1 AS there FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'test' LIMIT 1"
        ):
            names.remove("test")  # a package's own, which everybody may see into
        # "#mysql50#" is before a directory that is no database, such as lost+found
        return Holding(tuple(sorted(n for n in names - OWN_DATABASES if not n.startswith("#mysql50#"))), told)

    def out_of_reach(self, source: Server, applied: History) -> str:
        """What the source's binary logs do not hold any more and a server with that history lacks, "" for nothing: it could
        not replicate from there."""
        raise NotImplementedError

    def in_force(self, server: Server) -> dict[str, str]:
        """The running server's variables and replication filters, named as options, with dashes."""
        found = {
            str(row["Variable_name"]).replace("_", "-"): str(row["Value"])
            for row in server.query("SHOW GLOBAL VARIABLES")
        }
        for row in server.query(self.log_status):
            found.update({f"binlog-{way}-db": str(row.get(f"Binlog_{name}_DB") or "") for way, name in _WAYS})
        return found

    def unsafe_tables(self, server: Server) -> list[str]:
        """Of the server's own what a crash tears off the data, each with the statements that mend it."""
        return []

    def take_over_past(self, server: Server, seen: Observed, theirs: History) -> str:
        """For a copy that tells but its position: note as its history what the primary, with `theirs`, has of before it. What was
        noted, "" for nothing."""
        return ""

    def log_begins_empty(self, server: Server) -> bool:
        """Whether an empty server could replicate all of this one's history, be the data in it or not."""
        raise NotImplementedError

    # -- replicating --------------------------------------------------------------------------------------------------

    def follow(self, server: Server, source: Source, seen: Observed) -> None:
        """Replicate from the source by GTID. Only when nothing received is unapplied."""
        raise NotImplementedError

    def restart_receiver(self, server: Server) -> None:
        raise NotImplementedError

    def stop_receiver(self, server: Server) -> None:
        raise NotImplementedError

    def start_applier(self, server: Server) -> None:
        raise NotImplementedError

    def forget_source(self, server: Server) -> None:
        """End all replication on this server. Only when nothing received is unapplied."""
        raise NotImplementedError

    def wait_applied(self, server: Server, received: History, seconds: float) -> bool:
        """Wait until what was received is applied, by GTID and never by thread-state text."""
        raise NotImplementedError

    def rescue(self, server: Server, datadir: str, appliers: Callable[[int], None]) -> str:
        """After a restart: see that what was received before it, and acknowledged, gets applied, within the server's deadline
        as far as that reaches. appliers: called with the number of the applier's threads before it is changed. Returns what
        was done, "" when nothing was there to rescue. Raises DamagedRelayLog."""
        raise NotImplementedError

    def vouches(self, server: Server) -> bool:
        """Whether its word counts: it tells of all that it received before its start."""
        return True

    def vouch(self, server: Server) -> None:
        """From now on its word counts. Only when nothing that it received before its start is unapplied."""

    def set_appliers(self, server: Server, count: int) -> None:
        """Give the applier the number of threads that `rescue` found. Only when nothing received is unapplied."""

    def fetch(self, server: Server, source: Source, seen: Observed) -> None:
        """Start getting what this node lacks over the FETCH channel, leaving the default channel alone."""
        raise NotImplementedError

    def end_fetch(self, server: Server) -> None:
        raise NotImplementedError

    # -- copying a server's data --------------------------------------------------------------------------------------

    def copy_obstacle(self, donor: Server, local: Server) -> str:
        """Why the donor's data cannot be copied faithfully while it serves, "" when it can."""
        theirs, ours = (str(one.one("SELECT @@version AS version")["version"]) for one in (donor, local))
        if self.copy_series(theirs) != self.copy_series(ours):
            return f"{donor.where} is {theirs} and this one {ours}: bring both to one version"
        row = donor.one(
            "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name, CONCAT_WS(' ', ENGINE, TABLE_TYPE) AS kind"
            " FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN"
            " ('mysql', 'sys', 'information_schema', 'performance_schema') AND TABLE_TYPE NOT LIKE '%VIEW'"
            " AND (ENGINE <> 'InnoDB' OR TABLE_TYPE = 'SYSTEM VERSIONED') LIMIT 1"
        )
        return f"{row['db']}.{row['name']} is {row['kind']}: only plain InnoDB tables can be copied" if row else ""

    def copy_series(self, version: str) -> str:
        """The part of a version that must be equal on both sides."""
        return ".".join(version.split(".")[:2])

    def copy_size(self, donor: Server) -> int:
        """About how many bytes the copy takes."""
        row = donor.one("SELECT SUM(DATA_LENGTH + INDEX_LENGTH) AS size FROM information_schema.TABLES")
        return int(row["size"] or 0)

    # -- acknowledging and writing ------------------------------------------------------------------------------------

    def wait_for_acks(self, server: Server, milliseconds: int) -> None:
        """As a primary: wait for one acknowledgement before a commit returns; FOREVER or NOMINAL."""
        raise NotImplementedError

    def stop_waiting(self, server: Server) -> None:
        """Let go of all sessions that wait: their commits succeed unacknowledged."""
        raise NotImplementedError

    def wake_ack_receiver(self, source: Server) -> bool:
        """As a primary whose receiver of acknowledgements sleeps, so that no replica is let in: wake it, over a connection of the
        replication account; whether that was done. Only MariaDB's does so (docs/decisions/0033)."""
        return False

    def acknowledge(self, server: Server, wanted: bool) -> None:
        """As a replica. Takes effect with the receiver's next connection."""
        raise NotImplementedError

    def set_read_only(self, server: Server, wanted: bool) -> None:
        """A server that is closed runs no events either: those of accounts that may write through it would."""
        raise NotImplementedError

    def close(self, server: Server) -> None:
        """set_read_only for who was open: what clients do does not hold it up."""
        raise NotImplementedError

    def past_clients(self, server: Server, statement: str) -> None:
        """Run a statement that waits for those of clients and for their locks of tables. The sessions that keep it waiting for a
        second end, and with them all others that commit nothing. Raises AgentError when a commit takes longer than may be."""
        server.query("SET SESSION lock_wait_timeout = 1")
        while True:
            try:
                server.query(statement)
                return
            except StatementFailed as error:
                if error.number not in LOCKED or server.deadline.expired:
                    raise
            rows = server.query("SELECT ID, STATE FROM information_schema.PROCESSLIST")
            commit = {int(row["ID"]) for row in rows if any(words in str(row["STATE"]) for words in _COMMITS)}
            server.kill([thread for thread in self.client_threads(server) if thread not in commit])

    def shut_out(self, server: Server) -> None:
        """On a server that is read-only, and where no commit waits: end its clients' sessions, with nothing of theirs under way
        that could still be committed. Those that come back write nothing until it replicates, or is open again."""
        server.kill(self.client_threads(server))

    def events_run(self, server: Server) -> str:
        """ON, OFF, or DISABLED: then it cannot be set."""
        return str(server.one("SELECT @@global.event_scheduler AS events")["events"])

    def stop_events(self, server: Server) -> None:
        if self.events_run(server) == "ON":
            server.query("SET GLOBAL event_scheduler = OFF")

    def write_closed(self, server: Server, statement: str) -> None:
        """Run a statement that writes, on a server that stays closed for everybody else."""
        server.query(statement)

    def dump_threads(self, server: Server) -> list[int]:
        """Ids of the connections that send the binary log to replicas."""
        rows = server.query("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
        return [int(row["ID"]) for row in rows]

    def waiting_threads(self, server: Server) -> list[int]:
        """Ids of the connections whose commits wait for an acknowledgement; of a group of commits its leader alone."""
        rows = server.query(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK from%'"
        )
        return [int(row["ID"]) for row in rows]

    def lock_holders(self, server: Server) -> list[str]:
        """Sessions that hold a lock on all writes, as "session 7 of root@localhost"; empty where the server does not tell."""
        try:
            rows = server.query(self.lock_holders_query)
        except StatementFailed:
            return []  # MariaDB tells by a plug-in, MySQL by performance_schema: either may be off
        return [f"session {row['id']} of {row['user']}@{row['host']}" for row in rows]

    def client_threads(self, server: Server) -> list[int]:
        """Ids of client connections: not replication, not the server's own, not the agent's."""
        raise NotImplementedError
