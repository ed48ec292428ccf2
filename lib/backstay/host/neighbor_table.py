"""Notices that an address moved to another host of this link. The kernel reports it when its neighbour entry changes, and
the entry changes on the gratuitous ARP or unsolicited NA of the new holder. Source: rtnetlink(7), linux/neighbour.h."""

from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
from struct import pack, unpack_from

from backstay.host.ip_address import Address
from backstay.host.netlink import DUMP, Netlink, attributes

_ROUTE, _NEIGHBOURS = 0, 1 << 2  # NETLINK_ROUTE, RTMGRP_NEIGH
_NEW, _GET = 28, 30  # RTM_NEWNEIGH, RTM_GETNEIGH
_DESTINATION, _LINK_ADDRESS = 1, 2  # NDA_DST, NDA_LLADDR
_UNUSABLE = 0x01 | 0x20  # NUD_INCOMPLETE, NUD_FAILED


class Neighbour:
    """Listens from when it is made. `fileno` is for poll."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._holder = b""
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, _ROUTE)
        self._socket.bind((0, _NEIGHBOURS))
        everyone = pack("=BxxxiHBB", address.family, 0, 0, 0, 0)
        for _, entry in Netlink(_ROUTE).ask(_GET, DUMP, everyone):
            self._heard(entry)

    def fileno(self) -> int:
        return self._socket.fileno()

    def moved(self) -> bool:
        """Read what came; whether the address has another holder than it had. The first one heard of counts as another:
        who held it before is not known, and connecting anew once too often costs little."""
        try:
            data = self._socket.recv(1 << 16)
        except OSError:
            return False  # more came than the kernel keeps (ENOBUFS): the peer's own timers remain
        moved = False
        at = 0
        while at + 16 <= len(data):
            length, kind = unpack_from("=IH", data, at)
            if kind == _NEW:
                moved = self._heard(data[at + 16 : at + length]) or moved
            at += (max(length, 16) + 3) & ~3
        return moved

    def _heard(self, message: bytes) -> bool:
        found = dict(attributes(message, 12))
        (state,) = unpack_from("=H", message, 8)
        holder = found.get(_LINK_ADDRESS, b"")
        if found.get(_DESTINATION) != self._address.packed or state & _UNUSABLE or not any(holder):
            return False
        before, self._holder = self._holder, holder
        return before != holder
