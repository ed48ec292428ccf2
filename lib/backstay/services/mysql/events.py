"""Events run on the primary and nowhere else.

A replica gets each event as disabled there (SLAVESIDE_DISABLED), also one that is disabled on the primary, and a promotion by
itself changes nothing of that: events would run nowhere. The old primary's stay enabled, and those of accounts that may write
through read_only write there. So the scheduler stands still wherever the server is closed. The primary keeps a list of the
events that are disabled, in a table that is replicated; the next one enables all others. What it changes of an event is in no
binary log: each server keeps its own.
"""

from __future__ import annotations

from backstay.services.mysql.server import LOCKED, NO_SUCH_DATABASE, NO_SUCH_TABLE, StatementFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.server import Row, Server

_TABLE = "backstay.disabled_events"
_MAKE = (
    "CREATE DATABASE IF NOT EXISTS backstay",
    f"CREATE TABLE IF NOT EXISTS {_TABLE} (db VARCHAR(64), name VARCHAR(64), PRIMARY KEY (db, name)) ENGINE=InnoDB",
)
_ALL = (
    "SELECT EVENT_SCHEMA AS db, EVENT_NAME AS name, DEFINER AS definer, STATUS AS status FROM information_schema.EVENTS"
)
_NAMED = 3  # events that a sentence names


def run(context: MysqlContext, server: Server, dialect: Dialect, new: bool) -> str:
    """On the primary: have the events run, and keep the list; what the admin should know, "" for nothing. new: it did not since
    the promotion."""
    events, listed = server.query(_ALL), _listed(server)
    # REPLICA_SIDE_DISABLED in later versions of MySQL
    asleep = [event for event in events if str(event["status"]).endswith("SIDE_DISABLED")]
    if asleep and listed is None:
        names = [f"{event['db']}.{event['name']}" for event in asleep]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        note = (
            f"events came by replication, and nobody noted which are to run: ALTER EVENT … ENABLE or DISABLE"
            f" {', '.join(names[:_NAMED])}{more}"
        )
    else:
        note = ""
        if asleep:
            _wake(context, server, asleep, listed or frozenset())
            events = server.query(_ALL)
        _list(server, events, listed)
    if new and _wanted(context, dialect) and dialect.events_run(server) == "OFF":
        server.query("SET GLOBAL event_scheduler = ON")
    return note


def _listed(server: Server) -> frozenset[tuple[str, str]] | None:
    """What the primary before noted as disabled, None where none did."""
    try:
        return frozenset((str(row["db"]), str(row["name"])) for row in server.query(f"SELECT db, name FROM {_TABLE}"))
    except StatementFailed as error:
        if error.number not in (NO_SUCH_DATABASE, NO_SUCH_TABLE):
            raise
        return None


def _wake(context: MysqlContext, server: Server, asleep: list[Row], listed: frozenset[tuple[str, str]]) -> None:
    server.query("SET SESSION sql_log_bin = 0")
    try:
        for event in asleep:
            db, name = str(event["db"]), str(event["name"])
            user, _, host = str(event["definer"]).rpartition("@")
            wanted = "DISABLE" if (db, name) in listed else "ENABLE"
            try:
                # Without its definer it would become the agent's.
                server.query(f"ALTER DEFINER = {_q(user)}@{_q(host)} EVENT {_q(db)}.{_q(name)} {wanted}")
            except StatementFailed as error:
                if error.number in LOCKED:
                    raise
                context.log.warning(f"event {db}.{name} stays disabled: {error}")
    finally:
        server.query("SET SESSION sql_log_bin = 1")


def _list(server: Server, events: list[Row], listed: frozenset[tuple[str, str]] | None) -> None:
    """See that the list is as the events are. Where there never was an event there is none."""
    disabled = frozenset((str(event["db"]), str(event["name"])) for event in events if event["status"] == "DISABLED")
    if disabled == listed or (listed is None and not events):
        return
    if listed is None:
        for statement in _MAKE:
            server.query(statement)
    for gone in sorted((listed or frozenset()) - disabled):
        server.query(f"DELETE FROM {_TABLE} WHERE db = %s AND name = %s", gone)
    for more in sorted(disabled - (listed or frozenset())):
        server.query(f"REPLACE INTO {_TABLE} VALUES (%s, %s)", more)


def _wanted(context: MysqlContext, dialect: Dialect) -> bool:
    """As the options file has it: on the command line every start switches it off."""
    from backstay.services.mysql import daemon
    from backstay.services.mysql.layout import layout_of

    layout = layout_of(context.parameters, context.servers.me, context.servers.number)
    told = daemon.configured(layout).get("event-scheduler", dialect.events_by_default)
    return told.upper() in ("", "ON", "1")  # "": the option without a value


def _q(text: str) -> str:
    return "`" + text.replace("`", "``") + "`"
