"""What HAProxy's answers mean. Pure: text in, a verdict with its reason out.

Sources: management.txt sections 9.1 (show stat), 9.4 (master CLI); the outputs of 2.6 and 3.2 as run.
"""

from backstay.ocf.codes import ExitCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional

# -- what HAProxy says -------------------------------------------------------------------------------------------------


class Processes:
    """From `show proc`. worker: the pid that serves, 0 when none does. failed: reloads that failed since the last that did
    not. old: workers that finish their last sessions, the newest first."""

    __slots__ = ("failed", "old", "worker")

    def __init__(self, worker: int, failed: int, old: "tuple[int, ...]") -> None:
        self.worker = worker
        self.failed = failed
        self.old = old


def parse_processes(text: str) -> "Optional[Processes]":
    """None when the text is not that. After a failed reload the worker that still serves is found among the workers (2.6)
    or as the newest of the old workers (3.2)."""
    section, failed, known = "", 0, False
    workers: list[tuple[int, int]] = []  # reloads survived, pid
    old: list[tuple[int, int]] = []
    for line in text.splitlines():
        fields = line.split()
        if line.startswith("# "):
            section = line[2:].strip()
        elif len(fields) > 2 and fields[0].isdigit():
            if fields[1] == "master":
                known = True
                count = line.partition("[failed:")[2].partition("]")[0].strip()
                failed = int(count) if count.isdigit() else 0
            elif fields[1] == "worker" and fields[2].isdigit():
                (old if section == "old workers" else workers).append((int(fields[2]), int(fields[0])))
    if not known:
        return None
    serving = sorted(workers) or (sorted(old) if failed else [])
    worker = serving[0][1] if serving else 0
    return Processes(worker, failed, tuple(pid for _, pid in sorted(old) if pid != worker))


class Stat:
    """From `show stat`. frontends: name to status (OPEN, PAUSED, STOP). backends: name to the number of servers that are
    up, backups included; a backend without servers (it may answer by itself) counts as 1 when its status is UP."""

    __slots__ = ("backends", "frontends")

    def __init__(self, frontends: "dict[str, str]", backends: "dict[str, int]") -> None:
        self.frontends = frontends
        self.backends = backends


def parse_stat(text: str) -> "Optional[Stat]":
    """None when the text is not that."""
    lines = text.strip().splitlines()
    if not lines or not lines[0].startswith("# pxname,"):
        return None
    header = lines[0][2:].split(",")
    try:
        status, active, backup = (header.index(name) for name in ("status", "act", "bck"))
    except ValueError:
        return None
    frontends, backends = {}, {}
    for line in lines[1:]:
        fields = line.split(",", backup + 1)  # what is quoted comes later
        if len(fields) <= backup:
            continue
        if fields[1] == "FRONTEND":
            frontends[fields[0]] = fields[status]
        elif fields[1] == "BACKEND":
            up = sum(int(count) for count in (fields[active], fields[backup]) if count.isdigit())
            backends[fields[0]] = up or int(fields[status] == "UP")
    return Stat(frontends, backends)


# -- what that means ---------------------------------------------------------------------------------------------------


class Finding:
    """What a look can find; the codes are those unpromoted (or as a plain resource) and promoted."""

    def __init__(self, name: str, code: ExitCode, promoted: ExitCode, why: str) -> None:
        self.name = name
        self.code = code
        self.promoted = promoted
        self.why = why


_C = ExitCode
FINDINGS = {
    finding.name: finding
    for finding in (
        Finding("serves", _C.SUCCESS, _C.RUNNING_PROMOTED, "every frontend is open"),
        Finding("held", _C.SUCCESS, _C.SUCCESS, "unpromoted: up and checking its servers, every frontend closed"),
        Finding("leaks", _C.SUCCESS, _C.SUCCESS, "unpromoted with an open frontend: the agent closes it again"),
        Finding("stale", _C.DEGRADED, _C.DEGRADED_PROMOTED, "serves, by an older configuration than the one on disk"),
        Finding("no worker", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "the master lives, nobody serves"),
        Finding("closed", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "a frontend that should be open is not"),
        Finding("no backend", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "only where the admin asks for it"),
    )
}


