"""Starts programs; no other module does.

A program gets a list, never a shell; a bounded time; the C locale, since its output is parsed; and a PATH with the sbin
directories, which Pacemaker's own may lack. Passwords reach it by standard input or a file. They never go into argv, which
every user of the machine can read. They do not go into the environment either: a daemon's account can read the daemon's
environment, and core dumps contain it. Pacemaker gives the agent its parameters in the environment; of all programs only
parts of the agent itself inherit them.
"""

import _signal  # type: ignore[import-not-found]  # signal loads enum
import os
import time

from backstay.host.fork import let_go
from backstay.host.process import cores_again
from backstay.ocf.errors import AgentError, CommandFailed, NotInstalled, TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Optional

_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)
_SIGKILL = _signal.SIGKILL
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
    """The environment for a child: this process's, with C locale and a full PATH, plus `extra`. own: the child is a
    part of the agent and gets its parameters, secrets among them."""
    env = {name: value for name, value in os.environ.items() if own or not name.startswith(_PARAMETERS)}
    env["LC_ALL"] = "C"
    env["PATH"] = PATH + (":" + env["PATH"] if env.get("PATH") else "")
    env.update(extra or {})
    return env


class Begun:
    """A program that runs, and whose end has to be waited for, by `end`."""

    def __init__(self, argv: "Sequence[str]", input: str = "", env: "Optional[Mapping[str, str]]" = None) -> None:
        """Start it. Raises NotInstalled. Not through subprocess, which takes as long to load as such a program to run."""
        self._name, program = os.path.basename(argv[0]), _found(argv[0])
        source = _readable(input)
        self._out, out_end = os.pipe()
        self._err, err_end = os.pipe()
        try:
            redirected = [(os.POSIX_SPAWN_DUP2, end, fd) for fd, end in enumerate((source, out_end, err_end))]
            self._pid = os.posix_spawn(
                program, list(argv), environment(env), file_actions=redirected, setsigdef=_IGNORED_BY_PYTHON
            )
        except OSError as error:
            os.close(self._out)
            os.close(self._err)
            if error.errno == _NO_ENTRY:
                raise NotInstalled(f"{argv[0]} is not installed on this node") from None
            raise
        finally:
            for descriptor in (source, out_end, err_end):
                os.close(descriptor)

    def end(self, timeout: float, check: bool = True, meanwhile: "Optional[Callable[[], object]]" = None) -> Finished:
        """Wait for it, `timeout` seconds from now. Raises TimedOut (it is killed), and with `check` CommandFailed when its exit
        status is not 0. meanwhile: called while it runs."""
        said: dict[int, list[bytes]] = {self._out: [], self._err: []}
        ended = False
        try:
            deadline = time.monotonic() + max(timeout, 0.01)
            if meanwhile:
                meanwhile()
            ended = _hear(self._pid, said, deadline)
        finally:
            if not ended:
                os.kill(self._pid, _SIGKILL)  # not yet waited for, so the pid is still its own
            status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            os.close(self._out)
            os.close(self._err)
        if not ended:
            raise TimedOut(f"{self._name} did not finish within {timeout:.1f} s")
        done = Finished(status, *(b"".join(parts).decode("utf-8", "replace") for parts in said.values()))
        if check and status != 0:
            lines = (done.err.strip() or done.out.strip()).splitlines()
            telling = [line for line in lines if "error" in line.lower()] or lines[-1:] or ["no message"]
            raise CommandFailed(f"{self._name} failed with status {status}: {telling[0]}", status, done.out + done.err)
        return done


def run(
    argv: "Sequence[str]",
    timeout: float,
    input: str = "",
    check: bool = True,
    env: "Optional[Mapping[str, str]]" = None,
    meanwhile: "Optional[Callable[[], object]]" = None,
) -> Finished:
    """Run a program to its end within `timeout` seconds. meanwhile: called while it runs. What it left running, with its output
    still open, is not waited for. Raises as Begun does."""
    return Begun(argv, input, env).end(timeout, check, meanwhile)


def _readable(text: str) -> int:
    """A descriptor from which a program reads the text, which may be secret."""
    if not text:
        return os.open(os.devnull, os.O_RDONLY)
    source = os.memfd_create("input")
    with open(source, "wb", closefd=False) as sink:
        sink.write(text.encode())
    os.lseek(source, 0, os.SEEK_SET)
    return source


def _hear(pid: int, said: "dict[int, list[bytes]]", deadline: float) -> bool:
    """Read what the child writes, by descriptor, until it has ended; whether that was before the deadline (CLOCK_MONOTONIC)."""
    import select

    handle = os.pidfd_open(pid)
    try:
        poller = select.poll()
        for descriptor in (handle, *said):
            poller.register(descriptor, select.POLLIN)
        for descriptor in said:
            os.set_blocking(descriptor, False)
        while True:
            left = deadline - time.monotonic()
            ready = {descriptor for descriptor, _ in poller.poll(left * 1000)} if left > 0 else set()
            if not ready:
                return False
            for descriptor in list(said) if handle in ready else ready - {handle}:
                if not _drain(descriptor, said[descriptor]) and handle not in ready:
                    poller.unregister(descriptor)
            if handle in ready:
                return True
    finally:
        os.close(handle)


def _drain(descriptor: int, parts: "list[bytes]") -> bool:
    """Read what is there; False at the end of file, which may come when it was reached before."""
    try:
        while True:
            part = os.read(descriptor, 1 << 16)
            if not part:
                return False
            parts.append(part)
    except BlockingIOError:
        return True


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
    log: "str | int | None" = None,
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
    the agent's descriptors: standard output and error go to the file `log`, which may be open already, or nowhere. own: it is
    a part of the agent and gets its parameters. Raises NotInstalled, AgentError.

    Not through subprocess: loading that is most of what an agent does before its daemon begins to start.
    """
    program = _found(argv[0])
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
        for ignored_by_python in _IGNORED_BY_PYTHON:
            _signal.signal(ignored_by_python, _signal.SIG_DFL)
        os.setsid()
        cores_again()
        sink = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640) if isinstance(log, str) else -1
        sink = log if isinstance(log, int) else sink
        let_go([*pass_fds, tell, sink])
        if sink >= 0:
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
        os.chdir(cwd)  # as whom it becomes: the way there may be the account's
        os.execve(program, list(argv), environ)  # noqa: S606
    except OSError as error:
        os.write(tell, str(error.errno).encode())
    finally:
        os._exit(127)


def _found(name: str) -> str:
    """The program's file. Raises NotInstalled."""
    if "/" in name:
        return name
    for directory in environment()["PATH"].split(":"):
        if os.access(os.path.join(directory, name), os.X_OK):
            return os.path.join(directory, name)
    raise NotInstalled(f"{name} is not installed on this node")


def available(name: str) -> bool:
    """Whether the program is on the path. Honours ocf-tester's wish to pretend that it is not."""
    if os.environ.get("OCF_TESTER_FAIL_HAVE_BINARY") == "1":
        return False
    if "/" in name:
        return os.access(name, os.X_OK)
    return any(os.access(os.path.join(directory, name), os.X_OK) for directory in PATH.split(":"))


class Running:
    """A program that runs beside this process until its standard input ends. What it prints goes to a file."""

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
