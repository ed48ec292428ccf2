"""HAProxy's files and processes: check a configuration, start, find, end. A client; what its words mean is in health.py."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal loads enum
import os

from backstay.host.deadline import Deadline, poll
from backstay.host.process import Process, at, beside
from backstay.host.state_files import Files, StateFile, Unwritable, unwritable
from backstay.ocf.errors import AgentError, NotInstalled, TimedOut, WrongParameter

_BINARIES = ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy")
_LONGEST_SOCKET = 90  # HAProxy binds a temporary name, with its pid, of the 107 bytes that a socket's name may have
_LOG_SIZE = 1 << 20
_TERM_PATIENCE = 1.0  # seconds; it takes some hundredths
_CAP_SYS_RESOURCE = 1 << 24
CHECK_TIMEOUT = 15.0  # seconds for `haproxy -c`; 0.05, but names of servers are resolved

MASTER = StateFile(
    "master",
    "pid, start time and program of the master",
    lost="the master is found by its socket's name among the processes",
)
PROMOTED = StateFile(
    "promoted",
    "the same, once that master was promoted: a restarted one is not",
    lost="the instance counts as unpromoted: its monitor closes the frontends, and Pacemaker decides anew",
)
LOADED = StateFile(
    "loaded",
    "pid of the worker whose configuration `text` and `frontends` describe",
    lost="both are noted anew, from the disk",
)
TEXT = StateFile(
    "text",
    "the configuration as it was loaded",
    lost="it is checked before the next load; with reload_on_change it is loaded again",
)
FRONTENDS = StateFile(
    "frontends", "names of the frontends that listen", lost="whether they are open is not seen, until the next load"
)
PORTS = StateFile(
    "ports",
    "the ports of its clients' addresses on which it listened",
    lost="a failover refuses clients for a moment, until the next load or promotion",
)
REFUSED = StateFile(
    "refused", "a configuration that was checked and refused, and why", lost="it is checked, and refused, again"
)
DUMP = StateFile(
    "server-dump",
    "the servers' state that stop saw, for the next start",
    lost="servers that were drained, or weighed otherwise, are as configured",
)
SERVER_STATE = StateFile("server-state", "what HAProxy itself reads of it as it starts", lost="as server-dump")
FRAGMENT = StateFile(
    "agent.cfg",
    "the agent's settings for HAProxy, read before the admin's",
    lost="written again by each start and reload",
)
VERSION = StateFile(
    "version", "the program's file (device, inode, time), and its version", lost="the program is asked once more"
)
SOCKET = StateFile(
    "master.sock", "HAProxy's master CLI", lost="nobody can ask HAProxy: the monitor has the resource restarted"
)
LOG = StateFile("haproxy.log", "what master and workers wrote, at most 1 MiB", lost="what they wrote, until a restart")


class Layout:
    """Where this instance lives. directory: of the resource in /run, empty after a boot."""

    def __init__(self, binary: str, config: str, directory: str) -> None:
        self.binary = binary
        self.config = config
        self.directory = directory
        self.socket = os.path.join(directory, SOCKET.name)
        self.fragment = os.path.join(directory, FRAGMENT.name)
        self.server_state = os.path.join(directory, SERVER_STATE.name)
        self.log = os.path.join(directory, LOG.name)


class Refused(WrongParameter):
    """HAProxy does not take the configuration."""


def find_binary(wanted: str) -> str:
    """The program. Raises NotInstalled."""
    from backstay.host.command import available

    for path in (wanted,) if wanted else _BINARIES:
        if available(path):
            return path
    raise NotInstalled(f"no haproxy at {wanted or _BINARIES[0]}: install it, or set binary")


OLDEST = (2, 2)


def version(layout: Layout, deadline: Deadline) -> tuple[int, int]:
    """Of the program, which is asked where its file is another than when it was asked last. Raises NotInstalled for one that is
    older than OLDEST, or says no version."""
    from backstay.services.haproxy.health import parse_version

    status = os.stat(layout.binary)
    file = f"{status.st_dev}:{status.st_ino}:{status.st_mtime_ns}"
    notes = Files(layout.directory)
    known, _, said = notes.read(VERSION).partition("\n")
    if known != file:
        from backstay.host.command import run

        done = run([layout.binary, "-v"], timeout=deadline.within(CHECK_TIMEOUT).remaining(), check=False)
        said = done.out.partition("\n")[0]
        notes.write(VERSION, f"{file}\n{said}")
    found, wanted = parse_version(said), ".".join(map(str, OLDEST))
    if found is None or found < OLDEST:
        what = f"says of itself {said or 'nothing'!r}" if found is None else f"is HAProxy {found[0]}.{found[1]}"
        raise NotInstalled(f"{layout.binary} {what}: install HAProxy {wanted} or later, or set binary")
    return found


def files(config: str) -> list[str]:
    """What HAProxy reads for `-f config`: the file, or a directory's *.cfg in order. It passes over hidden files and over what is
    there and no file. Raises WrongParameter."""
    try:
        if not os.path.isdir(config):
            return [config]
        names = sorted(name for name in os.listdir(config) if name.endswith(".cfg") and not name.startswith("."))
        found = [os.path.join(config, name) for name in names]
    except OSError as error:
        raise WrongParameter(f"{config} cannot be read: {error.strerror}; correct config") from None
    found = [path for path in found if os.path.isfile(path) or not os.path.exists(path)]
    if not found:
        raise WrongParameter(f"no file *.cfg in the directory {config}: put one there, or correct config")
    return found


def read(config: str) -> str:
    """The configuration's text, of all its files. Raises WrongParameter."""
    texts = []
    for path in files(config):
        try:
            with open(path, encoding="utf-8", errors="replace") as source:
                texts.append(source.read())
        except OSError as error:
            raise WrongParameter(f"{path} cannot be read: {error.strerror}; correct config or the file") from None
    return "\n".join(texts)


