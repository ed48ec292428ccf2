"""The server's process: which one has a data directory."""

from __future__ import annotations

import os

from backstay.host.process import Process, at, beside, has
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.parameters import MysqlParameters

_PROGRAMS = {"mysqld", "mariadbd"}

__all__ = ["Process", "at", "find", "found", "running"]


def _serves(pid: int, datadir: str) -> bool:
    """Whether the process is a server of this host on this data directory: by its program and its working directory, which a
    server makes the data directory."""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0]
        return program in _PROGRAMS and beside(pid) and has(f"/proc/{pid}/cwd", datadir)
    except OSError:
        return False


def _of_the_account(path: str, flags: int) -> int:
    """For open(), where the account may have put a link or a pipe. What the file says is believed of nothing but a server."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def find(pid_file: str, datadir: str) -> Process | None:
    """The server that has the data directory. The pid file is a hint: it is missing during crash recovery and stale after
    a kill, so without a match every process is looked at."""
    try:
        with open(pid_file, encoding="ascii", errors="replace", opener=_of_the_account) as source:
            hint = source.read(32).strip()
    except OSError:
        hint = ""
    if hint.isdigit() and _serves(int(hint), datadir):
        return at(int(hint))
    for name in os.listdir("/proc"):
        if name.isdigit() and _serves(int(name), datadir):
            return at(int(name))
    return None


def found(given: MysqlParameters) -> Process | None:
    """The server that has the configured data directory; None when it does not run."""
    return find(given.pid_file, given.datadir)


def running(given: MysqlParameters) -> Process:
    """The same, where it has to run. Raises AgentError."""
    process = found(given)
    if process is None:
        raise AgentError("the server does not run")
    return process
