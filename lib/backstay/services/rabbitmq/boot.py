"""Start: adopts a broker that serves, ends one that does not, or else decides how to begin, and boots."""

from __future__ import annotations

import os

from backstay.cluster.attributes import RECORD
from backstay.host.deadline import poll
from backstay.host.process import Process
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.ocf.parameters import whole
from backstay.services.rabbitmq import amqp, belonging, broker, cookie, formation, launch, peers, settings
from backstay.services.rabbitmq.context import UNAWAITED
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.health import Stray
from backstay.services.rabbitmq.observation import ANSWERS, BOOTING, RUNNING, SILENT, UNKNOWN
from backstay.services.rabbitmq.process import find
from backstay.watch import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.record import Record

_BOOT = 30.0  # seconds that a boot may need: waiting for others ends so long before the start's deadline
_OTHERS = 10.0  # seconds after which a start asks whether the broker can be waiting for others
_AFTERWARDS = 3.0  # seconds of the start that are left for the record once the broker serves, or for the reason
_PATIENCE = 15.0  # seconds for which online nodes are waited for that have not said what data they have


class Removal(WrongParameter):
    """This node left the cluster for good."""


def start(context: RabbitmqContext) -> Process:
    """The broker's process, once it answers AMQP, or boots for longer than start_wait. Raises AgentError."""
    me = context.pacemaker.node()
    if me in context.parameters.removed_nodes():
        raise Removal(f"{me} is named in removed: take it out of that parameter to have a broker here")
    running = context.broker.find()
    adopted = running and _adopt(context, running)
    if adopted:
        belonging.check(context, adopted)
        return adopted
    layout = context.broker.layout()
    dialect = dialect_for(launch.version(layout.server))
    context.parameters.mirroring(dialect)
    check_files(context, layout, dialect)
    launch.prepare(layout)
    secret = cookie.ensure(layout.cookie_file, context.parameters.cookie, launch.account(layout.user))
    if layout.listener.ca:
        amqp.context(layout.listener.ca)  # before a broker is up that nobody could ask
    port = layout.listener.port
    taken = amqp.holder(port)
    if taken:
        raise AgentError(f"port {port} is taken by {taken}: end that, or set port")
    launch.ensure_port_mapper(layout, context.deadline)
    return _boot(context, layout, dialect, secret)


def check_files(context: RabbitmqContext, layout: launch.Layout, dialect: Dialect) -> None:
    """The files that parameters name. Raises WrongParameter."""
    if layout.config != type(context.parameters).config.default and not os.access(layout.config, os.R_OK):
        raise WrongParameter(f"the configuration {layout.config} is not readable: set config to it")
    proxied = launch.proxied(layout)
    if proxied != context.parameters.proxy_protocol:
        asked = "true" if proxied else "false"
        raise WrongParameter(
            f"proxy_protocol is {asked} in {layout.config} and its conf.d: set the parameter proxy_protocol={asked}"
        )
    directory = os.environ.get("RABBITMQ_MNESIA_DIR") or launch.admin_environment(layout).get("MNESIA_DIR", "")
    if directory and os.path.normpath(directory) != os.path.normpath(layout.directory):
        raise WrongParameter(
            f"MNESIA_DIR is {directory} in {launch.ENVIRONMENT}, and not {layout.directory}: rename it to that, and remove"
            " MNESIA_DIR there"
        )
    definitions = context.parameters.definitions
    if definitions and not os.access(definitions, os.R_OK):
        raise WrongParameter(f"the definitions {definitions} are not readable: set definitions to a file")
    if definitions and not launch.has_data(layout.directory, dialect):
        import json

        try:
            with open(definitions, encoding="utf-8") as source:
                json.load(source)  # RabbitMQ 3.10 boots without a word when it cannot read them
        except ValueError as error:
            raise WrongParameter(f"the definitions {definitions} are no JSON: {error}") from None


