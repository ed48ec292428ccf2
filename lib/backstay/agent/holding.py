"""Lets the clients of an address wait while no server is open behind it, instead of being refused: decision 46.

For the service behind the address. What becomes of clients once the address has left is for the address's own agent.
"""

from backstay.host import held_ports
from backstay.host.deadline import Deadline
from backstay.host.fork import detach
from backstay.host.parking import Wire, await_holder, interface_of
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from backstay.agent.context import Context
    from backstay.host.ip_address import Address


def prepare(context: "Context") -> None:
    """Have ready what `hold` needs. Starts a process. Without it clients are refused, as told once."""
    try:
        held_ports.prepare()
    except AgentError as error:
        context.log.warning(f"a failover will refuse clients instead of holding them: install nftables ({error})")


def hold(
    context: "Context", address: "Address", ports: "Collection[int]", seconds: float, spared: "Iterable[Address]" = ()
) -> bool:
    """From now on attempts to connect to these ports of the address wait, so long at most, but not those of the spared hosts;
    whether so. Nothing is held where the address is not here."""
    try:
        index = interface_of(address)
        if not index:
            context.log.info(f"clients of {address.text} are not held: the address is not here")
            return False
        wire = Wire(address, _name(index))  # first: it sees what the filter drops
        held_ports.hold(address, ports, seconds, spared)
    except (AgentError, OSError) as error:
        context.log.warning(f"clients of {address.text} are refused for a moment: {error}")
        return False
    end = Deadline(seconds)
    detach(lambda: _keep(context, address, ports, wire, end), keep=wire.descriptors())
    return True


def let_in(context: "Context", address: "Address", ports: "Iterable[int]") -> None:
    """The server is open. Where the address is still here from before, nobody need wait for it any more."""
    try:
        for port in ports:
            held_ports.release(address, port)
    except AgentError as error:
        context.log.info(f"new connections may wait: {error}")


def _keep(context: "Context", address: "Address", ports: "Collection[int]", wire: Wire, end: Deadline) -> None:
    parked = await_holder(address, ports, wire, end)
    if not parked.count:
        return
    where = f"port {', '.join(map(str, sorted(ports)))}"
    context.log.info(
        f"{address.text} {where}: {parked.count} attempts to connect held, {parked.sent} sent on to its new holder"
    )
    from backstay.agent import held

    held.tell(context, parked.count, parked.sent, len(parked))


def _name(index: int) -> str:
    from _socket import if_indextoname

    return if_indextoname(index)
