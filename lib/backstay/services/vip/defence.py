"""Answer whoever claims an address that this host holds.

One claim, by a tool or a machine that knows nothing of the cluster, turns the neighbours' traffic to the claimant, and when
it is gone again they still send there until their caches expire, most of a minute later. An announcement turns them back.
A claim is answered at once, but not more often than every ten seconds: two hosts that both insist must not fill the link
(RFC 5227, 2.4 (c), for hosts whose address must not be given up). What came meanwhile is answered when that time is over.
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
    """Belongs to the network namespace it was made in. router: as in frames.announcement. Raises OSError and AgentError
    when the interface cannot be listened on."""

    def __init__(self, address: Address, interface: Interface, router: bool, log: "Log") -> None:
        self._address, self._interface, self._router, self._log = address, interface, router, log
        self._wire = Wire(address, interface)
        self._ear = self._wire.listener(claims=True)
        self._ear.setblocking(False)
        self._rival = ""
        self._answered = float("-inf")

    def fileno(self) -> int:
        return self._ear.fileno()

    def heard(self) -> None:
        """Read what came, and answer it."""
        while True:
            try:
                packet = self._ear.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                return  # the interface went away: that is the prober's to see
            self._rival = claimant(packet, self._address, self._interface.mac) or self._rival
        self.tend()

    def tend(self) -> None:
        """Answer a claim that is not answered yet, if it is time and the address is still here."""
        if not self._rival or time.monotonic() - self._answered < _INTERVAL or not Link().copies(self._address):
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