def prepare(layout: Layout) -> None:
    """The directory of sockets and state. Raises Unwritable, AgentError."""
    if len(layout.socket) > _LONGEST_SOCKET:
        raise AgentError(f"the resource's name is too long for a socket's path: shorten it ({layout.socket})")
    try:
        os.makedirs(layout.directory, mode=0o700, exist_ok=True)
        if not os.access(layout.directory, os.W_OK):
            raise PermissionError(30, "not writable")
    except OSError as error:
        raise Unwritable(unwritable(layout.directory, error)) from None


def write_fragment(layout: Layout, hard_stop_after: float, own_state_file: bool, client: bool) -> None:
    """Settings of ours, read before the admin's configuration, whose own then win. Old workers end at last, however long
    their sessions; without that each reload may leave one behind for days.

    client: whether it is an HAProxy that can be an HTTPS client itself, and is none here. For that, and for nothing else, it
    reads all of the system's certificate authorities at every start: three quarters of the processor time of one.
    """
    lines = ["# Written by ocf:backstay:haproxy at each start and reload.", "global"]
    lines.append(f"    hard-stop-after {int(hard_stop_after * 1000)}ms")
    if own_state_file:
        lines.append(f"    server-state-file {layout.server_state}")
    if client:
        lines += [".if feature(OPENSSL)", "    httpclient.ssl.verify none", ".endif"]
    write(layout, FRAGMENT, "\n".join(lines) + "\n")
    if not os.path.exists(layout.server_state):
        write(layout, SERVER_STATE, "1\n")


def write(layout: Layout, file: StateFile, text: str) -> None:
    """Replace a file as a whole, in any action. Raises Unwritable."""
    Files(layout.directory).write(file, text)


