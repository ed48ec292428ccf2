"""Whether a broker belongs to the cluster that is on record, asked after every start. Only then is it known what RabbitMQ
makes of the data that it finds, and whom it joins. A broker that does not belong must not serve, and never writes the
record."""

from __future__ import annotations

from backstay.services.rabbitmq import formation
from backstay.services.rabbitmq.context import BELONGS
from backstay.services.rabbitmq.health import Stray
from backstay.services.rabbitmq.observation import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.rabbitmq.boot_steps import Looked
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.record import Record


def compare(context: RabbitmqContext, members: frozenset[str], record: Record) -> None:
    """members: as the broker has them, or its data; empty when unknown. Raises Stray, AgentError."""
    why = formation.stray(
        *(context.pacemaker.node(), context.broker.erlang_name, members, record),
        *(context.parameters.removed_nodes(), full_of(context, record) if members else {}),
    )
    if why:
        raise stray(context, why, record)


def stray(context: RabbitmqContext, why: str, record: Record) -> Stray:
    """With what is to be done."""
    directory = context.broker.layout().directory
    remedy = "if it is of no worth, rename" if record.members else "keep one, and rename the others, here"
    return Stray(f"{why}: {remedy} {directory}")


def full_of(context: RabbitmqContext, record: Record) -> dict[str, str]:
    """Other nodes with data -> their brokers' names; asked for where no record tells who belongs together. Raises AgentError."""
    if record.members or record.seed == context.pacemaker.node():
        return {}
    from backstay.services.rabbitmq import peers

    said = peers.said_of(context.pacemaker)
    return {node: erlang for node, (erlang, has, _) in said.items() if has == DATA}


def recorded(context: RabbitmqContext) -> Looked:
    """What a broker's members are compared with. Raises AgentError."""
    from backstay.services.rabbitmq.boot_steps import Looked

    record = context.record.read()
    said = {node: (erlang, DATA, frozenset[str]()) for node, erlang in full_of(context, record).items()}
    return Looked(record, frozenset(), said, frozenset(), True)


def note(context: RabbitmqContext, running: Process, members: frozenset[str]) -> None:
    """Compare; once for each broker, as soon as there is a record. Raises Stray, AgentError."""
    if not members or context.state.read(BELONGS) == running.identity:
        return
    record = context.record.read()
    compare(context, members, record)
    if record.members or not context.invocation.node:  # outside a cluster there is never one
        context.state.write(BELONGS, running.identity)
