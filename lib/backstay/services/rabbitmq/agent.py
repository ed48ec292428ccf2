"""ocf:backstay:rabbitmq: what Pacemaker calls. Looks, asks a pure module what it means, and has it done.

Flow of an action: agents/rabbitmq → backstay.agent.dispatch.run → a method here → starting.py, coordinator.py or probe.py.
"""

import os

from backstay.cluster.pacemaker import NEVER
from backstay.host.process import Process
from backstay.host.state_files import Files
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, Misconfigured, TimedOut
from backstay.ocf.parameters import action
from backstay.services.rabbitmq import health, process
from backstay.services.rabbitmq.observation import ANSWERS, SILENT, UNKNOWN, Seen
from backstay.services.rabbitmq.parameters import RabbitmqParameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.amqp import Account, Listener
    from backstay.services.rabbitmq.dialects.base import Dialect, Mirroring
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.launch import Layout
    from backstay.services.rabbitmq.record import Facts
    from backstay.watch.client import Prober

_KILL_AT = 0.4  # of the stop's timeout is left when SIGKILL is sent
_DEEP = 10  # OCF_CHECK_LEVEL
_LOOK_EVERY = 120.0  # seconds for which one that is not promoted may rest: the watcher sees all that its monitor sees
_RECENT = 30.0  # seconds for which a monitor's finding of silence spares stop its own


