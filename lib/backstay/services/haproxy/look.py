"""A monitor's look at HAProxy, what that means, and what is done at once: renew, close again what leaks, publish."""

from __future__ import annotations

from backstay.host.state_files import Unwritable
from backstay.ocf.errors import AgentError, NotInstalled, WrongParameter
from backstay.services.haproxy import daemon, master_cli
from backstay.services.haproxy.health import Verdict, judge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.haproxy.context import HaproxyContext
    from backstay.services.haproxy.health import Processes

_SCORE = 10  # of an instance that could serve; all are equal, location constraints decide


def look(context: HaproxyContext, promoted: bool) -> Verdict:
    """promoted: whether the master that runs is. Raises AgentError; TimedOut when HAProxy does not answer."""
    layout, given = context.layout(), context.parameters
    deadline = context.deadline.within(given.probe_timeout)
    processes, stat = master_cli.look(layout.socket, deadline)
    if stat and context.state.read(daemon.LOADED) != str(processes.worker):
        from backstay.services.haproxy import reload

        reload.learn(context, layout, processes.worker, stat)  # someone else reloaded it, or ours took its time
        context.state.remove(daemon.REFUSED)
    stale, reloaded = _renew(context, layout, processes)
    if reloaded:
        deadline = context.deadline.within(given.probe_timeout)
        processes, stat = master_cli.look(layout.socket, deadline)
    held = context.invocation.promotable and not promoted
    verdict = judge(processes, stat, context.frontends(), held, given.required(), stale)
    if verdict.finding == "leaks":
        from backstay.services.haproxy import frontends

        context.log.warning(f"{verdict.reason}: closing it")
        frontends.close_all(context, deadline)
    daemon.bound_log(layout.log)
    if stat and context.invocation.node:
        publish(context, stat.backends)
    if context.invocation.check_level >= 10 and not held and verdict.finding in ("serves", "stale"):
        full = _connect(processes.worker, deadline)
        if full and verdict.finding == "serves":
            return Verdict("full", full)
    return verdict


def publish(context: HaproxyContext, backends: dict[str, int]) -> None:
    """Inside a cluster: the wish to be promoted, and which backends have servers. backends: to the number of those that are
    up."""
    from backstay.cluster.attributes import UP
    from backstay.services.haproxy.parameters import words

    wanted = words(context.parameters.backend_attributes)
    try:
        if context.invocation.promotable:
            context.pacemaker.set_promotion_score(_SCORE)
        for name, up in backends.items():
            if wanted == ["all"] or name in wanted:
                context.pacemaker.set_attribute(UP, str(int(up > 0)), name)
    except AgentError as error:
        context.log.warning(f"not published, the next monitor tries again: {error}")


def _renew(context: HaproxyContext, layout: daemon.Layout, processes: Processes) -> tuple[str, bool]:
    """Why the configuration on disk is not the one that serves, and whether it was reloaded just now."""
    reason, _, refused = context.state.read(daemon.REFUSED).partition("\n")
    if context.parameters.reload_on_change:
        from backstay.services.haproxy import reload

        try:
            text = daemon.read(layout.config)
            if text == refused:
                return reason, False
            if text != context.state.read(daemon.TEXT) or processes.failed:
                reload.reload(context, context.layout(complete=True))
                return "", True
            context.state.remove(daemon.REFUSED)  # it is again what was loaded
            return "", False
        except (WrongParameter, NotInstalled, Unwritable) as error:
            return str(error), False
    if not reason and processes.failed:
        from backstay.services.haproxy.health import complaint

        reason = f"the last reload failed, the old worker serves: {complaint(daemon.tail(layout.log))}"
    return reason, False


def _connect(worker: int, deadline: Deadline) -> str:
    """Connect to every address of this host that the worker listens on. Where a queue of connections is full, the sentence for
    it, else "". Raises AgentError."""
    from backstay.services.haproxy import listeners

    found = [listener for listener in listeners.own(worker) if listeners.here(listener)]
    full = ""
    for left, listener in enumerate(found):
        patience = deadline.within(deadline.remaining() / (len(found) - left))
        try:
            listeners.connect(listener, patience)
        except listeners.Unconnected as error:
            now = next((other for other in listeners.own(worker) if other.inode == listener.inode), listener)
            if not error.late or not now.waiting:
                raise AgentError(f"no connection to {listener}, where HAProxy listens: {error}") from None
            # It answered its CLI just now: it does not hang. Another node would get the same clients.
            full = full or f"{listener} is full, {now.waiting} connections wait: raise maxconn and backlog"
    return full
