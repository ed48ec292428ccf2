"""What a look at the host means for the address: the tables ADDRESS, STANDBY_LINK and EXIT_CODES. Pure.

The kernel's flags are those of linux/if_addr.h and linux/if.h.
"""

from __future__ import annotations

from backstay.ocf.codes import ExitCode
from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from backstay.ocf.table import Table

SECONDARY = 0x01
FOREVER = 0xFFFFFFFF  # a lifetime without end
LOOPBACK = 1  # number of the interface lo, in every network namespace
NO_DAD = 0x02
OPTIMISTIC = 0x04
DAD_FAILED = 0x08
TENTATIVE = 0x40

HELD = "held"
ABSENT = "absent"
WRONG_PREFIX = "wrong prefix"
WRONG_INTERFACE = "wrong interface"
TENTATIVELY = "tentative"
CONTESTED = "contested"
DUPLICATE = "duplicate"
LINK_DOWN = "link down"
INTERFACE_GONE = "interface gone"
STANDBY = "standby"


class Held(Value):
    """An address as the kernel holds it: on interface number `index`, with its IFA_F_ flags. label: IPv4 only."""

    __slots__ = ("flags", "index", "label", "packed", "prefix")

    def __init__(self, packed: bytes, prefix: int, index: int, flags: int, label: str = "") -> None:
        self.packed = packed
        self.prefix = prefix
        self.index = index
        self.flags = flags
        self.label = label


class Interface(Value):
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


class Wanted(Value):
    """Where the address shall be. nic "" and prefix None: wherever it is, is right. check_link: a dead link counts. rival: the
    other host that had it when this one was to take it, "" for none."""

    __slots__ = ("address", "check_link", "nic", "prefix", "rival")

    def __init__(self, address: str, nic: str, prefix: int | None, check_link: bool, rival: str = "") -> None:
        self.address = address
        self.nic = nic
        self.prefix = prefix
        self.check_link = check_link
        self.rival = rival


class Verdict(Value):
    """A finding, and the sentence for the admin ("" when all is well)."""

    __slots__ = ("finding", "reason")

    def __init__(self, finding: str, reason: str = "") -> None:
        self.finding = finding
        self.reason = reason


class Inputs(Value):
    """What a finding rests on. copies: as for `judge`. copy: that one which counts: the first that is not right, else the first;
    None where there is none. interface: that of the copy, or the one that shall carry the address; None when it is gone. name:
    of that interface. flags, prefix: of the copy."""

    __slots__ = ("address", "copies", "flags", "interface", "name", "prefix", "wanted")

    def __init__(self, wanted: Wanted, copies: Sequence[Held], copy: Held | None, interface: Interface | None) -> None:
        self.wanted = wanted
        self.address = wanted.address
        self.copies = tuple(copies)
        self.flags = copy.flags if copy else 0
        self.prefix = copy.prefix if copy else None
        self.interface = interface
        self.name = interface.name if interface else wanted.nic


def _well(i: Inputs) -> str:
    return ""


if TYPE_CHECKING:
    _Row = tuple[str, Callable[[Inputs], str]]  # the finding, the sentence

# fmt: off
_FLAWS: Table[_Row, Inputs] = (
    ((WRONG_INTERFACE, lambda i: f"{i.address} is on {i.name}, not only on {i.wanted.nic}: a restart moves it"),
     lambda i: i.wanted.nic and i.name != i.wanted.nic,
     "a copy of it is on another interface than `nic`", "it would outlive the right one, and keep answering for it"),
    ((DUPLICATE, lambda i: f"{i.address} on {i.name} is unusable: another host has it (DAD failed); free it there"),
     lambda i: i.flags & DAD_FAILED,
     "the kernel found it on another host", "the kernel does not use it"),
    ((WRONG_PREFIX, lambda i: f"{i.address} on {i.name} has prefix /{i.prefix}, not /{i.wanted.prefix}: a restart repairs it"),
     lambda i: i.wanted.prefix not in (None, i.prefix),
     "a copy of it has another prefix than asked for", "its network is another"),
)
_LINK: Table[_Row, Inputs] = (
    ((LINK_DOWN, lambda i: f"{i.name} is set down, so nobody reaches {i.address} here: ip link set {i.name} up"),
     lambda i: i.interface and i.wanted.check_link and not i.interface.enabled,
     "its interface is set down, and `check_link` is on", "nobody reaches it here"),
    ((LINK_DOWN, lambda i: f"{i.name} has no link, so nobody reaches {i.address} here: check cable and switch"),
     lambda i: i.interface and i.wanted.check_link and not i.interface.running,
     "its interface has no link, and `check_link` is on", "nobody reaches it here"),
)
ADDRESS: Table[_Row, Inputs] = (
    ((CONTESTED, lambda i: f"{i.address} is in use by {i.wanted.rival}: taken once that host leaves it"),
     lambda i: not i.copies and i.wanted.rival,
     "it is on no interface, and another host had it when this one was to take it", "it is taken once that host is gone"),
    ((ABSENT, lambda i: f"{i.address} is gone {f'from {i.wanted.nic}' if i.wanted.nic else 'from this node'}:"
      f" something other than the cluster removed it"),
     lambda i: not i.copies,
     "it is on no interface", "something other than the cluster removed it"),
    *_FLAWS,
    *_LINK,
    ((TENTATIVELY, lambda i: f"{i.address} on {i.name} is tentative: the kernel still looks for a duplicate"),
     lambda i: any(copy.flags & TENTATIVE and not copy.flags & OPTIMISTIC for copy in i.copies),
     "the kernel still looks for a duplicate", "it does not use the address yet"),
    ((HELD, _well), always,
     "otherwise", "every copy is right"),
)
STANDBY_LINK: Table[_Row, Inputs] = (
    ((INTERFACE_GONE, lambda i: f"interface {i.wanted.nic} is gone from this node, and with it {i.address}"),
     lambda i: not i.interface,
     "its interface is not there", "the address cannot come here"),
    *_LINK,
    ((STANDBY, _well), always,
     "otherwise", "the address could be of use here"),
)
# fmt: on