def _adopt(context: RabbitmqContext, running: Process) -> Process | None:
    """The broker that runs, if it serves or is about to; None once it has been ended."""
    greeted = broker.greets(context.broker.listener, context.deadline.within(context.parameters.probe_timeout))
    if greeted == ANSWERS:
        return running
    app = UNKNOWN
    try:
        with context.broker.connect(context.deadline.within(context.parameters.probe_timeout)) as node:
            app = broker.dialect_of(node).application(node)
    except AgentError as error:
        context.log.warning(f"the broker that runs says nothing: {error}")
    if greeted == SILENT and app == RUNNING:
        return running  # its connections go on; the monitor tells that it takes no new ones
    if app == BOOTING:
        context.log.info(f"waiting for process {running.pid}, which is booting")

        def settled() -> Process | None:
            if broker.greets(context.broker.listener, context.deadline.within(2)) == ANSWERS:
                return running
            return None if running.alive() else Process(0, "")

        served = poll(
            settled, context.deadline.within(context.deadline.remaining() / 2), "the booting broker", interval=0.2
        )
        if served.pid:
            return served
    what = f"process {running.pid} of {context.broker.erlang_name} ({context.broker.directory})"
    context.log.warning(f"ending {what}, a broker that does not serve")
    client.quiet(context, running.pid, running.started)
    running.end(context.deadline.within(context.deadline.remaining() / 3), gently=app != UNKNOWN)
    return None


def _boot(context: RabbitmqContext, layout: launch.Layout, dialect: Dialect, secret: str) -> Process:
    while True:
        plan, record = _plan(context, layout, dialect, secret)
        if plan.step == formation.ASIDE:
            context.log.notice(f"{plan.reason}: its data is kept in {launch.put_aside(layout.directory)}")
            continue
        try:
            return _boot_as(context, layout, dialect, secret, plan, record)
        except Stray as error:
            # A joiner had nothing before. RabbitMQ from 3.13 stands alone where a peer seems to have begun later.
            if plan.step != formation.JOIN or context.deadline.remaining() < 2 * _BOOT:
                raise
            kept = launch.put_aside(layout.directory, "stray")
            context.log.warning(f"{error}: it joined nobody. What it has is kept in {kept}, and it joins anew")


def _boot_as(
    context: RabbitmqContext, layout: launch.Layout, dialect: Dialect, secret: str, plan: formation.Plan, record: Record
) -> Process:
    force = formation.Force(False)
    if plan.step == formation.BOOT:
        belonging.compare(context, dialect.members_on_disk(layout.directory), record)
        force = _force(context, layout, dialect, record, secret)
        if force.force:
            context.log.warning(force.reason)
            launch.force_next_boot(layout)
    if plan.step == formation.SEED:
        context.record.write(record.seeded_by(context.pacemaker.node()))
    context.log.info(f"{layout.node}: {plan.step} {' '.join(plan.targets)}".rstrip())
    text = settings.fragment(
        dialect,
        broker_count(context),
        context.parameters.net_ticktime,
        max(10.0, context.deadline.remaining() - _BOOT / 2),
        layout.node,
        plan.targets,
        context.parameters.definitions if plan.step == formation.SEED else "",
        context.parameters.default_queue_type,
        launch.admin_settings(layout),
    )
    launch.write_settings(layout, text)
    # Mnesia waits for who was up when this broker went down, Khepri for a majority.
    others = frozenset(launch.up_at_shutdown(layout.directory) or record.members.values()) - {layout.node}
    watch = belonging.Watch(context, dialect, secret) if plan.step != formation.SEED else None
    launcher = launch.launch(layout)
    try:
        running = _await(
            context, layout, launcher, plan.step, lambda: _waits_for(context, others, record, secret), watch
        )
        if watch and not context.state.read(UNAWAITED):
            belonging.check(context, running)
    except Stray:
        _end(context, layout, launcher)
        raise
    except AgentError as error:
        raise _explained(context, layout, record, force, error) from None
    if plan.step == formation.SEED:
        context.record.write(record.with_member(context.pacemaker.node(), layout.node))
        belonging.check(context, running)  # no monitor has to
    return running


def _end(context: RabbitmqContext, layout: launch.Layout, launcher: Process) -> None:
    """At once, before it lets anybody in: it is the agent's stop that takes its time."""
    running = find("", layout.node, layout.directory)
    for process in (running, launcher):
        if process:
            process.end(context.deadline, gently=False)


