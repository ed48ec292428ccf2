"""The deep probe (OCF_CHECK_LEVEL 10): what depends on this node alone, and a confirmed publish, declare and get."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.rabbitmq.agent import Rabbitmq
    from backstay.rabbitmq.dialect import Dialect
    from backstay.rabbitmq.distribution import Node


def findings(agent: "Rabbitmq", node: "Node", dialect: "Dialect") -> "list[str]":
    """What is degraded; empty when all is well. Raises AgentError."""
    return [f"{count} {what}" for what, count in sorted(dialect.irreplaceable(node).items())]
