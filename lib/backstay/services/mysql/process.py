"""The server's process: which one has a data directory."""

import os

from backstay.host.process import Process, at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_PROGRAMS = {"mysqld", "mariadbd"}

__all__ = ["Process", "at", "find"]


def _serves(pid: int, datadir: str) -> bool:
    """Whether the process is a server on this data directory: by its program and its working directory, which a server
    makes the data directory."""
    try:
        program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0]
        return program in _PROGRAMS and os.path.realpath(f"/proc/{pid}/cwd") == os.path.realpath(datadir)
    except OSError:
        return False


def _of_the_account(path: str, flags: int) -> int:
    """For open(), where the account may have put a link or a pipe. What the file says is believed of nothing but a server."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def find(pid_file: str, datadir: str) -> "Optional[Process]":
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
