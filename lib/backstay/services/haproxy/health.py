"""What HAProxy's answers mean. Pure: text in, a verdict with its reason out, by the table JUDGEMENTS.

Sources: management.txt sections 9.1 (show stat), 9.4 (master CLI); the outputs of 2.2, 2.6 and 3.2 as run.
"""

from __future__ import annotations

from backstay.ocf.codes import ExitCode
from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from backstay.ocf.table import Table

# -- what HAProxy says -------------------------------------------------------------------------------------------------


class Processes(Value):
    """From `show proc`. worker: the pid that serves, 0 when none does. failed: reloads that failed since the last that did
    not. old: workers that finish their last sessions, the newest first."""

    __slots__ = ("failed", "old", "worker")

    def __init__(self, worker: int, failed: int, old: tuple[int, ...]) -> None:
        self.worker = worker
        self.failed = failed
        self.old = old


def parse_processes(text: str) -> Processes | None:
    """None when the text is not that. After a failed reload the worker that still serves is found among the workers (2.6)
    or as the newest of the old workers (2.2, 3.2). Before 2.5 failures are not counted, and a worker has its number among those
    of the configuration before that of the reloads that it survived; each that failed leaves it without a successor."""
    section, failed, known = "", 0, False
    numbered = "<relative PID>" in text
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
            elif fields[1] == "worker":
                rest = line.replace("[was: ", "").replace("]", "").split() if numbered else ["", *fields]
                if len(rest) > 3 and rest[3].isdigit():
                    (old if section == "old workers" else workers).append((int(rest[3]), int(fields[0])))
    if not known:
        return None
    if numbered and not workers and old:
        failed = min(old)[0]
    serving = sorted(workers) or (sorted(old) if failed else [])
    worker = serving[0][1] if serving else 0
    return Processes(worker, failed, tuple(pid for _, pid in sorted(old) if pid != worker))


class Stat(Value):
    """From `show stat`. frontends: name to status (OPEN, PAUSED, STOP; before 2.4 a paused one is STOP as well). backends: name
    to the number of servers that are up, backups included; a backend without servers (it may answer by itself) counts as 1 when
    its status is UP."""

    __slots__ = ("backends", "frontends")

    def __init__(self, frontends: dict[str, str], backends: dict[str, int]) -> None:
        self.frontends = frontends
        self.backends = backends


def parse_stat(text: str) -> Stat | None:
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
            frontends[fields[0]] = "OPEN" if fields[status] == "FULL" else fields[status]  # FULL: before 2.4
        elif fields[1] == "BACKEND":
            up = sum(int(count) for count in (fields[active], fields[backup]) if count.isdigit())
            backends[fields[0]] = up or int(fields[status] == "UP")
    return Stat(frontends, backends)


def parse_version(text: str) -> tuple[int, int] | None:
    """From `haproxy -v`: "HA-Proxy version 2.2.9-2+deb11u6 2023/12/23". None when the text is not that."""
    numbers = text.partition("version ")[2].split(".")[:2]
    if len(numbers) < 2 or not all(number.isdecimal() for number in numbers):
        return None
    return int(numbers[0]), int(numbers[1])


# -- what that means ---------------------------------------------------------------------------------------------------


class Finding(Value):
    """What a look can find; the codes are those unpromoted (or as a plain resource) and promoted."""

    __slots__ = ("code", "name", "promoted", "why")

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
        Finding(
            "full", _C.DEGRADED, _C.DEGRADED_PROMOTED, "level 10: it serves, and takes no more connections than it has"
        ),
        Finding("no worker", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "the master lives, nobody serves"),
        Finding("closed", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "a frontend that should be open is not"),
        Finding("no backend", _C.ERR_GENERIC, _C.FAILED_PROMOTED, "only where the admin asks for it"),
    )
}


class Verdict(Value):
    """finding: a key of FINDINGS. reason: for the admin, "" when nothing is wrong. frontends: those that are to blame."""

    __slots__ = ("finding", "frontends", "reason")

    def __init__(self, finding: str, reason: str = "", frontends: tuple[str, ...] = ()) -> None:
        self.finding = finding
        self.reason = reason
        self.frontends = frontends

    def code(self, promoted: bool) -> ExitCode:
        finding = FINDINGS[self.finding]
        return finding.promoted if promoted else finding.code


class Inputs(Value):
    """What a verdict rests on; as for `judge`. serves: there is a worker, and it said how it is. statuses: of the frontends.
    wrong: frontends that are not as they should be. missing: those of them that are not there. short: what is wrong with the
    first backend that lacks servers, "" for nothing."""

    __slots__ = ("held", "missing", "serves", "short", "stale", "statuses", "wrong")

    def __init__(
        self,
        processes: Processes,
        stat: Stat | None,
        frontends: Sequence[str],
        held: bool,
        required: Mapping[str, int],
        stale: str,
    ) -> None:
        self.serves = bool(processes.worker) and stat is not None
        self.statuses = stat.frontends if stat else {}
        wanted = "PAUSED" if held else "OPEN"
        self.wrong = tuple(name for name in frontends if self.serves and self.statuses.get(name) != wanted)
        self.missing = tuple(name for name in self.wrong if name not in self.statuses)
        self.short = next(filter(None, (_short(name, least, stat) for name, least in required.items())), "")
        self.held = held
        self.stale = stale


