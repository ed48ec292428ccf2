"""ocf:backstay:mysql: what Pacemaker calls. Looks, asks a pure module what it means, and has it done.

Flow of an action: agents/mysql → backstay.agent.dispatch.run → a method here → replica.py, primary.py or promotion.py.
"""

from backstay.host.deadline import Deadline
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, TimedOut
from backstay.ocf.parameters import action
from backstay.services.mysql import process
from backstay.services.mysql.parameters import MysqlParameters
from backstay.services.mysql.server import Server, ServerBusy, ServerDown, ServerRefused, ServerSilent
from backstay.services.mysql.state import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.daemon import Layout
    from backstay.services.mysql.dialects.base import Dialect, Source
    from backstay.services.mysql.record import Facts
    from backstay.watch.client import Prober

_SILENT_FOR = 20.0  # seconds for which a monitor's finding of silence spares demote and stop their own


class Mysql(MysqlParameters):
    # -- actions ------------------------------------------------------------------------------------------------------

    @action(timeout=120)
    def start(self) -> None:
        """Up, read-only, nothing replicating; what was received before is kept. The first monitor joins it to the set."""
        from backstay.services.mysql import accounts, daemon

        running = self.find_process()
        if running:
            if self._greets(self.deadline.within(self.probe_timeout)):
                if self._adopt(running):
                    return
            else:
                self.log.warning(f"killing process {running.pid}, a server that does not answer")
                self.quiet(running.pid, running.started)
                running.end(self.deadline, gently=False)
        layout = self.layout()
        dialect = daemon.dialect_of(layout.binary)
        daemon.prepare(layout)
        if self.rebuild == "auto":
            from backstay.services.mysql import rebuild

            rebuild.install(self)
        virgin = daemon.is_virgin(layout.datadir)
        if virgin:
            if not self.initialize:
                raise AgentError(f"{layout.datadir} holds no database: set initialize=true, or restore a backup there")
            daemon.initialize(layout, dialect, self.deadline)
        facts = self.facts()
        # A different primary was promoted since: it proved that it has all that was acknowledged. What this server
        # wrote and nobody acknowledged may go.
        discard = facts is not None and facts.primary != self.me
        if facts and discard:
            done = dialect.discard_tail(layout.datadir, daemon.binlog_index(layout), dialect.history.parse(facts.gtid))
            if done:
                self.log.notice(done)
        self.state.write("readable", "0")  # until a monitor has seen it replicate
        launched = daemon.launch(layout, dialect, facts.epoch if facts else 0, discard, self.deadline)
        with self.connect(self.deadline) as server:
            if discard:
                dialect.acknowledge(server, False)
            if virgin:
                dialect.secure(server)
                accounts.create(self, server, dialect)
                dialect.set_read_only(server, True)
                daemon.initialized(layout)
            from backstay.services.mysql import replica

            done = replica.rescue(self, server, dialect, facts)
            if done:
                self.log.notice(done)
        self.watch(launched.pid, launched.started)
        self._serve_readers(launched)

    @action(timeout=60)
    def stop(self) -> None:
        """Gone when this returns. Killed where a clean end would commit what nobody acknowledged (T17)."""
        from backstay.services.mysql.reader_check import client

        client.stop(self)
        running = self.find_process()
        if running:
            self.quiet(running.pid, running.started)
            running.end(self.deadline, gently=self._may_end_gently(running))
        self.state.remove("promoted")
        self._not_readable()
        if self.state.has("rebuild-lock"):
            from backstay.services.mysql import rebuild

            rebuild.abandon(self)

    @action(timeout=15, interval=3, role=Role.PROMOTED)
    @action(timeout=15, interval=5, role=Role.UNPROMOTED)
    def monitor(self) -> ExitCode:
        running = self.find_process()
        if running is None:
            return ExitCode.NOT_RUNNING
        facts = self.state.promoted(running.identity)
        if facts is None and not self.invocation.is_probe and not self.state.read("promoted"):
            facts = self._noted_again(running)
        promoted = bool(facts) or self.state.read("closed") == running.identity
        if self.invocation.is_probe:
            return ExitCode.RUNNING_PROMOTED if promoted else ExitCode.SUCCESS
        if not promoted and self._calm(running):
            return self._conclude(running, promoted)
        deadline = self.deadline.within(self.probe_timeout)
        try:
            with self.connect(deadline) as server:
                note = self._examine(server, facts)
        except (ServerSilent, ServerDown) as error:
            self.state.write("silent", running.identity)
            raise TimedOut(f"{error} within {self.probe_timeout:g} s, though process {running.pid} lives") from None
        except (ServerBusy, ServerRefused) as error:
            # It lives and we cannot look: unknown is not dead, and a failover would meet the same.
            return self.alive(promoted, str(error))
        return self._conclude(running, promoted, note)

    def _conclude(self, running: process.Process, promoted: bool, note: str = "") -> ExitCode:
        """The end of a monitor that found the server well: see that those beside it are there."""
        self.watch(running.pid, running.started)
        complaint = self._serve_readers(running)
        return self.alive(promoted, note or complaint)

    @action(timeout=60)
    def promote(self) -> None:
        from backstay.services.mysql import promotion

        running = self.running()
        if self.state.promoted(running.identity):
            return
        with self.connect(self.deadline) as server:
            promotion.promote(self, server, running)

    @action(timeout=30)
    def demote(self) -> None:
        """Read-only when this returns, with nothing waiting that could still be committed; or dead."""
        running = self.find_process()
        self.state.remove("closed")
        if running is None:
            self.state.remove("promoted")
            return
        budget = self.deadline.within(min(10.0, self.deadline.remaining() * 0.6))
        try:
            if self._silent(running):
                raise ServerSilent("found silent by the monitor")
            with self.connect(budget.within(1.5)) as server:
                from backstay.services.mysql import primary

                primary.step_down(self, server.within(budget))
        except AgentError as error:
            # A clean end would commit what nobody acknowledged, and a hung server may wake and acknowledge.
            self.log.warning(f"demote kills process {running.pid}: {error}")
            self.quiet(running.pid, running.started)
            running.end(self.deadline, gently=False)
        # A mark of a process that is gone says nothing.
        self.state.remove("promoted", must=running.alive())

    @action(timeout=10)
    def reload_agent(self) -> None:
        """Reloadable parameters are read afresh by each action; the watcher has to be begun anew with them. What else a change
        asks for, the monitors do: Pacemaker repeats those at once on every node, while an instance whose last action was a
        demote gets no reload (2.1.5 and 3.0: only a start, a promote or a probe is compared with the parameters)."""
        running = self.find_process()
        if running:
            self.watch(running.pid, running.started, anew=True)

    # -- what the parts of this agent share ---------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Made on first use: meta-data runs without any rights."""
        return State(self.state_directory(), self.complaints)

    @property
    def me(self) -> str:
        return self.pacemaker.node()

    @property
    def number(self) -> int:
        """This node's among the servers, 0 when neither the admin nor the cluster says it."""
        return int(self.server_id or self.invocation.node_id)

    def facts(self) -> "Facts | None":
        """The durable record. Raises AgentError when it cannot be read: without it nothing may be promised."""
        from backstay.services.mysql.record import Facts, MalformedFacts

        try:
            return Facts.parse(self.pacemaker.facts())
        except MalformedFacts as error:
            raise AgentError(str(error)) from None

    def record(self, running: process.Process, facts: "Facts") -> None:
        """Write the durable record, then our copy of it."""
        self.log.notice(f"recording {facts}")
        self.pacemaker.set_facts(str(facts))
        self.state.set_promoted(running.identity, facts)

    def passwords(self) -> str:
        """Tells whether the accounts' passwords changed. Kept where only root reads, who can read the passwords as well."""
        import zlib

        return f"{zlib.crc32(f'{self.monitor_password} {self.replication_password}'.encode()):x}"

    def connect(self, deadline: Deadline) -> Server:
        """The local server, as the administrative account."""
        return Server("the local server", deadline, self.agent_user, self.agent_password, socket=self.socket)

    def connect_peer(
        self, node: str, dialect: "Dialect", seconds: float, account: "tuple[str, str] | None" = None
    ) -> Server:
        """Another node's server, as the monitor account unless told otherwise."""
        return self.server_on(node, dialect, self.deadline.within(seconds), account)

    def server_on(
        self, host: str, dialect: "Dialect", deadline: Deadline, account: "tuple[str, str] | None" = None
    ) -> Server:
        """The server on a host, by a deadline that need not be the action's."""
        user, password = account or (self.monitor_user, self.monitor_password)
        return Server(
            f"the server on {host}",
            deadline,
            user,
            password,
            host=host,
            port=self.port,
            tls={"ca": self.tls_ca} if self.tls_ca else dialect.unverified_tls,
        )

    def source(self, host: str) -> "Source":
        from backstay.services.mysql.dialects.base import Source

        return Source(host, self.port, self.replication_user, self.replication_password, self.tls_ca)

    def dialect(self, server: Server) -> "Dialect":
        from backstay.services.mysql.dialects.base import dialect_for

        row = server.one("SELECT CONCAT(@@version, ' ', @@version_comment) AS banner")
        return dialect_for(str(row["banner"]))

    def layout(self) -> "Layout":
        from backstay.services.mysql import daemon

        return daemon.Layout(
            binary=daemon.find_binary(self.binary),
            config=daemon.find_config(self.config),
            datadir=self.datadir,
            socket=self.socket,
            pid_file=self.pid_file,
            log_error=self.log_error,
            user=self.user,
            port=self.port,
            node=self.me,
            server_id=self.number,
        )

    def find_process(self) -> "process.Process | None":
        return process.find(self.pid_file, self.datadir)

    def running(self) -> process.Process:
        found = self.find_process()
        if found is None:
            raise AgentError("the server does not run")
        return found

    def _serve_readers(self, running: process.Process) -> str:
        """See that load balancers get their answers; what is in the way, "" for nothing."""
        if not self.reader_check_port and not self.state.read("reader"):
            return ""
        from backstay.services.mysql.reader_check import client

        try:
            return client.ensure(self, running)
        except (AgentError, OSError) as error:  # reads go elsewhere; that is no failure of the server
            return f"no answer to load balancers: {error}"

    def prober(self) -> "Prober":
        from backstay.services.mysql.prober import MysqlProber

        return MysqlProber(self)

    def patience(self) -> float:
        return float(self.probe_timeout)

    def watched_address(self) -> str:
        return str(self.writer_address)

    def address_moved(self) -> None:
        """See `address.follow`."""
        from backstay.services.mysql import repoint

        repoint.follow(self)

    # -- inside -------------------------------------------------------------------------------------------------------

    def _examine(self, server: Server, facts: "Facts | None") -> str:
        """Look, do the next duty, publish; what is wrong, "" when nothing is."""
        dialect = self.dialect(server)
        seen = dialect.observe(server)
        flaw = ""
        if seen.lacks or not seen.started_as(self.me, self.number):
            from backstay.services.mysql import suited

            flaw = suited.flaw(self, server, dialect, seen)
        if facts:
            from backstay.services.mysql import primary

            return primary.attend(self, server, dialect, seen, facts) or flaw
        if flaw and self.state.read("closed") != self.running().identity:
            suited.forbid(self, server, dialect, seen)
            return flaw
        from backstay.services.mysql import replica

        if self.state.read("closed") == self.running().identity:
            return replica.wait_for_demotion(self)
        return replica.attend(self, server, dialect, seen)

    def _not_readable(self) -> None:
        """Whoever places readers by the attribute must not meet a stopped server. The promotion score stays: a change of it
        would cost the failover a transition, while this one falls into the time of the promotion."""
        if not self.state.read("readable"):
            return  # nothing was ever published
        try:
            self.state.write("readable", "0")
            self.pacemaker.set_attribute(f"{self.invocation.resource}-readable", "0")
        except (AgentError, OSError) as error:
            self.log.warning(f"still shown as readable: {error}")

    def _greets(self, deadline: Deadline) -> bool:
        from backstay.services.mysql.server import answers

        return answers(self.socket, deadline.remaining())

    def _calm(self, running: process.Process) -> bool:
        """Whether the watcher sees, right now, that a look would find this replica as the last one did."""
        from backstay.services.mysql import tls_check
        from backstay.watch import reuse

        if not reuse.rests(self, running):
            return False
        if self.state.read("passwords") != self.passwords():
            return False
        if self.tls_ca and tls_check.due(self, running.identity):
            return False
        return self.state.read("readable") == "1"  # unless the reader check took it away: the cluster has to be told

    def _noted_again(self, running: process.Process) -> "Facts | None":
        if self.invocation.role not in ("Promoted", "Master"):
            return None
        from backstay.services.mysql import primary

        return primary.noted_again(self, running)

    def _silent(self, running: process.Process) -> bool:
        """Whether a recent monitor found this very process silent."""
        return self.state.age("silent") < _SILENT_FOR and self.state.read("silent") == running.identity

    def _adopt(self, running: process.Process) -> bool:
        """Take over a server that runs already: read-only, unless it is the primary that we promoted. False where it lacks
        what our promises rest on: then it was ended."""
        self.state.remove("closed")
        if not self.state.promoted(running.identity):
            with self.connect(self.deadline) as server:
                from backstay.services.mysql import suited

                dialect = self.dialect(server)
                seen = dialect.observe(server)
                flaw = suited.flaw(self, server, dialect, seen)
                if flaw:
                    self.log.warning(f"ending process {running.pid}: {flaw}")
                    suited.end(self, running, server, dialect, seen)
                    return False
                dialect.set_read_only(server, True)
        self.watch(running.pid, running.started)
        self._serve_readers(running)
        return True

    def _may_end_gently(self, running: process.Process) -> bool:
        """A replica may. A primary only when no commit waits for an acknowledgement, and we know it."""
        # Without any note, as when /run was wiped, it may be a primary.
        if self.state.read("readable") and not self.state.promoted(running.identity):
            return not self._silent(running)
        try:
            with self.connect(self.deadline.within(2)) as server:
                return not self.dialect(server).observe(server).acks.waiting
        except AgentError as error:
            self.log.warning(f"stop kills process {running.pid}: {error}")
            return False

    def check_host(self) -> None:
        from backstay.services.mysql import doctor

        self.fail_on(doctor.findings(self))


AGENT = Mysql
