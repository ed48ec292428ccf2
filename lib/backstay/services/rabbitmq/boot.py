"""Start: adopt a broker that serves, end one that does not, else decide how to begin and boot."""

import os

from backstay.host.deadline import poll
from backstay.host.process import Process
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.services.rabbitmq import amqp, belonging, broker, cookie, formation, launch, settings
from backstay.services.rabbitmq.dialects.base import dialect_for
from backstay.services.rabbitmq.health import Stray
from backstay.services.rabbitmq.observation import ANSWERS, BOOTING, UNKNOWN
from backstay.services.rabbitmq.process import find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.record import Facts

_BOOT = 30.0  # seconds that a boot may need: waiting for others ends so long before the start's deadline
_OTHERS = 10.0  # seconds after which a start asks whether the broker can be waiting for others
_PATIENCE = 15.0  # seconds for which online nodes are waited for that have not said what data they have
_ATTRIBUTE = "data"  # private, of each node: its Erlang name, what it has, and who was up when it went down


class Removal(WrongParameter):
    """This node left the cluster for good."""


def start(agent: "Rabbitmq") -> Process:
    """The broker's process, once it answers AMQP, or boots for longer than start_wait. Raises AgentError."""
    if agent.me in agent.removed_nodes():
        raise Removal(f"{agent.me} is named in removed: take it out of that parameter to have a broker here")
    running = agent.find_process()
    adopted = running and _adopt(agent, running)
    if adopted:
        belonging.check(agent, adopted)
        return adopted
    layout = agent.layout()
    dialect = dialect_for(launch.version(layout.server))
    agent.mirroring(dialect)
    check_files(agent, layout, dialect)
    launch.prepare(layout)
    secret = cookie.ensure(layout.cookie_file, agent.cookie, layout.user)
    if layout.listener.ca:
        amqp.context(layout.listener.ca)  # before a broker is up that nobody could ask
    port = layout.listener.port
    taken = amqp.holder(port)
    if taken:
        raise AgentError(f"port {port} is taken by {taken}: end that, or set port")
    launch.ensure_port_mapper(layout, agent.deadline)
    return _boot(agent, layout, dialect, secret)


def check_files(agent: "Rabbitmq", layout: launch.Layout, dialect: "Dialect") -> None:
    """The files that parameters name. Raises WrongParameter."""
    if layout.config != type(agent).config.default and not os.access(layout.config, os.R_OK):
        raise WrongParameter(f"the configuration {layout.config} is not readable: set config to it")
    if agent.definitions and not os.access(agent.definitions, os.R_OK):
        raise WrongParameter(f"the definitions {agent.definitions} are not readable: set definitions to a file")
    if agent.definitions and not launch.has_data(layout.directory, dialect):
        import json

        try:
            with open(agent.definitions, encoding="utf-8") as source:
                json.load(source)  # RabbitMQ 3.10 boots without a word when it cannot read them
        except ValueError as error:
            raise WrongParameter(f"the definitions {agent.definitions} are no JSON: {error}") from None


def _adopt(agent: "Rabbitmq", running: Process) -> "Process | None":
    """The broker that runs, if it serves or is about to; None once it has been ended."""
    layout_node, directory = agent.erlang_name, os.path.join(agent.data_directory, agent.erlang_name)
    if broker.greets(agent.listener, agent.deadline.within(agent.probe_timeout)) == ANSWERS:
        return running
    app = UNKNOWN
    try:
        with agent.connect(agent.deadline.within(agent.probe_timeout)) as node:
            app = broker.dialect_of(node).application(node)
    except AgentError as error:
        agent.log.warning(f"the broker that runs says nothing: {error}")
    if app == BOOTING:
        agent.log.info(f"waiting for process {running.pid}, which is booting")

        def settled() -> "Process | None":
            if broker.greets(agent.listener, agent.deadline.within(2)) == ANSWERS:
                return running
            return None if running.alive() else Process(0, "")

        served = poll(
            settled, agent.deadline.within(agent.deadline.remaining() / 2), "the booting broker", interval=0.2
        )
        if served.pid:
            return served
    agent.log.warning(f"ending process {running.pid} of {layout_node} ({directory}), a broker that does not serve")
    agent.quiet(running.pid, running.started)
    running.end(agent.deadline.within(agent.deadline.remaining() / 3), gently=app != UNKNOWN)
    return None


