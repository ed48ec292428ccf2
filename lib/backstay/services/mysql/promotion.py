"""Promotes: proves, catches up, records, opens. This order is what makes it safe:

1. apply all that this node received; 2. ask the witnesses; 3. fetch what they have more; 4. write the new epoch; 5. wait for
acknowledgements from now on; 6. open for writes.

The monitor makes the server forget its old source later. That source is fenced, stopped or read-only, so nothing can arrive
from it, and to stop the receiver can cost two seconds.
"""

from __future__ import annotations

from backstay.cluster.attributes import NEVER
from backstay.cluster.overview import Ends
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql import accounts, election, suited
from backstay.services.mysql.dialects.base import FOREVER, NOMINAL, DamagedRelayLog
from backstay.services.mysql.health import HEALTHY
from backstay.services.mysql.record import Record
from backstay.services.mysql.replica import end_waiting, rescue
from backstay.services.mysql.state import CLOSED, ERRANT, REFUSAL, Occupied, write_mark
from backstay.services.mysql.witnesses import Round, ask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.server import Server

_READY = 3.0  # seconds to wait for one that will acknowledge, where the promotion needs nobody's word
_SETTLE = 8.0  # seconds for all of them to; while promote waits, Pacemaker starts none that is down


class Refused(AgentError):
    """This node must not be the primary now."""


def promote(context: MysqlContext, server: Server, running: Process) -> None:
    """Open this server for writes, or leave it closed and say why.

    A refusal is no failure of the action. Pacemaker would count it, and with migration-threshold=1 stop the server, which
    then can neither be asked by others nor go on applying: two nodes that each need the other's word took turns at that
    for minutes (seen). So it counts as promoted, closed, with a score that forbids it: Pacemaker demotes it at once,
    before the writer address comes, and its monitors as a replica find when it is worth trying again.
    """
    try:
        with context.state.replication(context.deadline.within(_SETTLE)):
            _promote(context, server, running)
    except (Refused, Occupied) as refusal:
        context.log.error(str(refusal))
        context.state.write(CLOSED, running.identity)
        context.state.write(REFUSAL, str(refusal))
        context.pacemaker.set_promotion_score(NEVER)
        context.explain(str(refusal))
    else:
        context.state.remove(CLOSED)
        context.state.remove(REFUSAL)
        _keep_the_role(context)


def _keep_the_role(context: MysqlContext) -> None:
    """After a loss of all power nobody replicates, and who is promoted has a low score. The recorded primary, whose server may
    come up while this action runs, has a full one, and Pacemaker would move the role there as soon as this returns (seen).
    Where the score is full already, as in every other promotion, this starts no process and aborts no transition."""
    if context.pacemaker.has_promotion_score(HEALTHY):
        return
    try:
        context.pacemaker.set_promotion_score(HEALTHY)
    except AgentError as error:
        context.log.warning(f"score not published, the next monitor tries again: {error}")


