"""Three real servers that do what the explorer's model says they do: `python3 -m backstay_lab.explorer.mysql.real`, in a chamber.

A schedule is drawn from the model's own events, by a seed. Each is done on real MariaDB servers with the agents' code: the steps
of a protocol by the agent's verbs, a start and a join by its functions. After each both must agree on who has which row, what a
verb answered, who is open, who waits, acknowledges and follows whom, and on which commits a client heard yes.

The cluster is the model's: nothing here is about Pacemaker. Verbs that ask it are answered as in the model; the record is in a
CIB, where the agent writes it.
"""

from __future__ import annotations

import os
import random
import shutil
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.host.command import run
from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.ocf.invocation import Invocation
from backstay.ocf.steps import FAILED, UNKNOWN, End, Steps
from backstay.services.mysql import duty_steps, primary, process, promotion, promotion_steps, replica
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.dialects.base import FOREVER as WAIT_FOREVER
from backstay.services.mysql.dialects.base import NOMINAL
from backstay.services.mysql.gtid import MariadbHistory
from backstay.services.mysql.next_step import Step
from backstay.services.mysql.rescue import rescue
from backstay.services.mysql.state import DOUBT, write_mark
from backstay_lab.explorer.mysql import world as model
from backstay_lab.explorer.mysql.gate import Gate, until
from backstay_lab.explorer.mysql.values import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from backstay.services.mysql.server import Server
    from backstay_lab.explorer.mysql.world import Mysql

    T = TypeVar("T")

BASE = "/tmp/real"  # noqa: S108 - of a chamber
AGREE = 10.0  # seconds for a step to be seen
BOOT = 60.0
SIZES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("kill", "cut", "abort", "leave", "record-", "pause-", "halt", "restart", "mute-", "close:"), 0.5),
    (("begin:", "review:", "apply", "connect"), 1.0),
    (("commit", "receive", "back", "start"), 2.0),
)  # how often an event is drawn, by the beginning of its name; 6 for any other
CIB = "CIB_file"  # where Pacemaker's programs look at a file instead of a cluster
FORGETS = 0.75  # how often it gets so far as to forget its source
TABLE = "d.t"
# Verbs about the cluster, which is the model's.
_CLUSTER = frozenset(
    ("members", "absent", "end_of", "pause", "overview", "absent_for", "tell", "reviewed", "distrusted")
)
# Of those that ask: asked again until they answer as in the model, since a server takes a moment to see who came and went.
_ASKING = frozenset(("ask", "which_have", "any_has", "one_keeps_up", "look", "drain", "fetch"))
_SAME = ("ask", "which_have", "any_has", "one_keeps_up", "look", "fetch")  # whose answers are compared


class Disagreement(Exception):
    """The model says otherwise than the servers."""


class LeftOpen(Exception):
    """The servers are ahead of the model, as they may be, and so a verb had another answer than there: the schedule ends."""


class Commit(NamedTuple):
    """A client's. heard: yes."""

    node: int
    heard: threading.Event
    gtid: list[str]


