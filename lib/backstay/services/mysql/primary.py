"""The primary's duties at each monitor."""

from __future__ import annotations

from backstay.cluster import ring
from backstay.host.deadline import poll
from backstay.host.fork import detach
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError
from backstay.services.mysql import accounts, disk_space, process, tls_check
from backstay.services.mysql.dialects.base import FOREVER, NOMINAL
from backstay.services.mysql.health import ALONE, judge_primary, with_room
from backstay.services.mysql.next_step import Step, primary_step
from backstay.services.mysql.publish import publish
from backstay.services.mysql.server import (
    LOCKED,
    NO_SUCH_DATABASE,
    NO_SUCH_TABLE,
    ServerSilent,
    ServerUntrusted,
    StatementFailed,
)
from backstay.services.mysql.state import (
    DOUBT,
    EVENTS,
    HISTORY,
    NODES,
    READABLE,
    RECHECKED,
    REVIEWED,
    STARTED,
    UNACKNOWLEDGED,
    WAITING,
    Occupied,
    was_reset,
    write_reset,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.cluster.overview import Overview
    from backstay.host.deadline import Deadline
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.duty_steps import Look
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server

_BEAT = "REPLACE INTO backstay.heartbeat VALUES (1, NOW(6))"
# Of an earlier monitor. One that waits for a lock gives up after two seconds at most, so this one waits for the disk.
_BEATS_UNDER_WAY = (
    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND TIME >= 3"
    " AND INFO LIKE 'REPLACE INTO backstay.heartbeat%' AND STATE NOT LIKE 'Waiting for %lock%'"
)
_FOLLOWING = "CREATE DATABASE IF NOT EXISTS backstay"  # in the binary log, and harmless on any replica
_FOLLOW = 2.0  # seconds for it to be acknowledged
_DOUBTFUL = "the cluster does not say what is on record, so nothing is changed: see whether it has quorum"
_EVENTS_EVERY = 60.0  # seconds between looks at which events are disabled
_RECHECK = 30.0  # seconds between looks at the record in the cluster, which nobody else should change


class Deposed(AgentError):
    """Another was promoted since, so this server must not write."""

    code = ExitCode.FAILED_PROMOTED


class LogReset(AgentError):
    """No replica can go on from this server's binary log, so commits wait for ever; what was acknowledged is with a replica."""

    code = ExitCode.FAILED_PROMOTED


def attend(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> str:
    """Do the next step and publish; what is wrong, "" when nothing is."""
    known = _on_record(context, server, dialect, record)
    record = known or record
    if seen.read_only:
        raise AgentError("the primary is read-only: someone or something set it so; promote again to open it")
    reset = _reset(context, dialect, seen, record)
    verdict = with_room(judge_primary(seen), *disk_space.least_free_space(server, context.parameters.datadir))
    if verdict.state:
        # A commit waits for room: demote need not wait for it.
        from backstay.watch.notes import SILENT

        context.state.write(SILENT, process.running(context.parameters).identity)
        publish(context, verdict.score, verdict.readable)
        return verdict.state
    # Whoever holds a lock will let go, as a backup does, and another primary would not be there sooner. Duties go on: a lock on
    # one table alone stops no commit, and a replica may be lost meanwhile.
    locked = "" if _beat(server) else _locked(dialect.lock_holders(server))
    note, locked = _write(context, server, dialect, seen, record, locked)
    stranger = ""
    if _some_are_no_nodes(context, seen, record):
        from backstay.services.mysql import strangers

        seen, stranger = strangers.sort_out(context, dialect, seen, record)
    if known is None:
        note = _DOUBTFUL
    elif not reset:  # else a replica of the old history would seem to have all
        note = _go_on(context, server, dialect, seen, record) or note
    identity = process.running(context.parameters).identity
    if tls_check.due(context, identity):
        note = note or tls_check.tls_problem(context, dialect, identity, (context.servers.me,))
    now = context.state.promoted(identity) or record
    if now.solo and not note:
        note = f"{ALONE}: no replica acknowledges"
    publish(context, verdict.score, verdict.readable)
    pending = context.parameters.pending(context.state.read(STARTED))
    return "; ".join(filter(None, [reset, locked, stranger, note, pending]))


def _write(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record, locked: str
) -> tuple[str, str]:
    """Write what a monitor of the primary writes: accounts, new passwords, events. What the admin should know of it, and who
    holds a lock that it met; "" for nothing. locked: what is known of that already."""
    try:
        accounts.ensure(context, server, dialect, seen, record)
        note = accounts.follow_passwords(context, server, dialect)
        return note or _have_events_run(context, server, dialect, seen, record), locked
    except StatementFailed as error:
        if error.number not in LOCKED:
            raise
        return "", locked or _locked(dialect.lock_holders(server))  # it came since the beat


def _go_on(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> str:
    """Do the step that is due; what the admin should know of it, "" for nothing."""
    settled = bool(context.state.read(REVIEWED)) and context.state.read(REVIEWED) == ring.settled(context.state)
    step = primary_step(seen, record, context.state.age(REVIEWED), settled)
    if step is Step.NOTHING:
        return ""
    try:
        return _carry_out(context, server, dialect, seen, record, step)
    except AgentError as error:
        return f"{step.value}: {error}"


def _have_events_run(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> str:
    this = f"{process.running(context.parameters).identity}/{record.epoch}"
    told, _, note = context.state.read(EVENTS).partition(" ")
    if told not in (this, f"{this}?"):
        context.state.write(EVENTS, f"{this}?")
        return ""  # the monitor beside the address's start starts no program for it
    if told == this and context.state.age(EVENTS) < _EVENTS_EVERY:
        return note
    if not record.solo and not (seen.acks.clients and not seen.acks.waiting):
        return note  # what is written would wait
    from backstay.services.mysql import events

    note = events.run(context, server, dialect, told != this)
    context.state.write(EVENTS, f"{this} {note}")
    return note


def _reset(context: MysqlContext, dialect: Dialect, seen: Observed, record: Record) -> str:
    """What the admin should know of a binary log that somebody reset, "" where nobody did. Raises LogReset.

    The numbers begin anew, so a replica has them already: it would take other transactions for those that it has, and one that
    connects again once the numbers have passed its own would miss all before. Another primary goes on with the old history."""
    datadir = context.parameters.datadir
    identity = process.running(context.parameters).identity
    whose, _, before = context.state.read(HISTORY).partition(" ")
    shrank = whose == identity and dialect.history.parse(before).minus(seen.applied)
    if not shrank and not was_reset(datadir):
        if (whose, before) != (identity, str(seen.applied)):
            context.state.write(HISTORY, f"{identity} {seen.applied}")
        return ""
    if not was_reset(datadir):
        try:
            write_reset(datadir)
        except OSError as error:
            return f"RESET MASTER was run here, so no replica can go on; not noted in {datadir}: {error.strerror}"
    if record.solo:
        return (
            "RESET MASTER was run here, so no replica can go on: stop them, move their data directories away, and restart this"
            " server with allow_loss=true and rebuild=auto"
        )
    raise LogReset("RESET MASTER was run here, so no replica can go on: another is promoted, and this one copied anew")


def _some_are_no_nodes(context: MysqlContext, seen: Observed, record: Record) -> bool:
    """Whether a replica may be none of the cluster. Until the first review who counts is taken for one: the monitor after a
    promotion asks nobody."""
    nodes = context.state.read(NODES).split()
    if not nodes and not context.state.has(REVIEWED):
        nodes = list(record.sync)
    return not seen.followers <= {context.servers.me, *nodes}


def restore_promotion_note(context: MysqlContext, running: Process) -> Record | None:
    """For a monitor of the promoted role that finds no note of the promotion at all, as when /run was wiped: the record, when
    it names this node, and the server is as only a promotion leaves it. None otherwise: a server that merely is writable was
    not promoted."""
    try:
        record = context.record.read()
        if record is None or record.primary != context.servers.me:
            return None
        with context.servers.here(context.deadline.within(context.parameters.probe_timeout)) as server:
            seen = context.servers.dialect(server).observe(server)
    except AgentError as error:
        context.log.info(f"not known whether it was promoted: {error}")
        return None
    if seen.read_only or not seen.acks.waits or seen.acks.forever == record.solo:
        return None
    context.log.warning("the note of the promotion is gone: written again, by the cluster's record")
    context.state.set_promoted(running.identity, record)
    context.state.write(READABLE, "1")
    return record


def _beat(server: Server) -> bool:
    """Commit one row: a server whose disk has stalled still answers questions. False when a lock is in the way, which is no
    stalled disk: this session waits a second for any, and no longer. Raises ServerSilent.

    Not in the binary log, so it neither waits for an acknowledgement nor makes history; each node has its own table.
    """
    server.query("SET SESSION sql_log_bin = 0, lock_wait_timeout = 1, innodb_lock_wait_timeout = 1")
    try:
        server.query(_BEAT)
    except StatementFailed as error:
        if error.number in LOCKED:
            if server.query(_BEATS_UNDER_WAY):
                raise ServerSilent("the local server commits no row") from None
            return False
        if error.number not in (NO_SUCH_DATABASE, NO_SUCH_TABLE):
            raise
        server.query("CREATE DATABASE IF NOT EXISTS backstay")
        server.query("CREATE TABLE IF NOT EXISTS backstay.heartbeat (id INT PRIMARY KEY, at DATETIME(6)) ENGINE=InnoDB")
        server.query(_BEAT)
    server.query("SET SESSION sql_log_bin = 1")
    return True


def _locked(holders: list[str]) -> str:
    """holders: sessions, in words; empty where the server does not say who."""
    who = f"held by {', '.join(holders)}" if holders else "SHOW PROCESSLIST may tell who holds it"
    return f"writes wait for a lock, such as a backup takes with FLUSH TABLES WITH READ LOCK: {who}"


def _on_record(context: MysqlContext, server: Server, dialect: Dialect, record: Record) -> Record | None:
    """This primary's record, None while only the cluster could say what it is, and does not. Raises Deposed.

    record: as this node noted it. It is in doubt from before each write until the write is answered: what was written by then
    may be there. To go on by the older one lost acknowledged rows (docs/decisions/0045)."""
    doubt = context.state.has(DOUBT)
    if not doubt and context.state.age(RECHECKED) < _RECHECK:
        return record
    try:
        recorded = context.record.read()
        # Without quorum this node's copy may lack what the others have.
        overview = context.pacemaker.overview() if doubt else None
    except AgentError as error:
        context.log.warning(f"not rechecked who is primary: {error}")
        return None if doubt else record
    if recorded and recorded.epoch > record.epoch:
        dialect.set_read_only(server, True)
        raise Deposed(f"{recorded.primary} was promoted in epoch {recorded.epoch}, this server in {record.epoch}")
    if doubt:
        if recorded is None or (overview and not overview.quorum):
            return None
        context.log.notice(f"on record is {recorded}")
        running = process.running(context.parameters)
        context.state.set_promoted(running.identity, recorded)
        _certain(context, running, recorded)
        record = recorded
    context.state.write(RECHECKED, "")
    return record


def _certain(context: MysqlContext, running: Process, record: Record) -> None:
    """The cluster has this record; no doubt is left once this node has noted that."""
    if context.state.promoted(running.identity) == record:
        context.state.remove(DOUBT)


def _carry_out(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record, step: Step
) -> str:
    if step is Step.FORGET:
        # Stopping a receiver can take two seconds. Not in the monitor: on a busy node Pacemaker lets one action run at
        # a time, and the writer address would wait for it.
        detach(lambda: _forget_source(context))
    elif step is Step.REPAIR:
        context.log.warning("waiting for acknowledgements as recorded, which it did not")
        dialect.wait_for_acks(server, NOMINAL if record.solo else FOREVER)
    else:
        return _change_record(context, server, dialect, seen, record, step)
    return ""


def _change_record(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record, step: Step
) -> str:
    """A duty that may change who counts; what the admin should know of it, "" for nothing."""
    from backstay.agent.interpreter import carry_out
    from backstay.ocf.steps import Steps
    from backstay.services.mysql import duty_steps

    table = {
        Step.ADMIT: duty_steps.ADMISSION,
        Step.BEGIN: duty_steps.BEGINNING,
        Step.END_SOLO: duty_steps.END_SOLO,
        Step.REVIEW: duty_steps.REVIEW,
    }[step]
    if step is Step.END_SOLO:
        server.within(context.deadline.within(duty_steps.CATCH_UP + 5))  # it must be able to go back as well
    me = context.servers.me
    known = duty_steps.Duty(me, record, seen.applied, seen.followers - {me}, context.parameters.degrade_after)
    end = carry_out(Steps(table, known), _Verbs(context, server, dialect), context.deadline)
    if end.kind == duty_steps.SETTLED and seen.followers & record.sync and _stuck(context, seen):
        if seen.acks.clients:
            return _unstick(context, server, dialect, record)
        return _let_in(context, server, dialect)
    return end.reason


class _Verbs:
    """What the steps of these duties do."""

    def __init__(self, context: MysqlContext, server: Server, dialect: Dialect) -> None:
        self._context = context
        self._server = server
        self._dialect = dialect

    def which_have(self, deadline: Deadline, nodes: tuple[str, ...], history: History) -> frozenset[str]:
        return frozenset(node for node in nodes if _has(self._context, self._dialect, node, history))

    def any_has(self, deadline: Deadline, nodes: frozenset[str], history: History) -> bool:
        return _any_has(self._context, self._dialect, nodes, history, deadline)

    def one_keeps_up(self, deadline: Deadline, nodes: frozenset[str]) -> bool:
        history = self._dialect.observe(self._server).applied
        return _any_has(self._context, self._dialect, nodes, history, deadline)

    def distrusted(self, deadline: Deadline, nodes: frozenset[str]) -> str:
        return _distrusted(self._context, self._dialect, nodes)

    def look(self, deadline: Deadline) -> Look:
        from backstay.services.mysql.duty_steps import Look

        seen = self._dialect.observe(self._server)
        able = seen.acks.active and bool(seen.acks.clients)
        return Look(seen.applied, seen.followers - {self._context.servers.me}, able)

    def overview(self, deadline: Deadline) -> Overview | None:
        return self._context.pacemaker.overview(ends=True)

    def absent_for(self, deadline: Deadline, absent: bool) -> float:
        """Seconds for which nobody on record was connected."""
        if absent:
            return self._context.state.lasting(UNACKNOWLEDGED, "")
        self._context.state.remove(UNACKNOWLEDGED)
        return 0.0

    def reviewed(self, deadline: Deadline, whole: bool, warning: str) -> None:
        self._context.state.write(REVIEWED, ring.settled(self._context.state) if whole else "")
        if warning:
            self._context.log.warning(warning)

    def doubt(self, deadline: Deadline) -> None:
        self._context.state.write(DOUBT, "")
        if not self._context.state.has(DOUBT):
            raise AgentError(
                "nothing is recorded, since this node cannot note it: see why its own files cannot be written"
            )

    def record(self, deadline: Deadline, new: Record) -> None:
        running = process.running(self._context.parameters)
        self._context.record.write(running, new)
        _certain(self._context, running, new)

    def stop_waiting(self, deadline: Deadline) -> None:
        self._dialect.stop_waiting(self._server)

    def wait_for_acks(self, deadline: Deadline, forever: bool) -> None:
        self._dialect.wait_for_acks(self._server, FOREVER if forever else NOMINAL)


def _forget_source(context: MysqlContext) -> None:
    """In a process of its own, so the role may be gone before it gets there; what it follows then is not to be forgotten."""
    try:
        with context.state.replication(context.deadline.within(0)), context.servers.here(context.deadline) as server:
            if context.state.promoted(process.running(context.parameters).identity):
                context.servers.dialect(server).forget_source(server)
    except Occupied as busy:
        context.log.info(f"the old source is not forgotten yet: {busy}")  # the next monitor has it done
    except AgentError as error:
        context.log.warning(f"the old source is not forgotten yet: {error}")


def _stuck(context: MysqlContext, seen: Observed) -> bool:
    """Whether commits wait since the last monitor and not one was acknowledged meanwhile, though a replica is connected."""
    age, before = context.state.age(WAITING), context.state.read(WAITING)
    if not seen.acks.waiting:
        context.state.remove(WAITING)
        return False
    context.state.write(WAITING, str(seen.acks.confirmed))
    return before == str(seen.acks.confirmed) and 1.5 <= age <= 10


def _unstick(context: MysqlContext, server: Server, dialect: Dialect, record: Record) -> str:
    """Commits whose own acknowledgement can never come: have them acknowledged with one that follows them.

    A replica that received them while it did not acknowledge yet will not do so afterwards. But whoever acknowledges a
    position has all before it, so a later commit frees them; where all clients wait, there is none, and it is made here.
    They are never let go: whether the replica is stuck, dead or cut off looks the same from here, and in a set of two the
    other side may be about to be promoted.
    """
    context.log.warning("commits wait for an acknowledgement that does not come: following them with one more")
    context.state.remove(WAITING)
    try:
        with context.servers.here(context.deadline.within(_FOLLOW)) as follower:
            follower.query(_FOLLOWING)
    except AgentError as error:
        return _complete(context, server, dialect, record) or f"commits wait for an acknowledgement: {error}"
    return ""


def _let_in(context: MysqlContext, server: Server, dialect: Dialect) -> str:
    """Replicas connect, and none gets as far as to acknowledge: docs/decisions/0033."""
    context.state.remove(WAITING)
    account = (context.parameters.replication_user, context.parameters.replication_password)
    with context.servers.peer(context.servers.me, dialect, _FOLLOW, account) as source:
        own = [int(source.one("SELECT CONNECTION_ID() AS id")["id"])]
        if not dialect.wake_ack_receiver(source):
            return "commits wait, and no replica that is connected acknowledges"
        context.log.warning("commits wait, and no replica was let in: woke what receives acknowledgements")
        try:
            poll(lambda: dialect.observe(server).acks.clients > 1, context.deadline.within(_FOLLOW), "a replica", 0.1)
        finally:
            server.kill(own)
    return ""


def _complete(context: MysqlContext, server: Server, dialect: Dialect, record: Record) -> str:
    """Where no commit can follow: see that a replica that counts has them, and end the sessions that wait; "" when none did.

    Two groups of commits received before the replica acknowledged keep MariaDB's log locked: docs/decisions/0024. To end a
    session that waits completes its commit and tells its client nothing. Only twice: the third group is acknowledged.
    """
    ended = 0
    for _ in range(2):
        seen = dialect.observe(server)
        waiting = dialect.waiting_threads(server)
        if not waiting:
            break
        if not any(_has(context, dialect, node, seen.applied, gives=True) for node in record.sync & seen.followers):
            break
        server.kill(waiting)
        ended += len(waiting)

        def moved(before: list[int] = waiting) -> bool:
            return not set(before) & set(dialect.waiting_threads(server))

        poll(moved, context.deadline.within(_FOLLOW), "the commits to complete")
    if not ended:
        return ""
    context.log.warning(f"a replica has them: ended {ended} sessions that waited")
    return f"{ended} sessions were ended: a replica has their commits, which it could not acknowledge any more"


def _any_has(
    context: MysqlContext, dialect: Dialect, nodes: frozenset[str], history: History, deadline: Deadline
) -> bool:
    """Whether one of the nodes received all of the history, before the deadline."""

    def has() -> bool:
        return any(_has(context, dialect, node, history) for node in nodes)

    try:
        return poll(has, deadline, "a replica to catch up", 0.1)
    except AgentError:
        return False


def _has(context: MysqlContext, dialect: Dialect, node: str, history: History, gives: bool = False) -> bool:
    """Whether the node received all of the history; gives: and acknowledges by now."""
    try:
        with context.servers.peer(node, dialect, 0.5) as peer:
            said = dialect.peer(peer)
            return not said.why and said.received.includes(history) and (said.gives or not gives)
    except AgentError as error:
        context.log.debug(str(error))
        return False


def _distrusted(context: MysqlContext, dialect: Dialect, nodes: frozenset[str]) -> str:
    """Why one of them cannot be asked what it has, when that is TLS and so will not pass; "" when it is not."""
    for node in sorted(nodes):
        try:
            context.servers.peer(node, dialect, 0.5).close()
        except ServerUntrusted as error:
            return str(error)
        except AgentError as error:
            context.log.debug(str(error))
    return ""
