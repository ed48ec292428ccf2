"""ocf:backstay:haproxy: the actions. look.py says what a monitor sees, reload.py loads configurations, frontends.py and
drain.py open and close."""

from __future__ import annotations

from backstay.agent.dispatch import Agent
from backstay.host.state_files import Unwritable
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, MonitorFinding, NotInstalled, TimedOut, WrongParameter
from backstay.ocf.parameters import action
from backstay.services.haproxy import daemon
from backstay.services.haproxy.context import HaproxyContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process

_TARGET = "backstay.services.haproxy.watching:HaproxyTarget"


class Haproxy(Agent):
    context_class = HaproxyContext
    context: HaproxyContext

    @action(timeout=60)
    def start(self) -> None:
        """Up with every frontend open; in a promotable clone with every frontend closed."""
        from backstay.services.haproxy import reload

        context = self.context
        layout = context.layout(complete=True)
        daemon.prepare(layout)
        master = context.master.find()
        if master and self._answers():
            self._adopt(master)
            return
        if master or daemon.ours(layout.socket):
            context.log.warning("ending an HAProxy of this resource that does not answer")
            if master:
                self._quiet(master)
            daemon.end(layout.socket, context.deadline)
        context.master.demote()
        master = reload.load(context, layout)
        context.master.note(master)
        self._adopt(master)

    @action(timeout=30)
    def stop(self) -> None:
        """No process of this instance is left, and so none of its sockets. Needs neither configuration nor program."""
        from backstay.services.haproxy import reload

        context = self.context
        layout = context.layout()
        master = context.master.find()
        if master is None and not daemon.ours(layout.socket):
            return
        if master:
            self._quiet(master)
        if master and reload.remember_servers(context, layout):
            patience = min(context.parameters.drain_timeout, context.deadline.remaining() * 0.6)
            daemon.drain(master, patience, context.deadline)
        daemon.end(layout.socket, context.deadline)
        context.master.demote()

    @action(timeout=20, interval=5)
    @action(timeout=20, interval=6, role=Role.PROMOTED)
    @action(timeout=20, interval=11, role=Role.UNPROMOTED)
    @action(timeout=30, interval=60, depth=10)
    def monitor(self) -> ExitCode:
        """Master, worker, and every frontend, through the master CLI. Level 10 also connects to every address that is
        listened on."""
        context = self.context
        master = context.master.find()
        if master is None:
            if not context.invocation.is_probe and daemon.ours(context.layout().socket):
                raise AgentError("HAProxy's master died and a worker is left: stop ends it")
            return ExitCode.NOT_RUNNING
        promoted = context.invocation.promotable and context.master.is_promoted(master)
        if context.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        from backstay.services.haproxy.look import look

        try:
            verdict = look(context, promoted)
        except TimedOut as error:
            raise MonitorFinding(str(error), ExitCode.FAILED_PROMOTED if promoted else ExitCode.ERR_GENERIC) from None
        self._watch(master)
        code = verdict.code(promoted)
        if code in (ExitCode.DEGRADED, ExitCode.DEGRADED_PROMOTED):
            return self.alive(promoted, verdict.reason)
        if verdict.reason and code not in (ExitCode.SUCCESS, ExitCode.RUNNING_PROMOTED):
            raise MonitorFinding(verdict.reason, code)
        return self.alive(promoted)

    @action(timeout=30)
    def promote(self) -> None:
        """Open the frontends."""
        from backstay.services.haproxy import frontends

        self.context.master.promote(self.context.master.running())
        frontends.open_all(self.context)
        self._let_in()

    @action(timeout=30)
    def demote(self) -> None:
        """Close the frontends, let sessions finish, end those that do not. Fine when it does not run."""
        from backstay.services.haproxy import drain, holding

        context = self.context
        master = context.master.find()
        context.master.demote()
        if master is None:
            return
        holding.hold(context)
        try:
            drain.close(context)
        except AgentError as error:
            # One that cannot be closed may go on serving: it is better dead, and its monitor says so.
            context.log.warning(f"demote ends HAProxy: {error}")
            self._quiet(master)
            daemon.end(context.layout().socket, context.deadline)
        context.master.demote(must=master.alive())

    @action(timeout=60)
    def reload_agent(self) -> None:
        """Check the configuration and reload it. What is refused leaves the old worker serving, and is no failure of this
        action, since Pacemaker would answer that by a restart: with the refused configuration. The monitor tells."""
        try:
            self.reload()
        except (WrongParameter, NotInstalled, Unwritable) as refused:
            self.context.log.warning(str(refused))
            self.context.explain(str(refused))
        self._watch(self.context.master.running(), anew=True)

    @action(timeout=60)
    def reload(self) -> None:
        """For the admin's hand: as reload-agent, but fails when the configuration is refused."""
        from backstay.services.haproxy import reload

        self.context.master.running()
        reload.reload(self.context, self.context.layout(complete=True))

    def check_host(self) -> None:
        from backstay.services.haproxy import reload

        reload.check(self.context, self.context.layout(complete=True))

    def _answers(self) -> bool:
        from backstay.services.haproxy import master_cli

        context = self.context
        patience = context.deadline.within(context.parameters.probe_timeout)
        try:
            return master_cli.processes(context.layout().socket, patience).worker > 0
        except AgentError as error:
            context.log.warning(str(error))
            return False

    def _adopt(self, master: Process) -> None:
        """What start leaves: the frontends as they should be, a watcher, a score."""
        context = self.context
        context.master.note(master)
        if context.invocation.promotable and not context.master.is_promoted(master):
            from backstay.services.haproxy import frontends

            frontends.close_all(context, context.deadline)
        else:
            self._let_in()
        self._watch(master)
        if context.invocation.node:
            from backstay.services.haproxy.look import publish

            publish(context, {})

    def _let_in(self) -> None:
        from backstay.services.haproxy import holding

        holding.let_in(self.context)

    def _watch(self, master: Process, anew: bool = False) -> None:
        """See that the master has its watcher. anew: another one, with the parameters of this action."""
        from backstay.watch import client

        client.watch(self.context, _TARGET, master.pid, master.started, anew)

    def _quiet(self, master: Process) -> None:
        from backstay.watch import client

        client.quiet(self.context, master.pid, master.started)


AGENT = Haproxy
