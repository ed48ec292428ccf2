"""The broker's process: which Erlang machine is the broker of a node."""

from __future__ import annotations

import os

from backstay.host.process import Process, at, start_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

_BOOTS = b"\0-s\0rabbit\0boot\0"  # arguments that a broker's Erlang machine has and a rabbitmqctl's has not


def find(hint: str, node: str, directory: str) -> Process | None:
    """The Erlang machine that is the broker `node` with its data in `directory`. hint: identity of the last one known."""
    pid, _, started = hint.partition(":")
    if pid.isdigit() and start_time(int(pid)) == started != "":
        return Process(int(pid), started)
    for name in filter(str.isdigit, os.listdir("/proc")):
        if _is(int(name), node, directory):
            return at(int(name))
    return None


def _is(pid: int, node: str, directory: str) -> bool:
    """By its environment, which names the node when the agent or an admin's file started it, else by the data that it has
    open. Names are compared whole: rabbit@node1 is not rabbit@node10."""
    try:
        if os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0] != "beam.smp":
            return False
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            if _BOOTS not in source.read():
                return False
        with open(f"/proc/{pid}/environ", "rb") as source:
            named = [word for word in source.read().split(b"\0") if word.startswith(b"RABBITMQ_NODENAME=")]
        if named:
            return named[-1].partition(b"=")[2].decode(errors="replace") == node
        inside = directory.rstrip("/") + "/"
        links = (os.readlink(f"/proc/{pid}/fd/{name}") for name in os.listdir(f"/proc/{pid}/fd"))
        return any(link.startswith(inside) for link in links)
    except OSError:
        return False
