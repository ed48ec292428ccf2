"""What is known of the other nodes: which are down, and what each has told about its data before it boots."""

from __future__ import annotations

from backstay.cluster.attributes import Attribute
from backstay.services.rabbitmq import observation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from backstay.cluster.pacemaker import Pacemaker

DATA = Attribute(
    "{resource}-data",
    "RabbitMQ: the broker's Erlang name, whether it has data, and who was up when it went down",
    lost="a node that forms or joins the cluster waits for this one to say it again",
    public=False,
)


def down(pacemaker: Pacemaker) -> frozenset[str]:
    """Nodes out of the cluster whose broker is known to have ended: fenced, or stopped before they left. One that left in
    maintenance runs it on. Raises AgentError."""
    overview = pacemaker.overview(ends=True)
    gone = overview.offline if overview and overview.fencing else ()
    return frozenset(node for node in gone if overview and overview.surely_inactive(node))


def tell(pacemaker: Pacemaker, erlang: str, full: bool, up: AbstractSet[str]) -> None:
    """Of this node. erlang: its broker. full: whether it has data. up: Erlang names. Raises AgentError."""
    has = observation.DATA if full else observation.EMPTY
    said = f"{erlang} {has} {','.join(sorted(up))}".rstrip()
    pacemaker.set_attribute(DATA, said)


def said_of(pacemaker: Pacemaker) -> dict[str, tuple[str, str, frozenset[str]]]:
    """Other online nodes: Erlang name, what it has, who was up when it went down; "" where it has not said. Raises
    AgentError."""
    heard = {}
    for node in pacemaker.members():
        if node != pacemaker.node():
            words = _said(pacemaker, node)
            up = frozenset(words[2].split(",")) if len(words) > 2 else frozenset()
            heard[node] = (words[0], words[1], up) if len(words) > 1 else ("", observation.UNSAID, up)
    return heard


def erlang_name(pacemaker: Pacemaker, node: str) -> str:
    """Of a node's broker, "" where it has not said. Raises AgentError."""
    return next(iter(_said(pacemaker, node)), "")


def _said(pacemaker: Pacemaker, node: str) -> list[str]:
    return (pacemaker.attribute(DATA, node) or "").split()
