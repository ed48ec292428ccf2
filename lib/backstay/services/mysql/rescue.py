"""Keeps what a server received before its start: does the steps of RESCUE (services/mysql/rescue_steps.py)."""

from __future__ import annotations

from backstay.agent.interpreter import carry_out
from backstay.ocf.steps import FAILURE, Steps
from backstay.services.mysql import process
from backstay.services.mysql.dialects.base import DamagedRelayLog
from backstay.services.mysql.rescue_steps import RESCUE, Replay, Rescue, Standing
from backstay.services.mysql.state import APPLIERS, read_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server

_ASK = 1.0  # seconds for the primary to say what it has


def rescue(context: MysqlContext, server: Server, dialect: Dialect, record: Record | None) -> str:
    """After a restart, keep what was received and not applied; what was done, "" for nothing. Where it cannot be read and
    is provably not the only copy, all is received anew. Raises AgentError, DamagedRelayLog where it is kept as it is."""
    verbs = RescueVerbs(context, dialect, server)
    end = carry_out(Steps(RESCUE, Rescue(context.servers.me, record)), verbs, context.deadline)
    if end.kind == FAILURE:
        raise DamagedRelayLog(end.reason)
    return verbs.done


class RescueVerbs:
    """What its steps do. done: in words, "" for nothing."""

    def __init__(self, context: MysqlContext, dialect: Dialect, server: Server | None = None) -> None:
        self.done = ""
        self._context = context
        self._dialect = dialect
        self._opened = server

    @property
    def _server(self) -> Server:
        if self._opened is None:
            self._opened = self._context.servers.here(self._context.deadline)
        return self._opened

    def replay(self, deadline: Deadline) -> Replay:
        identity = process.running(self._context.parameters).identity
        try:
            self.done = self._dialect.rescue(
                self._server,
                self._context.parameters.datadir,
                lambda count: self._context.state.write(APPLIERS, f"{identity} {count}"),
            )
        except DamagedRelayLog as damage:
            return Replay(False, str(damage))
        replica = self._dialect.replica(self._server)
        return Replay(not (replica and replica.replays))

    def compare(self, deadline: Deadline, record: Record) -> Standing:
        with self._context.servers.peer(record.primary, self._dialect, _ASK) as peer:
            theirs = self._dialect.peer(peer)
        promoted_with = self._dialect.history.parse(record.gtid)
        return Standing(theirs.writable, theirs.received, promoted_with, read_mark(self._context.parameters.datadir))

    def give_up(self, deadline: Deadline, why: str) -> None:
        self._dialect.forget_source(self._server)
        self.done = why

    def vouch(self, deadline: Deadline) -> None:
        self._dialect.vouch(self._server)
