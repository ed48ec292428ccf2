"""In which networks of this host an address is, and how it is held there. Pure.

Own addresses tell it, and only where there is none the route that the kernel would take: with policy routing that one may be a
default route, of whose table the host's networks are no part.
"""

from backstay.ocf.table import Value
from backstay.services.vip.health import LOOPBACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from backstay.host.ip_address import Address
    from backstay.services.vip.health import Held


class Spot(Value):
    """On interface number `index`, with this prefix. alone: as the source of nothing but what asks for it."""

    __slots__ = ("alone", "index", "prefix")

    def __init__(self, index: int, prefix: int, alone: bool) -> None:
        self.index = index
        self.prefix = prefix
        self.alone = alone


def spots(address: "Address", held: "Sequence[Held]", route: "Optional[tuple[int, int]]") -> "list[Spot]":
    """Where the address could be, the best first: where it is, where the kernel would look for it, and the other interfaces of
    the same network.

    held: all addresses of this host of that family, in the kernel's order. route: interface number and prefix of the connected
    network that the kernel finds the address in, None when it finds none.
    """
    copies = {one.index: one.prefix for one in held if one.packed == address.packed and one.index != LOOPBACK}
    own = [one for one in held if one.packed != address.packed and _has(one, address)]
    numbered = {
        one.index: one.prefix for one in sorted(own, key=lambda one: one.prefix)
    }  # the longest of each interface
    longest = max([*numbered.values(), route[1] if route else 0])
    indexes = [*copies, *([route[0]] if route else []), *(at for at, prefix in numbered.items() if prefix == longest)]
    unnumbered = {**copies, **({route[0]: route[1]} if route else {})}

    def spot(index: int) -> Spot:
        if index not in numbered:
            return Spot(index, unnumbered[index], False)
        return Spot(index, 32, True) if address.bits == 32 else Spot(index, numbered[index], False)

    return [spot(index) for index in dict.fromkeys(indexes)]


def _has(held: "Held", address: "Address") -> bool:
    """Whether the network of another address of this host has the address."""
    rest = address.bits - held.prefix
    return rest > 0 and int.from_bytes(held.packed, "big") >> rest == address.network(held.prefix)
