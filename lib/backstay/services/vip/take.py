"""Takes the address: asks the network for another holder, adds it, announces it. Repairs a wrong copy."""

from __future__ import annotations

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, WrongParameter
from backstay.services.vip import health
from backstay.services.vip.health import Interface, Verdict, Wanted
from backstay.services.vip.parameters import NAME_BYTES
from backstay.services.vip.place import Place, wait_for_place
from backstay.services.vip.release import remove
from backstay.services.vip.rtnetlink import Link, setting
from backstay.services.vip.start_note import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.log import Log
    from backstay.host.ip_address import Address
    from backstay.services.vip.context import VipContext
    from backstay.services.vip.packet_socket import Wire


class Contested(AgentError):
    """Another host has the address. rival: which. place: where it is to be here."""

    def __init__(self, reason: str, rival: str, place: Place) -> None:
        super().__init__(reason)
        self.rival = rival
        self.place = place


def take(context: VipContext) -> None:
    """Hold the address, announced; undo it all when that fails. Repairs a copy in the wrong place. Raises Contested, and
    AgentError."""
    link, given = Link(), context.parameters
    address = given.address()
    place = wait_for_place(context, link)
    interface, prefix = place.interface, place.prefix
    label = f"{interface.name}:{given.label}" if given.label else ""
    if len(label) > NAME_BYTES:
        raise WrongParameter(f"parameter label={given.label}: {label} exceeds {NAME_BYTES} bytes; shorten it")
    was_here = right = False
    for copy in link.copies(address, interface.name):
        failed = bool(copy.flags & health.DAD_FAILED)
        was_here = was_here or not failed
        labelled = label in ("", copy.label)  # the kernel changes the label of no address that is there
        if copy.index == interface.index and copy.prefix == prefix and labelled and not failed:
            right = True
        else:
            context.log.notice(f"removing {address.text}/{copy.prefix} from interface {copy.index}: not as configured")
            remove(link, address, copy, context.log)
    wire = _wire(address, interface)
    if wire and given.check_duplicate and not was_here:
        holder = wire.find_claimant(min(given.duplicate_timeout, context.deadline.remaining()))
        if holder:
            reason = f"{address.text} is in use on {interface.name} by {holder}: stop that host using it"
            raise Contested(reason, holder, place)
    if not link.everywhere(address):
        _end_own(address, context.log)
    try:
        if not right:
            no_dad = health.NO_DAD if given.nodad and address.bits == 128 else 0
            link.add(address, prefix, interface.index, label, no_dad, given.preferred(), place.alone)
        _settle(context, link, address, place)
        if wire:
            _announce(context, wire, address, interface)
        Record(context.state_directory()).write(interface.name, prefix)
    except BaseException:
        for copy in link.copies(address, interface.name):
            remove(link, address, copy, context.log)
        raise
    context.log.info(f"holding {address.text}/{prefix} on {interface.name}")


def _end_own(address: Address, log: Log) -> None:
    """The connections of this node's own clients to the holder before. What they wait for never comes, and once the address is
    here nothing of theirs reaches the wire, so no reset would come back: they would hang until their own timeouts."""
    from backstay.host.tcp_reset import reset_to

    try:
        count = reset_to(address)
    except AgentError as error:
        log.warning(str(error))
        return
    if count:
        log.info(f"reset {count} connections of this node to the holder of {address.text} before")


def _wire(address: Address, interface: Interface) -> Wire | None:
    """None where there is nobody to ask or to tell: the loopback, a tunnel."""
    if not interface.ethernet:
        return None
    from backstay.services.vip.packet_socket import Wire

    return Wire(address, interface)


def _settle(context: VipContext, link: Link, address: Address, place: Place) -> None:
    """Wait until the kernel lets the address be used. Raises Contested when it found a duplicate."""
    interface = place.interface
    wanted = Wanted(address.text, interface.name, None, context.parameters.check_link)

    def settled() -> Verdict | None:
        verdict = health.judge(wanted, link.copies(address, interface.name), {interface.index: interface})
        return None if verdict.finding == health.TENTATIVELY else verdict

    verdict = poll(settled, context.deadline, f"the kernel's duplicate address detection of {address.text}")
    if verdict.finding == health.DUPLICATE:
        raise Contested(verdict.reason, "another host", place)
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
