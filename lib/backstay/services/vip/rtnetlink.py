"""The host's interfaces, addresses and routes, through the kernel's rtnetlink. Does I/O and decides nothing.

Sources: linux/rtnetlink.h, if_addr.h, if_link.h; rtnetlink(7). Every method raises AgentError for what the kernel
refuses and the caller cannot expect.
"""

import errno
from struct import pack, unpack_from

from backstay.host.ip_address import Address
from backstay.host.netlink import ACK, DUMP, EXCLUSIVE, Netlink, attribute, attributes
from backstay.ocf.errors import AgentError, PermissionMissing
from backstay.services.vip.health import FOREVER, LOOPBACK, Held, Interface

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_GETLINK = 18
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_GETROUTE = 26
_IFLA_ADDRESS, _IFLA_IFNAME = 1, 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL, _IFA_CACHEINFO, _IFA_FLAGS = 1, 2, 3, 6, 8
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 1, 4, 5, 9, 18
_FIB_MATCH = 0x2000  # answer with the route that matched, which tells the prefix
_UNICAST = 1
_UP, _RUNNING = 0x1, 0x40
_ETHERNET = 1
_HOST_SCOPE = 254


class Link:
    """Belongs to the network namespace it was made in."""

    def __init__(self) -> None:
        self._netlink = Netlink(0)

    def interface(self, name: str = "", index: int = 0) -> "Optional[Interface]":
        """By name or number; None when there is none."""
        body = pack("=BxHiII", 0, 0, index, 0, 0)
        if name:
            body += attribute(_IFLA_IFNAME, name.encode() + b"\0")
        try:
            ((_, reply),) = self._netlink.ask(_GETLINK, 0, body)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise AgentError(f"the kernel does not tell of interface {name or index}: {error.strerror}") from None
        kind, number, flags = unpack_from("=HiI", reply, 2)
        found = dict(attributes(reply, 16))
        mac = found.get(_IFLA_ADDRESS, b"")
        return Interface(
            index=number,
            name=found[_IFLA_IFNAME].rstrip(b"\0").decode(),
            enabled=bool(flags & _UP),
            running=bool(flags & _RUNNING),
            ethernet=kind == _ETHERNET and len(mac) == 6,
            mac=mac,
        )

    def addresses(self, family: int) -> "list[Held]":
        """All addresses of the host in one look-up."""
        try:
            replies = self._netlink.ask(_GETADDR, DUMP, pack("=BBBBI", family, 0, 0, 0, 0))
        except OSError as error:
            raise AgentError(f"the kernel does not list its addresses: {error.strerror}") from None
        return [_held(body) for kind, body in replies if kind == _NEWADDR]

    def everywhere(self, address: Address) -> "list[Held]":
        """Every instance of one address."""
        return [held for held in self.addresses(address.family) if held.packed == address.packed]

    def copies(self, address: Address, nic: str = "") -> "list[Held]":
        """Those that are to be where the address is held, and nowhere else. nic: the interface that holds it, "" when that is
        not known.

        One on the loopback interface that no neighbour gets an answer for is none of them: every node of a balancer that
        routes directly (LVS) has it, and who holds the address for the network is another question.
        """
        found = self.everywhere(address)
        if nic == "lo" or address.host_local or not any(held.index == LOOPBACK for held in found):
            return found
        # IPv4 answers for all addresses of the host unless arp_ignore limits it, IPv6 for those of the interface asked
        limits = {setting("ipv4/conf/all/arp_ignore"), setting(f"ipv4/conf/{nic}/arp_ignore") if nic else "0"}
        silent = address.bits == 128 or bool(limits - {"0", ""})
        return [held for held in found if held.index != LOOPBACK] if silent else found

    def route(self, address: Address, index: int = 0) -> "Optional[tuple[int, int]]":
        """Interface number and prefix length of the connected network the address is in; None when it is in none, or here
        itself.

        index: ask only for routes through that interface.
        """
        body = pack("=BBBBBBBBI", address.family, address.bits, 0, 0, 0, 0, 0, 0, _FIB_MATCH)
        body += attribute(_RTA_DST, address.packed)
        if index:
            body += attribute(_RTA_OIF, pack("=i", index))
        try:
            ((_, reply),) = self._netlink.ask(_GETROUTE, 0, body)
        except OSError:
            return None
        prefix, kind = reply[1], reply[7]
        found = dict(attributes(reply, 12))
        indirect = _RTA_GATEWAY in found or _RTA_VIA in found or _RTA_MULTIPATH in found
        if kind != _UNICAST or indirect or not prefix or _RTA_OIF not in found:
            return None
        return unpack_from("=i", found[_RTA_OIF])[0], prefix

    def add(
        self, address: Address, prefix: int, index: int, label: str, flags: int, preferred: int, alone: bool = False
    ) -> bool:
        """Add the address; False when it is there already. preferred: seconds, or FOREVER; IPv6 only. alone: IPv4 only, the
        kernel never takes it as a source by itself (fib_semantics.c, `inet_select_addr`)."""
        scope = _HOST_SCOPE if alone or address.host_local else 0
        body = pack("=BBBBI", address.family, prefix, flags, scope, index)
        body += attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
        if label:
            body += attribute(_IFA_LABEL, label.encode() + b"\0")
        if address.bits == 128 and preferred != FOREVER:
            body += attribute(_IFA_CACHEINFO, pack("=IIII", preferred, FOREVER, 0, 0))
        try:
            self._netlink.ask(_NEWADDR, EXCLUSIVE | ACK, body)
        except OSError as error:
            if error.errno == errno.EEXIST:
                return False
            if error.errno == errno.EPERM:
                raise PermissionMissing(f"adding {address.text} needs root (CAP_NET_ADMIN)") from None
            if error.errno == errno.EACCES:
                raise AgentError(
                    f"cannot add {address.text}: IPv6 is disabled on this interface (disable_ipv6)"
                ) from None
            raise AgentError(f"cannot add {address.text}/{prefix}: {error.strerror}") from None
        return True

    def remove(self, address: Address, held: Held) -> None:
        """Remove one instance; fine when it is gone, or its interface."""
        body = pack("=BBBBI", address.family, held.prefix, 0, 0, held.index)
        body += attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
        try:
            self._netlink.ask(_DELADDR, ACK, body)
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.ENODEV):
                return
            if error.errno == errno.EPERM:
                raise PermissionMissing(f"removing {address.text} needs root (CAP_NET_ADMIN)") from None
            raise AgentError(f"cannot remove {address.text}/{held.prefix}: {error.strerror}") from None


def _held(body: bytes) -> Held:
    _, prefix, flags, _, index = unpack_from("=BBBBI", body)
    found = dict(attributes(body, 8))
    wide = found.get(_IFA_FLAGS)
    return Held(
        packed=found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b""),  # IPv6 has LOCAL only beside a peer's address
        prefix=prefix,
        index=index,
        flags=unpack_from("=I", wide)[0] if wide else flags,
        label=found.get(_IFA_LABEL, b"").rstrip(b"\0").decode("utf-8", "replace"),
    )


def setting(name: str) -> str:
    """A network sysctl of this namespace, such as `ipv4/conf/all/forwarding`; "" when the kernel has none."""
    try:
        with open(f"/proc/sys/net/{name}", encoding="ascii") as source:
            return source.read().strip()
    except OSError:
        return ""


def set_setting(name: str, value: str) -> None:
    """Raises AgentError, in containers for one."""
    try:
        with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as sink:
            sink.write(value)
    except OSError as error:
        raise AgentError(f"cannot set net/{name} to {value}: {error.strerror}") from None
