"""Tells the cluster how much this server is wanted as the primary, and whether it should get reads."""

from __future__ import annotations

from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext


def publish(context: MysqlContext, score: int | str, readable: bool, lag: str = "") -> bool:
    """Tell the cluster, where something changed; whether it knows. The lag moves too often for the scheduler to hear of it."""
    resource = context.invocation.resource
    if context.state.read("readable") != str(int(readable)):
        context.state.write("readable", str(int(readable)))
    try:
        context.pacemaker.set_promotion_score(score)
        context.pacemaker.set_attribute(f"{resource}-readable", str(int(readable)))
        if lag:
            context.pacemaker.set_attribute(f"{resource}-lag", lag, private=True)
    except AgentError as error:
        context.log.warning(f"not published, the next monitor tries again: {error}")
        return False
    return True


def stopped(context: MysqlContext) -> None:
    """Whoever places readers by the attribute must not meet a stopped server. The promotion score stays: a change of it
    would cost the failover a transition, while this one falls into the time of the promotion."""
    if not context.state.read("readable"):
        return  # nothing was ever published
    try:
        context.state.write("readable", "0")
        context.pacemaker.set_attribute(f"{context.invocation.resource}-readable", "0")
    except (AgentError, OSError) as error:
        context.log.warning(f"still shown as readable: {error}")