def _boot(agent: "Rabbitmq", layout: launch.Layout, dialect: "Dialect", secret: str) -> Process:
    while True:
        plan, facts = _plan(agent, layout, dialect, secret)
        if plan.step == formation.ASIDE:
            agent.log.notice(f"{plan.reason}: its data is kept in {launch.put_aside(layout.directory)}")
            continue
        try:
            return _boot_as(agent, layout, dialect, secret, plan, facts)
        except Stray as error:
            # A joiner had nothing before. RabbitMQ from 3.13 stands alone where a peer seems to have begun later.
            if plan.step != formation.JOIN or agent.deadline.remaining() < 2 * _BOOT:
                raise
            kept = launch.put_aside(layout.directory, "stray")
            agent.log.warning(f"{error}: it joined nobody. What it has is kept in {kept}, and it joins anew")


def _boot_as(
    agent: "Rabbitmq", layout: launch.Layout, dialect: "Dialect", secret: str, plan: formation.Plan, facts: "Facts"
) -> Process:
    force = formation.Force(False)
    if plan.step == formation.BOOT:
        belonging.compare(agent, dialect.members_on_disk(layout.directory), facts)
        force = _force(agent, layout, dialect, facts, secret)
        if force.force:
            agent.log.warning(force.reason)
            launch.force_next_boot(layout)
    if plan.step == formation.SEED:
        agent.record(facts.seeded_by(agent.me))
    agent.log.info(f"{layout.node}: {plan.step} {' '.join(plan.targets)}".rstrip())
    text = settings.fragment(
        dialect,
        broker_count(agent),
        agent.net_ticktime,
        max(10.0, agent.deadline.remaining() - _BOOT / 2),
        layout.node,
        plan.targets,
        agent.definitions if plan.step == formation.SEED else "",
        agent.default_queue_type,
        launch.admin_settings(layout),
    )
    launch.write_settings(layout, text)
    # Mnesia waits for who was up when this broker went down, Khepri for a majority.
    others = frozenset(launch.up_at_shutdown(layout.directory) or facts.members.values()) - {layout.node}
    watch = belonging.Watch(agent, dialect, secret) if plan.step != formation.SEED else None
    launcher = launch.launch(layout)
    try:
        running = _await(agent, layout, launcher, plan.step, lambda: _waits_for(agent, others, facts, secret), watch)
        if watch and not agent.state.read("booting"):
            belonging.check(agent, running)
    except Stray:
        _end(agent, layout, launcher)
        raise
    except AgentError as error:
        raise _explained(agent, layout, facts, force, error) from None
    if plan.step == formation.SEED:
        agent.record(facts.with_member(agent.me, layout.node))
        belonging.check(agent, running)  # no monitor has to
    return running


def _end(agent: "Rabbitmq", layout: launch.Layout, launcher: Process) -> None:
    """At once, before it lets anybody in: it is the agent's stop that takes its time."""
    running = find("", layout.node, layout.directory)
    for process in (running, launcher):
        if process:
            process.end(agent.deadline, gently=False)


