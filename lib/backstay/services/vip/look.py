"""Looks at the kernel's addresses, and says what that means."""

from __future__ import annotations

from backstay.ocf.errors import WrongParameter
from backstay.services.vip import health
from backstay.services.vip.health import Verdict, Wanted
from backstay.services.vip.namespace import Inside
from backstay.services.vip.rtnetlink import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.vip.context import VipContext


def look(context: VipContext, nic: str, prefix: int | None, standby: bool = False, rival: str = "") -> Verdict:
    """nic, prefix, rival: as recorded. standby: without the address this instance is a standby, and as such is judged by its
    interface."""
    given = context.parameters
    wanted = Wanted(given.address().text, given.nic or nic, given.prefix() or prefix, given.check_link, rival)
    try:
        with Inside(given.namespace()):
            return _find(context, wanted, standby)
    except WrongParameter as error:
        return Verdict(health.INTERFACE_GONE, str(error))


def _find(context: VipContext, wanted: Wanted, standby: bool) -> Verdict:
    link = Link()
    address = context.parameters.address()
    copies = link.copies(address, wanted.nic)
    interfaces = {}
    for copy in copies:
        interface = link.interface(index=copy.index)
        if interface:
            interfaces[copy.index] = interface
    here = [copy for copy in copies if copy.index in interfaces]
    verdict = health.judge(wanted, here, interfaces)
    if verdict.finding == health.WRONG_INTERFACE:
        named = link.interface(wanted.nic)
        if named and named.name != wanted.nic:  # by another of its names (ip link property add … altname)
            wanted = Wanted(wanted.address, named.name, wanted.prefix, wanted.check_link, wanted.rival)
            verdict = health.judge(wanted, here, interfaces)
    if verdict.finding == health.ABSENT and wanted.nic:
        without = health.judge_link(wanted, link.interface(wanted.nic))
        if standby or without.finding == health.INTERFACE_GONE:
            return without
    return verdict
