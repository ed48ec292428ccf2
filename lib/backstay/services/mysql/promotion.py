"""Promote: prove, catch up, record, open. The order is the safety:

1. apply all that this node received; 2. ask the witnesses; 3. fetch what they have more; 4. write the new epoch; 5. wait
for acknowledgements from now on; 6. open for writes. The old source is forgotten later, by the monitor: it is fenced,
stopped or read-only, so nothing can arrive from it, while stopping its receiver can cost two seconds.
"""

from backstay.cluster.pacemaker import NEVER, Ends
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql import accounts, election, suited
from backstay.services.mysql.dialects.base import FOREVER, NOMINAL
from backstay.services.mysql.health import HEALTHY
from backstay.services.mysql.record import Facts
from backstay.services.mysql.replica import end_waiting
from backstay.services.mysql.state import Occupied, write_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Holding, Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.server import Server

_ASK = 1.0  # seconds for one witness to answer
_READY = 3.0  # seconds to wait for one that will acknowledge, where the promotion needs nobody's word
_SETTLE = 8.0  # seconds for all of them to; while promote waits, Pacemaker starts none that is down


class Refused(AgentError):
    """This node must not be the primary now."""


def promote(agent: "Mysql", server: "Server", running: "Process") -> None:
    """Open this server for writes, or leave it closed and say why.

    A refusal is no failure of the action. Pacemaker would count it, and with migration-threshold=1 stop the server, which
    then can neither be asked by others nor go on applying: two nodes that each need the other's word took turns at that
    for minutes (seen). So it counts as promoted, closed, with a score that forbids it: Pacemaker demotes it at once,
    before the writer address comes, and its monitors as a replica find when it is worth trying again.
    """
    try:
        with agent.state.replication(agent.deadline.within(_SETTLE)):
            _promote(agent, server, running)
    except (Refused, Occupied) as refusal:
        agent.log.error(str(refusal))
        agent.state.write("closed", running.identity)
        agent.state.write("refusal", str(refusal))
        agent.pacemaker.set_promotion_score(NEVER)
        agent.explain(str(refusal))
    else:
        agent.state.remove("closed")
        agent.state.remove("refusal")
        _keep_the_role(agent)


def _keep_the_role(agent: "Mysql") -> None:
    """After a loss of all power nobody replicates, and who is promoted has a low score. The recorded primary, whose server may
    come up while this action runs, has a full one, and Pacemaker would move the role there as soon as this returns (seen).
    Where the score is full already, as in every other promotion, this starts no process and aborts no transition."""
    if agent.pacemaker.has_promotion_score(HEALTHY):
        return
    try:
        agent.pacemaker.set_promotion_score(HEALTHY)
    except AgentError as error:
        agent.log.warning(f"score not published, the next monitor tries again: {error}")


def still_refused(agent: "Mysql", dialect: "Dialect", seen: "Observed") -> str:
    """Why a promotion would be refused as the last one was, "" when it is worth trying. Asks each witness once."""
    facts = agent.facts()
    nodes = agent.pacemaker.nodes() if facts is None else []
    promoted_with = dialect.history.parse(facts.gtid) if facts else None
    if not seen.applied.includes(seen.received):
        return f"not promoted: applying {seen.received.minus(seen.applied)}"
    asked = _ask(agent, dialect, facts, promoted_with, election.witnesses(agent.me, facts, nodes), everyone=True)
    holding = _holding(agent, dialect) if facts is None else None
    allowed = bool(agent.allow_loss)
    verdict = election.decide(agent.me, seen.applied, facts, nodes, asked.reports, promoted_with, allowed, holding)
    return f"not promoted: {verdict.reason}" if isinstance(verdict, election.Refuse) else ""


def _holding(agent: "Mysql", dialect: "Dialect") -> "Holding":
    with agent.connect(agent.deadline.within(_ASK)) as server:
        return dialect.holding(server)


def _promote(agent: "Mysql", server: "Server", running: "Process") -> None:
    """Raises Refused with the reason."""
    dialect = agent.dialect(server)
    facts = agent.facts()
    nodes = agent.pacemaker.nodes() if facts is None else []
    promoted_with = dialect.history.parse(facts.gtid) if facts else None
    if agent.state.read("errant"):
        raise Refused(f"not promoted: errant {agent.state.read('errant')}")
    seen = _drain(agent, server, dialect)
    flaw = suited.flaw(agent, server, dialect, seen)
    if flaw:
        raise Refused(f"not promoted: {flaw}")
    patience = agent.deadline.within(_READY)
    holding = dialect.holding(server) if facts is None else None

    refusal = ""
    round_ = _Round({}, frozenset())
    everyone = False

    def proof() -> "Optional[str]":
        nonlocal seen, refusal, round_, everyone
        asked = election.witnesses(agent.me, facts, nodes)
        round_ = _ask(agent, dialect, facts, promoted_with, asked, everyone)
        reports = round_.reports
        allowed = bool(agent.allow_loss)
        verdict = election.decide(agent.me, seen.applied, facts, nodes, reports, promoted_with, allowed, holding)
        if isinstance(verdict, election.Fetch):
            agent.log.notice(f"fetching {verdict.missing} from {verdict.node}")
            _fetch(agent, server, dialect, verdict.node, reports[verdict.node])
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
        refusal = _serving(agent, facts, round_)
        if refusal:
            return None
        alone = not election.acknowledgers(agent.me, facts, seen.applied, reports)
        if alone and facts and any(reports[node].why for node in facts.sync & reports.keys()) and not patience.expired:
            return None  # its server may just be starting, as after a loss of all power
        return verdict.proof

    try:
        found = poll(proof, agent.deadline.within(_SETTLE), "the witnesses to settle", 0.1)
    except TimedOut:
        raise Refused(f"not promoted: {refusal}") from None
    agent.log.notice(f"promoting by {found}")
    if facts is None or found == election.ALLOWED:
        from backstay.services.mysql import adoption

        try:
            seen = adoption.seal(agent, server, dialect, seen, round_.reports)
        except AgentError as error:
            raise Refused(f"not promoted: {error}") from None

    admits = facts is not None or not accounts.missing(agent, server, dialect)
    sync = election.acknowledgers(agent.me, facts, seen.applied, round_.reports, admits)
    epoch = facts.epoch + 1 if facts else 1
    record = Facts(
        epoch=epoch,
        primary=agent.me,
        gtid=str(seen.applied),
        sync=sync,
        solo=not sync,
        loss=epoch if found == election.ALLOWED else (facts.loss if facts else 0),
        later=facts.later if facts else "",
    )
    agent.state.check()  # what is recorded has to be noted here as well
    agent.record(running, record)
    write_mark(str(agent.datadir), epoch)
    # Left from when this server was primary before: a replica that comes back would wait five seconds for its old one.
    server.kill(dialect.dump_threads(server))
    dialect.acknowledge(server, False)
    dialect.wait_for_acks(server, NOMINAL if record.solo else FOREVER)
    dialect.set_read_only(server, False)