class Node:
    """One server, with what its agent is doing."""

    def __init__(self, number: int, agent: Callable[[Invocation], Any]) -> None:
        self._agent = agent
        self.number = number
        self.name = f"n{number + 1}"
        self.address = f"127.0.0.{number + 1}"
        self.directory = f"{BASE}/{self.name}"
        self.gate = Gate(f"127.0.1.{number + 1}")
        self.steps: Steps | None = None
        self.verbs: Any = None
        self.held: Server | None = None  # the session whose lock holds the applier up
        os.makedirs(self.directory, exist_ok=True)
        self.config = f"{self.directory}/set.cnf"
        with open(self.config, "w", encoding="ascii") as config:
            config.write(
                f"[mysqld]\nskip-name-resolve\nbind-address={self.address}\ninnodb_log_file_size=8M\n"
                "innodb_buffer_pool_size=16M\n"
            )

    @property
    def doing(self) -> Steps:
        return _known(self.steps)

    def agent(self, action: str) -> Any:
        """For one call of the action."""
        return self._agent(self._invocation(action))

    def _invocation(self, action: str) -> Invocation:
        reskey = {
            "config": self.config,
            "datadir": f"{self.directory}/data",
            "socket": f"{self.directory}/run/sock",
            "pid_file": f"{self.directory}/run/pid",
            "monitor_password": "m0n",
            "replication_password": "r3p",
            "initialize": "true",
            "server_id": str(self.number + 1),
            "writer_address": f"127.0.1.{self.number + 1}",
            "CRM_meta_on_node": self.name,
            "CRM_meta_timeout": str(int(BOOT * 1000)),
        }
        environ = {**os.environ, **{f"OCF_RESKEY_{name}": value for name, value in reskey.items()}}
        environ.update(OCF_RESOURCE_INSTANCE="db", BACKSTAY_RUN=f"{self.directory}/notes")
        return Invocation(action, environ)

    def context(self) -> MysqlContext:
        return MysqlContext(self._invocation("monitor"))

    def server(self, seconds: float = 30.0) -> Server:
        return self.context().servers.here(Deadline(seconds))

    def hold(self) -> None:
        """From now on it receives and does not apply."""
        if self.held is None:
            self.held = self.server(10_000.0)
            self.held.query(f"LOCK TABLES {TABLE} READ")

    def let_go(self) -> None:
        if self.held is not None:
            try:
                self.held.close()
            finally:
                self.held = None

    def kill(self) -> None:
        self.steps, self.held = None, None
        running = process.found(self.context().parameters)
        if running:
            running.end(Deadline(10), gently=False)