class Verdict:
    """finding: a key of FINDINGS. reason: for the admin, "" when nothing is wrong. frontends: those that are to blame."""

    __slots__ = ("finding", "frontends", "reason")

    def __init__(self, finding: str, reason: str = "", frontends: "tuple[str, ...]" = ()) -> None:
        self.finding = finding
        self.reason = reason
        self.frontends = frontends

    def code(self, promoted: bool) -> ExitCode:
        finding = FINDINGS[self.finding]
        return finding.promoted if promoted else finding.code


def judge(
    processes: Processes,
    stat: "Optional[Stat]",
    frontends: "Sequence[str]",
    held: bool,
    required: "Mapping[str, int]",
    stale: str = "",
) -> Verdict:
    """frontends: those that matter. held: whether they should be closed. required: backend to the least number of servers.
    stale: why the configuration on disk is not the one that serves, "" when it is.

    That no server of a backend is up is no failure unless asked for: another node would see the same servers.
    """
    if not processes.worker or stat is None:
        return Verdict("no worker", "the master process runs, but no worker that serves: see its log")
    wanted = "PAUSED" if held else "OPEN"
    wrong = tuple(name for name in frontends if stat.frontends.get(name) != wanted)
    missing = [name for name in wrong if name not in stat.frontends]
    if missing:
        return Verdict(
            "closed", f"frontend {missing[0]} is not in the configuration that runs: reload, or correct frontends"
        )
    if held:
        if wrong:
            return Verdict("leaks", f"frontend {wrong[0]} is {stat.frontends[wrong[0]]} though not promoted", wrong)
        return Verdict("stale", stale) if stale else Verdict("held")
    if wrong:
        return Verdict("closed", f"frontend {wrong[0]} is {stat.frontends[wrong[0]]}: enable it, or restart", wrong)
    for name, least in required.items():
        up = stat.backends.get(name)
        if up is None:
            return Verdict("no backend", f"backend {name} is not in the configuration: correct require_backends")
        if up < least:
            return Verdict("no backend", f"backend {name} has {up} servers up, require_backends asks for {least}")
    return Verdict("stale", stale) if stale else Verdict("serves")


# -- why it does not start ---------------------------------------------------------------------------------------------


_RELOADING = "Reloading HAProxy"
_RUNNING = "has no server available!"  # an alert of a worker that runs


def complaint(text: str) -> str:
    """The first error in what HAProxy printed, as a sentence with file and line where it has them; "" when there is none.

    Of the last reload, if there is one in the text. The first error names the cause, those after it the consequences.
    """
    for line in text.rpartition(_RELOADING)[2].splitlines():
        if line.startswith("[ALERT]") and not line.endswith(_RUNNING):
            said = line.partition(") : ")[2].strip().rstrip(".")
            return _plain(said.partition("config : ")[2] if said.startswith("config : ") else said)
    return ""


def _plain(said: str) -> str:
    place, _, rest = said.partition("] ")
    if place.startswith("parsing ["):
        return f"{place[9:]}: {rest.lstrip(': ')}"
    address = said.rpartition(" for [")[2].rstrip("]")
    where = place[9:] if place.startswith("Binding [") else ""
    if "(Address already in use)" in said:
        return f"{address} is in use by another program ({where}): stop that, or bind elsewhere"
    if "(Cannot assign requested address)" in said:
        return (
            f"{address} is not an address of this node ({where}): start its virtual address first, or bind transparent"
        )
    if "Cannot raise FD limit to " in said:
        needs, _, allowed = said.partition("Cannot raise FD limit to ")[2].partition(", limit is ")
        return (
            f"needs {needs} file descriptors and may open {allowed}: raise LimitNOFILE of pacemaker, or lower maxconn"
        )
    return f"{where}: {rest}" if where else said


def descriptors(maxconn: int) -> int:
    """About how many file descriptors HAProxy wants: two a connection, and some."""
    return 2 * maxconn + 100
