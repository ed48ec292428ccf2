"""ocf:backstay:haproxy: what Pacemaker calls. Looks, asks a pure module what it means, and has it done.

What it remembers, in its directory under /run:

master      pid, start time and program of the master
promoted    the same, once that master was promoted: a restarted one is not
loaded      the worker whose configuration the next two describe
text        the configuration as it was loaded
frontends   names of the frontends that listen
refused     a configuration that was checked and refused, and why
"""

from backstay.host.deadline import Deadline
from backstay.host.state_files import Files, Unwritable
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, NotInstalled, TimedOut, WrongParameter
from backstay.ocf.parameters import action
from backstay.services.haproxy import daemon
from backstay.services.haproxy.health import Verdict, judge
from backstay.services.haproxy.parameters import HaproxyParameters, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.host.process import Process
    from backstay.services.haproxy.health import Processes
    from backstay.watch.client import Prober

_SCORE = 10  # of an instance that could serve; all are equal, location constraints decide


class Found(AgentError):
    """A monitor's finding, with its code."""

    def __init__(self, reason: str, code: ExitCode) -> None:
        super().__init__(reason)
        self.code = code


class Haproxy(HaproxyParameters):
    # -- actions ------------------------------------------------------------------------------------------------------

    @action(timeout=60)
    def start(self) -> None:
        """Up with every frontend open; in a promotable clone with every frontend closed."""
        from backstay.services.haproxy import reload as loading

        layout = self.layout(daemon.find_binary(self.binary))
        daemon.prepare(layout)
        master = self.master()
        if master and self._answers():
            self._adopt(master)
            return
        if master or daemon.ours(layout.socket):
            self.log.warning("ending an HAProxy of this resource that does not answer")
            if master:
                self.quiet(master.pid, master.started)
            daemon.end(layout.socket, self.deadline)
        self.state.remove("promoted")
        master = loading.load(self, layout)
        self.state.write("master", daemon.identify(master))
        self._adopt(master)

    @action(timeout=30)
    def stop(self) -> None:
        """No process of this instance is left, and so none of its sockets. Needs neither configuration nor program."""
        from backstay.services.haproxy import reload as loading

        layout = self.layout()
        master = self.master()
        if master is None and not daemon.ours(layout.socket):
            return
        if master:
            self.quiet(master.pid, master.started)
        if master and loading.remember_servers(self, layout):
            daemon.drain(master, min(self.drain_timeout, self.deadline.remaining() * 0.6), self.deadline)
        daemon.end(layout.socket, self.deadline)
        self.state.remove("promoted")

    @action(timeout=20, interval=5)
    @action(timeout=20, interval=6, role=Role.PROMOTED)
    @action(timeout=20, interval=11, role=Role.UNPROMOTED)
    @action(timeout=30, interval=60, depth=10)
    def monitor(self) -> ExitCode:
        """Master, worker, and every frontend, through the master CLI. Level 10 also connects to every address that is
        listened on."""
        master = self.master()
        if master is None:
            if not self.invocation.is_probe and daemon.ours(self.layout().socket):
                raise AgentError("HAProxy's master died and a worker is left: stop ends it")
            return ExitCode.NOT_RUNNING
        promoted = self.invocation.promotable and self.promoted(master)
        if self.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        try:
            verdict = self._look(master, promoted)
        except TimedOut as error:
            raise Found(str(error), ExitCode.FAILED_PROMOTED if promoted else ExitCode.ERR_GENERIC) from None
        self.watch(master.pid, master.started)
        code = verdict.code(promoted)
        if code in (ExitCode.DEGRADED, ExitCode.DEGRADED_PROMOTED):
            return self.alive(promoted, verdict.reason)
        if verdict.reason and code not in (ExitCode.SUCCESS, ExitCode.RUNNING_PROMOTED):
            raise Found(verdict.reason, code)
        return self.alive(promoted)

    @action(timeout=30)
    def promote(self) -> None:
        """Open the frontends."""
        from backstay.services.haproxy import master_cli

        master = self._running()
        self.state.write("promoted", daemon.identify(master))
        layout = self.layout()
        names = self._frontends()
        processes, stat = master_cli.look(layout.socket, self.deadline.within(self.probe_timeout))
        closed = [name for name in names if stat and stat.frontends.get(name) == "PAUSED"]
        master_cli.every(layout.socket, processes.worker, [f"enable frontend {name}" for name in closed], self.deadline)
        _, stat = master_cli.look(layout.socket, self.deadline.within(self.probe_timeout))
        left = [name for name in names if stat is None or stat.frontends.get(name) != "OPEN"]
        if left:
            raise AgentError(f"frontend {left[0]} cannot be opened: see HAProxy's log in {layout.log}")

    @action(timeout=30)
    def demote(self) -> None:
        """Close the frontends, let sessions finish, end those that do not. Fine when it does not run."""
        from backstay.services.haproxy import drain

        master = self.master()
        self.state.remove("promoted")
        if master is None:
            return
        try:
            drain.close(self)
        except AgentError as error:
            # One that cannot be closed may go on serving: it is better dead, and its monitor says so.
            self.log.warning(f"demote ends HAProxy: {error}")
            self.quiet(master.pid, master.started)
            daemon.end(self.layout().socket, self.deadline)
        self.state.remove("promoted", must=master.alive())

    @action(timeout=60)
    def reload_agent(self) -> None:
        """Check the configuration and reload it. What is refused leaves the old worker serving, and is no failure of this
        action, since Pacemaker would answer that by a restart: with the refused configuration. The monitor tells."""
        try:
            self.reload()
        except (WrongParameter, NotInstalled, Unwritable) as refused:
            self.log.warning(str(refused))
            self.explain(str(refused))

    @action(timeout=60)
    def reload(self) -> None:
        """For the admin's hand: as reload-agent, but fails when the configuration is refused."""
        from backstay.services.haproxy import reload as loading

        self._running()
        loading.reload(self, self.layout(daemon.find_binary(self.binary)))

    # -- what the parts of this agent share ---------------------------------------------------------------------------

    @property
    def directory(self) -> str:
        """As state_directory, but not made: stop must work where nothing can be written."""
        return f"{self.invocation.environ.get('BACKSTAY_RUN', '/run/backstay')}/{self.invocation.resource}"

    @property
    def state(self) -> Files:
        return Files(self.directory, self.complaints)

    def layout(self, binary: str = "") -> daemon.Layout:
        return daemon.Layout(binary, self.config, self.directory)

    def master(self) -> "Optional[Process]":
        return daemon.master(self.layout().socket, self.state.read("master"))

    def promoted(self, master: "Process") -> bool:
        """Whether this very master was promoted."""
        return self.state.read("promoted") == daemon.identify(master)

    def chosen_frontends(self) -> "list[str]":
        return words(self.frontends)

    def hold(self, deadline: Deadline) -> None:
        """Close every frontend that is open. Raises AgentError when one stays open."""
        from backstay.services.haproxy import master_cli

        socket, names = self.layout().socket, self._frontends()
        processes, stat = master_cli.look(socket, deadline)
        opened = [name for name in names if stat and stat.frontends.get(name) == "OPEN"]
        said = master_cli.every(socket, processes.worker, [f"disable frontend {name}" for name in opened], deadline)
        _, stat = master_cli.look(socket, deadline)
        left = [name for name in names if stat is None or stat.frontends.get(name) == "OPEN"]
        if left:
            raise AgentError(f"frontend {left[0]} cannot be closed: {' '.join(said.split()) or 'see its log'}")

    def prober(self) -> "Prober":
        from backstay.services.haproxy.prober import HaproxyProber

        return HaproxyProber(self.layout().socket)

    def patience(self) -> float:
        return float(self.probe_timeout)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _running(self) -> "Process":
        found = self.master()
        if found is None:
            raise AgentError("HAProxy does not run")
        return found

    def _answers(self) -> bool:
        from backstay.services.haproxy import master_cli

        try:
            return master_cli.processes(self.layout().socket, self.deadline.within(self.probe_timeout)).worker > 0
        except AgentError as error:
            self.log.warning(str(error))
            return False

    def _adopt(self, master: "Process") -> None:
        """What start leaves: the frontends as they should be, a watcher, a score."""
        self.state.write("master", daemon.identify(master))
        if self.invocation.promotable and not self.promoted(master):
            self.hold(self.deadline)
        self.watch(master.pid, master.started)
        if self.invocation.node:
            self._publish({})

    def _frontends(self) -> "list[str]":
        return self.chosen_frontends() or self.state.read("frontends").split()

    def _look(self, master: "Process", promoted: bool) -> Verdict:
        from backstay.services.haproxy import master_cli

        layout = self.layout()
        deadline = self.deadline.within(self.probe_timeout)
        processes, stat = master_cli.look(layout.socket, deadline)
        if stat and self.state.read("loaded") != str(processes.worker):
            from backstay.services.haproxy import reload as loading

            loading.learn(self, layout, processes.worker, stat)  # someone else reloaded it, or ours took its time
            self.state.remove("refused")
        stale, reloaded = self._renew(layout, processes)
        if reloaded:
            deadline = self.deadline.within(self.probe_timeout)
            processes, stat = master_cli.look(layout.socket, deadline)
        held = self.invocation.promotable and not promoted
        verdict = judge(processes, stat, self._frontends(), held, self.required(), stale)
        if verdict.finding == "leaks":
            self.log.warning(f"{verdict.reason}: closing it")
            self.hold(deadline)
        daemon.bound_log(layout.log)
        if stat and self.invocation.node:
            self._publish(stat.backends)
        if self.invocation.check_level >= 10 and not held and verdict.finding in ("serves", "stale"):
            self._connect(processes.worker, deadline)
        return verdict

    def _renew(self, layout: daemon.Layout, processes: "Processes") -> "tuple[str, bool]":
        """Why the configuration on disk is not the one that serves, and whether it was reloaded just now."""
        reason, _, refused = self.state.read("refused").partition("\n")
        if self.reload_on_change:
            from backstay.services.haproxy import reload as loading

            try:
                text = daemon.read(layout.config)
                if text == refused:
                    return reason, False
                if text != self.state.read("text") or processes.failed:
                    loading.reload(self, self.layout(daemon.find_binary(self.binary)))
                    return "", True
                self.state.remove("refused")  # it is again what was loaded
                return "", False
            except (WrongParameter, NotInstalled, Unwritable) as error:
                return str(error), False
        if not reason and processes.failed:
            from backstay.services.haproxy.health import complaint

            reason = f"the last reload failed, the old worker serves: {complaint(daemon.tail(layout.log))}"
        return reason, False

    def _publish(self, backends: "dict[str, int]") -> None:
        """Inside a cluster: the wish to be promoted, and which backends have servers."""
        wanted = words(self.backend_attributes)
        try:
            if self.invocation.promotable:
                self.pacemaker.set_promotion_score(_SCORE)
            for name, up in backends.items():
                if wanted == ["all"] or name in wanted:
                    self.pacemaker.set_attribute(f"{self.invocation.resource}-up-{name}", str(int(up > 0)))
        except AgentError as error:
            self.log.warning(f"not published, the next monitor tries again: {error}")

    def _connect(self, worker: int, deadline: Deadline) -> None:
        from backstay.services.haproxy import listeners

        for listener in listeners.own(worker):
            why = listeners.connect(listener, deadline)
            if why:
                raise AgentError(f"no connection to {listener}, where HAProxy listens: {why}")

    def check_host(self) -> None:
        from backstay.services.haproxy import reload as loading

        loading.check(self, self.layout(daemon.find_binary(self.binary)))


AGENT = Haproxy
