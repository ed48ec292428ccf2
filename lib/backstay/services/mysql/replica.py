"""A replica's duties at each monitor: join the set, keep replicating, acknowledge when recorded; and its published state."""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError
from backstay.services.mysql import disk_space, process, tls_check
from backstay.services.mysql.health import (
    Verdict,
    adrift,
    astray,
    calm,
    distrusts,
    judge_replica,
    published_lag,
    steady,
    summarise,
    with_room,
)
from backstay.services.mysql.next_step import Step, replica_step
from backstay.services.mysql.publish import publish
from backstay.services.mysql.server import ServerRefused
from backstay.services.mysql.state import (
    APPLIERS,
    CLOSED,
    ERRANT,
    PASSWORDS,
    PROMOTED,
    READABLE,
    REFUSAL,
    SOURCE,
    STARTED,
    STRANDED,
    write_mark,
)
from backstay.watch import reuse

_ACCEPT = 5.0  # seconds for a new password to be accepted: the monitors of all nodes begin at once when it changes
_APPLY = 3.0  # seconds to apply what was received, before another monitor has to go on
_STEP = 10.0  # seconds for a step: with a new password all of these, and seconds for a receiver to stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed, ReplicaStatus
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server


def attend(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed) -> str:
    """Do the next step and publish; what is wrong, "" when nothing is."""
    if not seen.read_only:
        context.log.error("the server was writable without a promotion: making it read-only")
        dialect.set_read_only(server, True)
    # The record is one process to read: only where it can matter.
    errant = context.state.read(ERRANT) or context.state.read(STRANDED)
    rejoin = context.state.read(PASSWORDS) != context.parameters.passwords()
    source = context.parameters.writer_address or context.state.read(SOURCE)
    needed = not steady(seen) or bool(errant) or rejoin or astray(seen, source)
    identity = process.running(context.parameters).identity
    untried = tls_check.due(context, identity)
    try:
        record = context.record.read() if needed or untried else None
    except AgentError as error:
        return str(error)  # nothing is decided and nothing published on a record that could not be read
    note = doubt = ""
    if record and record.primary != context.servers.me:
        host = context.parameters.writer_address or record.primary
        if needed:
            seen, note = _go_on(context, server, dialect, seen, record, host, bool(errant), rejoin)
        if untried or (context.parameters.tls_ca and distrusts(seen.replica)):
            doubt = tls_check.tls_problem(context, dialect, identity, (host, record.primary))
    return _tell(context, server, dialect, seen, record if needed else None, note, doubt)


def _tell(
    context: MysqlContext,
    server: Server,
    dialect: Dialect,
    seen: Observed,
    record: Record | None,
    note: str,
    doubt: str,
) -> str:
    """Judge the look and publish that; what is wrong, "" when nothing is. record: None where nothing depends on it. note: of the
    step that was done. doubt: why its source is not to be trusted."""
    errant, stranded = context.state.read(ERRANT), context.state.read(STRANDED)
    verdict = _worth(context, server, seen, record, errant, stranded)
    state, rebuilt = verdict.state, False
    if (errant or stranded) and context.parameters.rebuild == "auto":
        from backstay.services.mysql import rebuild

        state, rebuilt = rebuild.standing(context, f"errant {errant}" if errant else stranded)
    refusal = _refusal(context, dialect, seen)
    state = state or refusal
    lag = published_lag(seen.replica.lag if seen.replica else None)
    published = publish(context, NEVER if refusal else verdict.score, verdict.readable, lag)
    pending = context.parameters.pending(context.state.read(STARTED))
    trouble = errant or refusal or doubt or state or pending
    as_it_was = published and calm(seen, context.servers.me, trouble, verdict.readable, context.parameters.max_lag)
    reuse.note(context, process.running(context.parameters), reuse.CALM if as_it_was else "")
    if rebuilt:
        raise AgentError(state)  # Pacemaker stops and starts it, and start finds the copy
    return summarise(state, doubt or note) or pending  # the step that was tried says why


