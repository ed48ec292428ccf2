"""Takes the address: finds its place, asks the network for another holder, adds it, announces it. Repairs a wrong copy."""

from __future__ import annotations

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.services.vip import health
from backstay.services.vip.health import Interface, Verdict, Wanted
from backstay.services.vip.parameters import NAME_BYTES
from backstay.services.vip.release import remove
from backstay.services.vip.rtnetlink import Link, setting
from backstay.services.vip.start_note import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.ip_address import Address
    from backstay.services.vip.context import VipContext
    from backstay.services.vip.packet_socket import Wire

_PATIENCE = 5.0  # seconds


def wait_for_place(context: VipContext, link: Link) -> tuple[Interface, int]:
    """As `place`, but what is missing for a moment is waited for: an interface, its link, or an own address, as while the
    network is restarted. Raises AgentError, and not WrongParameter, for which Pacemaker bans the node until an admin acts."""
    missing = [AgentError("")]

    def found() -> tuple[Interface, int] | None:
        try:
            return place(context, link)
        except AgentError as error:
            missing[0] = error
            return None

    try:
        return poll(found, context.deadline.within(_PATIENCE), "a place for the address", interval=0.2)
    except TimedOut:
        raise AgentError(str(missing[0])) from None


def place(context: VipContext, link: Link, usable: bool = True) -> tuple[Interface, int]:
    """Where the address belongs: interface and prefix. Raises WrongParameter when this host has no such place, and
    with `usable` AgentError when the interface has no link."""
    address, nic, prefix = context.parameters.address(), context.parameters.nic, context.parameters.prefix()
    interface = link.interface(nic) if nic else None
    if nic and not interface:
        raise WrongParameter(f"parameter nic={nic}: this node has no such interface; correct it or leave it out")
    if not interface or not prefix:
        index, length = _found(link, address, interface)
        interface = interface or (link.interface(index=index) if index else None)
        prefix = prefix or length
    if not interface:
        raise WrongParameter(f"no interface here is in the network of {address.text}: set nic and cidr_netmask")
    if not prefix:
        raise WrongParameter(f"{interface.name} is not in the network of {address.text}: set cidr_netmask")
    dead = health.judge_link(Wanted(address.text, interface.name, prefix, context.parameters.check_link), interface)
    if usable and dead.finding != health.STANDBY:
        raise AgentError(dead.reason)
    return interface, prefix


def _found(link: Link, address: Address, interface: Interface | None) -> tuple[int, int]:
    """Interface number and prefix from the address itself where it is here already, else from the routes; zeros
    when neither tells."""
    for copy in link.copies(address):
        if not interface or copy.index == interface.index:
            return copy.index, copy.prefix
    index, prefix = link.route(address, interface.index if interface else 0) or (0, 0)
    return (index, prefix) if not interface or interface.index == index else (0, 0)


def take(context: VipContext) -> None:
    """Hold the address, announced; undo it all when that fails. Repairs a copy in the wrong place."""
    link, given = Link(), context.parameters
    address = given.address()
    interface, prefix = wait_for_place(context, link)
    label = f"{interface.name}:{given.label}" if given.label else ""
    if len(label) > NAME_BYTES:
        raise WrongParameter(f"parameter label={given.label}: {label} exceeds {NAME_BYTES} bytes; shorten it")
    was_here = right = False
    for copy in link.copies(address):
        failed = bool(copy.flags & health.DAD_FAILED)
        was_here = was_here or not failed
        if copy.index == interface.index and copy.prefix == prefix and not failed:
            right = True
        else:
            context.log.notice(f"removing {address.text}/{copy.prefix} from interface {copy.index}: not as configured")
            remove(link, address, copy, context.log)
    wire = _wire(address, interface)
    if wire and given.check_duplicate and not was_here:
        holder = wire.find_claimant(min(given.duplicate_timeout, context.deadline.remaining()))
        if holder:
            raise AgentError(f"{address.text} is in use on {interface.name} by {holder}: stop that host using it")
    try:
        if not right:
            no_dad = health.NO_DAD if given.nodad and address.bits == 128 else 0
            link.add(address, prefix, interface.index, label, no_dad, given.preferred())
        _settle(context, link, address, interface)
        if wire:
            _announce(context, wire, address, interface)
        Record(context.state_directory()).write(interface.name, prefix)
    except BaseException:
        for copy in link.copies(address):
            remove(link, address, copy, context.log)
        raise
    context.log.info(f"holding {address.text}/{prefix} on {interface.name}")


def _wire(address: Address, interface: Interface) -> Wire | None:
    """None where there is nobody to ask or to tell: the loopback, a tunnel."""
    if not interface.ethernet:
        return None
    from backstay.services.vip.packet_socket import Wire

    return Wire(address, interface)


def _settle(context: VipContext, link: Link, address: Address, interface: Interface) -> None:
    """Wait until the kernel lets the address be used. Raises AgentError when it found a duplicate."""
    wanted = Wanted(address.text, interface.name, None, context.parameters.check_link)

    def settled() -> Verdict | None:
        verdict = health.judge(wanted, link.copies(address), {interface.index: interface})
        return None if verdict.finding == health.TENTATIVELY else verdict

    verdict = poll(settled, context.deadline, f"the kernel's duplicate address detection of {address.text}")
    if verdict.finding != health.HELD:
        raise AgentError(verdict.reason)


def _announce(context: VipContext, wire: Wire, address: Address, interface: Interface) -> None:
    from backstay.services.vip.announce import announce

    given = context.parameters
    try:
        announce(address, wire, given.arp_count, given.arp_interval, router(address, interface))
    except OSError as error:
        raise AgentError(f"cannot announce {address.text} on {interface.name}: {error.strerror}") from None


def router(address: Address, interface: Interface) -> bool:
    """Whether announcements must say that this host forwards."""
    return address.bits == 128 and setting(f"ipv6/conf/{interface.name}/forwarding") == "1"
