"""Starts a server that does not run: does the steps of START (services/mysql/start_steps.py)."""

from __future__ import annotations

from backstay.agent.interpreter import carry_out
from backstay.ocf.errors import AgentError
from backstay.ocf.steps import FAILURE, Steps
from backstay.services.mysql import accounts, daemon, memory_tables
from backstay.services.mysql.layout import layout_of
from backstay.services.mysql.rescue import RescueVerbs
from backstay.services.mysql.start_steps import START, Start
from backstay.services.mysql.state import READABLE, STARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.layout import Layout
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.record import Record


def start(context: MysqlContext) -> Process:
    """Up, read-only, nothing replicating; what was received before is kept. Raises AgentError."""
    layout = layout_of(context.parameters, context.servers.me, context.servers.number)
    dialect = daemon.dialect_of(layout.binary)
    daemon.prepare(layout)
    if context.parameters.rebuild == "auto":
        from backstay.services.mysql import rebuild

        rebuild.install(context)
    fresh = daemon.is_uninitialised(layout.datadir)
    if fresh:
        if not context.parameters.initialize:
            raise AgentError(f"{layout.datadir} holds no database: set initialize=true, or restore a backup there")
        daemon.initialize(layout, dialect, context.deadline)
    verbs = _Verbs(context, layout, dialect)
    try:
        end = carry_out(Steps(START, Start(context.servers.me, fresh)), verbs, context.deadline)
    finally:
        verbs.close()
    if end.kind == FAILURE:
        raise AgentError(end.reason)
    return verbs.launched


class _Verbs(RescueVerbs):
    """What the steps of a start do."""

    launched: Process

    def __init__(self, context: MysqlContext, layout: Layout, dialect: Dialect) -> None:
        super().__init__(context, dialect)
        self._layout = layout

    def close(self) -> None:
        if self._opened:
            self._opened.close()

    def recorded(self, deadline: Deadline) -> tuple[Record | None, History | None]:
        record = self._context.record.read()
        return record, self._dialect.history.parse(record.gtid) if record else None

    def cut_tail(self, deadline: Deadline, survived: History) -> None:
        done = self._dialect.discard_tail(self._layout.datadir, daemon.binlog_index(self._layout), survived)
        if done:
            self._context.log.notice(done)

    def note(self, deadline: Deadline) -> None:
        self._context.state.belong(self._layout.datadir)
        self._context.state.write(READABLE, "0")

    def launch(self, deadline: Deadline, epoch: int, discard: bool) -> None:
        self.launched = daemon.launch(self._layout, self._dialect, epoch, discard, deadline)

    def cease(self, deadline: Deadline) -> None:
        self._dialect.acknowledge(self._server, False)

    def secure(self, deadline: Deadline) -> None:
        self._dialect.secure(self._server)
        accounts.create(self._context, self._server, self._dialect)
        self._dialect.set_read_only(self._server, True)
        daemon.initialized(self._layout)

    def ready(self, deadline: Deadline) -> None:
        if self.done:
            self._context.log.notice(self.done)
        self._context.state.write(STARTED, self._context.parameters.at_start())
        memory_tables.open_all(self._context)
