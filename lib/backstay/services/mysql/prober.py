"""Asks the server for the watcher, once a second on one kept connection: whether the server answers, and what a replica's
look shows.

A ping takes no lock in the server and needs no disk, so silence means that the process does not run.

A replica is calm when there is nothing to do and nothing new to publish (health.calm). While it is, its recurring monitor
uses these looks, and makes one itself only every half minute.
"""

from __future__ import annotations

import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket, timeout

from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql.health import adrift, astray, calm
from backstay.services.mysql.persistent_connection import Kept
from backstay.services.mysql.server import ServerDown, ServerSilent
from backstay.services.mysql.state import ERRANT, PROMOTED, READABLE, REFUSAL, SOURCE, STRANDED
from backstay.watch.reuse import CALM
from backstay.watch.target import ADRIFT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.text_protocol import Wire

_LOOK = 1.5  # seconds from which on a replica is looked at again: at every other probe
_FULL = 0.05  # seconds between attempts while the queue of connections is full


class MysqlProber:
    def __init__(self, context: MysqlContext) -> None:
        self._context = context
        self._kept = Kept(context)
        self._seen = ""
        self._look_again = 0.0
        self._suspect = False

    def probe(self, deadline: Deadline) -> str:
        """See target.Prober: "calm", ADRIFT for one that follows nobody, or "". After silence a greeting is enough; the login
        is for the next look."""
        if self._suspect:
            self._greeting(deadline)
            self._suspect = False
            return ""
        wire = self._answering(deadline)
        if time.monotonic() >= self._look_again:
            self._seen = self._look(wire)
            self._look_again = time.monotonic() + (0 if self._seen == ADRIFT else _LOOK)
        return self._seen

    def _answering(self, deadline: Deadline) -> Wire:
        """Raises TimedOut when the server gives no answer."""
        try:
            kept = self._kept.wire
            wire = self._kept.connected(deadline)
            if kept is None or self._ping(wire):
                return wire
            return self._kept.connected(deadline)
        except ServerSilent:
            self._drop()
            self._suspect = True
            raise

    def _ping(self, wire: Wire) -> bool:
        """False when the server ended the kept connection. Raises ServerSilent."""
        try:
            wire.ping()
        except ServerDown:
            self._drop()
            return False
        return True

    def _drop(self) -> None:
        self._kept.drop()
        self._seen, self._look_again = "", 0.0

    def _look(self, wire: Wire) -> str:
        """What a replica shows. Taking long is no silence: the ping was answered, and a look may wait for a lock."""
        if self._context.state.read(PROMOTED):
            return ""  # a primary's monitor has more to do than to look
        try:
            seen = self._kept.dialect(wire).observe(wire)
        except AgentError as error:
            self._context.log.info(f"no look at the replica: {error}")
            self._drop()
            return ""
        state = self._context.state
        if seen.lacks or not seen.started_as(self._context.servers.me, self._context.servers.number):
            return ""  # forbidden to join
        parted = state.read(ERRANT) or state.read(STRANDED)
        if adrift(seen) and not parted:
            return ADRIFT
        source = self._context.parameters.writer_address or state.read(SOURCE)
        trouble = parted or state.read(REFUSAL) or ("astray" if astray(seen, source) else "")
        readable = state.read(READABLE) == "1"
        return CALM if calm(seen, self._context.servers.me, trouble, readable, self._context.parameters.max_lag) else ""

    def _greeting(self, deadline: Deadline) -> None:
        """A server that greets a new connection lives. Raises TimedOut, and OSError when nothing listens."""
        while True:
            fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
            try:
                fresh.settimeout(deadline.remaining() or 0.001)
                fresh.connect(self._context.parameters.socket)
                if not fresh.recv(64):
                    raise AgentError("the server ends connections at once")
                return
            except timeout:
                raise TimedOut("the server lives and does not answer") from None
            except BlockingIOError:  # its queue of connections is full
                if deadline.expired:
                    raise TimedOut("the server lives and takes no connection") from None
                time.sleep(min(_FULL, deadline.remaining()))
            finally:
                fresh.close()
