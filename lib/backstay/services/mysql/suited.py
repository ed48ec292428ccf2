"""Whether the set may rest on a server that something else started, or whose settings somebody changed.

Settings that a running server takes are set. Without the others the server has no history that tells what it holds, or
acknowledges what is not on its disk. A start ends such a server and launches it anew. A monitor leaves it running, since it
may serve somebody, and forbids it: the server is read-only, acknowledges nothing and is never promoted, and the other nodes
do not count its answer (`Peer.why`).
"""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.ocf.errors import AgentError
from backstay.services.mysql import process
from backstay.services.mysql.dialects.base import spelled
from backstay.services.mysql.publish import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.server import Server

_CLOSE = 10.0  # seconds for a server that is to be ended to become read-only: a commit that waits holds it up


def flaw(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed) -> str:
    """Set what the server takes; why the set may not rest on it all the same, "" when it may."""
    amended = dialect.amend(server, seen.lacks)
    if amended:
        context.log.warning(f"had {spelled({name: seen.lacks[name] for name in amended})}: set as our promises need it")
    left = {name: value for name, value in seen.lacks.items() if name not in amended}
    if not seen.started_as(context.servers.me, context.servers.number):
        left.update({"report-host": seen.name or "''", "server-id": str(seen.server_id)})
    if not left:
        return ""
    return f"something else started this server: end it, and the cluster starts it anew (it runs with {spelled(left)})"


def forbid(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed) -> None:
    """It runs on, takes no writes, acknowledges nothing, and is not wanted as the primary or by readers."""
    from backstay.watch import reuse

    reuse.note(context, process.running(context.parameters), "")
    publish(context, NEVER, False)
    if not seen.read_only:
        context.log.error("the server was writable without a promotion: making it read-only")
        dialect.set_read_only(server, True)
    if seen.acks.gives:
        dialect.acknowledge(server, False)
        if seen.replica and seen.replica.io != "No":
            dialect.stop_receiver(server)  # until its next connection it would go on


def end(context: MysqlContext, running: Process, server: Server, dialect: Dialect, seen: Observed) -> None:
    """End a server that start launches anew. Killed where a clean end could commit what waits for an acknowledgement."""
    from backstay.watch import client

    gently = False
    try:
        if not seen.read_only:
            context.log.warning("it was open: what was written to it meanwhile may be in no binary log")
        dialect.set_read_only(server.within(context.deadline.within(_CLOSE)), True)
        gently = not dialect.observe(server).acks.waiting
    except AgentError as error:
        context.log.warning(f"killing process {running.pid}: {error}")
    client.quiet(context, running.pid, running.started)
    running.end(context.deadline, gently)
