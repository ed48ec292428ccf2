"""Which clients wait while no server is open behind the writer address: those of its port."""

from __future__ import annotations

from backstay.agent import holding
from backstay.host.ip_address import parse_address

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
    if _address(context) is not None:
        holding.prepare(context)


def hold(context: MysqlContext, spared: Iterable[Address] = ()) -> bool:
    """Whether attempts to connect wait from now on, but for those of the spared hosts."""
    address, given = _address(context), context.parameters
    return address is not None and holding.hold(context, address, [given.port], given.hold_for, spared)


def let_in(context: MysqlContext) -> None:
    try:
        address = parse_address(context.parameters.writer_address)
    except ValueError:  # none, or a name
        return
    holding.let_in(context, address, [context.parameters.port])
