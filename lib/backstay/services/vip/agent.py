"""ocf:backstay:vip. Joins what the kernel shows (link), what that means (findings) and what to do about it.

Start resolves interface and prefix once and records them; monitor compares with the record and never parses routes.
As a primitive it holds the address while started. As a promotable clone it is a checked standby while unpromoted: it
has no daemon whose life would tell, so the record also says that it is started; /run is empty after a boot.
"""

from backstay.host.deadline import poll
from backstay.host.ip_address import Address, parse_address, parse_prefix
from backstay.ocf.codes import ExitCode, Role
from backstay.ocf.errors import AgentError, Misconfigured, WrongParameter
from backstay.ocf.parameters import action
from backstay.services.vip import health
from backstay.services.vip.health import Interface, Verdict, Wanted
from backstay.services.vip.namespace import Inside
from backstay.services.vip.parameters import VipParameters
from backstay.services.vip.release import release, remove
from backstay.services.vip.rtnetlink import FOREVER, Link, setting
from backstay.services.vip.start_note import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.services.vip.defence import Defence
    from backstay.services.vip.packet_socket import Wire
    from backstay.watch.client import Events, Prober

_SCORE = 10  # of a standby that could hold the address; all nodes are equal, location constraints decide
_NOT_HERE = (health.ABSENT, health.DUPLICATE, health.INTERFACE_GONE, health.LINK_DOWN)
_ALIVE = (ExitCode.SUCCESS, ExitCode.RUNNING_PROMOTED, ExitCode.DEGRADED_PROMOTED)
_NAME_BYTES = 15  # IFNAMSIZ without its terminator, for interfaces and labels


class Found(AgentError):
    """A monitor's finding that an admin should read, with its code."""

    def __init__(self, reason: str, code: ExitCode) -> None:
        super().__init__(reason)
        self.code = code