def _go_on(
    context: MysqlContext,
    server: Server,
    dialect: Dialect,
    seen: Observed,
    record: Record,
    host: str,
    errant: bool,
    rejoin: bool,
) -> tuple[Observed, str]:
    """Do the step that is due. The look after it, and what the admin should know of it, "" for nothing."""
    me = context.servers.me
    step = replica_step(seen, me, record, host, errant, rejoin)
    if step is Step.END_WAITING:  # what comes next need not wait for another monitor
        server.kill(dialect.client_threads(server))  # no commit of theirs may succeed by it
        dialect.stop_waiting(server)
        seen = dialect.observe(server)
        step = replica_step(seen, me, record, host, errant, rejoin)
    if step is Step.NOTHING:
        if not astray(seen, host):
            context.state.write(SOURCE, host)
        return seen, ""
    server.within(context.deadline.within(_STEP))  # probe_timeout is for a look
    try:
        with context.state.replication(server.deadline):
            seen = dialect.observe(server)  # the watcher may have joined it just now
            rejoin = context.state.read(PASSWORDS) != context.parameters.passwords()
            step = replica_step(seen, me, record, host, errant, rejoin)
            note = _carry_out(context, server, dialect, seen, record, host, step)
    except AgentError as error:
        note = f"{step.value}: {error}"
    return dialect.observe(server), note


def _worth(
    context: MysqlContext, server: Server, seen: Observed, record: Record | None, errant: str, stranded: str
) -> Verdict:
    """What it is worth as a candidate, and to readers."""
    readable = context.state.read(READABLE) == "1"
    verdict = judge_replica(
        seen.replica, seen.acks.gives, context.servers.me, record, errant, readable, context.parameters.max_lag
    )
    if stranded and not errant:
        verdict = Verdict(NEVER, False, stranded)
    return with_room(verdict, *disk_space.least_free_space(server, context.parameters.datadir))


def _refusal(context: MysqlContext, dialect: Dialect, seen: Observed) -> str:
    """Why the last promotion here was refused, "" once there is a primary or it is worth trying again."""
    before = context.state.read(REFUSAL)
    if not before:
        return ""
    refusal = ""
    if not (seen.replica and seen.replica.io == "Yes"):
        from backstay.services.mysql import witnesses

        try:
            refusal = witnesses.still_refused(context, dialect, seen)
        except AgentError as error:
            context.log.warning(f"not asked whether a promotion would be refused again: {error}")
            refusal = before
    if not refusal:
        context.state.remove(REFUSAL)
    return refusal


def wait_for_demotion(context: MysqlContext) -> str:
    """A promotion was refused, and Pacemaker takes the role away because of the score; see that it does."""
    refusal = context.state.read(REFUSAL)
    publish(context, NEVER, context.state.read(READABLE) == "1")
    return refusal


def _carry_out(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record, host: str, step: Step
) -> str:
    """One step; what the admin should know of it, "" for nothing."""
    if step is Step.WAIT:
        return _rescue(context, server, dialect, record)
    if step in (Step.JOIN, Step.EXAMINE, Step.RECEIVE):
        if not dialect.vouches(server):  # its start was cut short; whoever is promoted may need its word
            context.log.notice(_rescue(context, server, dialect, record) or "nothing to rescue")
            seen = dialect.observe(server)
        from backstay.services.mysql import adoption

        if _parted(context, dialect, seen, record) or adoption.stranded(context, server, dialect, seen, record):
            return ""
        if step is Step.JOIN:
            return _replicate(context, server, dialect, seen, record, host)
        if step is Step.RECEIVE:
            dialect.restart_receiver(server)
    elif step is Step.APPLY:
        dialect.start_applier(server)
    elif step is Step.ACKNOWLEDGE:
        context.log.notice("acknowledging")
        dialect.acknowledge(server, True)
        dialect.restart_receiver(server)
    return ""


def _replicate(
    context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record, host: str
) -> str:
    """From the host, once all that was received is applied; why it does not yet, "" where it does."""
    if seen.replica and seen.replica.sql and seen.replica.io != "No":
        _see_open(context, dialect, host, seen.replica)
        # With a password that the primary does not know yet nobody could acknowledge, not even that it is told it.
        poll(
            lambda: _accepted(context, dialect, record.primary),
            context.deadline.within(_ACCEPT),
            "the new password",
            0.2,
        )
        # To point a replica elsewhere stops both threads, and that would lose what is received and not yet applied.
        dialect.stop_receiver(server)
        dialect.wait_applied(server, dialect.observe(server).received, _APPLY)
        seen = dialect.observe(server)
    if seen.replica and not seen.replica.sql:
        dialect.stop_receiver(server)
        rescued = _rescue(context, server, dialect, record)
        if rescued:
            context.log.notice(rescued)
            return "applying what was received before joining"
    if not seen.applied.includes(seen.received):
        return "applying what was received before joining"
    _take_over_past(context, server, dialect, seen, record)
    record = context.record.read() or record  # the one by which the primary that was just seen opened
    context.log.notice(f"replicating from {host}")
    write_mark(context.parameters.datadir, record.epoch)
    # Recorded already, as after a blackout: from the first event on. A source asks for the acknowledgement of an event
    # when it sends it; one that was received without would be waited for without end.
    dialect.acknowledge(server, record.admits(context.servers.me))
    end_waiting(server, dialect, seen)
    _restore_appliers(context, server, dialect)
    dialect.follow(server, context.servers.source(host), seen)
    context.state.write(PASSWORDS, context.parameters.passwords())
    context.state.write(SOURCE, host)
    return ""