class Rabbitmq(RabbitmqParameters):
    # -- actions ------------------------------------------------------------------------------------------------------

    @action(timeout=180)
    def start(self) -> None:
        """Up, a member, answering AMQP; or booting, where start_wait is set."""
        from backstay.services.rabbitmq import boot as starting
        from backstay.services.rabbitmq import drain

        self.state.remove("promoted")
        self.state.remove("unanswered")
        running = starting.start(self)
        self.state.write("process", running.identity)
        drain.announce(self, False)
        self.watch(running.pid, running.started)
        self._publish(NEVER if self._boot_left(running) is not None else health.SERVING)

    @action(timeout=90)
    def stop(self) -> None:
        """Gone when this returns."""
        running = self.find_process()
        if running:
            self.quiet(running.pid, running.started)
            silent = self.is_silent(running)
            remaining = self.deadline.remaining()
            if not silent:
                from backstay.services.rabbitmq import drain

                drain.leave(self, self.deadline.within(min(self.drain, remaining / 3)))
            timeout = self.invocation.timeout or 90
            patience = max(0.0, 1 - _KILL_AT * timeout / max(self.deadline.remaining(), 0.1))
            running.end(self.deadline, gently=not silent, patience=patience)
        self.state.remove("promoted")
        self.state.remove("process")

    @action(timeout=20, interval=3, role=Role.PROMOTED)
    @action(timeout=20, interval=5, role=Role.UNPROMOTED)
    @action(timeout=30, interval=61, role=Role.PROMOTED, depth=10)
    @action(timeout=30, interval=60, role=Role.UNPROMOTED, depth=10)
    def monitor(self) -> ExitCode:
        running = self.find_process()
        if running is None:
            return ExitCode.NOT_RUNNING
        promoted = self.is_promoted(running) or self._noted_again(running)
        if promoted and self.invocation.role in ("Unpromoted", "Slave"):
            # After reload-agent Pacemaker 2.1 takes a promoted instance for unpromoted, and promotes one anew.
            self.demote()
            promoted = False
        if self.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        if self.me in self.removed_nodes():
            raise Removed(f"{self.me} is named in removed: its broker leaves the cluster")
        if self.is_silent(running):
            # Found a moment ago, by the watcher or a monitor. Asking again would keep what ends this broker waiting.
            raise AgentError(f"process {running.pid} lives and answers nothing")
        if self.invocation.check_level < _DEEP and self._rests(running, promoted):
            self.watch(running.pid, running.started)
            return self.alive(promoted)
        notes: list[str] = []
        verdict, calm = self._examine(running, promoted, notes)
        if verdict.outcome in (health.FAILED, health.HUNG):
            if verdict.outcome == health.HUNG:
                self.state.write("silent", running.identity)
            self._publish(verdict.score)
            raise AgentError(verdict.reason)
        self.watch(running.pid, running.started)
        told = self._publish(verdict.score)
        if self.invocation.check_level < _DEEP or not promoted:  # else its duties were others
            self._note(running, promoted, calm if told else "")
        if verdict.reason:
            notes.insert(0, verdict.reason)
        return self.alive(promoted, "; ".join(notes))

    @action(timeout=30)
    def promote(self) -> None:
        """Take the lease. Nothing that a client could notice."""
        from backstay.services.rabbitmq import broker, coordinator, deep_check

        running = self.running()
        if self.is_promoted(running):
            return
        self.state.remove("partition")  # of an earlier lease
        if broker.greets(self.listener, self.deadline.within(self.probe_timeout), notes=[]) != ANSWERS:
            raise AgentError("not promoted: this broker does not answer AMQP")
        try:
            with self.connect(self.deadline) as node:
                dialect = broker.dialect_of(node)
                coordinator.look_for_lost(self, node, dialect)  # no monitor does while this is under way
                coordinator.attend(self, node, dialect, deep_check.account(self))
        except (Misconfigured, health.Stray):
            raise
        except AgentError as error:
            # Pacemaker would answer a failure by restarting a broker that serves; each monitor has the same duties.
            self.log.warning(f"left to the first monitor: {error}")
        self.state.write("promoted", running.identity)

    @action(timeout=20)
    def demote(self) -> None:
        """Give up the lease; the broker goes on."""
        self.state.remove("promoted", must=True)

    @action(timeout=20)
    def notify(self) -> None:
        """After an instance has ended elsewhere, by itself or by fencing: have our broker take it for dead at once. The
        notification of that is lost when anything aborts its transition, so those of other roles look, too. None waits for
        anything: a coordinator under load does one thing at a time, and the fencing may come after this."""
        from backstay.services.rabbitmq import coordinator

        kind = self.invocation.environ.get("OCF_RESKEY_CRM_meta_notify_type", "")
        operation = self.invocation.environ.get("OCF_RESKEY_CRM_meta_notify_operation", "")
        if self.find_process() is None:
            return
        if (kind, operation) == ("post", "stop"):
            ended = self.invocation.environ.get("OCF_RESKEY_CRM_meta_notify_stop_uname", "").split()
            coordinator.let_go(self, [node for node in ended if node != self.me])
        elif operation != "start":
            coordinator.let_go(self, sorted(self.nodes_down()))

    @action(timeout=10)
    def reload_agent(self) -> None:
        """Reloadable parameters are read afresh by each action: there is nothing to do."""

    # -- what the parts of this agent share ---------------------------------------------------------------------------

    @property
    def state(self) -> Files:
        """process: the broker's identity. promoted: that of the broker that has the lease. unanswered: identity, how many
        monitors in a row had no greeting. unserved: identity, dated when that began. booting: identity of a broker whose start
        did not wait for it, and when it must serve (CLOCK_MONOTONIC, seconds); until it does. silent: identity of a broker that
        was found so, and failed. partition: from whom, dated when that began. short: queues that are short of copies, and what
        was tried (copies.py). account: identity, and the account with which a monitor logs in. facts: our copy of the record.
        Others: belonging, watch, rest."""
        return self.files()

    @property
    def me(self) -> str:
        return self.pacemaker.node()

    def nodes_down(self) -> "frozenset[str]":
        """Nodes out of the cluster whose broker is known to have ended: fenced, or stopped before they left. One that left in
        maintenance runs it on. Raises AgentError."""
        overview = self.pacemaker.overview(ends=True)
        down = overview.offline if overview and overview.fencing else ()
        return frozenset(node for node in down if overview and overview.surely_inactive(node))

    @property
    def erlang_name(self) -> str:
        """The broker's node name."""
        name = str(self.node_name).replace("{node}", self.me) if self.node_name else ""
        return name or f"rabbit@{os.uname().nodename.partition('.')[0]}"

    @property
    def listener(self) -> "Listener":
        """Where the agent asks its broker over AMQP."""
        from backstay.services.rabbitmq.amqp import Listener

        if self.tls_port:
            return Listener(self.tls_port, self.tls_ca, self.erlang_name.partition("@")[2])
        return Listener(self.port)

    def layout(self) -> "Layout":
        from backstay.services.rabbitmq import launch

        return launch.Layout(
            server=launch.find_server(self.server),
            node=self.erlang_name,
            config=self.config,
            base=self.data_directory,
            logs=self.log_directory,
            user=self.user,
            cookie_file=self.cookie_file,
            listener=self.listener,
            settings=f"{self.state_directory()}.conf.d",
        )

    def facts(self) -> "Facts":
        """The durable record. Raises AgentError when it cannot be read."""
        from backstay.services.rabbitmq.record import Facts, MalformedFacts

        try:
            return Facts.parse(self.pacemaker.facts())
        except MalformedFacts as error:
            raise AgentError(str(error)) from None

    def record(self, facts: "Facts") -> None:
        self.log.notice(f"recording {facts}")
        self.pacemaker.set_facts(str(facts))
        self.state.write("facts", str(facts))

    def read_cookie(self) -> str:
        """What the broker was started with: the file, once it is there. Raises AgentError."""
        from backstay.services.rabbitmq import cookie

        secret = cookie.read(self.cookie_file)
        if secret not in self.log.secrets:
            self.log.secrets.append(secret)
        return secret

    def connect(self, deadline: "Deadline") -> "Node":
        """The local broker's Erlang node. Raises NodeDown, NodeSilent, WrongCookie."""
        from backstay.services.rabbitmq import broker

        return broker.connect(self.erlang_name, self.read_cookie(), deadline, f"backstay-{self.invocation.action}")

    def find_process(self) -> "Process | None":
        directory = os.path.join(self.data_directory, self.erlang_name)
        return process.find(self.state.read("process"), self.erlang_name, directory)

    def running(self) -> Process:
        found = self.find_process()
        if found is None:
            raise AgentError("the broker does not run")
        return found

    def is_promoted(self, running: Process) -> bool:
        return self.state.read("promoted") == running.identity

    def is_silent(self, running: Process) -> bool:
        """Whether this very broker was just found not to answer: stop need not find out again."""
        return self.state.age("silent") < _RECENT and self.state.read("silent") == running.identity

    def prober(self) -> "Prober":
        from backstay.services.rabbitmq.prober import RabbitmqProber

        return RabbitmqProber(self)

    def patience(self) -> float:
        return float(self.probe_timeout * self.silences)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _examine(self, running: Process, promoted: bool, notes: "list[str]") -> "tuple[health.Verdict, str]":
        """Look, judge, and do the duties; the verdict, and what is calm. What else is to be said goes into `notes`."""
        from backstay.services.rabbitmq import broker, coordinator, deep_check

        calm = ""
        greeted, account = deep_check.greeting(self, deep_check.known_account(self, running), notes)
        seen = Seen(greeted)
        boot = self._boot_left(running)
        # While it boots nothing depends on what else it says, and the cluster may wait for this monitor.
        patience = self.probe_timeout / (2 if boot is None or greeted == ANSWERS else 6)
        try:
            if greeted == SILENT:
                raise AgentError("the broker does not answer AMQP")
            with self.connect(self.deadline.within(patience)) as node:
                dialect = broker.dialect_of(node)
                connected = dialect.connected(node)
                all_there = coordinator.look_for_lost(self, node, dialect, connected)
                seen = broker.look(node, dialect, greeted)
                if greeted == ANSWERS:
                    coordinator.compare(self, running, seen.members)
                    account = account or deep_check.learn_account(self, node, dialect, running)
                    notes += self._duties(node, dialect, seen, account if promoted else None)
                    if all_there and not notes:
                        calm = health.calm(seen, connected)
        except (health.Restart, health.Stray):
            raise
        except AgentError as error:
            # AMQP alone decides whether the broker serves: what else we cannot learn is unknown.
            self.log.info(f"not asked over Erlang's protocol: {error}")
            # One that is merely late is busy: a changed result would abort what the cluster is doing.
            if greeted == ANSWERS and seen.app == UNKNOWN and not isinstance(error, TimedOut):
                notes.append(f"membership and alarms are unknown: {error}")
        in_a_row, since = self._count(running, greeted)
        if greeted == ANSWERS and boot is not None:
            self.state.remove("booting")
        return health.judge(seen, in_a_row, self.silences, since, self.partition_grace, boot), calm

    def _rests(self, running: Process, promoted: bool) -> bool:
        """Whether the watcher sees, right now, what the last look found, in the same membership of the cluster."""
        from backstay.cluster import ring
        from backstay.watch import reuse

        settled = ring.settled(self.state)
        every = reuse.LOOK_EVERY if promoted else _LOOK_EVERY
        return bool(settled) and reuse.rests(self, running, f"{promoted} {settled}", every)

    def _note(self, running: Process, promoted: bool, calm: str) -> None:
        """For the next monitors. A membership that changed while we looked has not settled."""
        from backstay.cluster import ring
        from backstay.watch import reuse

        settled = ring.settled(self.state)
        reuse.note(self, running, calm if settled else "", f"{promoted} {settled}")

    def _duties(self, node: "Node", dialect: "Dialect", seen: Seen, account: "Account | None") -> "list[str]":
        """account: the probe's, on the promoted node."""
        node.deadline = self.deadline.within(self.probe_timeout)
        said: list[str] = []
        if self.invocation.check_level >= _DEEP:
            from backstay.services.rabbitmq import deep_check

            said += deep_check.findings(self, node, dialect, seen)
            if account:
                from backstay.services.rabbitmq import mirrors

                said += mirrors.attend(self, node, dialect, seen)
        elif account:
            from backstay.services.rabbitmq import coordinator

            said += coordinator.attend(self, node, dialect, account, seen)
        return said

    def mirroring(self, dialect: "Dialect") -> "Mirroring":
        """What the parameters ask for. Raises Misconfigured where this RabbitMQ cannot do it."""
        from backstay.services.rabbitmq.dialects.base import Mirroring

        vhosts = tuple(name.strip() for name in str(self.ha_vhosts or "").split(",") if name.strip())
        return Mirroring(
            dialect.default_mirroring(self.ha_mode or ""), self.ha_params, self.ha_pattern, vhosts, self.probe_vhost
        )

    def removed_nodes(self) -> "list[str]":
        return [name.strip() for name in str(self.removed or "").split(",") if name.strip()]

    def _noted_again(self, running: Process) -> bool:
        """A promoted instance whose note is gone, not outdated: /run was wiped. The lease is whose Pacemaker says it is, and to
        deny it would have the broker restarted."""
        if (
            self.invocation.is_probe
            or self.invocation.role not in ("Promoted", "Master")
            or self.state.read("promoted")
        ):
            return False
        self.log.warning("the note of the promotion is gone: written again")
        self.state.write("promoted", running.identity)
        return True

    def _count(self, running: Process, greeted: str) -> "tuple[int, float]":
        """Monitors in a row without a greeting, this one included, and the seconds since the first."""
        if greeted == ANSWERS:
            self.state.remove("unanswered")
            self.state.remove("unserved")
            return 0, 0.0
        lasted = self.state.lasting("unserved", running.identity)
        fields = self.state.read("unanswered").split()
        count = int(fields[1]) if len(fields) == 2 and fields[0] == running.identity else 0
        self.state.write("unanswered", f"{running.identity} {count + 1}")
        if self.unwritten:
            return max(count + 1, self.silences), lasted  # nobody would count on
        return count + 1, lasted

    def _boot_left(self, running: Process) -> "float | None":
        """Seconds that are left to a broker whose start did not wait until it served; None when it is no such one, or has
        served since."""
        import time

        identity, _, until = self.state.read("booting").partition(" ")
        return float(until) - time.monotonic() if identity == running.identity else None

    def _publish(self, score: "int | str") -> bool:
        """Whether the cluster knows. One that takes no score for a moment must not cost a broker that serves."""
        try:
            self.pacemaker.set_promotion_score(score)
            return True
        except AgentError as error:
            self.log.warning(f"promotion score not set, the next monitor tries again: {error}")
            return False

    def check_host(self) -> None:
        from backstay.services.rabbitmq import doctor

        self.fail_on(doctor.findings(self))


class Removed(AgentError):
    """This node leaves the cluster for good (hard error: Pacemaker stops the broker and starts it here no more)."""

    code = ExitCode.ERR_ARGS


AGENT = Rabbitmq
