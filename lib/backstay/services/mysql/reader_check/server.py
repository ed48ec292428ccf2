"""The process of the reader check: it tells load balancers whether this server should get reads, beside the server and on a
port of its own. client.py is the agent's side of it.

Its answer comes from the state that the cluster is told (the attribute RESOURCE-readable), and from its own looks at the
server, three times a second while balancers ask. Both use the same judgement. A replica that falls behind loses its readers
at once, here and in the file, and the next monitor tells the cluster. Only a monitor makes the replica readable again.

| the server                          | answer            | why                                                            |
|-------------------------------------|-------------------|----------------------------------------------------------------|
| is promoted                         | up 0%             | no new reads while a replica takes them; its data is the newest |
| is readable                         | up 100%           |                                                                |
| is not readable, or does not answer | down #reason      |                                                                |
| has ended, or nobody knows          | (nothing listens) | a check that expects `up` fails, and that is right             |

It never says words that change what an admin set at the balancer (ready, drain, maint). Protocol: HAProxy's agent-check,
configuration.txt; the answer is also what `tcp-check expect` can look for.
"""

from __future__ import annotations

import os
import select
import socket
import time

from backstay.host.deadline import Deadline
from backstay.host.process import no_core, start_time
from backstay.ocf.errors import AgentError
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.health import still_readable
from backstay.services.mysql.persistent_connection import Kept
from backstay.services.mysql.server import ServerBusy, ServerSilent
from backstay.services.mysql.state import ERRANT, READABLE, READER, READER_COMPLAINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.observation import ReplicaStatus

_EVERY = 0.3  # seconds between looks while somebody asks: an answer comes from a look that is no older
_UNASKED = 1.0  # the same while nobody does
_PATIENCE = 1.0  # seconds for a look
_BIND_TIMEOUT = 5.0  # seconds for the check before this one to end
_BACKLOG = 128


def main(argv: list[str]) -> int:
    """Answer until the server's process ends. The environment is that of the agent's action that started this."""
    from backstay.ocf.invocation import Invocation

    no_core()
    context = MysqlContext(Invocation("reader", os.environ))
    context.settle_parameters(strict=False)
    pid, started = int(argv[2]), argv[3]
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return 0
    if start_time(pid) != started:
        return 0
    port = context.parameters.reader_check_port
    try:
        listener = _listen(port)
    except OSError as error:
        said = f"reader_check_port={port} cannot be used: {error.strerror}; no balancer sends reads here"
        context.state.write(READER_COMPLAINT, said)
        return 1
    Reader(context, f"{pid}:{started}").answer(listener, ended)
    return 0


def _listen(port: int) -> socket.socket:
    """On every address, of both families where there are two. Raises OSError."""
    patience = Deadline(_BIND_TIMEOUT)
    while True:
        try:
            if not socket.has_dualstack_ipv6():
                return socket.create_server(("", port), backlog=_BACKLOG)
            return socket.create_server(("", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
        except OSError:
            if patience.expired:
                raise
            time.sleep(0.1)


class Reader:
    """Looks and answers. identity: of the server's process, PID:START."""

    def __init__(self, context: MysqlContext, identity: str) -> None:
        self._context = context
        self._identity = identity
        self._own = f"{os.getpid()}:{start_time(os.getpid())}"
        self._state = context.state
        self._kept = Kept(context)
        self._reason = "not looked at yet"  # why the last look found it unfit, "" when it did not
        self._answer = b""
        self._answered_by = 0  # when the agent's files had changed last, as the answer was made; 0 where it is due anew

    def answer(self, listener: socket.socket, ended: int) -> None:
        """Until the process of the pidfd `ended` is gone."""
        poller = select.poll()
        poller.register(ended, select.POLLIN)
        poller.register(listener.fileno(), select.POLLIN)
        looked = 0.0
        while True:
            wait = looked + _UNASKED - time.monotonic()
            ready = {descriptor for descriptor, _ in poller.poll(max(0.0, wait) * 1000)}
            if ended in ready:
                return
            if time.monotonic() >= looked + (_EVERY if listener.fileno() in ready else _UNASKED):
                if self._replaced():
                    return
                self._look()
                self._answered_by = 0
                looked = time.monotonic()
            if listener.fileno() in ready:
                connection, _ = listener.accept()
                with connection:
                    try:
                        connection.send(self._verdict(), socket.MSG_DONTWAIT)
                    except OSError:
                        continue  # whoever asked is gone

    def _replaced(self) -> bool:
        """Whether another was started in our place, by a monitor that found no note of us since /run was wiped."""
        noted = self._state.read(READER).rpartition(" ")[2]
        return noted not in ("", self._own)

    def _verdict(self) -> bytes:
        """What it answers. Balancers ask a dozen times a second: the files are read when one of them was replaced, which
        changes their directory, and after each look."""
        try:
            changed = os.stat(self._state.directory).st_mtime_ns
        except OSError:
            changed = 0
        if not changed or changed != self._answered_by:
            self._answer = f"{self._judged()}\n".encode()
            self._answered_by = changed
        return self._answer

    def _judged(self) -> str:
        if self._state.promoted(self._identity):
            return "up 0%"
        if self._reason or self._state.read(READABLE) != "1":
            return f"down #{self._reason or 'not readable yet'}"
        return "up 100%"

    def _look(self) -> None:
        state = self._state
        if state.promoted(self._identity):
            self._reason = ""  # what it answers does not depend on a look
            return
        try:
            replica = self._replica()
        except ServerBusy:
            return  # it lives: what was true stays true
        except AgentError as error:
            self._reason = str(error)
            return
        before = state.read(READABLE) == "1"
        readable, self._reason = still_readable(replica, state.read(ERRANT), before, self._context.parameters.max_lag)
        if before and not readable:
            self._context.log.warning(f"no reads from now on: {self._reason}")
            state.write(READABLE, "0")

    def _replica(self) -> ReplicaStatus | None:
        """By the kept connection, or by a new one: a demotion ends clients' connections, this one too."""
        if self._kept.wire:
            try:
                return self._asked()
            except ServerSilent:
                raise
            except AgentError:
                self._kept.drop()  # what a new connection says counts
        return self._asked()

    def _asked(self) -> ReplicaStatus | None:
        wire = self._kept.connected(Deadline(_PATIENCE))
        try:
            return self._kept.dialect(wire).replica(wire)
        except AgentError:
            self._kept.drop()
            raise
