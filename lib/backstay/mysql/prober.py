"""Whether the server answers, for the watcher: one kept connection, a COM_PING at a time.

A ping takes no lock in the server and needs no disk, so silence means that the process does not run. PyMySQL logs in, in a
child that hands the connection over: it would take 4 MiB in the watcher for five bytes a second. The connection is a
client like any other: a demotion ends it, and it is made anew.
"""

import os
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, socket, timeout

from backstay.command import borrow
from backstay.deadline import Deadline
from backstay.errors import AgentError, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.mysql.agent import Mysql

_PING = b"\x01\0\0\0\x0e"  # one byte follows, packet 0, COM_PING (MySQL client/server protocol)
_BACKOFF = 10.0  # seconds between logins that the server refuses
_FULL = 0.05  # seconds between attempts while the queue of connections is full


class MysqlProber:
    def __init__(self, agent: "Mysql") -> None:
        self._agent = agent
        self._kept: Optional[socket] = None
        self._suspect = False
        self._refusal = ""
        self._refused_until = 0.0

    def probe(self, deadline: Deadline) -> None:
        """See watch.Prober. After silence a greeting is enough: the login that has to follow is for the next look."""
        if self._suspect:
            self._greeting(deadline)
            self._suspect = False
            return
        if self._kept and self._ping(self._kept, deadline):
            return
        if time.monotonic() < self._refused_until:
            raise AgentError(self._refusal)
        try:
            self._kept = socket(fileno=borrow(self._log_in, deadline.remaining()))
        except TimedOut:
            self._suspect = True
            raise
        except AgentError as error:
            self._refusal, self._refused_until = str(error), time.monotonic() + _BACKOFF
            raise

    def _ping(self, kept: socket, deadline: Deadline) -> bool:
        """False when the server ended our connection."""
        answer = b""
        try:
            kept.settimeout(deadline.remaining() or 0.001)
            kept.sendall(_PING)
            answer = kept.recv(64)
        except timeout:
            self._suspect = True
        except OSError:
            self._suspect = False
        if not answer:
            kept.close()
            self._kept = None
        if self._suspect:
            raise TimedOut("the server does not answer")
        return bool(answer)

    def _greeting(self, deadline: Deadline) -> None:
        """Raises TimedOut, and OSError when nothing listens."""
        while True:
            fresh = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
            try:
                fresh.settimeout(deadline.remaining() or 0.001)
                fresh.connect(self._agent.socket)
                if not fresh.recv(64):
                    raise AgentError("the server ends connections at once")
                return
            except timeout:
                raise TimedOut("the server does not greet") from None
            except BlockingIOError:  # its queue of connections is full
                if deadline.expired:
                    raise TimedOut("the server takes no connection") from None
                time.sleep(min(_FULL, deadline.remaining()))
            finally:
                fresh.close()

    def _log_in(self) -> int:
        """In a child, which is killed when it takes too long."""
        server = self._agent.connect(Deadline(self._agent.patience()))
        server.query("SET SESSION wait_timeout = 86400")
        return os.dup(server.fileno())  # the driver closes its own with the object
