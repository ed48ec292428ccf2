"""Start: adopts a broker that serves, ends one that does not, or else decides how to begin, and boots."""

from __future__ import annotations

import os
import time

from backstay.agent.interpreter import carry_out
from backstay.cluster.attributes import RECORD
from backstay.host.deadline import poll
from backstay.host.process import Process
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.ocf.parameters import whole
from backstay.ocf.steps import REFUSED
from backstay.services.rabbitmq import amqp, belonging, broker, cookie, formation, launch, peers, settings
from backstay.services.rabbitmq.boot_steps import STRAY, Disk, Looked, beginning
from backstay.services.rabbitmq.context import BELONGS, UNAWAITED
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.observation import ANSWERS, BOOTING, RUNNING, SILENT, UNKNOWN
from backstay.services.rabbitmq.process import find
from backstay.services.rabbitmq.record import Record
from backstay.watch import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect

_BOOT = 30.0  # seconds that a boot may need: waiting for others ends so long before the start's deadline
_OTHERS = 10.0  # seconds after which a start asks whether the broker can be waiting for others
_AFTERWARDS = 3.0  # seconds of the start that are left for the record once the broker serves, or for the reason
_PATIENCE = 15.0  # seconds for which online nodes are waited for that have not said what data they have


class Removal(WrongParameter):
    """This node left the cluster for good."""


def start(context: RabbitmqContext) -> Process:
    """The broker's process, once it answers AMQP, or boots for longer than start_wait. Raises AgentError."""
    given, me = context.parameters, context.pacemaker.node()
    if me in given.removed_nodes():
        raise Removal(f"{me} is named in removed: take it out of that parameter to have a broker here")
    verbs = _Verbs(context)
    steps = beginning(me, context.broker.erlang_name, frozenset(given.removed_nodes()), given.allow_force_boot)
    end = carry_out(steps, verbs, context.deadline)
    if end.kind == STRAY:
        raise belonging.stray(context, end.reason, verbs.record_seen)
    if end.kind == formation.MISPLACED:
        raise WrongParameter(end.reason)
    if end.kind == REFUSED:
        only = end.reason.endswith(formation.DELETE)
        remedy = f": crm_attribute -t crm_config -s backstay -n {RECORD.of(context.invocation.resource)} -D"
        raise AgentError(end.reason + (remedy if only else ""))
    return verbs.running


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


