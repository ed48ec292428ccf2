"""The master CLI: one socket, made by us, through which master and worker answer. Decides nothing.

The configuration needs no stats socket: the master passes `@!PID command` on to a worker.
"""

from __future__ import annotations

import os
import time
from _socket import AF_UNIX, SHUT_WR, SOCK_STREAM, socket

from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.haproxy.health import Processes, Stat, parse_processes, parse_stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass


_STEP = 0.005  # seconds between two tries


class NoAnswer(TimedOut):
    """HAProxy does not answer, though its process lives."""


def ask(path: str, command: str, deadline: Deadline) -> str:
    """What the master CLI answers. While the master starts anew at a reload it refuses for a moment, so that is tried
    again. Raises NoAnswer."""
    while True:
        try:
            return _ask(path, command, deadline)
        except (ConnectionRefusedError, FileNotFoundError, ConnectionResetError, BrokenPipeError):
            if deadline.expired:
                how = "refuses" if os.path.exists(path) else "is gone"
                raise NoAnswer(f"HAProxy's master CLI {path} {how}: restart the resource") from None
            time.sleep(_STEP)
        except OSError as error:
            if not deadline.expired:
                raise AgentError(f"HAProxy's master CLI {path} cannot be used: {error}") from None
            who = "worker" if command.startswith("@!") else "master"
            raise NoAnswer(f"HAProxy's {who} does not answer in time: it hangs, restart the resource") from None


def _ask(path: str, command: str, deadline: Deadline) -> str:
    connection = socket(AF_UNIX, SOCK_STREAM)
    try:
        connection.settimeout(max(deadline.remaining(), 0.001))
        connection.connect(path)
        connection.sendall(command.encode() + b"\n")
        connection.shutdown(SHUT_WR)  # else it waits for another command
        said = b""
        while True:
            connection.settimeout(max(deadline.remaining(), 0.001))
            piece = connection.recv(65536)
            if not piece:
                return said.decode("utf-8", "replace")
            said += piece
    finally:
        connection.close()


def processes(path: str, deadline: Deadline) -> Processes:
    """Raises NoAnswer, AgentError."""
    said = ask(path, "show proc", deadline)
    found = parse_processes(said)
    if found is None:
        raise AgentError(f"HAProxy's master CLI gave no list of processes: {said.strip()[:60]!r}")
    return found


def worker(path: str, pid: int, command: str, deadline: Deadline) -> str:
    """A runtime command to a worker; its answer. Raises NoAnswer."""
    return ask(path, f"@!{pid} {command}", deadline)


def look(path: str, deadline: Deadline) -> tuple[Processes, Stat | None]:
    """The processes, and what the worker says of its proxies; None when none that serves was found in time. A worker that
    is listed but still loads (HAProxy 3.1 and later) is waited for, and then the one asked that serves meanwhile. Raises
    NoAnswer, AgentError."""
    patience = deadline.within(deadline.remaining() / 2)
    while True:
        found = processes(path, deadline)
        for pid in (found.worker, *(found.old if patience.expired else ())):
            seen = parse_stat(worker(path, pid, "show stat", deadline)) if pid else None
            if seen:
                found = found.but(worker=pid)
                return found, seen
        if deadline.remaining() < _STEP:
            return found, None
        time.sleep(_STEP)


def every(path: str, pid: int, commands: list[str], deadline: Deadline) -> str:
    """Many runtime commands in few connections; all answers. Raises NoAnswer."""
    said = ""
    for begin in range(0, len(commands), 20):  # a line may hold 16 KiB
        said += ask(path, ";".join(f"@!{pid} {command}" for command in commands[begin : begin + 20]), deadline)
    return said
