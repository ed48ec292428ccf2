"""Tells `backstay status` what became of the clients that came while an address moved away from here."""

from backstay.cluster.attributes import HELD
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.context import Context

_TELL = 10.0  # seconds


def tell(context: "Context", held: int, sent: int, expired: int) -> None:
    """From the process that held them, at its end; nobody waits for it. The numbers are of attempts to connect."""
    context.begin(_TELL)
    try:
        context.pacemaker.announce(HELD, f"{held} held, {sent} sent on, {expired} refused")
    except AgentError as error:
        context.log.info(f"status does not show how many clients were held: {error}")