def descriptors_allowed() -> int:
    """How many file descriptors HAProxy may have: root raises the limit by itself, unless a container forbids it."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with open("/proc/self/status", encoding="ascii", errors="replace") as source:
        effective = next((line.split()[1] for line in source if line.startswith("CapEff:")), "0")
    if int(effective, 16) & _CAP_SYS_RESOURCE:
        with open("/proc/sys/fs/nr_open", encoding="ascii") as source:
            hard = max(hard, int(source.read()))
    return hard


def check(layout: Layout, deadline: Deadline) -> None:
    """Have HAProxy check the configuration on disk. Raises Refused with file and line of the first error."""
    from backstay.host.command import run
    from backstay.services.haproxy.health import complaint

    argv = [layout.binary, "-c", "-f", layout.fragment, "-f", layout.config]
    done = run(argv, timeout=deadline.within(CHECK_TIMEOUT).remaining(), check=False)
    if done.status != 0:
        said = (done.err + done.out).strip()
        last = (said.splitlines() or ["no message"])[-1]
        raise Refused(complaint(said) or f"{layout.config} is not accepted (status {done.status}): {last}")


def launch(layout: Layout, deadline: Deadline) -> Process:
    """Start the master and wait until it has a worker that serves. Raises AgentError with HAProxy's first error.

    In the foreground of a session of its own: so its messages reach a file, and its pid is known without a pid file.
    """
    from backstay.host.command import spawn
    from backstay.services.haproxy import master_cli
    from backstay.services.haproxy.health import complaint

    if os.path.exists(layout.socket):
        os.unlink(layout.socket)  # a dead master's
    write(layout, LOG, "")
    argv = [layout.binary, "-W", "-db", "-S", layout.socket, "-f", layout.fragment, "-f", layout.config]
    master = at(spawn(argv, log=layout.log, umask=0o022))

    def settled() -> bool:
        if master is None or not master.alive():
            return True
        try:
            return master_cli.look(layout.socket, deadline.within(0.02))[1] is not None
        except AgentError:
            return False  # not yet, or about to end with an error

    try:
        poll(settled, deadline, "HAProxy to have a worker", interval=0.01)
    except TimedOut:
        said = complaint(tail(layout.log))
        raise TimedOut(said or "HAProxy did not come up in time: see its log") from None
    if master is None or not master.alive():
        raise AgentError(blamed(complaint(tail(layout.log))) or f"HAProxy ended while starting: see {layout.log}")
    return master


def blamed(said: str) -> str:
    """A complaint, with the program that has an address which is in use; HAProxy before 2.4 does not even say that it is."""
    from backstay.services.haproxy.listeners import holder_of, is_here

    address = said.partition(" ")[0]
    if "in use by another program" in said:
        said = said.replace("another program", holder_of(address) or "another program")
    elif said.endswith(" cannot be bound"):
        holder = holder_of(address)
        if holder:
            return f"{address} is in use by {holder}: stop that, or bind elsewhere"
        if not is_here(address):
            return f"{address} is not an address of this node: start its virtual address first, or bind transparent"
    return said


def tail(path: str, offset: int = 0) -> str:
    """The log from `offset` bytes on; "" when it cannot be read."""
    try:
        with open(path, "rb") as source:
            source.seek(offset)
            return source.read(_LOG_SIZE).decode("utf-8", "replace")
    except OSError:
        return ""


def size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def bound_log(path: str) -> None:
    """It lives in memory and grows with each server that comes and goes."""
    if size(path) > _LOG_SIZE and os.access(path, os.W_OK):  # not on a read-only file system
        os.truncate(path, 0)  # HAProxy appends


def _is_ours(pid: int, socket: str) -> bool:
    """Whether a process is an HAProxy that this agent started for this instance: its command line has the master socket. One
    in a container has its own socket of that name."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            return f"\0-S\0{socket}\0".encode() in source.read() and beside(pid)
    except OSError:
        return False


def ours(socket: str) -> list[Process]:
    """Every process of this instance, master and workers."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_ours(int(name), socket)]
    return [process for process in map(at, pids) if process]


def identify(master: Process) -> str:
    """What tells this master from any later process with its pid."""
    return f"{master.pid} {master.started} {_program(master.pid)}"


def _program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe").partition(" (deleted)")[0]  # replaced by an upgrade, still ours
    except OSError:
        return ""


def _master(socket: str, hint: str) -> Process | None:
    """The master of this instance. `hint` is from `identify`; without a match every process is looked at."""
    pid, _, rest = hint.partition(" ")
    if pid.isdigit():
        found = at(int(pid))
        if found and identify(found) == f"{pid} {rest}" and _is_ours(found.pid, socket):
            return found
    found_all = ours(socket)
    pids = {process.pid for process in found_all}
    return next((process for process in found_all if parent(process.pid) not in pids), None)


def parent(pid: int) -> int:
    """0 when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as source:
            return int(source.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


class Master:
    """The master of this instance, and what the agent remembers of it. files: of its state."""

    def __init__(self, socket: str, files: Files) -> None:
        self._socket = socket
        self._files = files

    def find(self) -> Process | None:
        return _master(self._socket, self._files.read(MASTER))

    def running(self) -> Process:
        """Raises AgentError."""
        found = self.find()
        if found is None:
            raise AgentError("HAProxy does not run")
        return found

    def note(self, master: Process) -> None:
        self._files.write(MASTER, identify(master))

    def is_promoted(self, master: Process) -> bool:
        """Whether this very master was promoted."""
        return self._files.read(PROMOTED) == identify(master)

    def promote(self, master: Process) -> None:
        self._files.write(PROMOTED, identify(master))

    def demote(self, must: bool = False) -> None:
        """must: that this cannot be noted is an error."""
        self._files.remove(PROMOTED, must)


def drain(master: Process, seconds: float, deadline: Deadline) -> None:
    """No new connections from now on; sessions have some time to finish, and are then told to end."""

    def wait(patience: Deadline) -> None:
        poll(lambda: not master.alive() or patience.expired, deadline, "HAProxy to end", interval=0.02)

    master.signal(_signal.SIGUSR1)  # it tells its workers, and ends after them
    wait(deadline.within(seconds))
    master.signal(_signal.SIGTERM)
    wait(deadline.within(_TERM_PATIENCE))


def end(socket: str, deadline: Deadline) -> None:
    """All processes of the instance are gone when this returns, and with them their listening sockets. Raises TimedOut when
    one survives SIGKILL."""
    for process in ours(socket):
        process.kill()
    poll(lambda: not ours(socket), deadline.within(5), "HAProxy to end after SIGKILL: a stuck disk?", interval=0.02)
