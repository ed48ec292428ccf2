"""Addresses and prefixes as an admin writes them. Pure: values in, values out.

`_socket` is what `socket` wraps: inet_pton and inet_ntop without the 2 ms that the wrapper costs every monitor, and
inet_ntop writes IPv6 in its canonical form (RFC 5952).
"""

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_V4_MAPPED = bytes(10) + b"\xff\xff"


class Address:
    """One host address: `family` AF_INET or AF_INET6, `packed` in network order, `text` canonical."""

    __slots__ = ("family", "packed", "text")

    def __init__(self, family: int, packed: bytes) -> None:
        self.family = family
        self.packed = packed
        self.text = inet_ntop(family, packed)

    # A value, by hand: even a monitor at rest loads this, and would load the base of values too.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and self.packed == other.packed

    def __hash__(self) -> int:
        return hash(self.packed)

    def __repr__(self) -> str:
        return f"Address({self.text})"

    @property
    def bits(self) -> int:
        return len(self.packed) * 8

    @property
    def link_local(self) -> bool:
        """Whether it says nothing of the interface it belongs to (fe80::/10)."""
        return self.family == AF_INET6 and self.packed[0] == 0xFE and self.packed[1] & 0xC0 == 0x80

    @property
    def host_local(self) -> bool:
        return self.family == AF_INET and self.packed[0] == 127

    @property
    def mapped(self) -> bytes:
        """As a socket of the other family shows it: an IPv6 socket serves IPv4 clients as ::ffff:a.b.c.d."""
        return _V4_MAPPED + self.packed if self.family == AF_INET else self.packed

    def network(self, prefix: int) -> int:
        """The network's part of the address, as a number."""
        return int.from_bytes(self.packed, "big") >> (self.bits - prefix)


def parse_address(text: str) -> Address:
    """Raises ValueError, its text completing "parameter ip=…: "."""
    if "/" in text:
        raise ValueError("give the address alone, and the prefix as cidr_netmask")
    if "%" in text:
        raise ValueError("give the address alone, and the interface as nic")
    family = AF_INET6 if ":" in text else AF_INET
    try:
        packed = inet_pton(family, text)
    except (OSError, ValueError):
        raise ValueError("not an IPv4 or IPv6 address") from None
    if not any(packed):
        raise ValueError("this means any address; give one")
    if packed[0] == 0xFF if family == AF_INET6 else packed[0] >= 224:
        raise ValueError("no host can hold a multicast, reserved or broadcast address")
    if packed.startswith(_V4_MAPPED):
        raise ValueError("an IPv4 address in IPv6 clothing; write it as IPv4")
    return Address(family, packed)


def parse_prefix(text: str, address: Address) -> "Optional[int]":
    """The prefix length of `24` or `255.255.255.0`; None when unset. Raises ValueError, completing "parameter …: "."""
    if not text:
        return None
    if "." in text and address.family == AF_INET:
        try:
            mask = int.from_bytes(inet_pton(AF_INET, text), "big")
        except OSError:
            raise ValueError("not a netmask; write a prefix length such as 24") from None
        prefix = bin(mask).count("1")
        if not mask or mask != (0xFFFFFFFF << (32 - prefix)) & 0xFFFFFFFF:
            raise ValueError("not a netmask; write a prefix length such as 24")
        return prefix
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= address.bits:
        raise ValueError(f"a prefix length from 1 to {address.bits} is needed")
    return int(text)
