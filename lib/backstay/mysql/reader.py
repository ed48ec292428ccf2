"""Tell load balancers whether this server should get reads: a small process beside the server, on a port of its own.

What it answers comes from the same state that the cluster is told (the attribute RESOURCE-readable), and from its own looks
at the server, three times a second, by the same judgement: a replica that falls behind loses its readers at once, here and
in the file, and the next monitor tells the cluster. Only a monitor makes it readable again.

| the server                          | answer            | why                                                            |
|-------------------------------------|-------------------|----------------------------------------------------------------|
| is promoted                         | up 0%             | no new reads while a replica takes them; its data is the newest |
| is readable                         | up 100%           |                                                                |
| is not, or gives no answer          | down #reason      |                                                                |
| has ended, or nobody knows          | (nothing listens) | a check that expects `up` fails, and that is right             |

Words that change what an admin set at the balancer (ready, drain, maint) are never said. Protocol: HAProxy's agent-check,
configuration.txt; the answer is also what `tcp-check expect` can look for.
"""

import os
import select
import socket
import sys
import time

from backstay.deadline import Deadline
from backstay.errors import AgentError
from backstay.mysql.health import still_readable
from backstay.mysql.server import ServerBusy
from backstay.process import Process, no_core, start_time
from backstay.state import Files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.mysql.agent import Mysql
    from backstay.mysql.dialect import Dialect
    from backstay.mysql.observation import Observed
    from backstay.mysql.server import Server

RUNNING, COMPLAINT = "reader", "reader-complaint"  # files of the agent's state
_EVERY = 0.3  # seconds between looks
_PATIENCE = 1.0  # seconds for a look
_BIND_TIMEOUT = 5.0  # seconds for one before us to end
_BACKLOG = 128


def ensure(agent: "Mysql", server: Process) -> str:
    """See that a responder for this server runs, as the parameters say now and of this installation; what keeps it from
    that, "" for nothing. Raises AgentError, OSError."""
    files = agent.files()
    wanted = f"{server.pid} {server.started} {agent.reader_check_port} {agent.max_lag} {agent.code()}"
    before, _, identity = files.read(RUNNING).rpartition(" ")
    pid, _, started = identity.partition(":")
    lives = pid.isdigit() and start_time(int(pid)) == started != ""
    if lives and before == wanted:
        return files.read(COMPLAINT)
    complaint = files.read(COMPLAINT)
    stop(agent)
    if agent.reader_check_port:
        from backstay.command import spawn

        Files(files.directory).check()  # nobody could end a responder that is not noted
        code = f"import sys; sys.path[:] = {sys.path!r}; from backstay.mysql.agent import Mysql; "
        code += "from backstay.mysql.reader import main; sys.exit(main(Mysql, sys.argv))"
        name = f"reader({agent.invocation.resource})"
        argv = [sys.executable, "-I", "-S", "-c", code, name, str(server.pid), server.started]
        child = spawn(argv, log=os.path.join(files.directory, "reader.log"), own=True)
        files.write(RUNNING, f"{wanted} {child}:{start_time(child)}")
    return complaint if agent.reader_check_port else ""


def stop(agent: "Mysql") -> None:
    """End the responder, so that balancers turn away before the server goes."""
    import signal

    files = agent.files()
    pid, _, started = files.read(RUNNING).rpartition(" ")[2].partition(":")
    if pid.isdigit() and started:
        Process(int(pid), started).signal(signal.SIGKILL)
    files.remove(RUNNING)
    files.remove(COMPLAINT)


def main(agent_class: "type[Mysql]", argv: "list[str]") -> int:
    """Answer until the server's process ends. The environment is that of the agent's action that started this."""
    from backstay.invocation import Invocation

    no_core()
    agent = agent_class(Invocation("reader", os.environ))
    pid, started = int(argv[2]), argv[3]
    try:
        ended = os.pidfd_open(pid)
    except ProcessLookupError:
        return 0
    if start_time(pid) != started:
        return 0
    port = int(agent.reader_check_port)
    try:
        listener = _listen(port)
    except OSError as error:
        said = f"reader_check_port={port} cannot be used: {error.strerror}; no balancer sends reads here"
        agent.state.write(COMPLAINT, said)
        return 1
    Reader(agent, f"{pid}:{started}").answer(listener, ended)
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

    def __init__(self, agent: "Mysql", identity: str) -> None:
        self._agent = agent
        self._identity = identity
        self._server: Optional[Server] = None
        self._dialect: Optional[Dialect] = None
        self._reason = "not looked at yet"  # why the last look found it unfit, "" when it did not

    def answer(self, listener: socket.socket, ended: int) -> None:
        """Until the process of the pidfd `ended` is gone."""
        poller = select.poll()
        poller.register(ended, select.POLLIN)
        poller.register(listener.fileno(), select.POLLIN)
        due = time.monotonic()
        while True:
            ready = {descriptor for descriptor, _ in poller.poll(max(0.0, due - time.monotonic()) * 1000)}
            if ended in ready:
                return
            if time.monotonic() >= due:
                if self._replaced():
                    return
                self._look()
                due = time.monotonic() + _EVERY
            if listener.fileno() in ready:
                connection, _ = listener.accept()
                with connection:
                    connection.setblocking(False)
                    try:
                        connection.send(f"{self._verdict()}\n".encode())
                    except OSError:
                        continue  # whoever asked is gone

    def _replaced(self) -> bool:
        """Whether another was started in our place, by a monitor that found no note of us since /run was wiped."""
        noted = self._agent.state.read(RUNNING).rpartition(" ")[2]
        return noted not in ("", f"{os.getpid()}:{start_time(os.getpid())}")

    def _verdict(self) -> str:
        state = self._agent.state
        if state.promoted(self._identity):
            return "up 0%"
        if self._reason or state.read("readable") != "1":
            return f"down #{self._reason or 'not readable yet'}"
        return "up 100%"

    def _look(self) -> None:
        agent = self._agent
        try:
            seen = self._observe()
        except ServerBusy:
            return  # it lives: what was true stays true
        except AgentError as error:
            self._reason = str(error)
            return
        before = agent.state.read("readable") == "1"
        readable, self._reason = still_readable(seen, agent.state.read("errant"), before, float(agent.max_lag))
        if before and not readable:
            agent.log.warning(f"no reads from now on: {self._reason}")
            agent.state.write("readable", "0")

    def _observe(self) -> "Observed":
        """By the kept connection, or by a new one: a demotion ends clients' connections, ours too."""
        if self._server and self._dialect:
            try:
                return self._dialect.observe(self._server.within(Deadline(_PATIENCE)))
            except AgentError:
                self._server.close()
                self._server = None
        server = self._agent.connect(Deadline(_PATIENCE))
        try:
            server.query("SET SESSION wait_timeout = 86400")
            self._dialect = self._agent.dialect(server)
            seen = self._dialect.observe(server)
        except AgentError:
            server.close()
            raise
        self._server = server
        return seen
