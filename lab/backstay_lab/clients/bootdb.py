"""The instances of the boot flow in the database, by oslo.db on PyMySQL as nova has it, for the programs on the lab's client.
Needs oslo.db (backstay_lab/machines/packages.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from oslo_db import api, exception
from oslo_db.sqlalchemy import enginefacade

from backstay_lab.checkers.boots import BUILDING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

# Seconds to connect and for an answer. A client without them waits as long as TCP does for a node without power.
DEADLINES = "connect_timeout=2&read_timeout=5&write_timeout=5"
RETRY_INTERVAL = 0.5  # seconds between tries
# What a server says that is about to be one no more: it turned read-only, shuts down, ended our transaction or connection.
# oslo.db takes none of these for a lost connection; some it wraps, what PyMySQL calls an OperationalError it does not.
LEAVING = {1053, 1290, 1317, 1792, 1836, 1927, 3100}


TABLES = sa.MetaData()
INSTANCES = sa.Table(
    "instances",
    TABLES,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("vm_state", sa.String(16), nullable=False),
    sa.Column("host", sa.String(64)),
)
# The log of final states. Nothing in it is unique, so that it can hold what must not be.
EVENTS = sa.Table(
    "instance_events",
    TABLES,
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("instance", sa.BigInteger, nullable=False, index=True),
    sa.Column("vm_state", sa.String(16), nullable=False),
    sa.Column("host", sa.String(64), nullable=False),
)


@enginefacade.transaction_context_provider
class Context:
    """Of one transaction."""


class Database:
    """writer: URL of the writer address, mysql://…; reader: of the balancer, "" where nothing is read. tries: how often a
    transaction is tried before its failure is the caller's."""

    def __init__(self, writer: str, reader: str, tries: int) -> None:
        self._manager = enginefacade.transaction_context()
        slave = {"slave_connection": _pymysql(reader)} if reader else {}
        self._manager.configure(connection=_pymysql(writer), max_retries=-1, retry_interval=1, **slave)
        self._retry = api.wrap_db_retry(
            max_retries=tries,
            retry_interval=RETRY_INTERVAL,
            inc_retry_interval=False,
            retry_on_disconnect=True,
            retry_on_deadlock=True,
            exception_checker=is_leaving,
        )

    def create_tables(self) -> None:
        def create() -> None:
            TABLES.create_all(self._manager.writer.get_engine())

        self._retry(create)()

    def insert(self, number: int) -> None:
        """A new instance. Raises oslo.db's errors, and SQLAlchemy's OperationalError."""

        def add() -> None:
            try:
                with self._manager.writer.using(Context()) as session:
                    session.execute(sa.insert(INSTANCES).values(id=number, vm_state=BUILDING))
            except exception.DBDuplicateEntry:
                return  # the try before this one ended without an answer, and was done

        self._retry(add)()

    def finish(self, number: int, state: str, host: str) -> bool:
        """Give an instance its final state, unless it has one; whether this call did. Raises as `insert`."""

        def update() -> bool:
            with self._manager.writer.using(Context()) as session:
                ours = sa.update(INSTANCES).where(INSTANCES.c.id == number, INSTANCES.c.vm_state == BUILDING)
                changed: int = session.execute(ours.values(vm_state=state, host=host)).rowcount
                if changed:
                    session.execute(sa.insert(EVENTS).values(instance=number, vm_state=state, host=host))
            return bool(changed)

        done: Callable[[], bool] = self._retry(update)
        return done()

    def states(self, numbers: Collection[int]) -> dict[int, str]:
        """The instances' states, as a replica has them. Raises as `insert`."""

        def read() -> dict[int, str]:
            with self._manager.reader.async_.using(Context()) as session:
                asked = sa.select(INSTANCES.c.id, INSTANCES.c.vm_state).where(INSTANCES.c.id.in_(numbers))
                return {row.id: row.vm_state for row in session.execute(asked)}

        done: Callable[[], dict[int, str]] = self._retry(read)
        return done()


def is_leaving(error: Exception) -> bool:
    """Whether the server said that it is about to serve no more: another one will, in a moment."""
    inner: Any = getattr(error, "inner_exception", error)
    said = getattr(inner, "orig", inner)
    return bool(getattr(said, "args", ())) and said.args[0] in LEAVING


def _pymysql(url: str) -> str:
    return f"{url.replace('mysql://', 'mysql+pymysql://', 1)}?{DEADLINES}"
