"""A connection to the local server for a process that stays and asks again and again.

Where the protocol alone cannot log in (login.py), a child does it with PyMySQL and hands the connection over: the driver takes
4 MiB, and for an answer five times as long. A demotion ends this connection like any other client's; then it is made anew.
"""

from __future__ import annotations

import os
import time

from backstay.host.deadline import Deadline
from backstay.host.fork import borrow
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql.login import Unspoken, log_in
from backstay.services.mysql.server import ServerRefused, ServerSilent
from backstay.services.mysql.text_protocol import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect

_WHERE = "the local server"
_STAYS = "SET SESSION wait_timeout = 86400"
_AFTER_REFUSAL = 10.0  # seconds between logins that the server refuses: it logs each
_AFTER_FAILURE = 1.0  # the same for others that fail: each is a child


class Kept:
    """wire: None while there is none."""

    def __init__(self, context: MysqlContext) -> None:
        self.wire: Wire | None = None
        self._context = context
        self._dialect: Dialect | None = None
        self._failure: AgentError | None = None
        self._not_before = 0.0

    def connected(self, deadline: Deadline) -> Wire:
        """The connection, bounded by `deadline` from now on; made where there is none. Raises the errors of server.py's table,
        the last one again where it is too early to try again."""
        if self.wire is None:
            if self._failure and time.monotonic() < self._not_before:
                raise self._failure.with_traceback(None)  # else it would grow with each
            self.wire = self._made(deadline)
        self.wire.within(deadline)
        return self.wire

    def _made(self, deadline: Deadline) -> Wire:
        try:
            wire = self._logged_in(deadline)
            wire.query(_STAYS)
            return wire
        except TimedOut:
            raise ServerSilent(f"{_WHERE} does not answer") from None
        except AgentError as error:
            self._failure = error
            wait = _AFTER_REFUSAL if isinstance(error, ServerRefused) else _AFTER_FAILURE
            self._not_before = time.monotonic() + wait
            raise

    def _logged_in(self, deadline: Deadline) -> Wire:
        given = self._context.parameters
        try:
            return log_in(_WHERE, deadline, given.agent_user, given.agent_password, given.socket)
        except Unspoken:
            return Wire(_WHERE, deadline, borrow(lambda: self._drive(deadline), deadline.remaining()), given.agent_user)

    def _drive(self, deadline: Deadline) -> int:
        """In a child, which is killed when it takes too long."""
        return os.dup(self._context.servers.here(deadline).fileno())  # the driver closes its own with the object

    def drop(self) -> None:
        if self.wire is not None:
            self.wire.close()
        self.wire = None

    def dialect(self, wire: Wire) -> Dialect:
        """Of the server, asked once over the connection. Raises as Server.query does."""
        if self._dialect is None:
            self._dialect = self._context.servers.dialect(wire)
        return self._dialect
