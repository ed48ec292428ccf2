"""Whether a broker belongs to the cluster that is on record, asked after every start. Only then is it known what RabbitMQ
makes of the data that it finds, and whom it joins. A broker that does not belong must not serve, and never writes the
record."""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import broker, formation
from backstay.services.rabbitmq.context import BELONGS
from backstay.services.rabbitmq.health import Stray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.record import Record


def compare(context: RabbitmqContext, members: frozenset[str], record: Record) -> None:
    """members: as the broker has them, or its data; empty when unknown. Raises Stray, AgentError."""
    why = _why(context, members, record)
    if why:
        directory = context.broker.layout().directory
        remedy = "if it is of no worth, rename" if record.members else "keep one, and rename the others, here"
        raise Stray(f"{why}: {remedy} {directory}")


def may_change(context: RabbitmqContext, members: frozenset[str], record: Record) -> str:
    """Why the broker would be a stray, where that rests on what others have said, some of them perhaps long ago. Raises
    AgentError."""
    return "" if record.members else _why(context, members, record)


def _why(context: RabbitmqContext, members: frozenset[str], record: Record) -> str:
    from backstay.services.rabbitmq import peers

    full = {}
    me = context.pacemaker.node()
    if members and not record.members and record.seed != me:
        full = {node: said[0] for node, said in peers.said_of(context.pacemaker).items() if said[1] == formation.DATA}
    leaving = context.parameters.removed_nodes()
    return formation.stray(me, context.broker.erlang_name, members, record, leaving, full)


def note(context: RabbitmqContext, running: Process, members: frozenset[str]) -> None:
    """Compare; once for each broker, as soon as there is a record. Raises Stray, AgentError."""
    if not members or context.state.read(BELONGS) == running.identity:
        return
    record = context.record.read()
    compare(context, members, record)
    if record.members or not context.invocation.node:  # outside a cluster there is never one
        context.state.write(BELONGS, running.identity)


def check(context: RabbitmqContext, running: Process) -> None:
    """Ask a broker that serves, and compare. Left to the monitors where nobody says anything. Raises Stray."""
    try:
        with context.broker.connect(context.deadline.within(context.parameters.probe_timeout)) as node:
            note(context, running, broker.dialect_of(node).members(node))
    except Stray:
        raise
    except AgentError as error:
        context.log.warning(f"whether this broker belongs to the cluster is not known yet: {error}")


class Watch:
    """Of a boot: asked again and again until the members are settled, which is before clients are let in."""

    def __init__(self, context: RabbitmqContext, dialect: Dialect, secret: str) -> None:
        self._context = context
        self._dialect = dialect
        self._secret = secret
        self._settled = False

    def __call__(self) -> None:
        """Raises Stray."""
        if self._settled:
            return
        context = self._context
        try:
            deadline = context.deadline.within(1)
            with broker.connect(context.broker.erlang_name, self._secret, deadline, "backstay-boot") as node:
                members = self._dialect.settled(node)
            if members:
                compare(context, members, context.record.read())
                self._settled = True
        except Stray:
            raise
        except AgentError:
            return  # Erlang is not up yet, or RabbitMQ's code is not loaded: it is compared once more when it serves