def _await(
    context: RabbitmqContext,
    layout: launch.Layout,
    launcher: Process,
    step: str,
    waits_for: Callable[[], str],
    watch: Callable[[], None] | None,
) -> Process:
    """The broker's process, once it answers AMQP; or, where the start does not wait for that, while it boots. Who begins a
    cluster, joins one, or did not come to serve the last time is waited for, unless `waits_for` names whom it may be waiting
    for itself: the cluster starts nothing more before the starts under way have ended, and what this one waits for neither."""
    import time

    timeout = context.deadline.remaining()
    until = context.deadline.within(timeout - _AFTERWARDS)
    patience = context.parameters.start_wait if step == formation.BOOT and not context.state.read(UNAWAITED) else 0.0
    while True:
        try:
            running = launch.await_greeting(layout, launcher, until.within(patience or _OTHERS), watch)
        except TimedOut:
            if until.expired:
                raise  # now nobody could be asked whom it waits for
            booting = find("", layout.node, layout.directory)
            others = waits_for() if step == formation.BOOT and not patience else ""
            if booting and (patience or others):
                why = f", perhaps waiting for {others}" if others else ""
                context.log.info(f"{layout.node} boots{why}: the start does not wait for it")
                context.state.write(UNAWAITED, f"{booting.identity} {time.monotonic() + timeout}")
                return booting
            patience = 0.0
        else:
            context.state.remove(UNAWAITED)
            return running


def _waits_for(context: RabbitmqContext, others: frozenset[str], record: Record, secret: str) -> str:
    """The `others`, while no member serves."""
    return "" if _serving(context, record, secret) else ", ".join(sorted(others))


def _explained(
    context: RabbitmqContext, layout: launch.Layout, record: Record, force: formation.Force, error: AgentError
) -> AgentError:
    """A boot that failed: the cause, where the agent knows more than the broker said."""
    if isinstance(error, launch.Inconsistent):
        return AgentError(forgotten(context, error))
    late = isinstance(error, TimedOut) or "timeout_waiting_for_tables" in str(error)
    if late and force.reason:
        return AgentError(f"the broker waits for others: {force.reason}")
    if late:
        absent = sorted(launch.up_at_shutdown(layout.directory) - {layout.node})
        if absent:
            return AgentError(f"the broker waits for {', '.join(absent)}, up when it went down: start them. {error}")
    return error


def forgotten(context: RabbitmqContext, error: AgentError) -> str:
    """What is to be done for a broker that its cluster has forgotten: its data is kept, and it joins anew."""
    return f"{error}: name {context.pacemaker.node()} in removed, and take it out again"


def ended(context: RabbitmqContext) -> str:
    """Why a broker whose start did not wait for it ended before it served; "" where it served, or nobody knows."""
    if not context.state.read(UNAWAITED):
        return ""
    error = launch.boot_failure(context.broker.layout())
    return forgotten(context, error) if isinstance(error, launch.Inconsistent) else str(error)


def broker_count(context: RabbitmqContext) -> int:
    """How many brokers the cluster has."""
    wanted = whole(context.invocation.environ.get("OCF_RESKEY_CRM_meta_clone_max", ""))
    return max(1, len(context.pacemaker.nodes())) if wanted is None else wanted


# -- how to begin ------------------------------------------------------------------------------------------------------


