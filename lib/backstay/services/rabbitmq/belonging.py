"""Whether a broker belongs to the cluster that is on record, asked after every start: what RabbitMQ makes of the data that it
finds, and whom it joins, is known only then. One that does not must not serve, and never writes the record."""

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import broker, formation
from backstay.services.rabbitmq.health import Stray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.process import Process
    from backstay.services.rabbitmq.agent import Rabbitmq
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.record import Facts

_NOTE = "belongs"  # in /run: identity of the broker that was compared


def compare(agent: "Rabbitmq", members: "frozenset[str]", facts: "Facts") -> None:
    """members: as the broker has them, or its data; empty when unknown. Raises Stray, AgentError."""
    why = _why(agent, members, facts)
    if why:
        directory = agent.layout().directory
        remedy = "if it is of no worth, rename" if facts.members else "keep one, and rename the others, here"
        raise Stray(f"{why}: {remedy} {directory}")


def may_change(agent: "Rabbitmq", members: "frozenset[str]", facts: "Facts") -> str:
    """Why the broker would be a stray, where that rests on what others have said, some of them perhaps long ago. Raises
    AgentError."""
    return "" if facts.members else _why(agent, members, facts)


def _why(agent: "Rabbitmq", members: "frozenset[str]", facts: "Facts") -> str:
    from backstay.services.rabbitmq.boot import said_of

    full = {}
    if members and not facts.members and facts.seed != agent.me:
        full = {node: said[0] for node, said in said_of(agent).items() if said[1] == formation.DATA}
    return formation.stray(agent.me, agent.erlang_name, members, facts, agent.removed_nodes(), full)


def note(agent: "Rabbitmq", running: "Process", members: "frozenset[str]") -> None:
    """Compare; once for each broker, as soon as there is a record. Raises Stray, AgentError."""
    if not members or agent.state.read(_NOTE) == running.identity:
        return
    facts = agent.facts()
    compare(agent, members, facts)
    if facts.members or not agent.invocation.node:  # outside a cluster there is never one
        agent.state.write(_NOTE, running.identity)


def check(agent: "Rabbitmq", running: "Process") -> None:
    """Ask a broker that serves, and compare. Left to the monitors where nobody says anything. Raises Stray."""
    try:
        with agent.connect(agent.deadline.within(agent.probe_timeout)) as node:
            note(agent, running, broker.dialect_of(node).members(node))
    except Stray:
        raise
    except AgentError as error:
        agent.log.warning(f"whether this broker belongs to the cluster is not known yet: {error}")


class Watch:
    """Of a boot: asked again and again until the members are settled, which is before clients are let in."""

    def __init__(self, agent: "Rabbitmq", dialect: "Dialect", secret: str) -> None:
        self._agent = agent
        self._dialect = dialect
        self._secret = secret
        self._settled = False

    def __call__(self) -> None:
        """Raises Stray."""
        if self._settled:
            return
        agent = self._agent
        try:
            deadline = agent.deadline.within(1)
            with broker.connect(agent.erlang_name, self._secret, deadline, "backstay-boot") as node:
                members = self._dialect.settled(node)
            if members:
                compare(agent, members, agent.facts())
                self._settled = True
        except Stray:
            raise
        except AgentError:
            return  # Erlang is not up yet, or RabbitMQ's code is not loaded: it is compared once more when it serves
