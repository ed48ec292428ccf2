"""As services/vip/health.py judged before its tables were executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backstay.ocf.codes import ExitCode
from backstay.services.vip.health import (
    ABSENT,
    CONTESTED,
    DAD_FAILED,
    DUPLICATE,
    HELD,
    INTERFACE_GONE,
    LINK_DOWN,
    OPTIMISTIC,
    STANDBY,
    TENTATIVE,
    TENTATIVELY,
    WRONG_INTERFACE,
    WRONG_PREFIX,
    Held,
    Interface,
    Verdict,
    Wanted,
)


def judge(wanted: Wanted, copies: Sequence[Held], interfaces: Mapping[int, Interface]) -> Verdict:
    """Is the address where it shall be, and of use there?

    copies: every instance of the address on this host. interfaces: by number, those of the copies. Every copy must be
    right: a second one elsewhere would outlive the first and keep answering for it.
    """
    address = wanted.address
    if not copies and wanted.rival:  # came later
        return Verdict(CONTESTED, f"{address} is in use by {wanted.rival}: taken once that host leaves it")
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


def judge_link(wanted: Wanted, interface: Interface | None) -> Verdict:
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
    if finding in (
        TENTATIVELY,
        CONTESTED,
    ):  # the kernel asks again after each loss of link; it ends by itself within two seconds
        return ExitCode.DEGRADED_PROMOTED if clone else ExitCode.DEGRADED
    if clone and promoted:
        return ExitCode.FAILED_PROMOTED
    return ExitCode.NOT_RUNNING if finding in (ABSENT, INTERFACE_GONE) else ExitCode.ERR_GENERIC
