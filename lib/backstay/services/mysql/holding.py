"""Lets the clients of the writer address wait while no server is open behind it, instead of being refused."""

from __future__ import annotations

from backstay.host import held_ports
from backstay.host.deadline import Deadline
from backstay.host.fork import detach
from backstay.host.ip_address import parse_address
from backstay.host.parking import Wire, await_holder, interface_of
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from backstay.host.ip_address import Address
    from backstay.services.mysql.context import MysqlContext


def _address(context: MysqlContext) -> Address | None:
    """None where nothing is to be held, and for a name."""
    if context.parameters.on_loss != "hold":
        return None
    try:
        return parse_address(context.parameters.writer_address)
    except ValueError:
        return None


def prepare(context: MysqlContext) -> None:
    """Have ready what `hold` needs. Starts a process. Without it clients are refused, as told once."""
    if _address(context) is None:
        return
    try:
        held_ports.prepare()
    except AgentError as error:
        context.log.warning(f"a failover will refuse clients instead of holding them: install nftables ({error})")


def hold(context: MysqlContext, spared: Iterable[Address] = ()) -> bool:
    """From now on attempts to connect to the address wait, but not those of the spared hosts; whether so. Nothing is held where
    the address is not here."""
    address, given = _address(context), context.parameters
    try:
        if address is None:
            return False
        index = interface_of(address)
        if not index:
            context.log.info(f"clients of {address.text} are not held: the address is not here")
            return False
        wire = Wire(address, _name(index))  # first: it sees what the filter drops
        held_ports.hold(address, given.port, given.hold_for, spared)
    except (AgentError, OSError) as error:
        context.log.warning(f"clients of {given.writer_address} are refused for a moment: {error}")
        return False
    end = Deadline(given.hold_for)
    detach(lambda: _keep(context, address, wire, end), keep=wire.descriptors())
    return True


def _keep(context: MysqlContext, address: Address, wire: Wire, end: Deadline) -> None:
    port = context.parameters.port
    parked = await_holder(address, port, wire, end)
    if not parked.count:
        return
    context.log.info(
        f"{address.text} port {port}: {parked.count} attempts to connect held, {parked.sent} sent on to its new holder"
    )
    from backstay.agent import held

    held.tell(context, parked.count, parked.sent, len(parked))


def _name(index: int) -> str:
    from _socket import if_indextoname

    return if_indextoname(index)