class Real:
    """The servers, beside a model in the same state."""

    def __init__(self, world: Mysql, seed: int, agent: Callable[[Invocation], Any]) -> None:
        """agent: makes the agent's actions, without its watcher: what that does is no event of the model."""
        self.world = world
        self.state = world.begin()
        self.chance = random.Random(seed)  # noqa: S311 - the same each time
        self.nodes = [Node(number, agent) for number in range(len(world.names))]
        self.dialect: Any = None
        self.commits: list[Commit] = []
        self.forgiven = 0  # rows of which a client heard, and that count no more
        self.unsure = 0  # rows of which no client need have heard, though the model counts them as acknowledged
        os.environ[CIB] = f"{BASE}/cib.xml"

    # -- the beginning ----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        with open(os.environ[CIB], "w", encoding="utf-8") as cib:
            cib.write(run(["cibadmin", "--empty"], timeout=10).out)
        _template(self.nodes[0])
        record = self.world.recorded(self.state)
        self.nodes[0].context().pacemaker.set_facts(str(record))
        for node in self.nodes:
            shutil.copytree(f"{BASE}/template", f"{node.directory}/data", copy_function=shutil.copy2)
            run(["chown", "-R", "mysql:", f"{node.directory}/data"], timeout=10)
        threads = [threading.Thread(target=self._start, args=(node,)) for node in self.nodes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        first = self.nodes[0]
        with first.server() as server:
            self.dialect = first.context().servers.dialect(server)
            running = process.running(first.context().parameters)
            first.context().state.set_promoted(running.identity, record)
            self.dialect.wait_for_acks(server, NOMINAL if record.solo else WAIT_FOREVER)
            self.dialect.set_read_only(server, False)
        for node, server_state in zip(self.nodes, self.state[model.SERVERS]):
            if node is not first:
                self._join(node, bool(server_state[model.SOURCE]), bool(server_state[model.GIVES]))
        self.compare("the beginning")

    def end(self) -> None:
        for node in self.nodes:
            node.kill()
            node.gate.close()
            shutil.rmtree(node.directory, ignore_errors=True)

    def _start(self, node: Node) -> None:
        node.agent("stop").stop()  # as Pacemaker recovers one
        node.agent("start").start()
        with node.server() as server:
            server.query("SET GLOBAL slave_net_timeout = 60")  # a transaction that is held up is no silence
            # The end of a commit stays in memory, as in the second before it is written: a kill finds it there.
            server.query("SET GLOBAL innodb_flush_log_at_timeout = 1000")

    def _join(self, node: Node, connected: bool, gives: bool) -> None:
        if connected:
            node.gate.lead_to(self.nodes[self._source(node)].address)
        node.let_go()
        with node.server() as server:
            replica.join(node.context(), server, self.dialect)
            if gives and not self.dialect.observe(server).acks.gives:
                # as before the beginning: it acknowledged while the primary was alone
                self.dialect.acknowledge(server, True)
                self.dialect.restart_receiver(server)
            node.hold()

    def _source(self, node: Node) -> int:
        source: int = self.state[model.SERVERS][node.number][model.SOURCE] - 1
        return source

    # -- a schedule -------------------------------------------------------------------------------------------------------

    def run(self, events: int) -> Iterator[str]:
        """So many events, or until none is left; their names."""
        for _ in range(events):
            possible = dict(self._possible())
            if not possible:
                return
            name = self._drawn(list(possible))
            yield name
            try:
                self.do(name)
            except LeftOpen:
                return

    def _possible(self) -> Iterator[tuple[str, Any]]:
        for name, after in self.world.events(self.state):
            kind, _, node = name.partition(":")
            writer = self.world.names.index(node)
            # MariaDB takes no third group of commits while two wait: docs/decisions/0024
            unheard = [one for one in self.commits if one.node == writer and not one.heard.is_set()]
            if kind == "commit" and len(unheard) > 1:
                continue
            yield name, after

    def _drawn(self, names: list[str]) -> str:
        return drawn(names, self.chance)

    def do(self, name: str) -> None:
        """One event, on the servers and in the model. Raises Disagreement."""
        kind, _, who = name.partition(":")
        node = self.nodes[self.world.names.index(who)]
        possible = dict(self.world.events(self.state))
        before, after = self.state, possible[name]
        if kind.startswith("start"):
            after = self._started(node, possible)
        else:
            self._do(node, kind, before, after)
        self.forgiven |= before[model.ACKNOWLEDGED] & ~after[model.ACKNOWLEDGED]
        newly = after[model.ACKNOWLEDGED] & ~before[model.ACKNOWLEDGED]
        if kind not in ("commit", "receive"):
            self.unsure |= newly
        self.state = after
        self._follow(before)
        self.compare(name)

    def _do(self, node: Node, kind: str, before: Any, after: Any) -> None:
        doing = before[model.SERVERS][node.number][model.STEPS]
        simple = getattr(self, f"_event_{kind.replace('-', '_')}", None)
        if simple is not None:
            simple(node, before, after)
        elif kind in ("promote", "admit", "begin", "end_solo", "review"):
            self._protocol(node, kind)
            self._on(node, after)
        elif kind == "open":
            self._verb(node, kind, before, after)
            if self.chance.random() < FORGETS:  # a process of its own does, later
                primary._forget_source(node.context())
        elif doing and kind.startswith(getattr(self.world._next(doing), "name", "-")):
            self._verb(node, kind, before, after)
        # whatever else happens to a server is done as its state says: _follow

    def _follow(self, before: Any) -> None:
        """What the state says of processes and connections."""
        for node, old, new in zip(self.nodes, before[model.SERVERS], self.state[model.SERVERS]):
            if old[model.UP] and not new[model.UP]:
                node.kill()
                for row, one in enumerate(self.commits):  # its clients hear nothing more
                    self.unsure |= (one.node == node.number and not one.heard.is_set()) << row
            if old[model.STEPS] and not new[model.STEPS]:
                node.steps = None
            if new[model.SOURCE]:
                node.gate.lead_to(self.nodes[new[model.SOURCE] - 1].address)
            elif old[model.SOURCE]:
                node.gate.cut()
            if new[model.UP] and not new[model.OPEN] and not new[model.STEPS] and new[model.RECEIVER]:
                node.hold()

    # -- events -------------------------------------------------------------------------------------------------------------

    def _event_commit(self, node: Node, before: Any, after: Any) -> None:
        number = len(self.commits)
        one = Commit(node.number, threading.Event(), [])
        with node.server() as server:
            had = self.dialect.observe(server).applied
            client = node.server(600.0)

            def write() -> None:
                try:
                    client.query(f"INSERT INTO {TABLE} VALUES ({number})")
                    one.heard.set()
                except AgentError:
                    return  # its server was killed: the client heard nothing

            threading.Thread(target=write, daemon=True).start()
            if not until(lambda: self.dialect.observe(server).applied != had, AGREE, "a commit"):
                raise Disagreement(f"{node.name} writes no row {number}")
            one.gtid.append(str(server.one("SELECT @@gtid_binlog_pos AS pos")["pos"]))
        self.commits.append(one)

    def _event_receive(self, node: Node, before: Any, after: Any) -> None:
        node.gate.let_through(1)

    def _event_connect(self, node: Node, before: Any, after: Any) -> None:
        return  # the gate opens

    def _event_apply(self, node: Node, before: Any, after: Any) -> None:
        node.let_go()
        wanted = after[model.SERVERS][node.number][model.APPLIED]
        with node.server() as server:
            if not after[model.SERVERS][node.number][model.RECEIVER]:
                rescue(node.context(), server.within(Deadline(AGREE)), self.dialect, self.world.recorded(after))
            if not until(lambda: self._mask(self.dialect.observe(server).applied) & wanted == wanted, AGREE, "it"):
                raise Disagreement(f"{node.name} does not apply what it received")

    def _event_join(self, node: Node, before: Any, after: Any) -> None:
        self._gate(node, after)
        node.let_go()
        with node.server() as server:
            replica.join(node.context(), server, self.dialect)

    def _event_acknowledge(self, node: Node, before: Any, after: Any) -> None:
        with node.server() as server:
            seen = self.dialect.observe(server)
            record = self.world.recorded(before)
            replica._carry_out(node.context(), server, self.dialect, seen, record, "", Step.ACKNOWLEDGE)

    def _event_repair(self, node: Node, before: Any, after: Any) -> None:
        forever = after[model.SERVERS][node.number][model.WAITS] == model.FOREVER
        with node.server() as server:
            self.dialect.wait_for_acks(server, WAIT_FOREVER if forever else NOMINAL)

    def _event_ask_what_is_recorded(self, node: Node, before: Any, after: Any) -> None:
        context = node.context()
        running = process.running(context.parameters)
        context.state.set_promoted(running.identity, _known(context.record.read()))
        context.state.remove(DOUBT)

    def _event_halt(self, node: Node, before: Any, after: Any) -> None:
        node.let_go()  # STOP SLAVE waits for what the applier waits for
        with node.server() as server:
            server.query("STOP SLAVE")

    def _event_restart(self, node: Node, before: Any, after: Any) -> None:
        with node.server() as server:
            rows = server.query("SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Slave_SQL'")
            server.kill([int(row["ID"]) for row in rows])  # STOP SLAVE waits for what the applier waits for
            server.query("STOP SLAVE")
            server.query("START SLAVE")

    def _event_mute_acks(self, node: Node, before: Any, after: Any) -> None:
        with node.server() as server:
            self.dialect.acknowledge(server, False)
            self.dialect.restart_receiver(server)

    def _event_close(self, node: Node, before: Any, after: Any) -> None:
        with node.server() as server:
            server.query("SET GLOBAL read_only = ON")

    def _gate(self, node: Node, after: Any) -> None:
        source = after[model.SERVERS][node.number][model.SOURCE]
        node.gate.lead_to(self.nodes[source - 1].address)

    def _started(self, node: Node, possible: dict[str, Any]) -> Any:
        """Whatever the server did, the model must know it."""
        self._start(node)
        outcomes = {
            name: after for name, after in possible.items() if name.startswith("start") and name.endswith(node.name)
        }
        with node.server() as server:
            seen = self.dialect.observe(server)
        received = self._mask(seen.received)
        for after in outcomes.values():
            if after[model.SERVERS][node.number][model.RECEIVED] == received:
                return after
        wanted = {name: Rows(after[model.SERVERS][node.number][model.RECEIVED]) for name, after in outcomes.items()}
        raise Disagreement(f"{node.name} started and has rows {Rows(received)}; the model: {wanted}")

    # -- protocols ------------------------------------------------------------------------------------------------------------

    def _protocol(self, node: Node, kind: str) -> None:
        context = node.context()
        server = context.servers.here(Deadline(600.0))
        if kind == "promote":
            node.let_go()
            node.steps = promotion_steps.promotion(node.name, False, self.world.code.promotion)
            node.verbs = promotion._Verbs(context, server, process.running(context.parameters))
            return
        table = {
            "admit": self.world.code.admission,
            "begin": self.world.code.beginning,
            "end_solo": self.world.code.end_solo,
            "review": self.world.code.review,
        }[kind]
        seen = self.dialect.observe(server)
        record = _known(context.state.promoted(process.running(context.parameters).identity))
        degrade = model.DEGRADE_AFTER if self.world.bounds.degrade else 0.0
        known = duty_steps.Duty(node.name, record, seen.applied, seen.followers - {node.name}, degrade)
        node.steps = Steps(table, known)
        node.verbs = primary._Verbs(context, server, self.dialect)

    def _verb(self, node: Node, kind: str, before: Any, after: Any) -> None:
        """The verb that the model did, then those that it does unseen."""
        steps = before[model.SERVERS][node.number][model.STEPS]
        verb: Any = self.world._next(steps)
        said = kind[len(verb.name) :]
        mine = node.doing.next()
        if isinstance(mine, End) or mine.name != verb.name:
            raise Disagreement(f"{node.name} would {mine!r}, the model {verb.name}")
        told = getattr(self.world, f"_do_{verb.name}")(before, node.number, *verb.arguments)
        answer = next(answer for event, answer, _, _ in told if event == said)
        node.steps = node.doing.told(self._answer(node, mine, answer))
        self._on(node, after)

    def _answer(self, node: Node, verb: Any, wanted: Any) -> Any:
        """What the servers say to a verb; of the cluster what the model says."""
        if verb.name in _CLUSTER:
            return wanted
        if verb.name == "record" and wanted is FAILED:
            return FAILED
        if verb.name == "read" and wanted is FAILED:
            return FAILED
        if verb.name == "fetch":
            self.nodes[self.world.names.index(verb.arguments[0])].let_go()
        method = getattr(node.verbs, verb.name)
        context = node.verbs._context
        context.begin(BOOT)
        found: list[Any] = [None]

        def same() -> bool:
            try:
                found[0] = method(Deadline(BOOT).within(verb.seconds), *verb.arguments)
            except AgentError as error:
                found[0] = FAILED
                if wanted is not FAILED:
                    raise Disagreement(f"{verb.name} fails on {node.name}: {error}") from None
            return verb.name not in _SAME or self._spelled(found[0]) == self._spelled(wanted)

        if not (until(same, 5.0, "the answer") if verb.name in _ASKING else same()):
            if any(self._ahead(node) for node in self.nodes):
                raise LeftOpen
            raise Disagreement(
                f"{verb.name} of {node.name}: the servers say {self._spelled(found[0])}, the model {self._spelled(wanted)}"
            )
        return UNKNOWN if wanted is UNKNOWN else found[0]

    def _on(self, node: Node, after: Any) -> None:
        """On to the verb before which the model stands, or to the end."""
        steps = after[model.SERVERS][node.number][model.STEPS]
        todo: Any = self.world._next(steps) if steps else None
        wanted = todo.name if todo else ""
        for _ in range(30):
            verb = node.doing.next()
            if isinstance(verb, End):
                if wanted:
                    raise Disagreement(f"{node.name} is at the end, {verb!r}; the model is before {wanted}")
                return
            if verb.name == wanted:
                return
            node.steps = node.doing.told(self._answer(node, verb, _unseen(verb)))
        raise AssertionError(f"no end of {node.steps!r}")

    # -- both are asked ------------------------------------------------------------------------------------------------------

    def _mask(self, history: Any) -> int:
        return sum(
            1 << number
            for number, one in enumerate(self.commits)
            if history.includes(MariadbHistory.parse(one.gtid[0]))
        )

    def _spelled(self, answer: Any) -> Any:
        """An answer as both spell it."""
        if isinstance(answer, MariadbHistory):
            return self._mask(answer)
        if isinstance(answer, Rows):
            return answer.mask
        if hasattr(answer, "reports"):
            return {node: self._report(one) for node, one in sorted(answer.reports.items())}
        if hasattr(answer, "able"):
            return self._spelled(answer.applied), sorted(answer.followers), answer.able
        return sorted(answer) if isinstance(answer, frozenset) else answer

    def _report(self, one: Any) -> Any:
        if one.received is None:
            return None, bool(one.why)
        return self._spelled(one.received), one.writable, one.gives, one.receives, one.parted

    def _ahead(self, node: Node) -> bool:
        """Whether a server has applied more than in the model."""
        mine = self.state[model.SERVERS][node.number]
        if not mine[model.UP] or process.found(node.context().parameters) is None:
            return False
        with node.server() as server:
            return bool(self._mask(self.dialect.observe(server).applied) & ~mine[model.APPLIED])

    def compare(self, event: str) -> None:
        """Raises Disagreement."""
        found: list[str] = []

        def agree() -> bool:
            found[:] = self._differences()
            return not found

        if not until(agree, AGREE, "both to agree"):
            raise Disagreement(f"after {event}: {'; '.join(found)}")
        for node in self.nodes:
            node.gate.let_through(0)

    def _differences(self) -> Iterator[str]:
        servers, acknowledged = self.state[model.SERVERS], self.state[model.ACKNOWLEDGED]
        for row, one in enumerate(self.commits):
            counts = bool(acknowledged >> row & 1)
            if one.heard.is_set() and not counts and not self.forgiven >> row & 1:
                yield f"a client heard of row {row}, which is not acknowledged in the model"
            if counts and not one.heard.is_set() and not self.unsure >> row & 1:
                yield f"no client heard of row {row}, which is acknowledged in the model"
        for node, mine in zip(self.nodes, servers):
            if mine[model.UP]:
                with node.server() as server:
                    yield from self._different(node, mine, self.dialect.observe(server))

    def _different(self, node: Node, mine: Any, seen: Any) -> Iterator[str]:
        received, applied = self._mask(seen.received), self._mask(seen.applied)

        def differs(what: str, theirs: object, ours: object) -> Iterator[str]:
            if theirs != ours:
                yield f"{what} of {node.name}: the server {theirs}, the model {ours}"

        said = self.world.said(self.state, node.number)
        if received & said != said or received & ~mine[model.RECEIVED]:  # it may have applied more by now
            yield f"received of {node.name}: the server {Rows(received)}, the model {Rows(said)}"
        if mine[model.APPLIED] & ~applied:
            yield f"{node.name} has not applied {Rows(mine[model.APPLIED] & ~applied)}, in the model it has"
        yield from differs("open", not seen.read_only, bool(mine[model.OPEN]))
        yield from differs("gives", seen.acks.gives, bool(mine[model.GIVES]))
        waits = model.OFF if not seen.acks.waits else (model.FOREVER if seen.acks.forever else model.NOMINALLY)
        yield from differs("waits", waits, mine[model.WAITS])
        if mine[model.OPEN]:
            followers = {
                one.name
                for one, theirs in zip(self.nodes, self.state[model.SERVERS])
                if theirs[model.SOURCE] == node.number + 1
            }
            yield from differs("followers", sorted(seen.followers - {node.name}), sorted(followers))
            return
        receiver = seen.replica.io if seen.replica else "No"
        yield from differs("receiver", receiver != "No", bool(mine[model.RECEIVER]))
        yield from differs("connected", receiver == "Yes", bool(mine[model.SOURCE]))


def _known(value: T | None) -> T:
    if value is None:
        raise Disagreement("the model knows something that the servers do not")
    return value


def _unseen(verb: Any) -> Any:
    """What the model says to a verb that it does unseen; it matters where that is about the cluster."""
    if verb.name == "absent":
        return frozenset(verb.arguments[0]) - verb.arguments[1]
    return 0.0 if verb.name == "absent_for" else model._UNSEEN.get(verb.name)


def drawn(names: list[str], chance: random.Random) -> str:
    """One of the possible events: those of an agent that does something often, faults seldom."""
    sizes = [next((size for kinds, size in SIZES if name.startswith(kinds)), 6.0) for name in names]
    return chance.choices(names, sizes)[0]


def _template(node: Node) -> None:
    """A data directory with the accounts, a table and no history."""
    if os.path.exists(f"{BASE}/template"):
        return
    node.agent("start").start()
    with node.server() as server:
        for statement in (
            "SET SESSION sql_log_bin = 0",
            "CREATE DATABASE d",
            f"CREATE TABLE {TABLE} (i INT PRIMARY KEY)",
            "CREATE DATABASE backstay",
            "RESET MASTER",
            "SET GLOBAL gtid_slave_pos = ''",
        ):
            server.query(statement)
    process.running(node.context().parameters).end(Deadline(30), gently=True)
    write_mark(f"{node.directory}/data", 1)
    os.rename(f"{node.directory}/data", f"{BASE}/template")
    shutil.rmtree(f"{node.directory}/notes")
