"""A replica's duties at each monitor: join the set, keep replicating, acknowledge when recorded; and its published state."""

from backstay.cluster.pacemaker import NEVER
from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError
from backstay.services.mysql import disk_space, tls_check
from backstay.services.mysql.dialects.base import DamagedRelayLog
from backstay.services.mysql.health import (
    Verdict,
    adrift,
    calm,
    distrusts,
    judge_replica,
    published_lag,
    smooth,
    told,
    with_room,
)
from backstay.services.mysql.next_step import Step, replica_step
from backstay.services.mysql.server import ServerRefused
from backstay.services.mysql.state import read_mark, write_mark
from backstay.watch import reuse

_ACCEPT = 5.0  # seconds for a new password to be accepted: the monitors of all nodes begin at once when it changes
_APPLY = 3.0  # seconds to apply what was received, before another monitor has to go on
_STEP = 10.0  # seconds for a step: with a new password all of these, and seconds for a receiver to stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.record import Facts
    from backstay.services.mysql.server import Server


def attend(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed") -> str:
    """Do the next step and publish; what is wrong, "" when nothing is."""
    if not seen.read_only:
        agent.log.error("the server was writable without a promotion: making it read-only")
        dialect.set_read_only(server, True)
    note = ""
    # The record is one process to read: only where it can matter.
    errant = agent.state.read("errant") or agent.state.read("stranded")
    rejoin = agent.state.read("passwords") != agent.passwords()
    needed = not smooth(seen) or bool(errant) or rejoin
    identity = agent.running().identity
    untried = tls_check.due(agent, identity)
    try:
        facts = agent.facts() if needed or untried else None
    except AgentError as error:
        return str(error)  # nothing is decided and nothing published on a record that could not be read
    doubt = ""
    if facts and facts.primary != agent.me:
        host = str(agent.writer_address) or facts.primary
        step = replica_step(seen, agent.me, facts, host, bool(errant), rejoin) if needed else Step.NOTHING
        if step is Step.END_WAITING:  # what comes next need not wait for another monitor
            server.kill(dialect.client_threads(server))  # no commit of theirs may succeed by it
            dialect.stop_waiting(server)
            seen = dialect.observe(server)
            step = replica_step(seen, agent.me, facts, host, bool(errant), rejoin)
        if step is not Step.NOTHING:
            server.within(agent.deadline.within(_STEP))  # probe_timeout is for a look
            try:
                with agent.state.replication(server.deadline):
                    seen = dialect.observe(server)  # the watcher may have joined it just now
                    rejoin = agent.state.read("passwords") != agent.passwords()
                    step = replica_step(seen, agent.me, facts, host, bool(errant), rejoin)
                    note = _carry_out(agent, server, dialect, seen, facts, host, step)
            except AgentError as error:
                note = f"{step.value}: {error}"
            seen = dialect.observe(server)
        if untried or (agent.tls_ca and distrusts(seen.replica)):
            doubt = tls_check.doubt(agent, dialect, identity, (host, facts.primary))
    errant, stranded = agent.state.read("errant"), agent.state.read("stranded")
    record, readable = facts if needed else None, agent.state.read("readable") == "1"
    verdict = judge_replica(seen.replica, seen.acks.gives, agent.me, record, errant, readable, float(agent.max_lag))
    if stranded and not errant:
        verdict = Verdict(NEVER, False, stranded)
    verdict = with_room(verdict, *disk_space.least(server, str(agent.datadir)))
    state, rebuilt = verdict.state, False
    if (errant or stranded) and agent.rebuild == "auto":
        from backstay.services.mysql import rebuild

        state, rebuilt = rebuild.standing(agent, f"errant {errant}" if errant else stranded)
    refusal = _refusal(agent, dialect, seen)
    state = state or refusal
    lag = published_lag(seen.replica.lag if seen.replica else None)
    published = publish(agent, NEVER if refusal else verdict.score, verdict.readable, lag)
    trouble = errant or refusal or doubt or state
    as_it_was = published and calm(seen, agent.me, trouble, verdict.readable, float(agent.max_lag))
    reuse.note(agent, agent.running(), reuse.CALM if as_it_was else "")
    if rebuilt:
        raise AgentError(state)  # Pacemaker stops and starts it, and start finds the copy
    return told(state, doubt or note)  # the step that was tried says why


def _refusal(agent: "Mysql", dialect: "Dialect", seen: "Observed") -> str:
    """Why the last promotion here was refused, "" once there is a primary or it is worth trying again."""
    before = agent.state.read("refusal")
    if not before:
        return ""
    refusal = ""
    if not (seen.replica and seen.replica.io == "Yes"):
        from backstay.services.mysql import promotion

        try:
            refusal = promotion.still_refused(agent, dialect, seen)
        except AgentError as error:
            agent.log.warning(f"not asked whether a promotion would be refused again: {error}")
            refusal = before
    if not refusal:
        agent.state.remove("refusal")
    return refusal


def wait_for_demotion(agent: "Mysql") -> str:
    """A promotion was refused, and Pacemaker takes the role away because of the score; see that it does."""
    refusal = agent.state.read("refusal")
    publish(agent, NEVER, agent.state.read("readable") == "1")
    return refusal


def publish(agent: "Mysql", score: "int | str", readable: bool, lag: str = "") -> bool:
    """Tell the cluster, where something changed; whether it knows. The lag moves too often for the scheduler to hear of it."""
    resource = agent.invocation.resource
    if agent.state.read("readable") != str(int(readable)):
        agent.state.write("readable", str(int(readable)))
    try:
        agent.pacemaker.set_promotion_score(score)
        agent.pacemaker.set_attribute(f"{resource}-readable", str(int(readable)))
        if lag:
            agent.pacemaker.set_attribute(f"{resource}-lag", lag, private=True)
    except AgentError as error:
        agent.log.warning(f"not published, the next monitor tries again: {error}")
        return False
    return True


def _carry_out(
    agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed", facts: "Facts", host: str, step: Step
) -> str:
    """One step; what the admin should know of it, "" for nothing."""
    if step is Step.WAIT:
        return "still replaying the relay log from before the restart"
    if step in (Step.JOIN, Step.EXAMINE, Step.RECEIVE):
        if _parted(agent, dialect, seen, facts):
            return ""
        from backstay.services.mysql import adoption

        if adoption.stranded(agent, server, dialect, seen, facts):
            return ""
        if step is Step.EXAMINE:
            return ""
        if step is Step.RECEIVE:
            dialect.restart_receiver(server)
            return ""
        if seen.replica and seen.replica.sql and seen.replica.io != "No":
            # With a password that the primary does not know yet nobody could acknowledge, not even that it is told it.
            poll(
                lambda: _accepted(agent, dialect, facts.primary),
                agent.deadline.within(_ACCEPT),
                "the new password",
                0.2,
            )
            # To point a replica elsewhere stops both threads, and that would lose what is received and not yet applied.
            dialect.stop_receiver(server)
            dialect.wait_applied(server, dialect.observe(server).received, _APPLY)
            seen = dialect.observe(server)
        if not seen.applied.includes(seen.received):
            if seen.replica and not seen.replica.sql:
                agent.log.notice(rescue(agent, server, dialect, facts) or "nothing to rescue")
            return "applying what was received before joining"
        facts = agent.facts() or facts  # the one by which the primary that was just seen opened
        agent.log.notice(f"replicating from {host}")
        write_mark(str(agent.datadir), facts.epoch)
        # Recorded already, as after a blackout: from the first event on. A source asks for the acknowledgement of an event
        # when it sends it; one that was received without would be waited for without end.
        dialect.acknowledge(server, agent.me in facts.sync and not facts.solo)
        end_waiting(server, dialect, seen)
        dialect.follow(server, agent.source(host), seen)
        agent.state.write("passwords", agent.passwords())
    elif step is Step.APPLY:
        dialect.start_applier(server)
    elif step is Step.ACKNOWLEDGE:
        agent.log.notice("acknowledging")
        dialect.acknowledge(server, True)
        dialect.restart_receiver(server)
    return ""


def join(agent: "Mysql", server: "Server", dialect: "Dialect") -> None:
    """What a replica's monitor does for one that follows nobody, at once: its next one may be seconds away, and commits wait for
    this replica if it is recorded. Raises AgentError."""
    with agent.state.replication(agent.deadline.within(_STEP)):
        facts, seen = agent.facts(), dialect.observe(server)
        role = agent.state.read("promoted") or agent.state.read("closed")
        suited = not seen.lacks and seen.started_as(agent.me, agent.number)
        if facts is None or role or not adrift(seen) or not suited:
            return
        host = str(agent.writer_address) or facts.primary
        rejoin = agent.state.read("passwords") != agent.passwords()
        step = replica_step(seen, agent.me, facts, host, bool(agent.state.read("errant")), rejoin)
        if step is Step.JOIN:
            _carry_out(agent, server, dialect, seen, facts, host, step)


def rescue(agent: "Mysql", server: "Server", dialect: "Dialect", facts: "Facts | None") -> str:
    """After a restart, keep what was received and not applied; what was done, "" for nothing. Where it cannot be read and
    is provably not the only copy, all is received anew. Raises AgentError."""
    try:
        return dialect.rescue(server, str(agent.datadir))
    except DamagedRelayLog as damage:
        if facts is None or facts.primary == agent.me:
            raise
        from backstay.services.mysql import rebuild_policy

        with agent.connect_peer(facts.primary, dialect, 1.0) as peer:
            theirs = dialect.peer(peer)
        promoted_with = dialect.history.parse(facts.gtid)
        marked = read_mark(str(agent.datadir))
        kept = rebuild_policy.relay_log_kept(agent.me, theirs.writable, theirs.received, facts, promoted_with, marked)
        if kept:
            raise AgentError(f"{damage}; {kept}") from None
        dialect.forget_source(server)
        return f"{damage}: received anew, since {facts.primary} has all that was acknowledged"


def _accepted(agent: "Mysql", dialect: "Dialect", primary: str) -> bool:
    """Whether the primary lets us in with the password that is configured."""
    try:
        agent.connect_peer(primary, dialect, 1.0, (agent.replication_user, agent.replication_password)).close()
    except ServerRefused:
        return False
    return True


def end_waiting(server: "Server", dialect: "Dialect", seen: "Observed") -> None:
    """Left on by a demotion, and the applier's commits would wait for acknowledgements that nobody gives."""
    if seen.acks.waits:
        dialect.stop_waiting(server)


def _parted(agent: "Mysql", dialect: "Dialect", seen: "Observed", facts: "Facts") -> bool:
    """Whether this node has what the primary lacks. It is noted, and with rebuild=auto something is done about it."""
    errant = _errant(agent, dialect, seen, facts)
    if not errant:
        if agent.state.read("errant"):
            from backstay.services.mysql import rebuild

            rebuild.discard(agent)  # first of all: from now on this node may acknowledge what the copy lacks
            agent.state.remove("errant")
        return False
    agent.state.write("errant", errant)
    if agent.rebuild == "auto":
        from backstay.services.mysql import rebuild

        rebuild.proceed(agent)
    return True


def _errant(agent: "Mysql", dialect: "Dialect", seen: "Observed", facts: "Facts") -> str:
    """What this node has and the primary lacks. Raises AgentError while the primary gives no answer."""
    with agent.connect_peer(facts.primary, dialect, 1.0) as peer:
        theirs = dialect.peer(peer)
    if not theirs.writable:
        raise AgentError(f"{facts.primary} is not open yet")
    return str(seen.applied.minus(theirs.received))
