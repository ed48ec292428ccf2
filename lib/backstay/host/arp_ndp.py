"""The frames that ask for an address, claim it and refuse for it, and what an answer says. Pure: bytes in, bytes out.

Sources: RFC 826 and 5227 (ARP, address conflict detection), RFC 4861 and 4862 (neighbour discovery, duplicate address
detection). A VLAN's tag is not our business: the interface adds and removes it.
"""

from struct import pack

from backstay.host.ip_address import Address
from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806
ETH_IPV6 = 0x86DD
ADVERTISEMENT = 136  # ICMPv6 type

_BROADCAST = b"\xff" * 6
_REQUEST, _REPLY = 1, 2
_FIN, _SYN, _RST, _ACK = 0x01, 0x02, 0x04, 0x10
_SOLICITATION = 135
_TARGET_LINK_LAYER = 2  # option of an advertisement
_OVERRIDE = 0x20000000
_ROUTER = 0x80000000
_ALL_NODES = bytes.fromhex("ff020000000000000000000000000001")
_SOLICITED_NODE = bytes.fromhex("ff0200000000000000000001ff")  # and the last three bytes of the address


def _arp(operation: int, mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> bytes:
    head = pack("!6s6sHHHBBH", _BROADCAST, mac, ETH_ARP, 1, 0x0800, 6, 4, operation)
    return head + mac + sender + target_mac + target


def _icmp6(mac: bytes, source: bytes, group: bytes, kind: int, body: bytes) -> bytes:
    message = pack("!BBH", kind, 0, 0) + body
    checksum = checksum_of(source + group + pack("!II", len(message), 58) + message)
    message = pack("!BBH", kind, 0, checksum) + body
    ethernet = pack("!2s4s6sH", b"\x33\x33", group[12:], mac, ETH_IPV6)
    # hop limit 255: receivers drop anything that could have passed a router
    return ethernet + pack("!IHBB", 6 << 28, len(message), 58, 255) + source + group + message


def checksum_of(data: bytes) -> int:
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def probe(address: Address, mac: bytes) -> bytes:
    """Ask who has the address, without claiming it."""
    if len(address.packed) == 4:
        return _arp(_REQUEST, mac, bytes(4), bytes(6), address.packed)
    group = _SOLICITED_NODE + address.packed[13:]
    return _icmp6(mac, bytes(16), group, _SOLICITATION, bytes(4) + address.packed)


def announcement(address: Address, mac: bytes, router: bool) -> "list[bytes]":
    """Claim the address. In IPv4 both as request and as reply, since there are devices that heed only one of them.

    router: this host forwards. An advertisement that denies it would take the node off its neighbours' router lists.
    """
    ip = address.packed
    if len(ip) == 4:
        return [_arp(_REQUEST, mac, ip, bytes(6), ip), _arp(_REPLY, mac, ip, _BROADCAST, ip)]
    flags = _OVERRIDE | (_ROUTER if router else 0)
    body = pack("!I16sBB6s", flags, ip, _TARGET_LINK_LAYER, 1, mac)
    return [_icmp6(mac, ip, _ALL_NODES, ADVERTISEMENT, body)]


def claimant(packet: bytes, address: Address, mac: bytes) -> "Optional[str]":
    """The hardware address of another host that says it holds the address, or None.

    packet: an ARP frame from its Ethernet header on, or an ICMPv6 message. A host that merely asks, as RFC 5227 and
    4862 have it do before it takes an address, is no conflict for us: the address is ours by configuration, our
    announcement turns it away, and of two nodes that ask at once neither would start.
    """
    if len(address.packed) == 4:
        if len(packet) < 42 or packet[12:14] != b"\x08\x06" or packet[28:32] != address.packed:
            return None
        found = packet[22:28]
    else:
        if len(packet) < 24 or packet[0] != ADVERTISEMENT or packet[8:24] != address.packed:
            return None
        found = packet[26:32] if packet[24:26] == b"\x02\x01" and len(packet) >= 32 else b""
    if found == mac:
        return None
    return found.hex(":") if found else "a host that hides its hardware address"


class Segment(Value):
    """A TCP segment's head. `connection`: the client's address and port, and ours. begins: it is a SYN and nothing else."""

    __slots__ = ("begins", "connection", "port")

    def __init__(self, connection: bytes, port: int, begins: bool) -> None:
        self.connection = connection
        self.port = port
        self.begins = begins

    @classmethod
    def of(cls, frame: bytes) -> "Optional[Segment]":
        """None for what is no whole TCP head, in a frame from its Ethernet header on, IPv4 or IPv6 without extension headers."""
        version = frame[14] >> 4 if len(frame) > 14 else 0
        head = 14 + (frame[14] & 0x0F) * 4 if version == 4 else 54
        if version not in (4, 6) or len(frame) < head + 20:
            return None
        source, size = (26, 4) if version == 4 else (22, 16)
        connection = frame[source : source + size] + frame[head : head + 4]
        begins = frame[head + 13] & (_FIN | _SYN | _RST | _ACK) == _SYN
        return cls(connection, int.from_bytes(frame[head + 2 : head + 4], "big"), begins)


def forwarded(frame: bytes, mac: bytes, holder: bytes) -> bytes:
    """A segment's frame, for whom `Segment.of` answers, as it goes on to the holder of its address. Its checksum is made anew: a
    virtual interface of this host may have left that to a network card that the frame never passes."""
    v4 = frame[14] >> 4 == 4
    head = 14 + (frame[14] & 0x0F) * 4 if v4 else 54
    end = 14 + int.from_bytes(frame[16:18], "big") if v4 else 54 + int.from_bytes(frame[18:20], "big")
    addresses = frame[26:34] if v4 else frame[22:54]
    segment = frame[head : head + 16] + b"\0\0" + frame[head + 18 : end]
    checksum = checksum_of(addresses + pack("!II", len(segment), 6) + segment)
    return holder + mac + frame[12:head] + segment[:16] + pack("!H", checksum) + segment[18:]


def refusal(frame: bytes, mac: bytes) -> "Optional[bytes]":
    """The reset that answers a TCP segment (RFC 9293, 3.10.7.1), None for what needs no answer.

    frame: from its Ethernet header on, IPv4 or IPv6 without extension headers. mac: of the interface it came in on.
    """
    if frame[:6] != mac:
        return None  # for another host: the switch floods what it has not learnt yet
    version = frame[14] >> 4 if len(frame) > 14 else 0
    head, size = (34, 4) if version == 4 else (54, 16)
    if version == 4 and frame[14] & 0x0F != 5:
        head = 14 + (frame[14] & 0x0F) * 4
    if version not in (4, 6) or len(frame) < head + 20:
        return None
    addresses = 26 if version == 4 else 22
    source, target = frame[addresses : addresses + size], frame[addresses + size : addresses + 2 * size]
    flags = frame[head + 13]
    if flags & _RST:
        return None
    sequence, acknowledged = int.from_bytes(frame[head + 4 : head + 8], "big"), frame[head + 8 : head + 12]
    if flags & _ACK:
        numbers, answer = acknowledged + bytes(4), _RST
    else:
        length = _payload(frame, version, head) + bool(flags & _SYN) + bool(flags & _FIN)
        numbers, answer = bytes(4) + ((sequence + length) % 2**32).to_bytes(4, "big"), _RST | _ACK
    ports = frame[head + 2 : head + 4] + frame[head : head + 2]
    segment = ports + numbers + pack("!BBHHH", 5 << 4, answer, 0, 0, 0)
    checksum = checksum_of(target + source + pack("!II", len(segment), 6) + segment)
    segment = segment[:16] + pack("!H", checksum) + segment[18:]
    ethernet = frame[6:12] + mac + frame[12:14]
    if version == 6:
        return ethernet + pack("!IHBB", 6 << 28, len(segment), 6, 64) + target + source + segment
    packet = pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, 6, 0) + target + source
    return ethernet + packet[:10] + pack("!H", checksum_of(packet)) + packet[12:] + segment


def _payload(frame: bytes, version: int, head: int) -> int:
    """Bytes of data in the segment; the frame may be padded, so the packet's own length counts."""
    total = int.from_bytes(frame[16:18], "big") + 14 if version == 4 else int.from_bytes(frame[18:20], "big") + 54
    return max(0, total - head - (frame[head + 12] >> 4) * 4)
