"""Looks at this machine for `doctor`: programs, modules, names, clock, Corosync's timing, fencing on record."""

from __future__ import annotations

import glob
import importlib.util
import os
import re
import socket
import time
from typing import TYPE_CHECKING

from backstay.admin import corosync_file, denials
from backstay.admin.preflight import Corosync, Host
from backstay.host import command
from backstay.ocf.errors import AgentError
from backstay.ocf.parameters import whole
from backstay.services import catalogue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.host.deadline import Deadline

CONFIGURATION = "/etc/corosync/corosync.conf"
AGENTS = "/usr/lib/ocf/resource.d/backstay"
_TOOLS = {
    "crm_mon": "pacemaker-cli-utils",
    "cibadmin": "pacemaker-cli-utils",
    "stonith_admin": "pacemaker-cli-utils",
}
_PROGRAMS = {"corosync": "corosync", "pacemakerd": "pacemaker", **_TOOLS}  # of a member
_BOOTED = "/run/systemd/system"  # sd_booted(3): there, systemd is the init
_MODULES = ("lxml",)  # of these commands
_UNSYNCHRONISED = 0x40  # STA_UNSYNC of adjtimex(2)
_KERNEL, _AUDIT = "/dev/kmsg", "/var/log/audit/audit.log"
_RECORDS = 100_000  # of the kernel's log, which has less
_MOST = 1 << 20  # bytes from the end of auditd's log that are read
_STATUS_OFFSET = 40  # of `status` in struct timex where a long has eight bytes


def look(name: str, nodes: Sequence[str], agents: Sequence[str], deadline: Deadline, remote: bool = False) -> Host:
    """name: of this node. nodes: whose names must resolve. agents: those that are used, "mysql". remote: this node runs
    Pacemaker Remote. Raises AgentError when a program cannot be asked."""
    services = [catalogue.declared(agent) for agent in agents]
    needed = _TOOLS if remote else _PROGRAMS
    corosync, listed = _corosync(deadline)
    names = list(dict.fromkeys([*nodes, *listed]))
    addresses = {other: _addresses(other) for other in names}
    unit = _unit("pacemaker_remote" if remote else "pacemaker", deadline)
    return Host(
        name=name,
        programs={program: package for program, package in needed.items() if not command.available(program)},
        modules={
            f"the Python module {module}": f"python3-{module}"
            for module in dict.fromkeys([*_MODULES, *(module for one in services for module in one.modules)])
            if importlib.util.find_spec(module) is None
        },
        agents={
            agent: "the package backstay-agents, or make install in a checkout of this version"
            for agent in agents
            if not os.access(os.path.join(AGENTS, agent), os.X_OK)
        },
        unresolved=[other for other, found in addresses.items() if not found],
        looped=[
            other
            for other, found in addresses.items()
            if found and other != name and all(one.startswith("127.") or one == "::1" for one in found)
        ],
        synchronised=_synchronised(),
        rivals=[unit for one in services for unit in one.units if _at_boot(unit)],
        corosync=corosync,
        remote=remote,
        oom_policy=unit.get("OOMPolicy", ""),
        files=(whole(unit.get("LimitNOFILE", "")) or 0, max((one.files for one in services), default=0)),
        denials=_denials({program for one in services for program in one.programs}),
    )


def _unit(name: str, deadline: Deadline) -> dict[str, str]:
    """What systemd says of Pacemaker's unit; empty where it does not run it."""
    if not os.path.isdir(_BOOTED) or not command.available("systemctl"):
        return {}
    argv = ["systemctl", "show", f"{name}.service", "--property=OOMPolicy,LimitNOFILE"]
    done = command.run(argv, deadline.within(5).remaining(), check=False)
    return dict(line.split("=", 1) for line in done.out.splitlines() if "=" in line)


def _denials(programs: set[str]) -> list[denials.Denial]:
    """By the kernel's own log, and auditd's where that takes them."""
    text = _kernel_log()
    try:
        with open(_AUDIT, "rb") as source:
            source.seek(max(0, os.fstat(source.fileno()).st_size - _MOST))
            text += source.read(_MOST).decode("utf-8", "replace")
    except OSError:
        pass  # no auditd here, or this is not root
    return denials.lately(text, programs, time.time())


def _kernel_log() -> str:
    """As far as it may be read. Each read gives a record; EPIPE tells that some were overwritten meanwhile."""
    try:
        log = os.open(_KERNEL, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    records: list[bytes] = []
    try:
        for _ in range(_RECORDS):
            try:
                records.append(os.read(log, 8192))
            except BrokenPipeError:
                continue
            except OSError:
                break  # the end, or it may not be read
    finally:
        os.close(log)
    return b"".join(records).decode("utf-8", "replace")


def _at_boot(unit: str) -> bool:
    """Whether systemd starts it by itself."""
    if not os.path.isdir(_BOOTED):
        return False
    wanted = glob.glob(f"/etc/systemd/system/*.wants/{unit}.service")
    return bool(wanted)


def _addresses(name: str) -> set[str]:
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def _synchronised() -> bool | None:
    """The kernel's own word, which chrony, ntpd and systemd-timesyncd keep."""
    import ctypes

    if ctypes.sizeof(ctypes.c_long) != 8:
        return None
    timex = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None).adjtimex(timex) < 0:
        return None
    status = int.from_bytes(timex.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
    return not status & _UNSYNCHRONISED


def _corosync(deadline: Deadline) -> tuple[Corosync | None, list[str]]:
    """Its timing and the names in its node list: as in force where it runs, else as its configuration will have it."""
    try:
        with open(CONFIGURATION, encoding="utf-8", errors="replace") as source:
            configured = corosync_file.parse(source.read())
    except OSError:
        return None, []
    made, listed = corosync_file.values(configured, _in_force(deadline))
    return made._replace(refused=_refused(deadline)), listed


def _refused(deadline: Deadline) -> str:
    """Why Corosync would not start with its configuration, "" where it would."""
    try:
        done = command.run(["corosync", "-t", "-c", CONFIGURATION], deadline.within(10).remaining(), check=False)
    except AgentError:
        return ""  # a missing program is a finding of its own
    return corosync_file.complaint(done.out + done.err) if done.status else ""


def _in_force(deadline: Deadline) -> dict[str, int]:
    """Empty where Corosync does not run."""
    argv = ["corosync-cmapctl", "-b", "runtime.config.totem."]
    try:
        done = command.run(argv, deadline.within(5).remaining(), check=False)
    except AgentError:
        return {}  # a missing program is a finding of its own
    pairs = re.findall(r"^runtime\.config\.totem\.([\w.]+) \(u32\) = (\d+)$", done.out, re.MULTILINE)
    return {name: int(value) for name, value in pairs}


def fenced(deadline: Deadline) -> frozenset[str] | None:
    """Nodes that the cluster has fenced, as far as its memory goes; None where it cannot be asked."""
    argv = ["stonith_admin", "--history", "*", "--output-as=xml"]
    try:
        done = command.run(argv, deadline.within(5).remaining(), check=False)
    except AgentError:
        return None
    if done.status:
        return None
    events = re.findall(r"<fence_event [^>]*>", done.out)
    targets = (re.search(r'target="([^"]*)"', event) for event in events if 'status="success"' in event)
    return frozenset(found[1] for found in targets if found)
