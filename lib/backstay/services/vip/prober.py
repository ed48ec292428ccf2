"""Whether the address is held, for the watcher: asked when the kernel tells of a change, and now and then.

An address that is gone is looked for once more after a moment. A link is lost when it stays down: one that comes back
within two seconds is a flap, and moving the address, and what is colocated with it, would cost more.
"""

import time
from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
from select import EPOLLIN, epoll
from struct import unpack_from

from backstay.host.deadline import Deadline
from backstay.host.ip_address import Address
from backstay.host.netlink import attributes
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.vip import health

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional

    from backstay.services.vip.defence import Defence
    from backstay.services.vip.health import Verdict

_ROUTE = 0  # NETLINK_ROUTE
_LINKS, _ADDRESSES4, _ADDRESSES6 = 0x1, 0x10, 0x100  # RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR
_NEW_LINK, _DELETED_LINK, _DELETED_ADDRESS = 16, 17, 21  # RTM_NEWLINK, RTM_DELLINK, RTM_DELADDR
_ADDRESS, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL
_MOMENT = 0.05  # seconds
_FLAP = 2.0  # seconds


class VipProber:
    """look: the finding of the monitor. tend: called at each look while the address is held."""

    def __init__(self, look: "Callable[[], Verdict]", tend: "Callable[[], None]") -> None:
        self._look, self._tend = look, tend
        self._down_since = 0.0

    def probe(self, deadline: Deadline) -> None:
        """See watch.Prober: an answer is that the address is held, or that only the kernel's search for a duplicate keeps
        it from being so."""
        verdict = self._look()
        if verdict.finding in (health.ABSENT, health.INTERFACE_GONE):
            time.sleep(min(_MOMENT, deadline.remaining()))
            verdict = self._look()
        if verdict.finding in (health.HELD, health.TENTATIVELY):
            self._down_since = 0.0
            self._tend()
            return
        if verdict.finding == health.LINK_DOWN:
            self._down_since = self._down_since or time.monotonic()
            if time.monotonic() - self._down_since < _FLAP:
                raise AgentError(verdict.reason)
        raise TimedOut(verdict.reason)


class Changes:
    """The kernel's word that an address was removed or a link changed, and the defence against rivals, where there is one.
    Belongs to the network namespace it was made in."""

    def __init__(self, address: Address, defence: "Optional[Defence]") -> None:
        self._packed = address.packed
        self._defence = defence
        self._both = epoll()
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, _ROUTE)
        self._socket.bind((0, _LINKS | (_ADDRESSES4 if address.bits == 32 else _ADDRESSES6)))
        self._both.register(self._socket.fileno(), EPOLLIN)
        if defence:
            self._both.register(defence.fileno(), EPOLLIN)

    def fileno(self) -> int:
        return self._both.fileno()

    def heard(self) -> bool:
        """See watch.Events."""
        ready = {descriptor for descriptor, _ in self._both.poll(0)}
        if self._defence and self._defence.fileno() in ready:
            self._defence.heard()
        return self._socket.fileno() in ready and self._changed()

    def _changed(self) -> bool:
        """Whether what the kernel tells concerns the address."""
        try:
            data = self._socket.recv(1 << 16)
        except OSError:
            return True  # more came than the kernel keeps (ENOBUFS)
        at = 0
        while at + 16 <= len(data):
            length, kind = unpack_from("=IH", data, at)
            if kind in (_NEW_LINK, _DELETED_LINK):
                return True
            if kind == _DELETED_ADDRESS:
                found = dict(attributes(data[at + 16 : at + length], 8))
                if self._packed in (found.get(_LOCAL), found.get(_ADDRESS)):
                    return True
            at += (max(length, 16) + 3) & ~3
        return False
