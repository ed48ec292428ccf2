"""The primary's duties at each monitor, and how it steps down."""

from backstay.cluster import ring
from backstay.host.deadline import poll
from backstay.host.fork import detach
from backstay.ocf.codes import ExitCode
from backstay.ocf.errors import AgentError
from backstay.services.mysql import accounts, disk_space, tls_check
from backstay.services.mysql.dialects.base import FOREVER, NOMINAL
from backstay.services.mysql.health import ALONE, judge_primary, with_room
from backstay.services.mysql.next_step import Step, primary_step, review
from backstay.services.mysql.server import NO_SUCH_DATABASE, NO_SUCH_TABLE, ServerUntrusted, StatementFailed
from backstay.services.mysql.state import Occupied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.agent import Mysql
    from backstay.services.mysql.dialects.base import Dialect
    from backstay.services.mysql.gtid import History
    from backstay.services.mysql.observation import Observed
    from backstay.services.mysql.process import Process
    from backstay.services.mysql.record import Facts
    from backstay.services.mysql.server import Server

_BEAT = "REPLACE INTO backstay.heartbeat VALUES (1, NOW(6))"
_FOLLOWING = "CREATE DATABASE IF NOT EXISTS backstay"  # in the binary log, and harmless on any replica
_FOLLOW = 2.0  # seconds for it to be acknowledged
# Seconds for which commits may wait until a replica that returned has everything. One that writes each event to a busy disk
# falls behind a primary that does not wait, and catches up only while that one does: with one second it took ten attempts.
_CATCH_UP = 3.0
_RECHECK = 30.0  # seconds between looks at the record in the cluster, which nobody else should change


class Deposed(AgentError):
    """Another was promoted since, so this server must not write."""

    code = ExitCode.FAILED_PROMOTED


