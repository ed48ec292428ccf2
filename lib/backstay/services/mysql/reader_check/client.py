"""The agent's side of the reader check: see that the process that tells load balancers where to read is there (reader.py), and
load none of what it needs."""

import os
import sys

from backstay.host.process import Process, start_time
from backstay.host.state_files import Files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.agent import Mysql

RUNNING, COMPLAINT = "reader", "reader-complaint"  # files of the agent's state


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
        from backstay.host.command import spawn

        Files(files.directory).check()  # nobody could end a responder that is not noted
        code = f"import sys; sys.path[:] = {sys.path!r}; from backstay.services.mysql.agent import Mysql; "
        code += "from backstay.services.mysql.reader_check.server import main; sys.exit(main(Mysql, sys.argv))"
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
