"""Close the frontends and end their sessions, for a demote."""

from __future__ import annotations

from backstay.host.deadline import Deadline, poll
from backstay.host.tcp_reset import reset_port
from backstay.services.haproxy import frontends, listeners, master_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.haproxy.context import HaproxyContext


def close(context: HaproxyContext) -> None:
    """Every frontend is closed when this returns, and no connection to one is left. Sessions have `drain_timeout` to end.
    Raises AgentError.

    A client that keeps its connection open between requests could go on using it; the kernel resets those.
    """
    socket = context.layout().socket
    worker = master_cli.processes(socket, context.deadline).worker
    ports = {listener.port for listener in listeners.own(worker)}  # a closed frontend has no listener any more
    frontends.close_all(context, context.deadline)
    ports -= {listener.port for listener in listeners.own(worker)}  # frontends that stay, such as one for statistics
    patience = Deadline(min(context.parameters.drain_timeout, context.deadline.remaining() * 0.6))
    poll(lambda: patience.expired or not listeners.connected(worker, ports), context.deadline, "sessions to end")
    for port in sorted(ports):
        count = reset_port(port)
        if count:
            context.log.notice(f"ended {count} sessions on port {port}")