class _Verbs:
    """What the steps of a start do."""

    def __init__(self, context: RabbitmqContext) -> None:
        self._context = context
        self._secret = ""
        self._boots: list[_Boot] = []
        self._patience = self._until = context.deadline
        self._told = ""  # why it waits
        self.running = Process(0, "")  # the broker
        self.record_seen = Record({}, {})

    @property
    def _dialect(self) -> Dialect:
        return dialect_for(launch.version(self._layout.server))

    @property
    def _layout(self) -> launch.Layout:
        return self._context.broker.layout()

    def adopt(self, deadline: Deadline) -> bool:
        """Whether a broker runs that serves, or is about to. One that does not is ended."""
        running = self._context.broker.find()
        adopted = running and _adopt(self._context, running)
        self.running = adopted or self.running
        return bool(adopted)

    def prepare(self, deadline: Deadline) -> bool:
        """Whether RabbitMQ joins the oldest of its peers, perhaps itself."""
        context, layout, dialect = self._context, self._layout, self._dialect
        context.parameters.mirroring(dialect)
        check_files(context, layout, dialect)
        launch.prepare(layout)
        self._secret = cookie.ensure(layout.cookie_file, context.parameters.cookie, launch.account(layout.user))
        if layout.listener.ca:
            amqp.context(layout.listener.ca)  # before a broker is up that nobody could ask
        port = layout.listener.port
        taken = amqp.holder(port)
        if taken:
            raise AgentError(f"port {port} is taken by {taken}: end that, or set port")
        launch.ensure_port_mapper(layout, deadline)
        return dialect.joins_the_oldest

    def disk(self, deadline: Deadline) -> Disk:
        layout, dialect = self._layout, self._dialect
        if not launch.has_data(layout.directory, dialect):
            return Disk(False, elsewhere=tuple(launch.elsewhere(layout, dialect)))
        up, members = launch.up_at_shutdown(layout.directory), dialect.members_on_disk(layout.directory)
        return Disk(True, up, members, dialect.can_force(layout.directory))

    def tell(self, deadline: Deadline, full: bool, up: frozenset[str]) -> None:
        peers.tell(self._context.pacemaker, self._layout.node, full, up)
        self._patience = deadline.within(_PATIENCE)
        self._until = deadline.within(deadline.remaining() - _BOOT)

    def look(self, deadline: Deadline, full: bool) -> Looked:
        context = self._context
        record = self.record_seen = context.record.read()
        said: dict[str, tuple[str, str, frozenset[str]]] = {}
        down: frozenset[str] = frozenset()
        # Also where it decides nothing: a wrong cookie is found by asking.
        serving = frozenset(_serving(context, record, self._secret))
        if not record.members or (not full and not serving):
            said = peers.said_of(context.pacemaker)
            down = peers.down(context.pacemaker)
        return Looked(record, serving, said, down, not self._patience.expired)

    def ahead(self, deadline: Deadline, targets: tuple[str, ...]) -> str:
        """Why RabbitMQ would choose this broker itself; "" where it joins another."""
        return _ahead(self._context, self._dialect, targets, self._secret)

    def pause(self, deadline: Deadline, why: str) -> bool:
        """Whether there is time for another round."""
        if self._told != why:
            self._context.log.info(why)
            self._told = why
        if self._until.expired:
            return False
        time.sleep(min(0.5, self._until.remaining()))
        return True

    def put_aside(self, deadline: Deadline, name: str, why: str) -> None:
        self._context.log.notice(f"{why}: its data is kept in {launch.put_aside(self._layout.directory, name)}")

    def hear(self, deadline: Deadline, names: dict[str, str], mine: frozenset[str], record: Record) -> Looked | None:
        """What the others have, once each has said it; None where all who were up with this one are online."""
        context = self._context
        online = set(context.pacemaker.members())
        if all(node in online or names[node] not in mine for node in names):
            return None
        patience = deadline.within(_PATIENCE)

        def heard() -> dict[str, tuple[str, str, frozenset[str]]] | None:
            said = peers.said_of(context.pacemaker)
            return said if patience.expired or all(has for _, has, _ in said.values()) else None

        said = poll(heard, deadline, "what the other nodes have", interval=0.5)
        serving = frozenset(_serving(context, record, self._secret))
        return Looked(record, serving, said, peers.down(context.pacemaker) if not serving else frozenset(), True)

    def force(self, deadline: Deadline, why: str) -> None:
        self._context.log.warning(why)
        launch.force_next_boot(self._layout)

    def record(self, deadline: Deadline, old: Record, new: Record) -> bool:
        return self._context.record.replace(old, new)

    def launch(self, deadline: Deadline, step: str, targets: tuple[str, ...]) -> None:
        context, layout, dialect = self._context, self._layout, self._dialect
        context.log.info(f"{layout.node}: {step} {' '.join(targets)}".rstrip())
        text = settings.fragment(
            dialect,
            broker_count(context),
            context.parameters.net_ticktime,
            max(10.0, deadline.remaining() - _BOOT / 2),
            layout.node,
            targets,
            context.parameters.definitions if step == formation.SEED else "",
            context.parameters.default_queue_type,
            launch.admin_settings(layout),
        )
        launch.write_settings(layout, text)
        self._boots = [_Boot(context, layout, launch.launch(layout), step)]

    def settled(self, deadline: Deadline, *waits: Any) -> frozenset[str]:
        """The members as the booting broker has found them; empty where it serves before that is known, or is not waited for."""
        found: list[frozenset[str]] = []

        def look() -> bool:
            found[:] = [self._settled()]
            return bool(found[0])

        self._await(look, *waits)
        return found[0] if found else frozenset()

    def serve(self, deadline: Deadline, *waits: Any) -> bool:
        """Whether it serves: else it boots, and is not waited for."""
        self._await(None, *waits)
        return self._boots[-1].serves

    def recorded(self, deadline: Deadline, served: bool) -> Looked | None:
        """What its members are to be compared with, None where that cannot be read now."""
        try:
            looked = belonging.recorded(self._context)
        except AgentError as error:
            if served:
                self._context.log.warning(f"whether this broker belongs to the cluster is not known yet: {error}")
            return None
        self.record_seen = looked.record
        return looked

    def members(self, deadline: Deadline) -> frozenset[str]:
        """As a broker that serves has them; empty where they are compared already, or nobody says: then its monitors compare."""
        context = self._context
        if context.state.read(BELONGS) == self.running.identity:
            return frozenset()
        try:
            with context.broker.connect(deadline.within(context.parameters.probe_timeout)) as node:
                return broker.dialect_of(node).members(node)
        except AgentError as error:
            context.log.warning(f"whether this broker belongs to the cluster is not known yet: {error}")
            return frozenset()

    def note(self, deadline: Deadline, recorded: bool) -> None:
        if recorded or not self._context.invocation.node:  # outside a cluster there is never a record
            self._context.state.write(BELONGS, self.running.identity)

    def end(self, deadline: Deadline) -> bool:
        """Whether there is time for another boot. At once, before it lets anybody in: it is the stop that takes its time."""
        layout = self._layout
        launchers = [boot.launcher for boot in self._boots]
        for process in filter(None, (find("", layout.node, layout.directory), *launchers)):
            process.end(deadline, gently=False)
        return deadline.remaining() >= 2 * _BOOT

    def _settled(self) -> frozenset[str]:
        try:
            erlang, deadline = self._layout.node, self._context.deadline.within(1)
            with broker.connect(erlang, self._secret, deadline, "backstay-boot") as node:
                return self._dialect.settled(node)
        except AgentError:
            return frozenset()  # Erlang is not up yet, or RabbitMQ's code is not loaded: it is compared when it serves

    def _await(self, look: Callable[[], bool] | None, record: Record, forced: str, others: frozenset[str]) -> None:
        """Until the broker answers AMQP, its start does not wait for it any more, or `look` has seen enough. others: whom it may
        be waiting for itself. forced: why it does, or does not."""
        context, boot = self._context, self._boots[-1]

        def waits_for() -> str:
            return "" if _serving(context, record, self._secret) else ", ".join(sorted(others))

        try:
            boot.wait(waits_for, look)
            self.running = boot.running or self.running
        except AgentError as error:
            raise _explained(context, boot.layout, forced, error) from None


