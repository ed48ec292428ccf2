"""Where the address belongs on this node: the interface, and the prefix it is held with.

An IPv4 address that is found beside the node's own one is held as /32 with scope host, whatever the network's prefix is. With
the network's prefix it would be one of the addresses that the kernel may put first: when the node's own is removed and added
again, as by DHCP or a restart of the network, the virtual one becomes the network's primary address. The node's own
connections then leave from it, and are aborted when it moves. With /32 alone it would still be the source for routes without a
gateway. Of scope host it is the source of nothing but what asks for it, and it stays when the node's own goes (decision 47).
"""

from __future__ import annotations

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.services.vip import health
from backstay.services.vip.health import Interface, Verdict, Wanted
from backstay.services.vip.networks import spots
from backstay.services.vip.rtnetlink import Link, setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.ip_address import Address
    from backstay.services.vip.context import VipContext

_PATIENCE = 5.0  # seconds


class Place:
    """alone: nobody but who asks for it has the address as source."""

    __slots__ = ("alone", "interface", "prefix")

    def __init__(self, interface: Interface, prefix: int, alone: bool = False) -> None:
        self.interface = interface
        self.prefix = prefix
        self.alone = alone


def wait_for_place(context: VipContext, link: Link) -> Place:
    """As `find_place`, but what is missing for a moment is waited for: an interface, its link, or an own address, as while the
    network is restarted. Raises AgentError, and not WrongParameter, for which Pacemaker bans the node until an admin acts."""
    missing = [AgentError("")]

    def found() -> Place | None:
        try:
            return find_place(context, link)
        except AgentError as error:
            missing[0] = error
            return None

    try:
        return poll(found, context.deadline.within(_PATIENCE), "a place for the address", interval=0.2)
    except TimedOut:
        raise AgentError(str(missing[0])) from None


def find_place(context: VipContext, link: Link, usable: bool = True) -> Place:
    """Raises WrongParameter when this host has no such place, and with `usable` AgentError when the interface has no link."""
    address, nic, prefix = context.parameters.address(), context.parameters.nic, context.parameters.prefix()
    named = link.interface(nic) if nic else None
    if nic and not named:
        raise WrongParameter(f"parameter nic={nic}: this node has no such interface; correct it or leave it out")
    if named and prefix:
        place = Place(named, prefix)
    else:
        place = _found(context, link, address, named)
        place = Place(place.interface, prefix) if prefix else place
    dead = _judge(context, place.interface)
    if usable and dead.finding != health.STANDBY:
        raise AgentError(dead.reason)
    return place


def _found(context: VipContext, link: Link, address: Address, named: Interface | None) -> Place:
    """The best place that can carry the address, or else the best one. Raises WrongParameter when nothing here tells of the
    address's network."""
    route = link.route(address, named.index if named else 0)
    places = []
    for spot in spots(address, link.addresses(address.family), route):
        interface = link.interface(index=spot.index)
        if interface and (not named or named.index == spot.index):
            places.append(Place(interface, spot.prefix, spot.alone and not _mute(interface)))
    if not places and named:
        raise WrongParameter(f"{named.name} is not in the network of {address.text}: set cidr_netmask")
    if not places:
        raise WrongParameter(f"no interface here is in the network of {address.text}: set nic and cidr_netmask")
    return next((one for one in places if _judge(context, one.interface).finding == health.STANDBY), places[0])


def _mute(interface: Interface) -> bool:
    """Whether the kernel answers nobody who asks for an address of scope host (arp_ignore of 3)."""
    return "3" in (setting("ipv4/conf/all/arp_ignore"), setting(f"ipv4/conf/{interface.name}/arp_ignore"))


def _judge(context: VipContext, interface: Interface) -> Verdict:
    wanted = Wanted(context.parameters.address().text, interface.name, None, context.parameters.check_link)
    return health.judge_link(wanted, interface)