def attend(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed", facts: "Facts") -> str:
    """Do the next step and publish; what is wrong, "" when nothing is."""
    from backstay.services.mysql.replica import publish

    _still_ours(agent, server, dialect, facts)
    if seen.read_only:
        raise AgentError("the primary is read-only: someone or something set it so; promote again to open it")
    verdict = with_room(judge_primary(seen), *disk_space.least(server, str(agent.datadir)))
    if verdict.state:
        agent.state.write("silent", agent.running().identity)  # a commit waits for room: demote need not wait for it
        publish(agent, verdict.score, verdict.readable)
        return verdict.state
    _beat(server)
    accounts.ensure(agent, server, dialect, seen, facts)
    note = accounts.follow_passwords(agent, server, dialect)
    settled = bool(agent.state.read("reviewed")) and agent.state.read("reviewed") == ring.settled(agent.state)
    step = primary_step(seen, facts, agent.state.age("reviewed"), settled)
    if step is not Step.NOTHING:
        try:
            note = _carry_out(agent, server, dialect, seen, facts, step) or note
        except AgentError as error:
            note = f"{step.value}: {error}"
    identity = agent.running().identity
    if tls_check.due(agent, identity):
        note = note or tls_check.doubt(agent, dialect, identity, (agent.me,))
    now = agent.state.promoted(identity) or facts
    if now.solo and not note:
        note = f"{ALONE}: no replica acknowledges"
    publish(agent, verdict.score, verdict.readable)
    return note


def noted_again(agent: "Mysql", running: "Process") -> "Facts | None":
    """For a monitor of the promoted role that finds no note of the promotion at all, as when /run was wiped: the record, when
    it names this node, and the server is as only a promotion leaves it. None otherwise: a server that merely is writable was
    not promoted."""
    try:
        facts = agent.facts()
        if facts is None or facts.primary != agent.me:
            return None
        with agent.connect(agent.deadline.within(agent.probe_timeout)) as server:
            seen = agent.dialect(server).observe(server)
    except AgentError as error:
        agent.log.info(f"not known whether it was promoted: {error}")
        return None
    if seen.read_only or not seen.acks.waits or seen.acks.forever == facts.solo:
        return None
    agent.log.warning("the note of the promotion is gone: written again, by the cluster's record")
    agent.state.set_promoted(running.identity, facts)
    agent.state.write("readable", "1")
    return facts


def _beat(server: "Server") -> None:
    """Commit one row: a server whose disk has stalled still answers questions. Raises ServerSilent.

    Not in the binary log, so it neither waits for an acknowledgement nor makes history; each node has its own table.
    """
    server.query("SET SESSION sql_log_bin = 0")
    try:
        server.query(_BEAT)
    except StatementFailed as error:
        if error.number not in (NO_SUCH_DATABASE, NO_SUCH_TABLE):
            raise
        server.query("CREATE DATABASE IF NOT EXISTS backstay")
        server.query("CREATE TABLE IF NOT EXISTS backstay.heartbeat (id INT PRIMARY KEY, at DATETIME(6)) ENGINE=InnoDB")
        server.query(_BEAT)
    server.query("SET SESSION sql_log_bin = 1")


def _still_ours(agent: "Mysql", server: "Server", dialect: "Dialect", facts: "Facts") -> None:
    if agent.state.age("rechecked") < _RECHECK:
        return
    try:
        recorded = agent.facts()
    except AgentError as error:
        agent.log.warning(f"not rechecked who is primary: {error}")
        return
    if recorded and recorded.epoch > facts.epoch:
        dialect.set_read_only(server, True)
        raise Deposed(f"{recorded.primary} was promoted in epoch {recorded.epoch}, this server in {facts.epoch}")
    agent.state.write("rechecked", "")


def _carry_out(
    agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed", facts: "Facts", step: Step
) -> str:
    running = agent.running()
    if step is Step.FORGET:
        # Stopping a receiver can take two seconds. Not in the monitor: on a busy node Pacemaker lets one action run at
        # a time, and the writer address would wait for it.
        detach(lambda: _forget_source(agent))
    elif step is Step.REPAIR:
        agent.log.warning("waiting for acknowledgements as recorded, which it did not")
        dialect.wait_for_acks(server, NOMINAL if facts.solo else FOREVER)
    elif step is Step.ADMIT:
        # One that is still receiving what it missed would hold up every commit, were it the last to acknowledge.
        waiting = seen.followers - facts.sync - {agent.me}
        ready = frozenset(node for node in waiting if _has(agent, dialect, node, seen.applied))
        if not ready:
            return _review(agent, server, dialect, seen, facts)
        agent.record(running, facts.changed(facts.sync | ready, solo=False))
    elif step is Step.END_SOLO:
        return _end_solo(agent, server, dialect, facts)
    elif step is Step.BEGIN:
        if not all(_has(agent, dialect, node, seen.applied) for node in facts.sync):
            return _review(agent, server, dialect, seen, facts)
        agent.record(running, facts.begun(str(seen.applied)))
    elif step is Step.REVIEW:
        return _review(agent, server, dialect, seen, facts)
    return ""


def _forget_source(agent: "Mysql") -> None:
    """In a process of its own, so the role may be gone before it gets there; what it follows then is not to be forgotten."""
    try:
        with agent.state.replication(agent.deadline.within(0)), agent.connect(agent.deadline) as server:
            if agent.state.promoted(agent.running().identity):
                agent.dialect(server).forget_source(server)
    except Occupied as busy:
        agent.log.info(f"the old source is not forgotten yet: {busy}")  # the next monitor has it done
    except AgentError as error:
        agent.log.warning(f"the old source is not forgotten yet: {error}")


def _end_solo(agent: "Mysql", server: "Server", dialect: "Dialect", facts: "Facts") -> str:
    """Wait for acknowledgements first, see that a follower has everything, record it last."""
    server.within(agent.deadline.within(_CATCH_UP + 5))  # it must be able to go back as well
    dialect.stop_waiting(server)  # on again, it waits from the next commit on, even if none caught up meanwhile
    dialect.wait_for_acks(server, FOREVER)
    seen = dialect.observe(server)
    followers = seen.followers - {agent.me}
    if not (seen.acks.active and seen.acks.clients and _any_has(agent, dialect, followers, seen.applied, _CATCH_UP)):
        dialect.stop_waiting(server)
        dialect.wait_for_acks(server, NOMINAL)
        return f"runs alone: {_distrusted(agent, dialect, followers) or 'a replica is catching up'}"
    overview = agent.pacemaker.overview(ends=True)
    # Whoever may run may have begun to acknowledge while we were solo, connected just now or not, in the cluster or not.
    others = frozenset(filter(overview.may_run, overview.nodes)) if overview else frozenset()
    agent.record(agent.running(), facts.changed((followers | others) - {agent.me}, solo=False))
    return ""


def _review(agent: "Mysql", server: "Server", dialect: "Dialect", seen: "Observed", facts: "Facts") -> str:
    """Drop nodes that surely acknowledge no more; go solo when none is left."""
    absent = not (seen.followers & facts.sync)
    if not absent:
        agent.state.remove("unacknowledged")
    waited = agent.state.lasting("unacknowledged", "") if absent else 0.0
    overview = agent.pacemaker.overview(ends=True)
    outcome = review(facts, seen.followers, overview, waited, float(agent.degrade_after))
    whole = overview is not None and facts.sync <= overview.online and not outcome.act
    agent.state.write("reviewed", ring.settled(agent.state) if whole else "")
    if not outcome.act:
        if not absent and _stuck(agent, seen):
            return _unstick(agent, server, dialect, facts) if seen.acks.clients else _let_in(agent, server, dialect)
        return outcome.reason if absent else ""
    agent.log.warning(outcome.reason)
    if outcome.sync:
        # Those who stay must have what those who go acknowledged.
        if not _any_has(agent, dialect, outcome.sync, dialect.observe(server).applied):
            return f"{', '.join(sorted(outcome.sync))} has not caught up with what the others acknowledged"
        agent.record(agent.running(), facts.changed(outcome.sync, solo=False))
        return ""
    agent.record(agent.running(), facts.changed(frozenset(), solo=True))
    dialect.stop_waiting(server)
    dialect.wait_for_acks(server, NOMINAL)
    return f"runs alone: {outcome.reason}"


def _stuck(agent: "Mysql", seen: "Observed") -> bool:
    """Whether commits wait since the last monitor and not one was acknowledged meanwhile, though a replica is connected."""
    age, before = agent.state.age("waiting"), agent.state.read("waiting")
    if not seen.acks.waiting:
        agent.state.remove("waiting")
        return False
    agent.state.write("waiting", str(seen.acks.confirmed))
    return before == str(seen.acks.confirmed) and 1.5 <= age <= 10


def _unstick(agent: "Mysql", server: "Server", dialect: "Dialect", facts: "Facts") -> str:
    """Commits whose own acknowledgement can never come: have them acknowledged with one that follows them.

    A replica that received them while it did not acknowledge yet will not do so afterwards. But whoever acknowledges a
    position has all before it, so a later commit frees them; where all clients wait, there is none, and it is made here.
    They are never let go: whether the replica is stuck, dead or cut off looks the same from here, and in a set of two the
    other side may be about to be promoted.
    """
    agent.log.warning("commits wait for an acknowledgement that does not come: following them with one more")
    agent.state.remove("waiting")
    try:
        with agent.connect(agent.deadline.within(_FOLLOW)) as follower:
            follower.query(_FOLLOWING)
    except AgentError as error:
        return _complete(agent, server, dialect, facts) or f"commits wait for an acknowledgement: {error}"
    return ""


def _let_in(agent: "Mysql", server: "Server", dialect: "Dialect") -> str:
    """Replicas connect, and none gets as far as to acknowledge: docs/decisions/0033."""
    agent.state.remove("waiting")
    account = (agent.replication_user, agent.replication_password)
    with agent.connect_peer(agent.me, dialect, _FOLLOW, account) as source:
        own = [int(source.one("SELECT CONNECTION_ID() AS id")["id"])]
        if not dialect.rouse(source):
            return "commits wait, and no replica that is connected acknowledges"
        agent.log.warning("commits wait, and no replica was let in: woke what receives acknowledgements")
        try:
            poll(lambda: dialect.observe(server).acks.clients > 1, agent.deadline.within(_FOLLOW), "a replica", 0.1)
        finally:
            server.kill(own)
    return ""


def _complete(agent: "Mysql", server: "Server", dialect: "Dialect", facts: "Facts") -> str:
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
        if not any(_has(agent, dialect, node, seen.applied, gives=True) for node in facts.sync & seen.followers):
            break
        server.kill(waiting)
        ended += len(waiting)

        def moved(before: "list[int]" = waiting) -> bool:
            return not set(before) & set(dialect.waiting_threads(server))

        poll(moved, agent.deadline.within(_FOLLOW), "the commits to complete")
    if not ended:
        return ""
    agent.log.warning(f"a replica has them: ended {ended} sessions that waited")
    return f"{ended} sessions were ended: a replica has their commits, which it could not acknowledge any more"


def _any_has(
    agent: "Mysql", dialect: "Dialect", nodes: "frozenset[str]", history: "History", seconds: float = 1.0
) -> bool:
    """Whether one of the nodes received all of the history, within so many seconds."""

    def has() -> bool:
        return any(_has(agent, dialect, node, history) for node in nodes)

    try:
        return poll(has, agent.deadline.within(seconds), "a replica to catch up", 0.1)
    except AgentError:
        return False


def _has(agent: "Mysql", dialect: "Dialect", node: str, history: "History", gives: bool = False) -> bool:
    """Whether the node received all of the history; gives: and acknowledges by now."""
    try:
        with agent.connect_peer(node, dialect, 0.5) as peer:
            said = dialect.peer(peer)
            return not said.why and said.received.includes(history) and (said.gives or not gives)
    except AgentError as error:
        agent.log.debug(str(error))
        return False


def _distrusted(agent: "Mysql", dialect: "Dialect", nodes: "frozenset[str]") -> str:
    """Why one of them cannot be asked what it has, when that is TLS and so will not pass; "" when it is not."""
    for node in sorted(nodes):
        try:
            agent.connect_peer(node, dialect, 0.5).close()
        except ServerUntrusted as error:
            return str(error)
        except AgentError as error:
            agent.log.debug(str(error))
    return ""


def step_down(agent: "Mysql", server: "Server") -> None:
    """Close for writes, let commits under way finish, send clients off. Raises AgentError when that takes too long; then
    only a kill leaves nothing behind.

    It goes on waiting for acknowledgements, of nothing: MySQL takes up to a second to stop that (its acknowledgement
    receiver sleeps so long), and a client would wait with it. Whatever applies here next ends it first."""
    dialect = agent.dialect(server)
    dialect.set_read_only(server, True)
    # Only then: killing a session that waits would commit what it waits for.
    poll(lambda: not dialect.observe(server).acks.waiting, server.deadline, "acknowledgements", 0.02)
    server.kill(dialect.client_threads(server))