def _plan(
    context: RabbitmqContext, layout: launch.Layout, dialect: Dialect, secret: str
) -> tuple[formation.Plan, Record]:
    """What to do, once that is not to wait. Raises AgentError with what was waited for in vain, or the refusal."""
    full = launch.has_data(layout.directory, dialect)
    up = launch.up_at_shutdown(layout.directory) if full else frozenset()
    peers.tell(context.pacemaker, layout.node, full, up)
    others = [] if full else launch.elsewhere(layout, dialect)
    begun = context.deadline.remaining()
    found: list[tuple[formation.Plan, Record]] = []

    def decided() -> bool:
        record = context.record.read()
        states: dict[str, str] = {}
        down: frozenset[str] = frozenset()
        running = _serving(context, record, secret)  # also where it decides nothing: a wrong cookie is found by asking
        if not record.members or (not full and not running):
            states = {node: said[1] for node, said in peers.said_of(context.pacemaker).items()}
            down = peers.down(context.pacemaker)
        patient = begun - context.deadline.remaining() < _PATIENCE
        plan = formation.plan(
            context.pacemaker.node(), full, record, states, running, down, patient, layout.node, others
        )
        if plan.step == formation.JOIN and dialect.joins_the_oldest:
            plan = _after_its_peers(context, dialect, plan, secret)
        elif plan.step == formation.BOOT and patient:
            why = belonging.may_change(context, dialect.members_on_disk(layout.directory), record)
            plan = formation.Plan(formation.WAIT, why) if why else plan
        if plan.step == formation.WAIT and (not found or found[0][0].reason != plan.reason):
            context.log.info(plan.reason)
        found[:] = [(plan, record)]
        return plan.step != formation.WAIT

    try:
        poll(decided, context.deadline.within(context.deadline.remaining() - _BOOT), "", interval=0.5)
    except TimedOut:
        raise AgentError(found[0][0].reason) from None
    plan, record = found[0]
    if plan.step == formation.MISPLACED:
        raise WrongParameter(plan.reason)
    if plan.step == formation.REFUSE:
        remedy = f": crm_attribute -t crm_config -s backstay -n {RECORD.of(context.invocation.resource)} -D"
        raise AgentError(plan.reason + (remedy if len(record.members) == 1 else ""))
    return plan, record


def _after_its_peers(context: RabbitmqContext, dialect: Dialect, plan: formation.Plan, secret: str) -> formation.Plan:
    """The plan to join; to wait where RabbitMQ would then choose this broker itself, because it seems to be the older one."""
    import time

    for erlang in plan.targets:
        try:
            with broker.connect(erlang, secret, context.deadline.within(2), "backstay-peer", local=False) as peer:
                ahead = dialect.began_after(peer, time.time())  # the wall clock's: it is what RabbitMQ compares
        except AgentError as error:
            return formation.Plan(formation.WAIT, f"{erlang} says nothing of its cluster: {error}")
        if ahead:
            why = "seems to have begun after this broker, which would stand alone: set the clocks of all nodes"
            return formation.Plan(formation.WAIT, f"by its clock {erlang} {why}")
    return plan


def _force(
    context: RabbitmqContext, layout: launch.Layout, dialect: Dialect, record: Record, secret: str
) -> formation.Force:
    """Whether to boot without a node that was up last. Asked only when one that was up with this node is not online."""
    mine = launch.up_at_shutdown(layout.directory)
    names = {**record.members, context.pacemaker.node(): layout.node}
    if not mine or not dialect.can_force(layout.directory):
        return formation.Force(False)
    online = set(context.pacemaker.members())
    if all(node in online or names[node] not in mine for node in names):
        return formation.Force(False)
    begun = context.deadline.remaining()

    def heard() -> dict[str, tuple[str, str, frozenset[str]]] | None:
        said = peers.said_of(context.pacemaker)
        waited = begun - context.deadline.remaining() > _PATIENCE
        return said if waited or all(has for _, has, _ in said.values()) else None

    said = poll(heard, context.deadline, "what the other nodes have", interval=0.5)
    if _serving(context, record, secret):
        return formation.Force(False)
    known = {node: up for node, (_, has, up) in said.items() if has == formation.DATA}
    me, allowed = context.pacemaker.node(), context.parameters.allow_force_boot
    return formation.force_boot(me, {**known, me: mine}, names, peers.down(context.pacemaker), allowed)


def _serving(context: RabbitmqContext, record: Record, secret: str) -> set[str]:
    """Erlang names of other members that serve. Raises WrongCookie: no cluster without the same cookie."""
    online = context.pacemaker.members()
    others = [erlang for node, erlang in record.members.items() if node != context.pacemaker.node() and node in online]
    return {erlang for erlang in others if broker.serves(erlang, secret, context.deadline.within(2))}
