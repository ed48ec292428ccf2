"""The wire of one interface: ask on it and announce on it. Does I/O and decides nothing; host/arp_ndp.py writes the frames.

A packet socket, because neither an ARP frame nor a solicitation from the unspecified address can leave by another way.
Closing it waits for an RCU grace period of 20 to 30 ms: who hands it on to a child (see announce) does not pay that.
"""

from _socket import (
    AF_INET6,
    AF_PACKET,
    IPPROTO_ICMPV6,
    SO_BINDTODEVICE,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
    timeout,
)
from struct import pack

from backstay.host.arp_ndp import ADVERTISEMENT, ETH_ARP, ETH_IPV6, announcement, claimant, probe
from backstay.host.bpf import LOAD_HALF, LOAD_WORD, attach
from backstay.host.deadline import Deadline
from backstay.host.ip_address import Address
from backstay.ocf.errors import AgentError
from backstay.services.vip.health import Interface
from backstay.services.vip.rtnetlink import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_ICMP6_FILTER = 1  # option of netinet/icmp6.h; a set bit blocks that type
_PROBES = 2  # within the wait: one frame may get lost


class Wire:
    def __init__(self, address: Address, interface: Interface) -> None:
        self._address = address
        self._interface = interface
        self._kind = ETH_ARP if len(address.packed) == 4 else ETH_IPV6
        try:
            self._out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)  # protocol 0: it receives nothing
        except OSError as error:
            raise AgentError(f"cannot open a packet socket on {interface.name}: {error.strerror}") from None

    def fileno(self) -> int:
        return self._out.fileno()

    def find_claimant(self, seconds: float) -> "Optional[str]":
        """Ask for the address and listen: the hardware address of a host that has it, None when none answers within
        `seconds`. Raises AgentError."""
        mac = self._interface.mac
        end = Deadline(seconds)
        try:
            listener = self.listener()
            for _ in range(_PROBES):
                self._send(probe(self._address, mac))
                turn_end = end.within(seconds / _PROBES)
                while not turn_end.expired:
                    listener.settimeout(max(turn_end.remaining(), 0.001))
                    try:
                        packet = listener.recv(2048)
                    except timeout:
                        break
                    found = claimant(packet, self._address, mac)
                    if found:
                        return found
        except OSError as error:
            raise AgentError(
                f"cannot probe for {self._address.text} on {self._interface.name}: {error.strerror}"
            ) from None
        return None

    def announce(self, router: bool = False) -> None:
        """Tell the neighbours, once, that the address is here. Raises OSError."""
        for frame in announcement(self._address, self._interface.mac, router):
            self._send(frame)

    def renewed(self, link: Link) -> bool:
        """Read the interface's hardware address anew, as a bond changes it with its active port, and say whether it is
        another. What is announced from now on has it. Raises AgentError."""
        before, now = self._interface, link.interface(index=self._interface.index)
        if not now or not now.ethernet:
            return False  # it is gone: that is the prober's to see
        self._interface = now
        return now.mac != before.mac

    @property
    def nic(self) -> str:
        return self._interface.name

    @property
    def mac(self) -> bytes:
        return self._interface.mac

    def _send(self, frame: bytes) -> None:
        self._out.sendto(frame, (self._interface.name, self._kind))

    def listener(self, claims: bool = False) -> socket:
        """Where answers arrive; with `claims` what other hosts' ARP says of them as holders of the address, and nothing else
        wakes us. For IPv6 not the packet socket: it would get all IPv6 traffic of the interface. Raises OSError."""
        if self._kind == ETH_ARP:
            if claims:
                attach(
                    self._out, [(LOAD_HALF, 12, ETH_ARP), (LOAD_WORD, 28, int.from_bytes(self._address.packed, "big"))]
                )
            self._out.bind((self._interface.name, ETH_ARP))
            return self._out
        raw = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6)
        passing = [0xFFFFFFFF] * 8
        passing[ADVERTISEMENT >> 5] &= ~(1 << (ADVERTISEMENT & 31))
        raw.setsockopt(IPPROTO_ICMPV6, _ICMP6_FILTER, pack("=8I", *passing))
        raw.setsockopt(SOL_SOCKET, SO_BINDTODEVICE, self._interface.name.encode())
        return raw