def judge(wanted: Wanted, copies: Sequence[Held], interfaces: Mapping[int, Interface]) -> Verdict:
    """Is the address where it shall be, and of use there?

    copies: every instance of the address on this host. interfaces: by number, those of the copies. Every copy must be
    right: a second one elsewhere would outlive the first and keep answering for it.
    """

    def look(copy: Held) -> Inputs:
        return Inputs(wanted, copies, copy, interfaces[copy.index])

    flawed = (inputs for inputs in map(look, copies) if any(applies(inputs) for _, applies, _, _ in _FLAWS))
    inputs = next(flawed, None) or (look(copies[0]) if copies else Inputs(wanted, copies, None, None))
    finding, reason = decide(ADDRESS, inputs)
    return Verdict(finding, reason(inputs))


def judge_link(wanted: Wanted, interface: Interface | None) -> Verdict:
    """Could the address be of use on this interface? STANDBY when it could."""
    inputs = Inputs(wanted, (), None, interface)
    finding, reason = decide(STANDBY_LINK, inputs)
    return Verdict(finding, reason(inputs))


class Asked(Value):
    """Who asks for an exit code, and what was found; as for `exit_code`."""

    __slots__ = ("clone", "finding", "probe", "promoted")

    def __init__(self, finding: str, clone: bool, probe: bool, promoted: bool) -> None:
        self.finding = finding
        self.clone = clone
        self.probe = probe
        self.promoted = promoted


# fmt: off
EXIT_CODES: Table[ExitCode, Asked] = (
    (ExitCode.NOT_RUNNING, lambda i: i.probe and i.finding in (ABSENT, INTERFACE_GONE, DUPLICATE),
     "a probe does not find it, or a duplicate", "an address that failed DAD serves nobody: it is not here"),
    (ExitCode.RUNNING_PROMOTED, lambda i: i.probe and i.clone and i.finding != STANDBY,
     "a probe of a clone finds it, with whatever flaw", "were it denied, Pacemaker would start a second one elsewhere"),
    (ExitCode.SUCCESS, lambda i: i.probe,
     "any other probe", "the same; the first recurring monitor names the flaw"),
    (ExitCode.RUNNING_PROMOTED, lambda i: i.finding == HELD and i.clone,
     "held, of a clone", "an address is held by the promoted one"),
    (ExitCode.SUCCESS, lambda i: i.finding in (HELD, STANDBY),
     "held, or standby", "all is well"),
    (ExitCode.DEGRADED_PROMOTED, lambda i: i.finding in (TENTATIVELY, CONTESTED) and i.clone,
     "tentative or contested, of a clone", "it ends by itself: the kernel's search within two seconds, the other when the rival"
     " is gone; any other node would find the same"),
    (ExitCode.DEGRADED, lambda i: i.finding in (TENTATIVELY, CONTESTED),
     "tentative or contested", "the same"),
    (ExitCode.FAILED_PROMOTED, lambda i: i.clone and i.promoted,
     "any other finding, where Pacemaker expects the promoted role", "it is needed here, and of no use"),
    (ExitCode.NOT_RUNNING, lambda i: i.finding in (ABSENT, INTERFACE_GONE),
     "absent, or interface gone", "there is nothing to stop"),
    (ExitCode.ERR_GENERIC, always,
     "otherwise", "it is here, and of no use"),
)
# fmt: on


def exit_code(finding: str, clone: bool, probe: bool, promoted: bool) -> ExitCode:
    """What monitor answers. clone: promotable. promoted: Pacemaker expects the promoted role."""
    return decide(EXIT_CODES, Asked(finding, clone, probe, promoted))


def secondaries_lost(leaving: Held, others: Sequence[Held]) -> bool:
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