def _await(
    agent: "Rabbitmq",
    layout: launch.Layout,
    launcher: Process,
    step: str,
    waits_for: "Callable[[], str]",
    watch: "Callable[[], None] | None",
) -> Process:
    """The broker's process, once it answers AMQP; or, where the start does not wait for that, while it boots. Who begins a
    cluster, joins one, or did not come to serve the last time is waited for, unless `waits_for` names whom it may be waiting
    for itself: the cluster starts nothing more before the starts under way have ended, and what this one waits for neither."""
    import time

    timeout = agent.deadline.remaining()
    patience = agent.start_wait if step == formation.BOOT and not agent.state.read("booting") else 0.0
    while True:
        try:
            running = launch.await_greeting(layout, launcher, agent.deadline.within(patience or _OTHERS), watch)
        except TimedOut:
            booting = find("", layout.node, layout.directory)
            others = waits_for() if step == formation.BOOT and not patience else ""
            if booting and (patience or others):
                why = f", perhaps waiting for {others}" if others else ""
                agent.log.info(f"{layout.node} boots{why}: the start does not wait for it")
                agent.state.write("booting", f"{booting.identity} {time.monotonic() + timeout}")
                return booting
            if agent.deadline.expired:
                raise
            patience = 0.0
        else:
            agent.state.remove("booting")
            return running


def _waits_for(agent: "Rabbitmq", others: "frozenset[str]", facts: "Facts", secret: str) -> str:
    """The `others`, while no member serves."""
    return "" if _serving(agent, facts, secret) else ", ".join(sorted(others))


def _explained(
    agent: "Rabbitmq", layout: launch.Layout, facts: "Facts", force: formation.Force, error: AgentError
) -> AgentError:
    """A boot that failed: the cause, where we know more than the broker said."""
    late = isinstance(error, TimedOut) or "timeout_waiting_for_tables" in str(error)
    if late and force.reason:
        return AgentError(f"the broker waits for others: {force.reason}")
    if late:
        absent = sorted(launch.up_at_shutdown(layout.directory) - {layout.node})
        if absent:
            return AgentError(f"the broker waits for {', '.join(absent)}, up when it went down: start them. {error}")
    return error


def broker_count(agent: "Rabbitmq") -> int:
    """How many brokers the cluster has."""
    wanted = agent.invocation.environ.get("OCF_RESKEY_CRM_meta_clone_max", "")
    return int(wanted) if wanted.isdigit() else max(1, len(agent.pacemaker.nodes()))


# -- how to begin ------------------------------------------------------------------------------------------------------


def _plan(agent: "Rabbitmq", layout: launch.Layout, dialect: "Dialect", secret: str) -> "tuple[formation.Plan, Facts]":
    """What to do, once that is not to wait. Raises AgentError with what was waited for in vain, or the refusal."""
    full = launch.has_data(layout.directory, dialect)
    _say(agent, layout, full)
    begun = agent.deadline.remaining()
    found: list[tuple[formation.Plan, Facts]] = []

    def decided() -> bool:
        facts = agent.facts()
        states: dict[str, str] = {}
        down: frozenset[str] = frozenset()
        running = _serving(agent, facts, secret)  # also where it decides nothing: a wrong cookie is found by asking
        if not facts.members or (not full and not running):
            states = {node: said[1] for node, said in said_of(agent).items()}
            down = agent.nodes_down()
        patient = begun - agent.deadline.remaining() < _PATIENCE
        plan = formation.plan(agent.me, full, facts, states, running, down, patient)
        if plan.step == formation.JOIN and dialect.joins_the_oldest:
            plan = _after_its_peers(agent, dialect, plan, secret)
        elif plan.step == formation.BOOT and patient:
            why = belonging.may_change(agent, dialect.members_on_disk(layout.directory), facts)
            plan = formation.Plan(formation.WAIT, why) if why else plan
        if plan.step == formation.WAIT and (not found or found[0][0].reason != plan.reason):
            agent.log.info(plan.reason)
        found[:] = [(plan, facts)]
        return plan.step != formation.WAIT

    try:
        poll(decided, agent.deadline.within(agent.deadline.remaining() - _BOOT), "", interval=0.5)
    except TimedOut:
        raise AgentError(found[0][0].reason) from None
    plan, facts = found[0]
    if plan.step == formation.REFUSE:
        remedy = f": crm_attribute -t crm_config -s backstay -n {agent.invocation.resource}-facts -D"
        raise AgentError(plan.reason + (remedy if len(facts.members) == 1 else ""))
    return plan, facts


