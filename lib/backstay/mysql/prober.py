"""Whether the server answers, and what a replica's look shows, for the watcher: once a second, on one kept connection.

A ping takes no lock in the server and needs no disk, so silence means that the process does not run. PyMySQL logs in, in a
child that hands the connection over. The connection is a client like any other: a demotion ends it, and it is made anew.

While a replica is calm (see calm), its recurring monitor rests on that and looks itself only every half minute.
"""

import os
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket, timeout

from backstay.command import borrow
from backstay.deadline import Deadline
from backstay.errors import AgentError, TimedOut
from backstay.mysql.health import calm
from backstay.mysql.server import ServerDown, ServerSilent
from backstay.mysql.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.mysql.agent import Mysql
    from backstay.mysql.dialect import Dialect

_LOOK = 1.5  # seconds from which on a replica is looked at again: at every other probe
_BACKOFF = 10.0  # seconds between logins that the server refuses
_FULL = 0.05  # seconds between attempts while the queue of connections is full


class MysqlProber:
    def __init__(self, agent: "Mysql") -> None:
        self._agent = agent
        self._kept: Optional[Wire] = None
        self._dialect: Optional[Dialect] = None
        self._seen = ""
        self._look_again = 0.0
        self._suspect = False
        self._refusal = ""
        self._refused_until = 0.0

    def probe(self, deadline: Deadline) -> str:
        """See watch.Prober: "calm", or "". After silence a greeting is enough; the login is for the next look."""
        if self._suspect:
            self._greeting(deadline)
            self._suspect = False
            return ""
        if self._kept is None or not self._ping(self._kept, deadline):
            self._kept = self._connected(deadline)
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK
            self._seen = self._look(self._kept)
        return self._seen

    def _ping(self, kept: Wire, deadline: Deadline) -> bool:
        """False when the server ended our connection. Raises TimedOut."""
        try:
            kept.within(deadline)
            kept.ping()
        except ServerDown:
            self._drop(kept)
            return False
        except ServerSilent:
            self._drop(kept)
            self._suspect = True
            raise
        return True

    def _drop(self, kept: Wire) -> None:
        kept.close()
        self._kept, self._seen, self._look_again = None, "", 0.0

    def _look(self, kept: Wire) -> str:
        """What a replica shows. Taking long is no silence: the ping was answered, and a look may wait for a lock."""
        if self._agent.state.read("promoted"):
            return ""  # a primary's monitor has more to do than to look
        try:
            dialect = self._dialect = self._dialect or self._agent.dialect(kept)
            seen = dialect.observe(kept)
        except AgentError as error:
            self._agent.log.info(f"no look at the replica: {error}")
            self._drop(kept)
            return ""
        state = self._agent.state
        trouble, readable = state.read("errant") or state.read("refusal"), state.read("readable") == "1"
        return "calm" if calm(seen, self._agent.me, trouble, readable, float(self._agent.max_lag)) else ""

    def _greeting(self, deadline: Deadline) -> None:
        """A server that greets a new connection lives. Raises TimedOut, and OSError when nothing listens."""
        while True:
            fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
            try:
                fresh.settimeout(deadline.remaining() or 0.001)
                fresh.connect(self._agent.socket)
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

    def _connected(self, deadline: Deadline) -> Wire:
        if time.monotonic() < self._refused_until:
            raise AgentError(self._refusal)
        try:
            return Wire("the local server", deadline, borrow(self._log_in, deadline.remaining()))
        except TimedOut:
            self._suspect = True
            raise
        except AgentError as error:
            self._refusal, self._refused_until = str(error), time.monotonic() + _BACKOFF
            raise

    def _log_in(self) -> int:
        """In a child, which is killed when it takes too long."""
        server = self._agent.connect(Deadline(self._agent.patience()))
        server.query("SET SESSION wait_timeout = 86400")
        return os.dup(server.fileno())  # the driver closes its own with the object
