"""The only module that starts processes.

Programs get a list, never a shell; a bounded time; the C locale, since their output is parsed; and a PATH that has
the sbin directories, which Pacemaker's own may lack. Passwords go in by standard input or a file, never argv: every user
of the machine can read argv. Nor by the environment: Pacemaker hands us our parameters there, and no program but a part of
the agent itself gets them on, since a daemon's environment can be read by its account and is in its core dumps.
"""

import os
import time

from backstay.errors import AgentError, CommandFailed, NotInstalled, TimedOut
from backstay.process import cores_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Optional

_CLOSE_ON_EXEC = 0x40000000  # MSG_CMSG_CLOEXEC
_NO_ENTRY = 2  # ENOENT
_PARAMETERS = "OCF_RESKEY_"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Finished:
    """What a program left: `status` (negative: died of that signal), `out` and `err` as text."""

    __slots__ = ("err", "out", "status")

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err


class Usage:
    """What a program and its descendants used: `status`, seconds of `wall` and `cpu` (user and system), and MiB of the largest
    of them."""

    __slots__ = ("cpu", "memory", "status", "wall")

    def __init__(self, status: int, wall: float, cpu: float, memory: float) -> None:
        self.status = status
        self.wall = wall
        self.cpu = cpu
        self.memory = memory


def environment(extra: "Optional[Mapping[str, str]]" = None, own: bool = False) -> "dict[str, str]":
    """The environment for a child: ours, with C locale and a full PATH, plus `extra`. own: the child is a part of the agent
    and gets its parameters, secrets among them."""
    env = {name: value for name, value in os.environ.items() if own or not name.startswith(_PARAMETERS)}
    env["LC_ALL"] = "C"
    env["PATH"] = PATH + (":" + env["PATH"] if env.get("PATH") else "")
    env.update(extra or {})
    return env


def preload() -> None:
    """Load what `run` needs, 8 ms, while there is time."""
    import subprocess  # noqa: F401


def run(
    argv: "Sequence[str]",
    timeout: float,
    input: str = "",
    check: bool = True,
    env: "Optional[Mapping[str, str]]" = None,
    cwd: "Optional[str]" = None,
    meanwhile: "Optional[Callable[[], object]]" = None,
) -> Finished:
    """Run a program to its end within `timeout` seconds. meanwhile: called while it runs.

    Raises NotInstalled when the program is not there, TimedOut (the child is killed), and with `check` CommandFailed
    when its exit status is not 0.
    """
    import subprocess

    try:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=environment(env),
            cwd=cwd,
        )
    except FileNotFoundError:
        raise NotInstalled(f"{argv[0]} is not installed on this node") from None
    with child:
        try:
            if meanwhile:
                meanwhile()
            out, err = child.communicate(input, timeout=max(timeout, 0.01))
        except subprocess.TimeoutExpired:
            child.kill()
            raise TimedOut(f"{os.path.basename(argv[0])} did not finish within {timeout:.1f} s") from None
        except BaseException:
            child.kill()
            raise
    if check and child.returncode != 0:
        said = (err.strip() or out.strip()).splitlines()
        telling = [line for line in said if "error" in line.lower()] or said[-1:] or ["no message"]
        detail = telling[0]
        raise CommandFailed(
            f"{os.path.basename(argv[0])} failed with status {child.returncode}: {detail}",
            child.returncode,
            out + err,
        )
    return Finished(child.returncode, out, err)