def _promote(context: MysqlContext, server: Server, running: Process) -> None:
    """Raises Refused with the reason."""
    dialect = context.servers.dialect(server)
    record = context.record.read()
    nodes = context.pacemaker.nodes() if record is None else []
    promoted_with = dialect.history.parse(record.gtid) if record else None
    if context.state.read(ERRANT):
        raise Refused(f"not promoted: errant {context.state.read(ERRANT)}")
    seen = _drain(context, server, dialect)
    flaw = suited.flaw(context, server, dialect, seen)
    if flaw:
        raise Refused(f"not promoted: {flaw}")
    patience = context.deadline.within(_READY)
    holding = dialect.holding(server) if record is None else None

    refusal = ""
    round_ = Round({}, frozenset())
    everyone = False

    def proof() -> str | None:
        nonlocal seen, refusal, round_, everyone
        asked = election.witnesses(context.servers.me, record, nodes)
        round_ = ask(context, dialect, record, promoted_with, asked, everyone)
        reports = round_.reports
        allowed = context.parameters.allow_loss
        verdict = election.decide(
            context.servers.me, seen.applied, record, nodes, reports, promoted_with, allowed, holding
        )
        if isinstance(verdict, election.Fetch):
            context.log.notice(f"fetching {verdict.missing} from {verdict.node}")
            _fetch(context, server, dialect, verdict.node, reports[verdict.node])
            seen = dialect.observe(server)
            return proof()
        if isinstance(verdict, election.Refuse):
            if round_.absent and not everyone:
                everyone = True  # a node that left the cluster in maintenance runs its server on, and can answer
                return proof()
            refusal = verdict.reason
            if not verdict.passing:
                raise Refused(f"not promoted: {refusal}")
            return None
        refusal = _serving(context, record, round_)
        if refusal:
            return None
        alone = not election.acknowledgers(context.servers.me, record, seen.applied, reports)
        if (
            alone
            and record
            and any(reports[node].why for node in record.sync & reports.keys())
            and not patience.expired
        ):
            return None  # its server may just be starting, as after a loss of all power
        return verdict.proof

    try:
        found = poll(proof, context.deadline.within(_SETTLE), "the witnesses to settle", 0.1)
    except TimedOut:
        raise Refused(f"not promoted: {refusal}") from None
    context.log.notice(f"promoting by {found}")
    if record is None or found == election.ALLOWED:
        from backstay.services.mysql import adoption

        try:
            seen = adoption.seal(context, server, dialect, seen, round_.reports)
        except AgentError as error:
            raise Refused(f"not promoted: {error}") from None

    admits = record is not None or not accounts.missing(context, server, dialect)
    sync = election.acknowledgers(context.servers.me, record, seen.applied, round_.reports, admits)
    epoch = record.epoch + 1 if record else 1
    new = Record(
        epoch=epoch,
        primary=context.servers.me,
        gtid=str(seen.applied),
        sync=sync,
        solo=not sync,
        loss=epoch if found == election.ALLOWED else (record.loss if record else 0),
        later=record.later if record else "",
    )
    context.state.check()  # what is recorded has to be noted here as well
    context.record.write(running, new)
    write_mark(context.parameters.datadir, epoch)
    # Left from when this server was primary before: a replica that comes back would wait five seconds for its old one.
    server.kill(dialect.dump_threads(server))
    dialect.acknowledge(server, False)
    dialect.wait_for_acks(server, NOMINAL if new.solo else FOREVER)
    dialect.set_read_only(server, False)


def _serving(context: MysqlContext, record: Record | None, round_: Round) -> str:
    """Why the recorded primary may still serve, "" when it does not. Pacemaker demoted or stopped one in the cluster; one that
    left may run on, unless it was fenced or its stop is confirmed."""
    if record is None or record.primary not in round_.absent or round_.reports[record.primary].received is not None:
        return ""
    if context.pacemaker.ends().get(record.primary) in (Ends.FENCED, Ends.STOPPED):
        return ""
    return (
        f"{record.primary} left the cluster, and was neither fenced nor seen to stop: it may still serve; start the cluster"
        f" software there, or power it off and confirm that with stonith_admin --confirm {record.primary}"
    )


def _drain(context: MysqlContext, server: Server, dialect: Dialect) -> Observed:
    """Apply all that was received. By GTID: thread states say "has read all" in words that change with the version."""
    seen = dialect.observe(server)
    if seen.replica and (seen.replica.replays or (not seen.replica.sql and seen.replica.io == "No")):
        try:
            done = rescue(context, server, dialect, None)  # it tells of nothing that it received before a restart
        except DamagedRelayLog as damage:
            raise Refused(f"not promoted: {damage}") from None
        context.log.notice(done or "nothing to rescue")
        seen = dialect.observe(server)
        if seen.replica and seen.replica.replays:
            raise Refused(f"not promoted: {done}")
    if seen.applied.includes(seen.received):
        return seen
    if seen.replica and seen.replica.applier_error[0]:
        raise Refused(f"not promoted: the applier stopped: {seen.replica.applier_error[1]}")
    end_waiting(server, dialect, seen)
    if seen.replica and not seen.replica.sql:
        dialect.start_applier(server)
    if not dialect.wait_applied(server, seen.received, context.deadline.remaining() * 0.8):
        raise Refused(f"not promoted: applying {seen.received.minus(seen.applied)} takes longer than promote may")
    return dialect.observe(server)


def _fetch(context: MysqlContext, server: Server, dialect: Dialect, node: str, report: election.Report) -> None:
    """Replicate from the node, beside the default channel, until this node has what that one reported."""
    if report.received is None:
        return
    seen = dialect.observe(server)
    end_waiting(server, dialect, seen)
    dialect.fetch(server, context.servers.source(node), seen)
    if not dialect.wait_applied(server, report.received, context.deadline.remaining() * 0.7):
        raise Refused(f"not promoted: {node} has more, and fetching it takes longer than promote may")
    missing = report.received.minus(dialect.observe(server).applied)
    if missing:
        raise Refused(f"not promoted: {node} has {missing}, and fetching it did not bring it; rebuild this node")
    dialect.end_fetch(server)
