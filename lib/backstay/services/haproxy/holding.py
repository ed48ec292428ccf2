"""Which clients wait while no HAProxy is open behind its address: those of the ports on which it listened there."""

from __future__ import annotations

from backstay.agent import holding
from backstay.services.haproxy.daemon import PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.haproxy.context import HaproxyContext


def prepare(context: HaproxyContext) -> None:
    if _wanted(context):
        holding.prepare(context)


def note(context: HaproxyContext, worker: int) -> None:
    """While its frontends are open: nobody can ask one that has died."""
    known = context.parameters.addresses()
    if not known:
        return
    from backstay.services.haproxy import listeners

    taken = {*listeners.ANY, *(address.text for address in known)}
    ports = sorted({one.port for one in listeners.own(worker) if one.address in taken})
    if ports:  # else they are closed
        context.state.write(PORTS, " ".join(map(str, ports)))


def hold(context: HaproxyContext) -> None:
    """Attempts to connect wait from now on."""
    if _wanted(context) and (ports := _ports(context)):
        for address in context.parameters.addresses():
            holding.hold(context, address, ports, context.parameters.hold_for)


def let_in(context: HaproxyContext) -> None:
    """Its frontends are open."""
    for address in context.parameters.addresses():
        holding.let_in(context, address, _ports(context))


def _wanted(context: HaproxyContext) -> bool:
    return context.parameters.on_loss == "hold" and bool(context.parameters.address)


def _ports(context: HaproxyContext) -> list[int]:
    return [int(word) for word in context.state.read(PORTS).split()]