def usage(argv: "Sequence[str]", env: "Mapping[str, str]", timeout: float) -> "Usage":
    """Run a program to its end, with nothing to read and its output thrown away: what it and its descendants used.

    `env` is its whole environment. Raises NotInstalled, and TimedOut (the child is killed).
    """
    import signal
    import threading

    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    begin = time.monotonic()
    try:
        pid = os.posix_spawnp(argv[0], list(argv), dict(env), file_actions=nowhere)
    except FileNotFoundError:
        raise NotInstalled(f"{argv[0]} is not installed on this node") from None
    late = threading.Timer(timeout, lambda: os.kill(pid, signal.SIGKILL))
    late.start()
    _, status, used = os.wait4(pid, 0)
    late.cancel()
    wall = time.monotonic() - begin
    if wall >= timeout:
        raise TimedOut(f"{os.path.basename(argv[0])} did not finish within {timeout:.1f} s")
    return Usage(os.waitstatus_to_exitcode(status), wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def pipe(source: "Sequence[str]", sink: "Sequence[str]", timeout: float) -> None:
    """Run `source | sink` to the end within `timeout` seconds.

    Raises NotInstalled, TimedOut (both are killed), and CommandFailed with the words of the one that failed first.
    """
    import subprocess
    import tempfile

    with tempfile.TemporaryFile() as source_says, tempfile.TemporaryFile() as sink_says:
        children: list[subprocess.Popen[bytes]] = []
        try:
            children.append(
                subprocess.Popen(list(source), stdout=subprocess.PIPE, stderr=source_says, env=environment())
            )
            stream = children[0].stdout
            children.append(subprocess.Popen(list(sink), stdin=stream, stderr=sink_says, env=environment()))
            if stream:
                stream.close()  # else the source would not notice that the sink died
            end = time.monotonic() + timeout
            for child in reversed(children):
                child.wait(max(0.01, end - time.monotonic()))
        except FileNotFoundError as error:
            raise NotInstalled(f"{error.filename} is not installed on this node") from None
        except subprocess.TimeoutExpired:
            raise TimedOut(
                f"{os.path.basename(source[0])} | {os.path.basename(sink[0])} took over {timeout:.0f} s"
            ) from None
        finally:
            for child in children:
                child.kill()
                child.wait()
        ends = list(zip(children, (source, sink), (source_says, sink_says)))
        if ends[1][0].returncode:
            ends.reverse()  # a dead sink takes the source with it, and its words name the cause
        for child, argv, says in ends:
            if child.returncode:
                says.seek(0)
                said = says.read().decode("utf-8", "replace").strip()
                last = said.splitlines()[-1] if said else "no message"
                name = os.path.basename(argv[0])
                raise CommandFailed(f"{name} failed with status {child.returncode}: {last}", child.returncode, said)


def spawn(
    argv: "Sequence[str]",
    log: "Optional[str]" = None,
    env: "Optional[Mapping[str, str]]" = None,
    user: "Optional[int]" = None,
    group: "Optional[int]" = None,
    pass_fds: "Sequence[int]" = (),
    cwd: str = "/",
    umask: int = 0o027,
    own: bool = False,
) -> int:
    """Start a daemon and return its pid at once.

    It leads a session of its own, so that Pacemaker's kill of the agent's process group spares it, and holds none of
    the agent's descriptors: standard output and error go to the file `log` or nowhere. own: it is a part of the agent and
    gets its parameters. Raises NotInstalled, AgentError.

    Not through subprocess: loading that is most of what an agent does before its daemon begins to start.
    """
    program = argv[0] if "/" in argv[0] else _on_path(argv[0])
    environ = environment(env, own)
    failed, tell = os.pipe()  # closed by the exec; what is written there before is why it failed
    pid = os.fork()
    if pid:
        os.close(tell)
        with open(failed, encoding="ascii") as pipe_end:
            why = pipe_end.read()
        if not why:
            return pid
        os.waitpid(pid, 0)
        if int(why) == _NO_ENTRY:
            raise NotInstalled(f"{argv[0]} is not installed on this node")
        raise AgentError(f"{argv[0]} cannot be started: {os.strerror(int(why))}")
    try:
        from _signal import SIG_DFL, SIGPIPE, SIGXFSZ, signal  # type: ignore[import-not-found]  # signal loads enum

        for ignored_by_python in (SIGPIPE, SIGXFSZ):
            signal(ignored_by_python, SIG_DFL)
        os.setsid()
        cores_again()
        sink = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640) if log else -1
        _let_go([*pass_fds, tell, sink])
        os.chdir(cwd)
        if log:
            os.dup2(sink, 1)
            os.dup2(sink, 2)
        for descriptor in pass_fds:
            os.set_inheritable(descriptor, True)
        os.umask(umask)
        if group is not None:
            os.setgid(group)
        if user is not None:
            os.setgroups([])
            os.setuid(user)
        os.execve(program, list(argv), environ)  # noqa: S606
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(127)


def _on_path(name: str) -> str:
    """The program's file. Raises NotInstalled."""
    for directory in PATH.split(":"):
        if os.access(os.path.join(directory, name), os.X_OK):
            return os.path.join(directory, name)
    raise NotInstalled(f"{name} is not installed on this node")