def _serving(agent: "Mysql", facts: "Optional[Facts]", round_: "_Round") -> str:
    """Why the recorded primary may still serve, "" when it does not. Pacemaker demoted or stopped one in the cluster; one that
    left may run on, unless it was fenced or its stop is confirmed."""
    if facts is None or facts.primary not in round_.absent or round_.reports[facts.primary].received is not None:
        return ""
    if agent.pacemaker.ends().get(facts.primary) in (Ends.FENCED, Ends.STOPPED):
        return ""
    return (
        f"{facts.primary} left the cluster, and was neither fenced nor seen to stop: it may still serve; start the cluster"
        f" software there, or power it off and confirm that with stonith_admin --confirm {facts.primary}"
    )


def _drain(agent: "Mysql", server: "Server", dialect: "Dialect") -> "Observed":
    """Apply all that was received. By GTID: thread states say "has read all" in words that change with the version."""
    seen = dialect.observe(server)
    if seen.applied.includes(seen.received):
        return seen
    if seen.replica and seen.replica.applier_error[0]:
        raise Refused(f"not promoted: the applier stopped: {seen.replica.applier_error[1]}")
    end_waiting(server, dialect, seen)
    if seen.replica and not seen.replica.sql:
        if seen.replica.io == "No":
            agent.log.notice(dialect.rescue(server, str(agent.datadir)) or "nothing to rescue")
        else:
            dialect.start_applier(server)
    if not dialect.wait_applied(server, seen.received, agent.deadline.remaining() * 0.8):
        raise Refused(f"not promoted: applying {seen.received.minus(seen.applied)} takes longer than promote may")
    return dialect.observe(server)


class _Round:
    """One round of questions. reports: of all witnesses. absent: those that are not in the cluster."""

    def __init__(self, reports: "dict[str, election.Report]", absent: "frozenset[str]") -> None:
        self.reports = reports
        self.absent = absent


def _ask(
    agent: "Mysql",
    dialect: "Dialect",
    facts: "Optional[Facts]",
    promoted_with: "Optional[History]",
    witnesses: "list[str]",
    everyone: bool = False,
) -> _Round:
    """What each witness has. Nodes that left the cluster are asked only for `everyone`: most are fenced, silence takes time."""
    members = set(agent.pacemaker.members()) if witnesses else set()
    absent = frozenset(set(witnesses) - members) if members else frozenset()
    reports = {}
    for node in witnesses:
        if node in absent and not everyone:
            reports[node] = election.Report(None)
            continue
        try:
            with agent.connect_peer(node, dialect, _ASK) as peer:
                said = dialect.peer(peer)
                received = said.received
                stray = election.stray(node, said.own, facts, promoted_with)
                if stray:
                    agent.log.warning(f"{node} wrote {stray} itself and was not the primary: that does not count")
                    received = received.minus(stray)
                reports[node] = election.Report(
                    None if said.why else received,
                    said.writable,
                    said.why,
                    said.gives,
                    said.receives,
                    bool(stray),
                    dialect.holding(peer) if facts is None else None,
                )
        except AgentError as error:
            # Its node is a member, so its server may just be starting: worth waiting for, if its word is needed.
            reports[node] = election.Report(None, why="" if node in absent else str(error))
    return _Round(reports, absent)


def _fetch(agent: "Mysql", server: "Server", dialect: "Dialect", node: str, report: election.Report) -> None:
    """Replicate from the node, beside the default channel, until we have what it reported."""
    if report.received is None:
        return
    seen = dialect.observe(server)
    end_waiting(server, dialect, seen)
    dialect.fetch(server, agent.source(node), seen)
    if not dialect.wait_applied(server, report.received, agent.deadline.remaining() * 0.7):
        raise Refused(f"not promoted: {node} has more, and fetching it takes longer than promote may")
    missing = report.received.minus(dialect.observe(server).applied)
    if missing:
        raise Refused(f"not promoted: {node} has {missing}, and fetching it did not bring it; rebuild this node")
    dialect.end_fetch(server)
