"""Tells the cluster how much this server is wanted as the primary, and whether it should get reads."""

from __future__ import annotations

from backstay.cluster import attributes
from backstay.host.fork import detach
from backstay.ocf.errors import AgentError
from backstay.services.mysql.state import READABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext


def publish(context: MysqlContext, score: int | str, readable: bool, lag: str = "") -> bool:
    """Tell the cluster, where something changed; whether it knows. The lag moves too often for the scheduler to hear of it."""
    if context.state.read(READABLE) != str(int(readable)):
        context.state.write(READABLE, str(int(readable)))
    try:
        context.pacemaker.set_promotion_score(score)
        context.pacemaker.set_attribute(attributes.READABLE, str(int(readable)))
        if lag:
            context.pacemaker.set_attribute(attributes.LAG, lag)
    except AgentError as error:
        context.log.warning(f"not published, the next monitor tries again: {error}")
        return False
    return True


def stopped(context: MysqlContext) -> None:
    """Whoever places readers by the attribute must not meet a stopped server. The promotion of another waits for the end of the
    stop and need not wait for that, so a child tells the cluster. The promotion score stays: a change of it would cost the
    failover a transition, while this one falls into the time of the promotion."""
    if not context.state.read(READABLE):
        return  # nothing was ever published
    try:
        context.state.write(READABLE, "0")
        detach(lambda: _withdraw(context))
    except (AgentError, OSError) as error:
        context.log.warning(f"still shown as readable: {error}")


def _withdraw(context: MysqlContext) -> None:
    """Unless a monitor has found the server readable meanwhile, started anew."""
    try:
        if context.state.read(READABLE) == "0":
            context.pacemaker.set_attribute(attributes.READABLE, "0")
    except (AgentError, OSError) as error:
        context.log.warning(f"still shown as readable: {error}")