def detach(work: "Callable[[], None]", keep: "Sequence[int]" = ()) -> int:
    """Run `work` in a child that outlives the action, and return its pid at once.

    As with spawn the child leads a session of its own and holds none of the agent's descriptors but `keep`. It shares
    what is imported, which costs a millisecond where a new interpreter costs twenty; an error in it goes unheard.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _let_go(keep)
        work()
    finally:
        os._exit(0)


def _let_go(keep: "Sequence[int]") -> None:
    """Hold none of the parent's descriptors but `keep`, nor its directory."""
    import sys

    os.chdir("/")
    if "syslog" in sys.modules:
        sys.modules["syslog"].closelog()  # it would write to whatever gets the number of its descriptor
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    for descriptor in [int(name) for name in os.listdir("/proc/self/fd")]:
        if descriptor > 2 and descriptor not in keep:
            os.closerange(descriptor, descriptor + 1)  # unlike close() it does not mind the listing's own


class Child:
    """`work` in a child of this process, as with detach; it must be seen to its end. An error in it goes unheard."""

    def __init__(self, work: "Callable[[], None]", keep: "Sequence[int]" = ()) -> None:
        self._pid = os.fork()
        if self._pid:
            self._handle = os.pidfd_open(self._pid)
            return
        try:
            _let_go(keep)
            work()
        finally:
            os._exit(0)

    def fileno(self) -> int:
        """Readable once the child has ended."""
        return self._handle

    def end(self) -> None:
        """Kill it if it still runs, and forget it."""
        import signal

        os.kill(self._pid, signal.SIGKILL)  # not yet waited for, so the pid is still its own
        os.waitpid(self._pid, 0)
        os.close(self._handle)


def borrow(work: "Callable[[], int]", seconds: float) -> int:
    """The descriptor that `work` opens in a child, handed over: what had to be loaded for it goes with the child.

    Raises what `work` raised, as an AgentError where its class is not loaded here, and TimedOut when it takes longer than
    `seconds`.
    """
    import sys
    from _socket import CMSG_LEN, SCM_RIGHTS, SOL_SOCKET, socketpair, timeout
    from struct import calcsize, pack, unpack

    here, there = socketpair()

    def give() -> None:
        try:
            there.sendmsg([b"\0"], [(SOL_SOCKET, SCM_RIGHTS, pack("i", work()))])
        except AgentError as error:
            there.send(f"{type(error).__module__}:{type(error).__qualname__}:{error}".encode())

    child = Child(give, keep=[there.fileno()])
    there.close()
    try:
        here.settimeout(seconds)
        said, handed, _, _ = here.recvmsg(4096, CMSG_LEN(calcsize("i")), _CLOSE_ON_EXEC)
    except timeout:
        raise TimedOut(f"no descriptor within {seconds:g} s") from None
    finally:
        child.end()
        here.close()
    if handed:
        descriptor: int = unpack("i", handed[0][2])[0]
        return descriptor
    if not said:
        raise AgentError("the child died")
    module, name, reason = said.decode("utf-8", "replace").split(":", 2)
    kind = getattr(sys.modules.get(module), name, AgentError)
    error: AgentError = kind.__new__(kind, reason)  # some have attributes that no string tells
    raise error


def available(name: str) -> bool:
    """Whether the program is on the path. Honours ocf-tester's wish to pretend that it is not."""
    if os.environ.get("OCF_TESTER_FAIL_HAVE_BINARY") == "1":
        return False
    if "/" in name:
        return os.access(name, os.X_OK)
    return any(os.access(os.path.join(directory, name), os.X_OK) for directory in PATH.split(":"))


class Running:
    """A program that runs beside us until its standard input ends. What it prints goes to a file."""

    def __init__(self, argv: "Sequence[str]", output: str, errors: str) -> None:
        """Start it. Raises NotInstalled."""
        import subprocess

        self.name = os.path.basename(argv[0])
        with open(output, "wb") as out, open(errors, "wb") as err:
            try:
                self._child = subprocess.Popen(
                    list(argv), stdin=subprocess.PIPE, stdout=out, stderr=err, env=environment()
                )
            except FileNotFoundError:
                raise NotInstalled(f"{argv[0]} is not installed on this node") from None

    @property
    def status(self) -> "Optional[int]":
        """The exit status, None while it runs."""
        return self._child.poll()

    def finish(self, timeout: float) -> int:
        """End its input and wait for its exit status. Raises TimedOut; it is killed then."""
        import subprocess

        try:
            self._child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimedOut(f"{self.name} did not end within {timeout:.1f} s of the end of its input") from None
        return self._child.returncode

    def kill(self) -> None:
        self._child.kill()
        self._child.communicate()
