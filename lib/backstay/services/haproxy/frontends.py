"""Open the frontends of the worker that serves, and close them."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.haproxy import holding, master_cli

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.haproxy.context import HaproxyContext


def open_all(context: HaproxyContext) -> None:
    """Raises AgentError when one cannot be opened."""
    layout, patience = context.layout(), context.parameters.probe_timeout
    names = context.frontends()
    processes, stat = master_cli.look(layout.socket, context.deadline.within(patience))
    closed = [name for name in names if stat and stat.frontends.get(name) in ("PAUSED", "STOP")]
    commands = [f"enable frontend {name}" for name in closed]
    master_cli.every(layout.socket, processes.worker, commands, context.deadline)
    _, stat = master_cli.look(layout.socket, context.deadline.within(patience))
    left = [name for name in names if stat is None or stat.frontends.get(name) != "OPEN"]
    if left:
        raise AgentError(f"frontend {left[0]} cannot be opened: see HAProxy's log in {layout.log}")
    holding.note(context, processes.worker)


def close_all(context: HaproxyContext, deadline: Deadline) -> None:
    """Close every frontend that is open. Raises AgentError when one stays open."""
    socket, names = context.layout().socket, context.frontends()
    processes, stat = master_cli.look(socket, deadline)
    opened = [name for name in names if stat and stat.frontends.get(name) == "OPEN"]
    said = master_cli.every(socket, processes.worker, [f"disable frontend {name}" for name in opened], deadline)
    _, stat = master_cli.look(socket, deadline)
    left = [name for name in names if stat is None or stat.frontends.get(name) == "OPEN"]
    if left:
        raise AgentError(f"frontend {left[0]} cannot be closed: {' '.join(said.split()) or 'see its log'}")
