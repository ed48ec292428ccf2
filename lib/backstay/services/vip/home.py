"""Where clients of the address are served: everywhere, or with `home` on that node alone.

Elsewhere the address is held for one purpose: clients that were connected at home learn at once that it is gone, by the reset
that answers whatever they send next, and go on to the next of their addresses.
"""

from __future__ import annotations

from backstay.host import closed_addresses
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.vip.context import VipContext


def settle(context: VipContext) -> None:
    """Before the address is taken. Raises AgentError when it would be reset at home."""
    given = context.parameters
    if not given.home:
        return
    if context.invocation.node in ("", given.home):
        closed_addresses.reopen(given.address())
        return
    try:
        closed_addresses.close(given.address())
        context.log.info(f"{given.ip} is of {given.home}: what arrives here for it is reset")
    except AgentError as error:  # its clients learn of the loss all the same
        context.log.warning(f"clients of {given.ip} may be served here until {given.home} is back: {error}")


def leave(context: VipContext) -> None:
    """After the address has left: nothing of it stays. Fails no stop."""
    given = context.parameters
    if not given.home:
        return
    try:
        closed_addresses.reopen(given.address())
    except AgentError as error:
        context.log.warning(str(error))