def _after_its_peers(agent: "Rabbitmq", dialect: "Dialect", plan: formation.Plan, secret: str) -> formation.Plan:
    """The plan to join; to wait where RabbitMQ would then choose this broker itself, because it seems to be the older one."""
    import time

    for erlang in plan.targets:
        try:
            with broker.connect(erlang, secret, agent.deadline.within(2), "backstay-peer", local=False) as peer:
                ahead = dialect.began_after(peer, time.time())  # the wall clock's: it is what RabbitMQ compares
        except AgentError as error:
            return formation.Plan(formation.WAIT, f"{erlang} says nothing of its cluster: {error}")
        if ahead:
            why = "seems to have begun after this broker, which would stand alone: set the clocks of all nodes"
            return formation.Plan(formation.WAIT, f"by its clock {erlang} {why}")
    return plan


def _force(
    agent: "Rabbitmq", layout: launch.Layout, dialect: "Dialect", facts: "Facts", secret: str
) -> formation.Force:
    """Whether to boot without a node that was up last. Asked only when one that was up with us is not online."""
    mine = launch.up_at_shutdown(layout.directory)
    names = {**facts.members, agent.me: layout.node}
    if not mine or not dialect.can_force(layout.directory):
        return formation.Force(False)
    online = set(agent.pacemaker.members())
    if all(node in online or names[node] not in mine for node in names):
        return formation.Force(False)
    begun = agent.deadline.remaining()

    def heard() -> "dict[str, tuple[str, str, frozenset[str]]] | None":
        said = said_of(agent)
        waited = begun - agent.deadline.remaining() > _PATIENCE
        return said if waited or all(has for _, has, _ in said.values()) else None

    said = poll(heard, agent.deadline, "what the other nodes have", interval=0.5)
    if _serving(agent, facts, secret):
        return formation.Force(False)
    known = {node: up for node, (_, has, up) in said.items() if has == formation.DATA}
    return formation.force_boot(agent.me, {**known, agent.me: mine}, names, agent.nodes_down(), agent.allow_force_boot)


def _say(agent: "Rabbitmq", layout: launch.Layout, full: bool) -> None:
    """Tell the other nodes what we have."""
    up = ",".join(sorted(launch.up_at_shutdown(layout.directory))) if full else ""
    has = formation.DATA if full else formation.EMPTY
    agent.pacemaker.set_attribute(attribute(agent), f"{layout.node} {has} {up}".rstrip(), private=True)


def attribute(agent: "Rabbitmq") -> str:
    return f"{agent.invocation.resource}-{_ATTRIBUTE}"


def said_of(agent: "Rabbitmq") -> "dict[str, tuple[str, str, frozenset[str]]]":
    """Other online nodes: Erlang name, what it has, who was up when it went down; "" where it has not said."""
    heard = {}
    for node in agent.pacemaker.members():
        if node != agent.me:
            words = (agent.pacemaker.attribute(attribute(agent), node) or "").split()
            up = frozenset(words[2].split(",")) if len(words) > 2 else frozenset()
            heard[node] = (words[0], words[1], up) if len(words) > 1 else ("", formation.UNSAID, up)
    return heard


def _serving(agent: "Rabbitmq", facts: "Facts", secret: str) -> "set[str]":
    """Erlang names of other members that serve. Raises WrongCookie: no cluster without the same cookie."""
    online = agent.pacemaker.members()
    others = [erlang for node, erlang in facts.members.items() if node != agent.me and node in online]
    return {erlang for erlang in others if broker.serves(erlang, secret, agent.deadline.within(2))}
