"""Where clients of the address are served: everywhere, or with `home` on that node alone.

Elsewhere the address is held for one purpose: clients that were connected at home learn at once that it is gone, by the reset
that answers whatever they send next, and go on to the next of their addresses.
"""

from __future__ import annotations

import os
import time

from backstay.host import closed_addresses
from backstay.host.fork import detach
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.ip_address import Address
    from backstay.services.vip.context import VipContext

# Seconds before each time. A client answers every half second at most, whoever asks (tcp_invalid_ratelimit of Linux).
_PAUSES = (0.0, 0.2, 0.6, 0.6, 1.0, 1.9)


def settle(context: VipContext) -> None:
    """Before the address is taken. Raises AgentError when it would be reset at home."""
    given = context.parameters
    if not given.home:
        return
    if not _away(context):
        closed_addresses.reopen(given.address())
        return
    try:
        closed_addresses.close(given.address())
        context.log.info(f"{given.ip} is of {given.home}: what arrives here for it is reset")
    except AgentError as error:  # its clients learn of the loss all the same
        context.log.warning(f"clients of {given.ip} may be served here until {given.home} is back: {error}")


def tell(context: VipContext) -> None:
    """Once the address is announced: have those that were connected to it at home answer. By a process that outlives the action,
    since an announcement or an answer may be lost."""
    given = context.parameters
    if not _away(context) or not given.clients_of:
        return
    from backstay.agent import clients
    from backstay.host.state_files import Files

    address = given.address()
    known = clients.connected(
        Files(os.path.join(os.path.dirname(context.state_directory()), given.clients_of)), address
    )
    context.log.info(f"{len(known)} clients of {given.home} are told that it is lost")
    if known:
        detach(lambda: _prompt(context, address, known))


def _prompt(context: VipContext, address: Address, known: list[tuple[Address, int, int]]) -> None:
    from backstay.host.parking import interface_of
    from backstay.host.tcp_prompt import prompt

    try:
        for pause in _PAUSES:
            time.sleep(pause)
            if not interface_of(address):
                return
            prompt(address, known)
    except OSError as error:
        context.log.info(f"clients of {context.parameters.home} learn of the loss when they send: {error.strerror}")


def _away(context: VipContext) -> bool:
    given = context.parameters
    return bool(given.home) and context.invocation.node not in ("", given.home)


def leave(context: VipContext) -> None:
    """After the address has left: nothing of it stays. Fails no stop."""
    given = context.parameters
    if not given.home:
        return
    try:
        closed_addresses.reopen(given.address())
    except AgentError as error:
        context.log.warning(str(error))
