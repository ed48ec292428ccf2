"""A server that something else started, or whose settings somebody changed: may the set rest on it?

What a running server takes is set. Without the rest it has no history that tells what it holds, or acknowledges what is not
on its disk. A start ends such a server and launches it anew; a monitor leaves it running, for it may serve somebody, and
forbids it: it is read-only, acknowledges nothing and is never promoted, and others take its answer for none (`Peer.why`).
"""

from backstay.cluster.pacemaker import NEVER
from backstay.ocf.errors import AgentError
from backstay.services.mysql.dialects.base import spelled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.server import Server

_CLOSE = 10.0  # seconds for a server that is to be ended to become read-only: a commit that waits holds it up


def flaw(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed") -> str:
    """Set what the server takes; why the set may not rest on it all the same, "" when it may."""
    amended = dialect.amend(server, seen.lacks)
    if amended:
        agent.log.warning(f"had {spelled({name: seen.lacks[name] for name in amended})}: set as our promises need it")
    left = {name: value for name, value in seen.lacks.items() if name not in amended}
    if not seen.started_as(agent.me, agent.number):
        left.update({"report-host": seen.name or "''", "server-id": str(seen.server_id)})
    if not left:
        return ""
    return f"something else started this server: end it, and the cluster starts it anew (it runs with {spelled(left)})"


def forbid(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed") -> None:
    """It runs on, takes no writes, acknowledges nothing, and is not wanted as the primary or by readers."""
    from backstay.services.mysql.replica import publish
    from backstay.watch import reuse

    reuse.note(agent, agent.running(), "")
    publish(agent, NEVER, False)
    if not seen.read_only:
        agent.log.error("the server was writable without a promotion: making it read-only")
        dialect.set_read_only(server, True)
    if seen.acks.gives:
        dialect.acknowledge(server, False)
        if seen.replica and seen.replica.io != "No":
            dialect.stop_receiver(server)  # until its next connection it would go on


def end(agent: "Mysql", running: "Process", server: "Server", dialect: "Dialect", seen: "Observed") -> None:
    """End a server that start launches anew. Killed where a clean end could commit what waits for an acknowledgement."""
    gently = False
    try:
        if not seen.read_only:
            agent.log.warning("it was open: what was written to it meanwhile may be in no binary log")
        dialect.set_read_only(server.within(agent.deadline.within(_CLOSE)), True)
        gently = not dialect.observe(server).acks.waiting
    except AgentError as error:
        agent.log.warning(f"killing process {running.pid}: {error}")
    agent.quiet(running.pid, running.started)
    running.end(agent.deadline, gently)
