"""Promotes: does the steps of the table PROMOTION (services/mysql/promotion_steps.py) on this server and in the cluster.

The monitor makes the server forget its old source later. That source is fenced, stopped or read-only, so nothing can arrive
from it, and to stop the receiver can cost two seconds.
"""

from __future__ import annotations

import time

from backstay.agent.interpreter import carry_out
from backstay.cluster.attributes import NEVER
from backstay.ocf.errors import AgentError
from backstay.ocf.steps import LEFT, REFUSED
from backstay.services.mysql import accounts, suited, witnesses
from backstay.services.mysql.dialects.base import FOREVER, NOMINAL, DamagedRelayLog
from backstay.services.mysql.health import HEALTHY
from backstay.services.mysql.promotion_steps import SETTLE, Recorded, promotion
from backstay.services.mysql.state import CLOSED, ERRANT, REFUSAL, RESET, Occupied, was_reset, write_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay.cluster.overview import Ends
    from backstay.host.deadline import Deadline
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.election import Report, Round
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding, Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.record import Record
    from backstay.services.mysql.server import Server


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
        with context.state.replication(context.deadline.within(SETTLE)):
            steps = promotion(context.servers.me, context.parameters.allow_loss)
            end = carry_out(steps, _Verbs(context, server, running), context.deadline)
            if end.kind == REFUSED:
                raise Refused(end.reason)
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


class _Verbs:
    """What the steps of a promotion do."""

    def __init__(self, context: MysqlContext, server: Server, running: Process) -> None:
        self._context = context
        self._server = server
        self._running = running
        self._dialect = context.servers.dialect(server)
        self._seen: Observed | None = None
        self._asked = 0.0  # first, by the monotonic clock
        self._settle: Deadline | None = None

    def _look(self) -> Observed:
        self._seen = self._dialect.observe(self._server)
        return self._seen

    @property
    def _last(self) -> Observed:
        return self._seen or self._look()

    def read(self, deadline: Deadline) -> Recorded:
        record = self._context.record.read()
        nodes = self._context.pacemaker.nodes() if record is None else []
        return Recorded(record, self._dialect.history.parse(record.gtid) if record else None, tuple(nodes))

    def members(self, deadline: Deadline) -> frozenset[str] | None:
        try:
            return frozenset(self._context.pacemaker.members())
        except AgentError as error:  # most promotions of a record without others need no answer; who does asks again
            self._context.log.info(f"who is in the cluster is asked later: {error}")
            return None

    def errant(self, deadline: Deadline) -> str:
        return self._context.state.read(ERRANT)

    def drain(self, deadline: Deadline) -> History:
        self._seen = _drain(self._context, self._server, self._dialect)
        return self._seen.applied

    def flaw(self, deadline: Deadline) -> str:
        if was_reset(self._context.parameters.datadir) and not self._context.parameters.allow_loss:
            return RESET
        return suited.flaw(self._context, self._server, self._dialect, self._last)

    def holding(self, deadline: Deadline) -> Holding:
        return self._dialect.holding(self._server)

    def absent(self, deadline: Deadline, whom: tuple[str, ...], present: frozenset[str] | None) -> frozenset[str]:
        if self._settle is None:
            self._asked, self._settle = time.monotonic(), self._context.deadline.within(SETTLE)
        return witnesses.absent(self._context, whom, present)

    def ask(
        self, deadline: Deadline, recorded: Recorded, whom: tuple[str, ...], absent: frozenset[str], everyone: bool
    ) -> Round:
        record, promoted_with = recorded.record, recorded.promoted_with
        return witnesses.ask(self._context, self._dialect, record, promoted_with, whom, absent, everyone)

    def fetch(self, deadline: Deadline, node: str, received: History, missing: str) -> History:
        self._context.log.notice(f"fetching {missing} from {node}")
        _fetch(self._context, self._server, self._dialect, node, received)
        return self._look().applied

    def end_of(self, deadline: Deadline, node: str) -> Ends | None:
        return self._context.pacemaker.ends().get(node)

    def pause(self, deadline: Deadline) -> float:
        """Until another round; seconds since the first question, without end where promote may wait no longer."""
        if self._settle is None or self._settle.expired:
            return LEFT
        time.sleep(min(deadline.remaining(), self._settle.remaining()))
        return time.monotonic() - self._asked

    def tell(self, deadline: Deadline, what: str) -> None:
        self._context.log.notice(what)

    def seal(self, deadline: Deadline, reports: Mapping[str, Report]) -> History:
        from backstay.services.mysql import adoption

        try:
            self._seen = adoption.seal(self._context, self._server, self._dialect, self._last, reports)
        except AgentError as error:
            raise Refused(f"not promoted: {error}") from None
        return self._seen.applied

    def accounts(self, deadline: Deadline) -> bool:
        """Whether all are there."""
        return not accounts.missing(self._context, self._server, self._dialect)

    def check(self, deadline: Deadline) -> None:
        self._context.state.check()

    def record(self, deadline: Deadline, new: Record) -> None:
        self._context.record.write(self._running, new)

    def mark(self, deadline: Deadline, epoch: int) -> None:
        write_mark(self._context.parameters.datadir, epoch)

    def drop(self, deadline: Deadline) -> None:
        self._server.kill(self._dialect.dump_threads(self._server))

    def cease(self, deadline: Deadline) -> None:
        self._dialect.acknowledge(self._server, False)

    def wait_for_acks(self, deadline: Deadline, forever: bool) -> None:
        self._dialect.wait_for_acks(self._server, FOREVER if forever else NOMINAL)

    def open(self, deadline: Deadline) -> None:
        self._dialect.set_read_only(self._server, False)


def _drain(context: MysqlContext, server: Server, dialect: Dialect) -> Observed:
    """Apply all that was received. By GTID: thread states say "has read all" in words that change with the version."""
    seen = dialect.observe(server)
    if seen.replica and (seen.replica.replays or (not seen.replica.sql and seen.replica.io == "No")):
        from backstay.services.mysql.rescue import rescue

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
    from backstay.services.mysql.replica import end_waiting

    end_waiting(server, dialect, seen)
    if seen.replica and not seen.replica.sql:
        dialect.start_applier(server)
    if not dialect.wait_applied(server, seen.received, context.deadline.remaining() * 0.8):
        raise Refused(f"not promoted: applying {seen.received.minus(seen.applied)} takes longer than promote may")
    return dialect.observe(server)


def _fetch(context: MysqlContext, server: Server, dialect: Dialect, node: str, received: History) -> None:
    """Replicate from the node, beside the default channel, until this node has what that one reported."""
    from backstay.services.mysql.replica import end_waiting

    seen = dialect.observe(server)
    end_waiting(server, dialect, seen)
    dialect.fetch(server, context.servers.source(node), seen)
    if not dialect.wait_applied(server, received, context.deadline.remaining() * 0.7):
        raise Refused(f"not promoted: {node} has more, and fetching it takes longer than promote may")
    missing = received.minus(dialect.observe(server).applied)
    if missing:
        raise Refused(f"not promoted: {node} has {missing}, and fetching it did not bring it; rebuild this node")
    dialect.end_fetch(server)
