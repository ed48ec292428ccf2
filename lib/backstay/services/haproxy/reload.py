"""Load a configuration, at start and at a reload: checked first, with the servers' state carried over."""

from __future__ import annotations

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.ocf.parameters import whole
from backstay.services.haproxy import daemon, frontends, holding, listeners, master_cli, server_state
from backstay.services.haproxy.health import complaint, descriptors
from backstay.services.haproxy.server_state import Configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.haproxy.context import HaproxyContext
    from backstay.services.haproxy.health import Stat

_FAILED = -1  # instead of a pid
_FETCHES = (2, 6)  # HAProxy has an HTTPS client that settings turn off; before 2.4 none knows `.if` either
_DUMP_COMMAND = "show servers state"


def check(context: HaproxyContext, layout: daemon.Layout, known_good: str = "") -> tuple[str, Configuration]:
    """The configuration on disk, found good: by HAProxy, unless it is this text. Raises WrongParameter with file and
    line."""
    text = daemon.read(layout.config)
    configuration = Configuration(text)
    daemon.prepare(layout)
    own_state_file = "server-state-file" not in configuration.settings
    idle_client = daemon.version(layout, context.deadline) >= _FETCHES and not configuration.fetches
    daemon.write_fragment(layout, context.parameters.hard_stop_after, own_state_file, idle_client)
    maxconn = whole(configuration.settings.get("maxconn", ""))
    if maxconn is not None and "no strict-limits" not in configuration.settings:
        allowed = daemon.descriptors_allowed()
        if descriptors(maxconn) > allowed:
            raise WrongParameter(
                f"maxconn {maxconn} needs about {descriptors(maxconn)} file descriptors, {allowed} are allowed: "
                "raise LimitNOFILE of pacemaker, or lower maxconn"
            )
    if not known_good or text != known_good:
        daemon.check(layout, context.deadline)
    return text, configuration


def load(context: HaproxyContext, layout: daemon.Layout) -> Process:
    """Start; the master, when its worker serves. Raises AgentError; nothing is left running then."""
    # What was loaded since boot was checked: after a crash that saves a tenth of the way back.
    text, configuration = check(context, layout, known_good=context.state.read(daemon.TEXT))
    dump = context.state.read(daemon.DUMP)
    context.state.remove(daemon.DUMP)
    context.state.remove(daemon.REFUSED)
    same = (
        server_state.unchanged(Configuration(context.state.read(daemon.TEXT)), configuration) if dump else frozenset()
    )
    daemon.write(layout, daemon.SERVER_STATE, server_state.keep(dump, same, configuration))
    master = daemon.launch(layout, context.deadline)
    try:
        _alone(layout, master_cli.processes(layout.socket, context.deadline).worker)
        _settle(context, layout, text, dump, same)
    except BaseException:
        daemon.end(layout.socket, context.deadline)
        raise
    return master


def reload(context: HaproxyContext, layout: daemon.Layout) -> None:
    """Have a new worker serve the configuration on disk, by the same listening sockets. Raises WrongParameter when it is
    refused, or not loaded in time, as where names of servers are asked for in vain: the old worker serves on then, and the
    monitor says why."""
    before = master_cli.processes(layout.socket, context.deadline)
    text = ""
    try:
        text, configuration = check(context, layout)
        same = server_state.unchanged(Configuration(context.state.read(daemon.TEXT)), configuration)
        dump = master_cli.worker(layout.socket, before.worker, _DUMP_COMMAND, context.deadline)
        daemon.write(layout, daemon.SERVER_STATE, server_state.keep(dump, same, configuration))
        worker = _renew(context, layout, before.worker, before.failed)
    except (WrongParameter, TimedOut) as refused:
        reason = f"{refused} (not loaded, the old configuration serves)"
        context.state.write(daemon.REFUSED, f"{reason}\n{text or _text(layout)}")
        raise WrongParameter(reason) from None
    context.state.remove(daemon.REFUSED)
    _settle(context, layout, text, dump, same)
    context.log.notice(f"reloaded {layout.config}: worker {worker} serves")


