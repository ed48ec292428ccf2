"""What a look at the host means for the address. Pure: values in, a finding with its reason out.

The kernel's flags are those of linux/if_addr.h and linux/if.h.
"""

from backstay.ocf.codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional

SECONDARY = 0x01
FOREVER = 0xFFFFFFFF  # a lifetime without end
NO_DAD = 0x02
OPTIMISTIC = 0x04
DAD_FAILED = 0x08
TENTATIVE = 0x40

HELD = "held"
ABSENT = "absent"
WRONG_PREFIX = "wrong prefix"
WRONG_INTERFACE = "wrong interface"
TENTATIVELY = "tentative"
DUPLICATE = "duplicate"
LINK_DOWN = "link down"
INTERFACE_GONE = "interface gone"
STANDBY = "standby"


class Held:
    """An address as the kernel holds it: on interface number `index`, with its IFA_F_ flags."""

    __slots__ = ("flags", "index", "packed", "prefix")

    def __init__(self, packed: bytes, prefix: int, index: int, flags: int) -> None:
        self.packed = packed
        self.prefix = prefix
        self.index = index
        self.flags = flags


class Interface:
    """An interface. enabled: the admin set it up. running: it can carry traffic (RFC 2863 up or unknown). ethernet:
    ARP and neighbour discovery go out as Ethernet frames; `mac` is its hardware address."""

    __slots__ = ("enabled", "ethernet", "index", "mac", "name", "running")

    def __init__(self, index: int, name: str, enabled: bool, running: bool, ethernet: bool, mac: bytes) -> None:
        self.index = index
        self.name = name
        self.enabled = enabled
        self.running = running
        self.ethernet = ethernet
        self.mac = mac


class Wanted:
    """Where the address shall be. nic "" and prefix None: wherever it is, is right. check_link: a dead link counts."""

    __slots__ = ("address", "check_link", "nic", "prefix")

    def __init__(self, address: str, nic: str, prefix: "Optional[int]", check_link: bool) -> None:
        self.address = address
        self.nic = nic
        self.prefix = prefix
        self.check_link = check_link


class Verdict:
    """A finding, and the sentence for the admin ("" when all is well)."""

    __slots__ = ("finding", "reason")

    def __init__(self, finding: str, reason: str = "") -> None:
        self.finding = finding
        self.reason = reason


def judge(wanted: Wanted, copies: "Sequence[Held]", interfaces: "Mapping[int, Interface]") -> Verdict:
    """Is the address where it shall be, and of use there?

    copies: every instance of the address on this host. interfaces: by number, those of the copies. Every copy must be
    right: a second one elsewhere would outlive the first and keep answering for it.
    """
    address = wanted.address
    if not copies:
        where = f"from {wanted.nic}" if wanted.nic else "from this node"
        return Verdict(ABSENT, f"{address} is gone {where}: something other than the cluster removed it")
    for copy in copies:
        name = interfaces[copy.index].name
        if wanted.nic and name != wanted.nic:
            return Verdict(WRONG_INTERFACE, f"{address} is on {name}, not only on {wanted.nic}: a restart moves it")
        if copy.flags & DAD_FAILED:
            return Verdict(
                DUPLICATE, f"{address} on {name} is unusable: another host has it (DAD failed); free it there"
            )
        if wanted.prefix not in (None, copy.prefix):
            return Verdict(
                WRONG_PREFIX,
                f"{address} on {name} has prefix /{copy.prefix}, not /{wanted.prefix}: a restart repairs it",
            )
    down = judge_link(wanted, interfaces[copies[0].index])
    if down.finding != STANDBY:
        return down
    if any(copy.flags & TENTATIVE and not copy.flags & OPTIMISTIC for copy in copies):
        name = interfaces[copies[0].index].name
        return Verdict(TENTATIVELY, f"{address} on {name} is tentative: the kernel still looks for a duplicate")
    return Verdict(HELD)


def judge_link(wanted: Wanted, interface: "Optional[Interface]") -> Verdict:
    """Could the address be of use on this interface? STANDBY when it could."""
    address = wanted.address
    if interface is None:
        return Verdict(INTERFACE_GONE, f"interface {wanted.nic} is gone from this node, and with it {address}")
    name = interface.name
    if wanted.check_link and not interface.enabled:
        return Verdict(LINK_DOWN, f"{name} is set down, so nobody reaches {address} here: ip link set {name} up")
    if wanted.check_link and not interface.running:
        return Verdict(LINK_DOWN, f"{name} has no link, so nobody reaches {address} here: check cable and switch")
    return Verdict(STANDBY)


def exit_code(finding: str, clone: bool, probe: bool, promoted: bool) -> ExitCode:
    """What monitor answers. clone: promotable. promoted: Pacemaker expects the promoted role.

    A probe asks only whether the address is here, with whatever flaw: were it denied, Pacemaker would start a second
    one elsewhere. The first recurring monitor names the flaw. An address that failed DAD serves nobody: not here.
    """
    if probe:
        if finding in (ABSENT, INTERFACE_GONE, DUPLICATE):
            return ExitCode.NOT_RUNNING
        return ExitCode.RUNNING_PROMOTED if clone and finding != STANDBY else ExitCode.SUCCESS
    if finding == HELD:
        return ExitCode.RUNNING_PROMOTED if clone else ExitCode.SUCCESS
    if finding == STANDBY:
        return ExitCode.SUCCESS
    if finding == TENTATIVELY:  # the kernel asks again after each loss of link; it ends by itself within two seconds
        return ExitCode.DEGRADED_PROMOTED if clone else ExitCode.DEGRADED
    if clone and promoted:
        return ExitCode.FAILED_PROMOTED
    return ExitCode.NOT_RUNNING if finding in (ABSENT, INTERFACE_GONE) else ExitCode.ERR_GENERIC


def secondaries_lost(leaving: Held, others: "Sequence[Held]") -> bool:
    """Whether the kernel would drop other IPv4 addresses with this one: it removes the secondaries of a primary
    (devinet.c, `__inet_del_ifa`) unless promote_secondaries is set."""
    return not leaving.flags & SECONDARY and any(
        other.index == leaving.index
        and other.prefix == leaving.prefix
        and other.flags & SECONDARY
        and other.packed != leaving.packed
        and _network(other) == _network(leaving)
        for other in others
    )


def _network(held: Held) -> int:
    return int.from_bytes(held.packed, "big") >> (len(held.packed) * 8 - held.prefix)
