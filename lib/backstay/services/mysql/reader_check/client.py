"""The agent's side of the reader check: sees that the process that tells load balancers where to read runs (server.py), and
loads none of what that process needs."""

from __future__ import annotations

import sys

from backstay.host.process import Process, start_time
from backstay.host.state_files import Files
from backstay.services.mysql.state import READER, READER_COMPLAINT, READER_LOG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext


def ensure(context: MysqlContext, server: Process) -> str:
    """See that a responder for this server runs, as the parameters say now and of this installation; what keeps it from
    that, "" for nothing. Raises AgentError, OSError."""
    files, given = context.state, context.parameters
    wanted = f"{server.pid} {server.started} {given.reader_check_port} {given.max_lag} {context.installation()}"
    before, _, identity = files.read(READER).rpartition(" ")
    pid, _, started = identity.partition(":")
    lives = pid.isdigit() and start_time(int(pid)) == started != ""
    if lives and before == wanted:
        return files.read(READER_COMPLAINT)
    complaint = files.read(READER_COMPLAINT)
    stop(context)
    if given.reader_check_port:
        from backstay.host.command import spawn

        Files(files.directory).check()  # nobody could end a responder that is not noted
        code = f"import sys; sys.path[:] = {sys.path!r}; "
        code += "from backstay.services.mysql.reader_check.server import main; sys.exit(main(sys.argv))"
        name = f"reader({context.invocation.resource})"
        argv = [sys.executable, "-I", "-S", "-c", code, name, str(server.pid), server.started]
        child = spawn(argv, log=files.path(READER_LOG), own=True)
        files.write(READER, f"{wanted} {child}:{start_time(child)}")
    return complaint if given.reader_check_port else ""


def stop(context: MysqlContext) -> None:
    """End the responder, so that balancers turn away before the server goes."""
    files = context.state
    pid, _, started = files.read(READER).rpartition(" ")[2].partition(":")
    if pid.isdigit() and started:
        Process(int(pid), started).kill()
    files.remove(READER)
    files.remove(READER_COMPLAINT)
