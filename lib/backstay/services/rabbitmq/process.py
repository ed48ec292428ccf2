"""The broker's process: which Erlang machine is the broker of a node."""

from __future__ import annotations

import os

from backstay.host.process import Process, at, beside, has, start_time

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
    open. Names are compared whole: rabbit@node1 is not rabbit@node10. A broker in a container may have the same name."""
    try:
        if os.path.basename(os.readlink(f"/proc/{pid}/exe")).partition(" ")[0] != "beam.smp" or not beside(pid):
            return False
        with open(f"/proc/{pid}/cmdline", "rb") as source:
            if _BOOTS not in source.read():
                return False
        with open(f"/proc/{pid}/environ", "rb") as source:
            named = [word for word in source.read().split(b"\0") if word.startswith(b"RABBITMQ_NODENAME=")]
        if named:
            return named[-1].partition(b"=")[2].decode(errors="replace") == node
        return any(_inside(f"/proc/{pid}/fd/{name}", directory) for name in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def _inside(link: str, directory: str) -> bool:
    """Whether an open file is in the directory. A file that was closed or removed meanwhile is not."""
    try:
        path = os.readlink(link)
        return path.startswith(directory.rstrip("/") + "/") and has(link, path)
    except OSError:
        return False