def join(context: MysqlContext, server: Server, dialect: Dialect) -> None:
    """What a replica's monitor does for one that follows nobody, at once: its next one may be seconds away, and commits wait for
    this replica if it is recorded. Raises AgentError."""
    with context.state.replication(context.deadline.within(_STEP)):
        record, seen = context.record.read(), dialect.observe(server)
        role = context.state.read(PROMOTED) or context.state.read(CLOSED)
        suited = not seen.lacks and seen.started_as(context.servers.me, context.servers.number)
        if record is None or role or not adrift(seen) or not suited:
            return
        host = context.parameters.writer_address or record.primary
        rejoin = context.state.read(PASSWORDS) != context.parameters.passwords()
        step = replica_step(seen, context.servers.me, record, host, bool(context.state.read(ERRANT)), rejoin)
        if step is Step.JOIN:
            _carry_out(context, server, dialect, seen, record, host, step)


def _rescue(context: MysqlContext, server: Server, dialect: Dialect, record: Record | None) -> str:
    from backstay.services.mysql.rescue import rescue

    return rescue(context, server, dialect, record)


def _restore_appliers(context: MysqlContext, server: Server, dialect: Dialect) -> None:
    """Before it follows a source again."""
    before = context.state.read(APPLIERS)
    if not before:
        return
    identity, _, count = before.rpartition(" ")
    if identity == process.running(context.parameters).identity and count.isdigit():
        dialect.set_appliers(server, int(count))
    context.state.remove(APPLIERS)


def _see_open(context: MysqlContext, dialect: Dialect, host: str, replica: ReplicaStatus) -> None:
    """A replica that follows well leaves its source for none but the primary: a writer address may be mistyped. Raises
    AgentError."""
    if replica.io != "Yes" or replica.host == host:
        return
    with context.servers.on(host, dialect, context.deadline.within(1.0)) as holder:
        if not dialect.peer(holder).writable:
            raise AgentError(f"{host} is not open for writes, so this replica goes on with {replica.host}")


def _accepted(context: MysqlContext, dialect: Dialect, primary: str) -> bool:
    """Whether the primary lets this node in with the password that is configured."""
    try:
        context.servers.peer(
            primary, dialect, 1.0, (context.parameters.replication_user, context.parameters.replication_password)
        ).close()
    except ServerRefused:
        return False
    return True


def end_waiting(server: Server, dialect: Dialect, seen: Observed) -> None:
    """Left on by a demotion, and the applier's commits would wait for acknowledgements that nobody gives."""
    if seen.acks.waits:
        dialect.stop_waiting(server)


def _parted(context: MysqlContext, dialect: Dialect, seen: Observed, record: Record) -> bool:
    """Whether this node has what the primary lacks. It is noted, and with rebuild=auto something is done about it."""
    errant = _errant(context, dialect, seen, record)
    if not errant:
        if context.state.read(ERRANT):
            from backstay.services.mysql import rebuild

            rebuild.discard(context)  # first of all: from now on this node may acknowledge what the copy lacks
            context.state.remove(ERRANT)
        return False
    context.state.write(ERRANT, errant)
    if context.parameters.rebuild == "auto":
        from backstay.services.mysql import rebuild

        rebuild.proceed(context)
    return True


def _take_over_past(context: MysqlContext, server: Server, dialect: Dialect, seen: Observed, record: Record) -> None:
    """Else a copy that somebody made would never seem to have what earlier primaries wrote, and never be admitted."""
    with context.servers.peer(record.primary, dialect, 1.0) as peer:
        past = dialect.take_over_past(server, seen, dialect.peer(peer).received)
    if past:
        context.log.notice(f"a copy that tells its position alone: its history is {past}")


def _errant(context: MysqlContext, dialect: Dialect, seen: Observed, record: Record) -> str:
    """What this node has and the primary lacks. Raises AgentError while the primary gives no answer."""
    with context.servers.peer(record.primary, dialect, 1.0) as peer:
        theirs = dialect.peer(peer)
    if not theirs.writable:
        raise AgentError(f"{record.primary} is not open yet")
    return str(seen.applied.minus(theirs.received))
