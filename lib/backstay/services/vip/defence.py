"""Keep the neighbours' traffic to an address here: answer who claims it, and announce it under a new hardware address.

One claim, by a tool or a machine that knows nothing of the cluster, turns the neighbours' traffic to the claimant, and when
it is gone again they still send there until their caches expire, most of a minute later. An announcement turns them back.
A claim is answered at once, but not more often than every ten seconds: two hosts that both insist must not fill the link
(RFC 5227, 2.4 (c), for hosts whose address must not be given up). What came meanwhile is answered when that time is over.

An interface's hardware address changes while it is up, as that of a bond with fail_over_mac=active does with the port. The
neighbours send to the old one, which is nobody's, until they are told.
"""

import time

from backstay.host.arp_ndp import claimant
from backstay.host.ip_address import Address
from backstay.services.vip.health import Interface
from backstay.services.vip.packet_socket import Wire
from backstay.services.vip.rtnetlink import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.log import Log

_INTERVAL = 10.0  # seconds, DEFEND_INTERVAL of RFC 5227


class Defence:
    """Belongs to the network namespace it was made in. router: as in arp_ndp.announcement. answers: whether claims are
    answered. Raises OSError and AgentError when the interface cannot be listened on."""

    def __init__(self, address: Address, interface: Interface, router: bool, answers: bool, log: "Log") -> None:
        self._address, self._router, self._log = address, router, log
        self._wire = Wire(address, interface)
        self._ear = self._wire.listener(claims=True) if answers else None
        if self._ear:
            self._ear.setblocking(False)
        self._moved = False  # the hardware address, and the neighbours are not told yet
        self._rival = ""
        self._answered = float("-inf")

    def fileno(self) -> int:
        return (self._ear or self._wire).fileno()  # a wire that nobody listens on receives nothing

    def heard(self) -> None:
        """Read what came, and answer it."""
        self._renew()
        while self._ear:
            try:
                packet = self._ear.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                return  # the interface went away: that is the prober's to see
            self._rival = claimant(packet, self._address, self._wire.mac) or self._rival
        self.tend()

    def tend(self) -> None:
        """Announce a new hardware address, and answer a claim that is not answered yet, if it is time; both only while the
        address is still here."""
        self._renew()
        if self._moved and Link().copies(self._address, self._wire.nic):
            self._announce_move()
        if (
            not self._rival
            or time.monotonic() - self._answered < _INTERVAL
            or not Link().copies(self._address, self._wire.nic)
        ):
            return
        try:
            self._wire.announce(self._router)
        except OSError as error:
            self._log.warning(
                f"{self._rival} claims {self._address.text}, and it cannot be announced: {error.strerror}"
            )
            return
        self._log.warning(f"{self._rival} claims {self._address.text}, which is here: announced it again")
        self._rival, self._answered = "", time.monotonic()

    def _renew(self) -> None:
        """Whoever speaks from the new hardware address is this host, and no rival."""
        self._moved = self._wire.renewed(Link()) or self._moved

    def _announce_move(self) -> None:
        mac = self._wire.mac.hex(":")
        try:
            self._wire.announce(self._router)
        except OSError as error:
            self._log.warning(
                f"the hardware address under {self._address.text} is now {mac}, and it cannot be announced: {error.strerror}"
            )
            return
        self._log.notice(f"the hardware address under {self._address.text} is now {mac}: announced it again")
        self._moved = False
