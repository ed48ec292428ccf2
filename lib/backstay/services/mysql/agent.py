"""ocf:backstay:mysql: the actions that Pacemaker calls. An action looks, asks a pure module what the look means, and has it
done.

Flow of an action: agents/mysql → backstay.agent.dispatch.run → a method here → replica.py, primary.py or promotion.py.
"""

from __future__ import annotations

from backstay.agent.dispatch import Agent
from backstay.host.deadline import Deadline
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, TimedOut
from backstay.ocf.parameters import action
from backstay.services.mysql import process
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.server import Server, ServerBusy, ServerDown, ServerRefused, ServerSilent
from backstay.services.mysql.state import CLOSED, PASSWORDS, PROMOTED, READABLE, READER, REBUILD_LOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.record import Record

_TARGET = "backstay.services.mysql.watching:MysqlTarget"
_SILENT_FOR = 20.0  # seconds for which a monitor's finding of silence spares demote and stop their own


class Mysql(Agent):
    context_class = MysqlContext
    members_only = True
    context: MysqlContext

    # -- actions ------------------------------------------------------------------------------------------------------

    @action(timeout=120)
    def start(self) -> None:
        """Up, read-only, nothing replicating; what was received before is kept. The first monitor joins it to the set."""
        context = self.context
        running = process.found(context.parameters)
        if running and self._taken_over(running):
            return
        from backstay.services.mysql import starting

        launched = starting.start(context)
        self._watch(launched)
        self._serve_readers(launched)

    @action(timeout=60)
    def stop(self) -> None:
        """Gone when this returns. Killed where a clean end would commit what nobody acknowledged (T17)."""
        from backstay.services.mysql import publish
        from backstay.services.mysql.reader_check import client as readers

        context = self.context
        readers.stop(context)
        running = process.found(context.parameters)
        if running:
            self._quiet(running)
            running.end(context.deadline, gently=self._may_end_gently(running))
        context.state.remove(PROMOTED)
        publish.stopped(context)
        if context.state.has(REBUILD_LOCK):
            from backstay.services.mysql import rebuild

            rebuild.abandon(context)

    @action(timeout=15, interval=3, role=Role.PROMOTED)
    @action(timeout=15, interval=5, role=Role.UNPROMOTED)
    def monitor(self) -> ExitCode:
        context = self.context
        running = process.found(context.parameters)
        if running is None:
            return ExitCode.NOT_RUNNING
        record = context.state.promoted(running.identity)
        if record is None and not context.invocation.is_probe and not context.state.read(PROMOTED):
            record = self._restore_promotion_note(running)
        promoted = bool(record) or context.state.read(CLOSED) == running.identity
        if context.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        if not promoted and self._calm(running):
            return self._conclude(running, promoted)
        deadline = context.deadline.within(context.parameters.probe_timeout)
        try:
            with context.servers.here(deadline) as server:
                note = self._examine(server, record)
        except (ServerSilent, ServerDown) as error:
            from backstay.watch.notes import SILENT

            context.state.write(SILENT, running.identity)
            raise TimedOut(
                f"{error} within {context.parameters.probe_timeout:g} s, though process {running.pid} lives"
            ) from None
        except (ServerBusy, ServerRefused) as error:
            # It lives and the agent cannot look: unknown is not dead, and a failover would meet the same.
            return self.alive(promoted, str(error))
        return self._conclude(running, promoted, note)

    def _conclude(self, running: process.Process, promoted: bool, note: str = "") -> ExitCode:
        """The end of a monitor that found the server well: see that those beside it are there."""
        self._watch(running)
        complaint = self._serve_readers(running)
        return self.alive(promoted, note or complaint)

    @action(timeout=60)
    def promote(self) -> None:
        context = self.context
        running = process.running(context.parameters)
        if context.state.promoted(running.identity):
            return
        context.pacemaker.ask_ahead()
        from backstay.services.mysql import promotion

        with context.servers.here(context.deadline) as server:
            promotion.promote(context, server, running)
        self._let_in()

    @action(timeout=30)
    def demote(self) -> None:
        """Read-only when this returns, with nothing waiting that could still be committed; or dead."""
        context = self.context
        running = process.found(context.parameters)
        context.state.remove(CLOSED)
        if running is None:
            context.state.remove(PROMOTED)
            return
        budget = context.deadline.within(min(10.0, context.deadline.remaining() * 0.6))
        promoted = bool(context.state.promoted(running.identity))
        try:
            if self._silent(running):
                if promoted:
                    self._hold()
                raise ServerSilent("found silent by the monitor")
            with context.servers.here(budget.within(1.5)) as server:
                from backstay.services.mysql.step_down import step_down

                if promoted:
                    from backstay.services.mysql import drain

                    drain.drain(context, server, budget)
                step_down(context, server.within(budget))
        except AgentError as error:
            # A clean end would commit what nobody acknowledged, and a hung server may wake and acknowledge.
            context.log.warning(f"demote kills process {running.pid}: {error}")
            self._quiet(running)
            running.end(context.deadline, gently=False)
        # A mark of a process that is gone says nothing.
        context.state.remove(PROMOTED, must=running.alive())

    @action(timeout=10)
    def reload_agent(self) -> None:
        """Reloadable parameters are read afresh by each action; the watcher has to be begun anew with them. What else a change
        asks for, the monitors do: Pacemaker repeats those at once on every node, while an instance whose last action was a
        demote gets no reload (2.1.5 and 3.0: only a start, a promote or a probe is compared with the parameters)."""
        context = self.context
        running = process.found(context.parameters)
        if running:
            self._watch(running, anew=True)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        from backstay.services.mysql import holding

        holding.hold(self.context)

    def _let_in(self) -> None:
        from backstay.services.mysql import holding

        holding.let_in(self.context)

    def _watch(self, running: process.Process, anew: bool = False) -> None:
        """See that the process has its watcher. anew: another one, with the parameters of this action."""
        from backstay.watch import client

        client.watch(self.context, _TARGET, running.pid, running.started, anew)

    def _quiet(self, running: process.Process) -> None:
        """The agent is about to end the process: its watcher is to tell nothing of that."""
        from backstay.watch import client

        client.quiet(self.context, running.pid, running.started)

    def _serve_readers(self, running: process.Process) -> str:
        """See that load balancers get their answers; what is in the way, "" for nothing."""
        context = self.context
        if not context.parameters.reader_check_port and not context.state.read(READER):
            return ""
        from backstay.services.mysql.reader_check import client

        try:
            return client.ensure(context, running)
        except (AgentError, OSError) as error:  # reads go elsewhere; that is no failure of the server
            return f"no answer to load balancers: {error}"

    def _examine(self, server: Server, record: Record | None) -> str:
        """Look, do the next duty, publish; what is wrong, "" when nothing is."""
        context = self.context
        dialect = context.servers.dialect(server)
        seen = dialect.observe(server)
        flaw = ""
        if seen.lacks or not seen.started_as(context.servers.me, context.servers.number):
            from backstay.services.mysql import suited

            flaw = suited.flaw(context, server, dialect, seen)
        if record:
            from backstay.services.mysql import primary

            return primary.attend(context, server, dialect, seen, record) or flaw
        if flaw and context.state.read(CLOSED) != process.running(context.parameters).identity:
            suited.forbid(context, server, dialect, seen)
            return flaw
        from backstay.services.mysql import replica

        if context.state.read(CLOSED) == process.running(context.parameters).identity:
            return replica.wait_for_demotion(context)
        return replica.attend(context, server, dialect, seen)

    def _greets(self, deadline: Deadline) -> bool:
        from backstay.services.mysql.server import answers

        return answers(self.context.parameters.socket, deadline.remaining())

    def _calm(self, running: process.Process) -> bool:
        """Whether the watcher sees, right now, that a look would find this replica as the last one did."""
        from backstay.services.mysql import tls_check
        from backstay.watch import reuse

        context = self.context
        if not reuse.rests(context, running):
            return False
        if context.state.read(PASSWORDS) != context.parameters.passwords():
            return False
        if context.parameters.tls_ca and tls_check.due(context, running.identity):
            return False
        return context.state.read(READABLE) == "1"  # unless the reader check took it away: the cluster has to be told

    def _restore_promotion_note(self, running: process.Process) -> Record | None:
        context = self.context
        if context.invocation.role != Role.PROMOTED.value:
            return None
        from backstay.services.mysql import primary

        return primary.restore_promotion_note(context, running)

    def _silent(self, running: process.Process) -> bool:
        """Whether a recent monitor found this very process silent."""
        from backstay.watch.notes import SILENT

        context = self.context
        return context.state.age(SILENT) < _SILENT_FOR and context.state.read(SILENT) == running.identity

    def _taken_over(self, running: process.Process) -> bool:
        """Whether a server that runs before its start stays; else it was ended."""
        from backstay.services.mysql import daemon

        context = self.context
        if daemon.is_half_made(context.parameters.datadir):
            why = "the initialisation of its data directory did not end"
        elif self._greets(context.deadline.within(context.parameters.probe_timeout)):
            return self._adopt(running)
        else:
            why = "it does not answer"
        context.log.warning(f"killing process {running.pid}, a server: {why}")
        self._quiet(running)
        running.end(context.deadline, gently=False)
        return False

    def _adopt(self, running: process.Process) -> bool:
        """Take over a server that runs already: read-only, unless it is the primary that the agent promoted. False where it lacks
        what the agent's promises rest on: then it was ended."""
        context = self.context
        context.state.remove(CLOSED)
        if not context.state.promoted(running.identity):
            with context.servers.here(context.deadline) as server:
                from backstay.services.mysql import suited

                dialect = context.servers.dialect(server)
                seen = dialect.observe(server)
                flaw = suited.flaw(context, server, dialect, seen)
                if flaw:
                    context.log.warning(f"ending process {running.pid}: {flaw}")
                    suited.end(context, running, server, dialect, seen)
                    return False
                dialect.set_read_only(server, True)
                if not dialect.vouches(server):  # its start was cut short
                    from backstay.services.mysql.rescue import rescue

                    context.log.notice(rescue(context, server, dialect, context.record.read()) or "nothing to rescue")
        self._watch(running)
        self._serve_readers(running)
        return True

    def _may_end_gently(self, running: process.Process) -> bool:
        """A replica may. A primary only when no commit waits for an acknowledgement, and that is known."""
        context = self.context
        # Without any note, as when /run was wiped, it may be a primary.
        if context.state.read(READABLE) and not context.state.promoted(running.identity):
            return not self._silent(running)
        try:
            with context.servers.here(context.deadline.within(2)) as server:
                return not context.servers.dialect(server).observe(server).acks.waiting
        except AgentError as error:
            context.log.warning(f"stop kills process {running.pid}: {error}")
            return False

    def check_host(self) -> None:
        from backstay.services.mysql import doctor

        self.fail_on(doctor.findings(self.context))


AGENT = Mysql