class _Boot:
    """A boot under way. The start waits until it serves or, where it waits only so long, while it boots. Who begins a cluster,
    joins one, or did not come to serve the last time is waited for, unless it may be waiting for others itself: the cluster
    starts nothing more before the starts under way have ended, and what this one waits for neither."""

    def __init__(self, context: RabbitmqContext, layout: launch.Layout, launcher: Process, step: str) -> None:
        self.layout = layout
        self.launcher = launcher
        self._context = context
        self._boots = step == formation.BOOT
        self._timeout = context.deadline.remaining()
        self._until = context.deadline.within(self._timeout - _AFTERWARDS)
        waits = self._boots and not context.state.read(UNAWAITED)
        self._patience = context.parameters.start_wait if waits else 0.0
        self._slice = self._until.within(self._patience or _OTHERS)
        self.running: Process | None = None  # the broker, once it serves or is not waited for
        self.serves = False

    def wait(self, waits_for: Callable[[], str], look: Callable[[], bool] | None) -> None:
        """Until then, or until `look` has seen enough. Raises AgentError."""
        context = self._context
        while not self.running:
            try:
                self.running = launch.await_greeting(self.layout, self.launcher, self._slice, look)
            except TimedOut:
                if self._until.expired:
                    raise  # now nobody could be asked whom it waits for
                booting = find("", self.layout.node, self.layout.directory)
                others = waits_for() if self._boots and not self._patience else ""
                if booting and (self._patience or others):
                    why = f", perhaps waiting for {others}" if others else ""
                    context.log.info(f"{self.layout.node} boots{why}: the start does not wait for it")
                    context.state.write(UNAWAITED, f"{booting.identity} {time.monotonic() + self._timeout}")
                    self.running = booting
                self._patience = 0.0
                self._slice = self._until.within(_OTHERS)
            else:
                if not self.running:
                    return
                context.state.remove(UNAWAITED)
                self.serves = True


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


def _explained(context: RabbitmqContext, layout: launch.Layout, forced: str, error: AgentError) -> AgentError:
    """A boot that failed: the cause, where the agent knows more than the broker said."""
    if isinstance(error, launch.Inconsistent):
        return AgentError(forgotten(context, error))
    late = isinstance(error, TimedOut) or "timeout_waiting_for_tables" in str(error)
    if late and forced:
        return AgentError(f"the broker waits for others: {forced}")
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


# -- others ------------------------------------------------------------------------------------------------------------


def _ahead(context: RabbitmqContext, dialect: Dialect, targets: tuple[str, ...], secret: str) -> str:
    """Why RabbitMQ would choose this broker itself, because it seems to be the older one."""
    for erlang in targets:
        try:
            with broker.connect(erlang, secret, context.deadline.within(2), "backstay-peer", local=False) as peer:
                ahead = dialect.began_after(peer, time.time())  # the wall clock's: it is what RabbitMQ compares
        except AgentError as error:
            return f"{erlang} says nothing of its cluster: {error}"
        if ahead:
            return (
                f"by its clock {erlang} seems to have begun after this broker, which would stand alone: set the clocks of"
                " all nodes"
            )
    return ""


def _serving(context: RabbitmqContext, record: Record, secret: str) -> set[str]:
    """Erlang names of other members that serve. Raises WrongCookie: no cluster without the same cookie."""
    online = context.pacemaker.members()
    others = [erlang for node, erlang in record.members.items() if node != context.pacemaker.node() and node in online]
    return {erlang for erlang in others if broker.serves(erlang, secret, context.deadline.within(2))}