def _text(layout: daemon.Layout) -> str:
    try:
        return daemon.read(layout.config)
    except WrongParameter:
        return ""


def _renew(context: HaproxyContext, layout: daemon.Layout, old: int, failed: int) -> int:
    """The pid of the new worker. HAProxy 2.6 answers a reload with nothing, and later ones count failures differently:
    what tells is whether another worker serves."""
    offset = daemon.size(layout.log)
    said = master_cli.ask(layout.socket, "reload", context.deadline)

    def settled() -> int | None:
        now = master_cli.processes(layout.socket, context.deadline)
        if now.worker and now.worker != old:
            return now.worker
        return _FAILED if "Success=0" in said or now.failed > failed else None

    try:
        worker = poll(
            lambda: None if (answer := settled()) is None else [answer], context.deadline, "the new worker", 0.01
        )[0]
    except TimedOut:
        raise TimedOut(complaint(daemon.tail(layout.log, offset)) or "HAProxy has no new worker: see its log") from None
    if worker == _FAILED:
        raise WrongParameter(
            daemon.blamed(complaint(daemon.tail(layout.log, offset))) or f"the reload failed: see {layout.log}"
        )
    return worker


def _settle(
    context: HaproxyContext,
    layout: daemon.Layout,
    text: str,
    dump: str,
    same: frozenset[tuple[str, str]],
) -> None:
    """What a new worker needs: its frontends closed if they should be, its servers as they were, and to be known."""
    processes, stat = master_cli.look(layout.socket, context.deadline)
    worker = processes.worker
    learn(context, layout, worker, stat, text)
    missing = [name for name in context.parameters.chosen_frontends() if stat is None or name not in stat.frontends]
    if missing:
        raise WrongParameter(f"there is no frontend {missing[0]} in {layout.config}: correct the parameter frontends")
    master = context.master.find()
    if context.invocation.promotable and not (master and context.master.is_promoted(master)):
        frontends.close_all(context, context.deadline)
    if dump:
        now = master_cli.worker(layout.socket, worker, _DUMP_COMMAND, context.deadline)
        master_cli.every(layout.socket, worker, server_state.restore(dump, now, same), context.deadline)
    daemon.write(layout, daemon.SERVER_STATE, "1\n")  # it is used up: whoever else reloads would load a past


def learn(
    context: HaproxyContext, layout: daemon.Layout, worker: int, stat: Stat | None, text: str | None = None
) -> None:
    """Note what this worker has loaded; without `text`, what is on disk."""
    text = _text(layout) if text is None else text
    bound = [name for name in Configuration(text).bound if stat and name in stat.frontends]
    context.state.write(daemon.TEXT, text)
    context.state.write(daemon.FRONTENDS, "\n".join(bound))
    context.state.write(daemon.LOADED, str(worker))
    holding.note(context, worker)


def remember_servers(context: HaproxyContext, layout: daemon.Layout) -> bool:
    """Before a stop, for the next start on this node before it boots again. Whether HAProxy answered."""
    try:
        deadline = context.deadline.within(1)
        worker = master_cli.processes(layout.socket, deadline).worker
        dump = master_cli.worker(layout.socket, worker, _DUMP_COMMAND, deadline)
    except AgentError as error:
        context.log.warning(f"HAProxy is not drained but killed: {error}")
        return False
    context.state.write(daemon.DUMP, dump)
    return True


def _alone(layout: daemon.Layout, worker: int) -> None:
    """Raises AgentError when another program listens where we do."""
    ours = {process.pid for process in daemon.ours(layout.socket)}
    found = listeners.shared(ours, worker)
    if found:
        listener, pid = found
        name = f"{listeners.program(pid)} (pid {pid})" if pid else "another program"
        raise AgentError(f"{listener} is shared with {name}, which takes half of the connections: stop and disable it")