def _short(name: str, least: int, stat: Stat | None) -> str:
    up = stat.backends.get(name) if stat else None
    if up is None:
        return f"backend {name} is not in the configuration: correct require_backends"
    return f"backend {name} has {up} servers up, require_backends asks for {least}" if up < least else ""


def _well(i: Inputs) -> str:
    return ""


def _stale(i: Inputs) -> str:
    return i.stale


def _status(i: Inputs) -> str:
    return f"frontend {i.wrong[0]} is {i.statuses[i.wrong[0]]}"


if TYPE_CHECKING:
    _Row = tuple[str, Callable[[Inputs], str]]  # the finding, the sentence

# fmt: off
JUDGEMENTS: Table[_Row, Inputs] = (
    (("no worker", lambda i: "the master process runs, but no worker that serves: see its log"), lambda i: not i.serves,
     "no worker, or it does not say how it is", "nobody serves"),
    (("closed", lambda i: f"frontend {i.missing[0]} is not in the configuration that runs: reload, or correct frontends"),
     lambda i: i.missing,
     "a frontend that matters is not in the configuration that runs", "it cannot be opened, or held"),
    (("leaks", lambda i: f"{_status(i)} though not promoted"), lambda i: i.held and i.wrong,
     "not promoted, and a frontend is not closed", "the agent closes it again"),
    (("stale", _stale), lambda i: i.held and i.stale,
     "not promoted, by an older configuration than the one on disk", "that was refused, or was not loaded yet"),
    (("held", _well), lambda i: i.held,
     "not promoted", "up and checking its servers, every frontend closed"),
    (("closed", lambda i: f"{_status(i)}: enable it, or restart"), lambda i: i.wrong,
     "a frontend that matters is not open", "clients are refused"),
    (("no backend", lambda i: i.short), lambda i: i.short,
     "a backend lacks servers that `require_backends` asks for",
     "only where the admin asks for it: another node would see the same servers"),
    (("stale", _stale), lambda i: i.stale,
     "it serves by an older configuration than the one on disk", "that was refused, or was not loaded yet"),
    (("serves", _well), always,
     "otherwise", "every frontend is open"),
)
# fmt: on


def judge(
    processes: Processes,
    stat: Stat | None,
    frontends: Sequence[str],
    held: bool,
    required: Mapping[str, int],
    stale: str = "",
) -> Verdict:
    """frontends: those that matter. held: whether they should be closed. required: backend to the least number of servers.
    stale: why the configuration on disk is not the one that serves, "" when it is.

    That no server of a backend is up is no failure unless asked for: another node would see the same servers.
    """
    inputs = Inputs(processes, stat, frontends, held, required, stale)
    finding, reason = decide(JUDGEMENTS, inputs)
    return Verdict(finding, reason(inputs), () if inputs.missing else inputs.wrong)


# -- why it does not start ---------------------------------------------------------------------------------------------


_RELOADING = (
    "Reloading HAProxy",
    "Reexecuting Master process",
)  # before 2.5 the latter, for a failure's aftermath as well
_RUNNING = "has no server available!"  # an alert of a worker that runs


def complaint(text: str) -> str:
    """The first error in what HAProxy printed, as a sentence with file and line where it has them; "" when there is none.

    Of the last reload, if there is one in the text. The first error names the cause, those after it the consequences.
    """
    first = ""
    for line in reversed(text.splitlines()):
        if line.startswith("[ALERT]") and not line.endswith(_RUNNING):
            first = line
        elif any(words in line for words in _RELOADING) and (first or _RELOADING[0] in line):
            break
    said = first.partition(") : ")[2].partition("[ALERT]")[0].strip().rstrip(".:")
    return _plain(said.partition("config : ")[2] if said.startswith("config : ") else said)


def _plain(said: str) -> str:
    import re

    located = re.match(r"(?:[Pp]arsing )?\[([^]]*:\d+)\]\s*:?\s*(.*)", said)
    if located:
        return f"{located[1]}: {located[2]}"
    place, _, rest = said.partition("] ")
    address = said.rpartition(" for [")[2].rstrip("]")
    where = place[9:] if place.startswith("Binding [") else ""
    if said.startswith("Starting "):  # before 2.4: "Starting frontend NAME: cannot bind socket [ADDRESS]", and not why
        address = said.rpartition("[")[2].rstrip("]")
        return f"{address} cannot be bound"
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