class Vip(VipParameters):
    _defence: "Optional[Defence]" = None  # the watcher's, while it holds the address

    # -- actions ------------------------------------------------------------------------------------------------------

    @action(timeout=20)
    def start(self) -> None:
        """Take the address; as a promotable clone, get ready to."""
        if not self.invocation.promotable:
            self.promote()
            return
        with Inside(self._namespace()):
            release(self._address(), self.log)
            interface, prefix = self._place(Link())
        Record(self.state_directory()).write(interface.name, prefix)
        self._score(able=True)

    @action(timeout=20)
    def stop(self) -> None:
        """Give the address up wherever it is on this node. Fine when it is not, or never could be."""
        self.quiet(*self._identity())
        try:
            with Inside(self._namespace()):
                release(self._address(), self.log, self.refuse_for)
        except (Misconfigured, WrongParameter) as error:
            self.log.warning(f"nothing to remove: {error}")
        try:
            Record(self.state_directory()).erase()
        except AgentError as error:
            # At worst a later probe takes this node for a standby. A failed stop would fence it.
            self.cannot_write(str(error))

    @action(timeout=20)
    def promote(self) -> None:
        with Inside(self._namespace()):
            self._take()
        self.watch(*self._identity())

    @action(timeout=20)
    def demote(self) -> None:
        self.quiet(*self._identity())
        with Inside(self._namespace()):
            release(self._address(), self.log, self.refuse_for)

    @action(timeout=20, interval=5)
    @action(timeout=20, interval=6, role=Role.PROMOTED)
    @action(timeout=20, interval=11, role=Role.UNPROMOTED)
    def monitor(self) -> ExitCode:
        """One look at the kernel's addresses. A probe only asks whether the address is here."""
        clone, probe = self.invocation.promotable, self.invocation.is_probe
        promoted = self.invocation.role in ("Promoted", "Master")
        nic, prefix = Record(self.state_directory()).read()
        started = bool(nic)
        verdict = self._look(nic, prefix, standby=clone and started and not promoted)
        if probe and clone and started and verdict.finding in _NOT_HERE:
            return ExitCode.SUCCESS  # a standby; what ails it is for the first recurring monitor
        code = health.exit_code(verdict.finding, clone, probe, promoted)
        if clone and not probe and started:
            self._score(able=verdict.finding in (health.HELD, health.STANDBY))
        if verdict.finding == health.HELD and not probe:
            if not started:
                self._note_again()
            self.watch(*self._identity())
        if clone and not probe and code in _ALIVE:
            return self.alive(code is not ExitCode.SUCCESS, verdict.reason)
        if verdict.reason and not probe:
            raise Found(verdict.reason, code)
        return code

    @action(timeout=20)
    def reload_agent(self) -> None:
        """The reloadable parameters are read by every action, so there is nothing to do but to check them, which main
        has done."""

    def check_parameters(self) -> None:
        super().check_parameters()
        address = self._address()
        self._prefix()
        self._preferred()
        self._namespace()
        if address.link_local and not self.nic:
            raise Misconfigured(f"parameter nic is not set: {address.text} is link-local, so name its interface")
        if not _is_name(self.nic, empty=True):
            raise Misconfigured(f"parameter nic={self.nic}: not an interface name (at most {_NAME_BYTES} bytes)")
        if self.label and address.bits == 128:
            raise Misconfigured(f"parameter label={self.label}: only IPv4 addresses have labels; leave it out")
        if self.label and not _is_name(f"{self.nic or 'x'}:{self.label}"):
            raise Misconfigured(f"parameter label={self.label}: with the interface at most {_NAME_BYTES} bytes")

    def check_host(self) -> None:
        with Inside(self._namespace()):
            self._place(Link(), usable=False)

    # -- the watcher --------------------------------------------------------------------------------------------------

    def prober(self) -> "Prober":
        from backstay.services.vip.prober import VipProber

        nic, prefix = Record(self.state_directory()).read()
        return VipProber(lambda: self._look(nic, prefix), self._tend)

    def look_every(self) -> float:
        return 5.0

    def events(self) -> "Events":
        from backstay.services.vip.prober import Changes

        with Inside(self._namespace()):
            self._defence = self._defended()
            return Changes(self._address(), self._defence)

    def _tend(self) -> None:
        if self._defence:
            with Inside(self._namespace()):
                self._defence.tend()

    def _defended(self) -> "Optional[Defence]":
        """None where others may speak for the address, or nobody can be heard."""
        from backstay.services.vip import defence as module

        interface = Link().interface(Record(self.state_directory()).read()[0])
        if not interface or not interface.ethernet or not self.check_duplicate:
            return None
        address = self._address()
        try:
            return module.Defence(address, interface, self._router(address, interface), self.log)
        except (OSError, AgentError) as error:
            self.log.warning(f"claims of other hosts to {address.text} go unheard: {error}")
            return None

    def _identity(self) -> "tuple[int, str]":
        """Of what is watched: there is no process, so the start tells one life of the address from the next."""
        return 0, Record(self.state_directory()).identity()

    def _note_again(self) -> None:
        """The record was wiped while the address is held: without it the watcher has nothing to tell this start by."""
        try:
            with Inside(self._namespace()):
                interface, prefix = self._place(Link())
            Record(self.state_directory()).write(interface.name, prefix)
        except AgentError as error:
            self.cannot_write(str(error))

    # -- parameters ---------------------------------------------------------------------------------------------------

    def _address(self) -> Address:
        text = self.ip
        if not text:
            raise Misconfigured("parameter ip is not set: give the virtual address")
        try:
            return parse_address(text)
        except ValueError as error:
            raise Misconfigured(f"parameter ip={text}: {error}") from None

    def _prefix(self) -> "Optional[int]":
        try:
            return parse_prefix(self.cidr_netmask, self._address())
        except ValueError as error:
            if self.invocation.lenient:
                return None
            raise Misconfigured(f"parameter cidr_netmask={self.cidr_netmask}: {error}") from None

    def _preferred(self) -> int:
        text = self.preferred_lft
        if text == "forever":
            return FOREVER
        if not (text.isascii() and text.isdigit()) or int(text) >= FOREVER:
            raise Misconfigured(f"parameter preferred_lft={text}: seconds or forever is needed")
        return int(text)

    def _namespace(self) -> str:
        name: str = self.network_namespace
        if "/" in name or name in (".", ".."):
            raise Misconfigured(f"parameter network_namespace={name}: give its name in ip netns, not a path")
        return name

    # -- taking the address -------------------------------------------------------------------------------------------

    def _place(self, link: Link, usable: bool = True) -> "tuple[Interface, int]":
        """Where the address belongs: interface and prefix. Raises WrongParameter when this host has no such place, and
        with `usable` AgentError when the interface has no link."""
        address, nic, prefix = self._address(), self.nic, self._prefix()
        interface = link.interface(nic) if nic else None
        if nic and not interface:
            raise WrongParameter(f"parameter nic={nic}: this node has no such interface; correct it or leave it out")
        if not interface or not prefix:
            index, length = self._found(link, address, interface)
            interface = interface or (link.interface(index=index) if index else None)
            prefix = prefix or length
        if not interface:
            raise WrongParameter(f"no interface here is in the network of {address.text}: set nic and cidr_netmask")
        if not prefix:
            raise WrongParameter(f"{interface.name} is not in the network of {address.text}: set cidr_netmask")
        dead = health.judge_link(Wanted(address.text, interface.name, prefix, self.check_link), interface)
        if usable and dead.finding != health.STANDBY:
            raise AgentError(dead.reason)
        return interface, prefix

    def _found(self, link: Link, address: Address, interface: "Optional[Interface]") -> "tuple[int, int]":
        """Interface number and prefix from the address itself where it is here already, else from the routes; zeros
        when neither tells."""
        for copy in link.copies(address):
            if not interface or copy.index == interface.index:
                return copy.index, copy.prefix
        index, prefix = link.route(address, interface.index if interface else 0) or (0, 0)
        return (index, prefix) if not interface or interface.index == index else (0, 0)

    def _take(self) -> None:
        """Hold the address, announced; undo it all when that fails. Repairs a copy in the wrong place."""
        link = Link()
        address = self._address()
        interface, prefix = self._place(link)
        label = f"{interface.name}:{self.label}" if self.label else ""
        if len(label) > _NAME_BYTES:
            raise WrongParameter(f"parameter label={self.label}: {label} exceeds {_NAME_BYTES} bytes; shorten it")
        was_here = right = False
        for copy in link.copies(address):
            failed = bool(copy.flags & health.DAD_FAILED)
            was_here = was_here or not failed
            if copy.index == interface.index and copy.prefix == prefix and not failed:
                right = True
            else:
                self.log.notice(f"removing {address.text}/{copy.prefix} from interface {copy.index}: not as configured")
                remove(link, address, copy, self.log)
        wire = self._wire(address, interface)
        if wire and self.check_duplicate and not was_here:
            holder = wire.find_claimant(min(self.duplicate_timeout, self.deadline.remaining()))
            if holder:
                raise AgentError(f"{address.text} is in use on {interface.name} by {holder}: stop that host using it")
        try:
            if not right:
                no_dad = health.NO_DAD if self.nodad and address.bits == 128 else 0
                link.add(address, prefix, interface.index, label, no_dad, self._preferred())
            self._settle(link, address, interface)
            if wire:
                self._announce(wire, address, interface)
            Record(self.state_directory()).write(interface.name, prefix)
        except BaseException:
            for copy in link.copies(address):
                remove(link, address, copy, self.log)
            raise
        self.log.info(f"holding {address.text}/{prefix} on {interface.name}")

    def _wire(self, address: Address, interface: Interface) -> "Optional[Wire]":
        """None where there is nobody to ask or to tell: the loopback, a tunnel."""
        if not interface.ethernet:
            return None
        from backstay.services.vip.packet_socket import Wire

        return Wire(address, interface)

    def _settle(self, link: Link, address: Address, interface: Interface) -> None:
        """Wait until the kernel lets the address be used. Raises AgentError when it found a duplicate."""
        wanted = Wanted(address.text, interface.name, None, self.check_link)

        def settled() -> "Optional[Verdict]":
            verdict = health.judge(wanted, link.copies(address), {interface.index: interface})
            return None if verdict.finding == health.TENTATIVELY else verdict

        verdict = poll(settled, self.deadline, f"the kernel's duplicate address detection of {address.text}")
        if verdict.finding != health.HELD:
            raise AgentError(verdict.reason)

    def _announce(self, wire: "Wire", address: Address, interface: Interface) -> None:
        from backstay.services.vip.announce import announce

        try:
            announce(address, wire, self.arp_count, self.arp_interval, self._router(address, interface))
        except OSError as error:
            raise AgentError(f"cannot announce {address.text} on {interface.name}: {error.strerror}") from None

    @staticmethod
    def _router(address: Address, interface: Interface) -> bool:
        """Whether announcements must say that this host forwards."""
        return address.bits == 128 and setting(f"ipv6/conf/{interface.name}/forwarding") == "1"

    # -- monitoring ---------------------------------------------------------------------------------------------------

    def _look(self, nic: str, prefix: "Optional[int]", standby: bool = False) -> Verdict:
        """nic, prefix: as recorded. standby: without the address this instance is a standby, and as such is judged by its
        interface."""
        wanted = Wanted(self._address().text, self.nic or nic, self._prefix() or prefix, self.check_link)
        try:
            with Inside(self._namespace()):
                return self._find(wanted, standby)
        except WrongParameter as error:
            return Verdict(health.INTERFACE_GONE, str(error))

    def _find(self, wanted: Wanted, standby: bool) -> Verdict:
        link = Link()
        address = self._address()
        copies = link.copies(address)
        interfaces = {}
        for copy in copies:
            interface = link.interface(index=copy.index)
            if interface:
                interfaces[copy.index] = interface
        verdict = health.judge(wanted, [copy for copy in copies if copy.index in interfaces], interfaces)
        if verdict.finding == health.ABSENT and wanted.nic:
            without = health.judge_link(wanted, link.interface(wanted.nic))
            if standby or without.finding == health.INTERFACE_GONE:
                return without
        return verdict

    def _score(self, able: bool) -> None:
        """Without a score the cluster promotes nobody; a cluster that takes none must not fail the action."""
        from backstay.cluster.pacemaker import NEVER

        try:
            self.pacemaker.set_promotion_score(_SCORE if able else NEVER)
        except AgentError as error:
            self.log.warning(f"promotion score not set: {error}")


def _is_name(text: str, empty: bool = False) -> bool:
    """Whether the kernel takes it as the name of an interface or address label."""
    if not text:
        return empty
    return len(text.encode()) <= _NAME_BYTES and "/" not in text and not any(mark.isspace() for mark in text)


AGENT = Vip
