"""Give the address up, with everything that should go with it and nothing that should not."""

from backstay.agent.log import Log
from backstay.host.ip_address import Address
from backstay.ocf.errors import AgentError
from backstay.services.vip.health import Held, secondaries_lost
from backstay.services.vip.rtnetlink import Link, set_setting, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.services.vip.tcp_reject import After

_PASSES = 3  # while clients keep coming; who connects after the last one has to find out by itself


def release(address: Address, log: Log, after: "Optional[After]" = None, nic: str = "") -> None:
    """Have the address nowhere on this host, its connections reset first. Raises AgentError.

    after: what becomes of new connections to it, as long as the neighbours still send them here. nic: the interface that held
    it, "" when that is not known.
    """
    link = Link()
    copies = link.copies(address, nic)
    if not copies:
        return
    _reset(address, log)
    for copy in copies:
        remove(link, address, copy, log)
    log.info(f"released {address.text}")
    if after and not link.everywhere(address):  # else a balancer may send here what is for this host
        _answer(link, address, copies[0], log, after)


def _answer(link: Link, address: Address, copy: Held, log: Log, after: "After") -> None:
    """For the clients' comfort: not being able to must not fail a stop."""
    from backstay.services.vip.tcp_reject import answer

    interface = link.interface(index=copy.index)
    if interface is None or not interface.ethernet:
        return
    try:
        answer(address, interface.name, after, log)
    except OSError as error:
        log.info(f"clients of {address.text} may wait a second: {error.strerror}")


def remove(link: Link, address: Address, copy: Held, log: Log) -> None:
    """Remove one instance without losing the other addresses of its network. Raises AgentError."""
    name = _promotion(link, address, copy)
    if not name:
        link.remove(address, copy)
        return
    try:
        set_setting(name, "1")
    except AgentError as error:
        log.warning(f"removing {address.text} takes the other addresses of its network along: {error}")
    link.remove(address, copy)
    if setting(name) == "1":
        set_setting(name, "0")


def _promotion(link: Link, address: Address, copy: Held) -> str:
    """The sysctl that has to be on while the instance goes; "" when nothing would be lost."""
    if address.bits != 32 or not secondaries_lost(copy, link.addresses(address.family)):
        return ""
    interface = link.interface(index=copy.index)
    name = f"ipv4/conf/{interface.name}/promote_secondaries" if interface else ""
    return name if setting("ipv4/conf/all/promote_secondaries") != "1" and setting(name) == "0" else ""


def _reset(address: Address, log: Log) -> None:
    """A kernel that cannot end connections must not keep the address here."""
    from backstay.host.tcp_reset import reset

    try:
        for _ in range(_PASSES):
            count = reset(address)
            if not count:
                return
            log.info(f"reset {count} connections of {address.text}")
    except AgentError as error:
        log.warning(str(error))
