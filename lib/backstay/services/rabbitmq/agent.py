"""ocf:backstay:rabbitmq: the actions. boot.py starts a broker, monitor.py looks at one, coordinator.py does what the promoted
instance does for the cluster."""

from __future__ import annotations

from backstay.agent.dispatch import Agent
from backstay.cluster.attributes import NEVER
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, Misconfigured, MonitorFinding
from backstay.ocf.parameters import action
from backstay.services.rabbitmq import health, monitor
from backstay.services.rabbitmq.context import PARTITION, PROMOTED, UNANSWERED, RabbitmqContext
from backstay.services.rabbitmq.local_broker import PROCESS
from backstay.services.rabbitmq.observation import ANSWERS, REFUSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process

_TARGET = "backstay.services.rabbitmq.watching:RabbitmqTarget"
_KILL_AT = 0.4  # of the stop's timeout is left when SIGKILL is sent
_RECENT = 30.0  # seconds for which a monitor's finding of silence spares stop its own


class Removed(AgentError):
    """This node leaves the cluster for good (hard error: Pacemaker stops the broker and starts it here no more)."""

    code = ExitCode.ERR_ARGS


class Rabbitmq(Agent):
    context_class = RabbitmqContext
    members_only = True
    context: RabbitmqContext

    @action(timeout=180)
    def start(self) -> None:
        """Up, a member, answering AMQP; or booting, where start_wait is set."""
        from backstay.services.rabbitmq import boot, drain

        context = self.context
        context.state.remove(PROMOTED)
        context.state.remove(UNANSWERED)
        running = boot.start(context)
        context.state.write(PROCESS, running.identity)
        drain.announce(context.pacemaker, False)
        self._watch(running)
        self._publish(NEVER if monitor.boot_left(context, running) is not None else health.SERVING)

    @action(timeout=90)
    def stop(self) -> None:
        """Gone when this returns."""
        context = self.context
        running = context.broker.find()
        if running:
            self._quiet(running)
            silent = self._is_silent(running)
            remaining = context.deadline.remaining()
            if not silent:
                from backstay.services.rabbitmq import drain

                drain.leave(context, context.deadline.within(min(context.parameters.drain, remaining / 3)))
            timeout = context.invocation.timeout or 90
            patience = max(0.0, 1 - _KILL_AT * timeout / max(context.deadline.remaining(), 0.1))
            running.end(context.deadline, gently=not silent, patience=patience)
        context.state.remove(PROMOTED)
        context.state.remove(PROCESS)

    @action(timeout=20, interval=3, role=Role.PROMOTED)
    @action(timeout=20, interval=5, role=Role.UNPROMOTED)
    @action(timeout=30, interval=61, role=Role.PROMOTED, depth=10)
    @action(timeout=30, interval=60, role=Role.UNPROMOTED, depth=10)
    def monitor(self) -> ExitCode:
        context = self.context
        running = context.broker.find()
        if running is None:
            return self._not_running()
        promoted = self._is_promoted(running) or self._noted_again(running)
        if promoted and context.invocation.role == Role.UNPROMOTED.value:
            # After reload-agent Pacemaker 2.1 takes a promoted instance for unpromoted, and promotes one anew.
            self.demote()
            promoted = False
        if context.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        me = context.pacemaker.node()
        if me in context.parameters.removed_nodes():
            raise Removed(f"{me} is named in removed: its broker leaves the cluster")
        if self._is_silent(running):
            # Found a moment ago, by the watcher or a monitor. Asking again would keep what ends this broker waiting.
            raise AgentError(f"process {running.pid} lives and answers nothing")
        if context.invocation.check_level < monitor.DEEP and monitor.rests(context, running, promoted):
            self._watch(running)
            return self.alive(promoted)
        notes: list[str] = []
        verdict, calm = monitor.examine(context, running, promoted, notes)
        if verdict.outcome in (health.FAILED, health.HUNG):
            if verdict.outcome == health.HUNG:
                from backstay.watch.notes import SILENT

                context.state.write(SILENT, running.identity)
            self._publish(verdict.score)
            raise AgentError(verdict.reason)
        self._watch(running)
        told = self._publish(verdict.score)
        if context.invocation.check_level < monitor.DEEP or not promoted:  # else its duties were others
            monitor.note(context, running, promoted, calm if told else "")
        if verdict.reason:
            notes.insert(0, verdict.reason)
        return self.alive(promoted, "; ".join(dict.fromkeys(notes)))

    @action(timeout=30)
    def promote(self) -> None:
        """Take the lease. Nothing that a client could notice."""
        from backstay.services.rabbitmq import broker, coordinator, probe_account

        context = self.context
        running = context.broker.running()
        if self._is_promoted(running):
            return
        context.state.remove(PARTITION)  # of an earlier lease, as the copy of the record
        context.record.forget()
        patience = context.deadline.within(context.parameters.probe_timeout)
        greeted = broker.greets(context.broker.listener, patience, notes=[])
        if greeted == REFUSES:
            raise AgentError("not promoted: this broker does not answer AMQP")
        heard = (
            greeted == ANSWERS
        )  # one that greets nobody, and whose Erlang machine answers, does not hang (health.py)
        try:
            with context.broker.connect(context.deadline) as node:
                dialect = broker.dialect_of(node)
                heard = True
                coordinator.look_for_lost(context, node, dialect)  # no monitor does while this is under way
                coordinator.attend(context, node, dialect, probe_account.wanted(context))
        except (Misconfigured, health.Stray):
            raise
        except AgentError as error:
            if not heard:
                raise AgentError("not promoted: this broker answers neither AMQP nor Erlang's protocol") from None
            # Pacemaker would answer a failure by restarting a broker that serves; each monitor has the same duties.
            context.log.warning(f"left to the first monitor: {error}")
        context.state.write(PROMOTED, running.identity)

    @action(timeout=20)
    def demote(self) -> None:
        """Give up the lease; the broker goes on."""
        self.context.state.remove(PROMOTED, must=True)

    @action(timeout=20)
    def notify(self) -> None:
        """After an instance has ended elsewhere, by itself or by fencing: have this node's broker take it for dead at once. The
        notification of that is lost when anything aborts its transition, so those of other roles look, too. None waits for
        anything: a coordinator under load does one thing at a time, and the fencing may come after this."""
        from backstay.services.rabbitmq import coordinator, peers

        context = self.context
        told = context.invocation.environ
        kind = told.get("OCF_RESKEY_CRM_meta_notify_type", "")
        operation = told.get("OCF_RESKEY_CRM_meta_notify_operation", "")
        if context.broker.find() is None:
            return
        if (kind, operation) == ("post", "stop"):
            ended = told.get("OCF_RESKEY_CRM_meta_notify_stop_uname", "").split()
            coordinator.let_go(context, [node for node in ended if node != context.pacemaker.node()])
        elif operation != "start":
            coordinator.let_go(context, sorted(peers.down(context.pacemaker)))

    @action(timeout=10)
    def reload_agent(self) -> None:
        """Reloadable parameters are read afresh by each action: there is nothing to do."""

    def check_host(self) -> None:
        from backstay.services.rabbitmq import doctor

        self.fail_on(doctor.findings(self.context))

    def _not_running(self) -> ExitCode:
        """A start that does not wait for the boot cannot tell why that failed."""
        if not self.context.invocation.is_probe:
            from backstay.services.rabbitmq import boot

            why = boot.ended(self.context)
            if why:
                raise MonitorFinding(why, ExitCode.NOT_RUNNING)
        return ExitCode.NOT_RUNNING

    def _is_promoted(self, running: Process) -> bool:
        return self.context.state.read(PROMOTED) == running.identity

    def _is_silent(self, running: Process) -> bool:
        """Whether this very broker was just found not to answer: stop need not find out again."""
        from backstay.watch.notes import SILENT

        state = self.context.state
        return state.age(SILENT) < _RECENT and state.read(SILENT) == running.identity

    def _noted_again(self, running: Process) -> bool:
        """A promoted instance whose note is gone, not outdated: /run was wiped. The lease is whose Pacemaker says it is, and to
        deny it would have the broker restarted."""
        context = self.context
        if (
            context.invocation.is_probe
            or context.invocation.role != Role.PROMOTED.value
            or context.state.read(PROMOTED)
        ):
            return False
        context.log.warning("the note of the promotion is gone: written again")
        context.state.write(PROMOTED, running.identity)
        return True

    def _publish(self, score: int | str) -> bool:
        """Whether the cluster knows. One that takes no score for a moment must not cost a broker that serves."""
        try:
            self.context.pacemaker.set_promotion_score(score)
            return True
        except AgentError as error:
            self.context.log.warning(f"promotion score not set, the next monitor tries again: {error}")
            return False

    def _watch(self, running: Process) -> None:
        from backstay.watch import client

        client.watch(self.context, _TARGET, running.pid, running.started)

    def _quiet(self, running: Process) -> None:
        from backstay.watch import client

        client.quiet(self.context, running.pid, running.started)


AGENT = Rabbitmq
