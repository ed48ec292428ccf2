"""Where secrets come to light on the nodes of a lab. Marks, texts that nothing else has, are given as passwords; a sampler looks
at every process's arguments and environment all along, and a search through files ends the run.

Works from the lab's host: looking from inside would put the marks on a command line there.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from backstay_lab.machines.cluster import Lab

_EVERY = 0.02  # seconds between looks at all processes
_ANEW = 1.0  # seconds after which a process that was seen is looked at again: it may have become another program
_YOUNG = 0.5  # seconds for which a new one is looked at each time, since it is about to
_LARGEST = 256 << 20  # bytes of a file
_PLACES = ("etc", "home", "root", "run", "tmp", "var", "dev/shm", "core")  # of a node's file system


class Seen(NamedTuple):
    """A mark in a process. what: `arguments` or `environment`. program: its arguments, cut off. user: whose process it is."""

    mark: str
    what: str
    program: str
    user: int


class Hit(NamedTuple):
    """Marks in a file. mode: its own permissions, octal. others: whether any account can read it. lines: those with a mark."""

    node: str
    path: str
    marks: frozenset[str]
    mode: int
    others: bool
    lines: tuple[str, ...]


class Sampler:
    """Use as a context manager. marks: name -> text. `seen` holds what was found, `looks` how often all was looked at."""

    def __init__(self, lab: Lab, marks: Mapping[str, str]) -> None:
        self._lab = lab
        self._marks = {name: text.encode() for name, text in marks.items()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.seen: set[Seen] = set()
        self.looks = 0

    def add(self, name: str, text: str) -> None:
        """A mark that comes later."""
        self._marks = {**self._marks, name: text.encode()}

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        known: dict[str, tuple[float, float]] = {}  # pid -> first seen, looked at last
        ours: dict[str, bool] = {}
        while not self._ended.wait(_EVERY):
            now = time.monotonic()
            spaces = _spaces(self._lab)
            pids = [name for name in os.listdir("/proc") if name.isdigit()]
            known = {pid: times for pid, times in known.items() if pid in set(pids)}
            ours = {pid: found for pid, found in ours.items() if pid in known}
            for pid in pids:
                first, last = known.get(pid, (now, 0.0))
                if now - first > _YOUNG and now - last < _ANEW:
                    continue
                known[pid] = first, now
                if pid not in ours:
                    ours[pid] = _space(pid) in spaces
                if ours[pid]:
                    self._look(pid)
            self.looks += 1

    def _look(self, pid: str) -> None:
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as source:
                arguments = source.read()
            with open(f"/proc/{pid}/environ", "rb") as source:
                environment = source.read()
            user = os.stat(f"/proc/{pid}").st_uid
        except OSError:
            return  # it ended meanwhile
        program = arguments.replace(b"\0", b" ").decode(errors="replace")[:300]
        for name, mark in self._marks.items():
            if mark in arguments:
                self.seen.add(Seen(name, "arguments", program, user))
            if mark in environment:
                self.seen.add(Seen(name, "environment", program, user))


def _space(pid: str) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def _spaces(lab: Lab) -> set[str]:
    """The process namespaces of the nodes that are on."""
    inits = [lab.layout.init_of(node) for node in lab.nodes]
    return {_space(str(init)) for init in inits if init} - {""}


def files(lab: Lab, node: str, marks: Mapping[str, str]) -> Iterator[Hit]:
    """Every file of a node in which a mark is, what is in memory included. The node must be on."""
    init = lab.layout.init_of(node)
    root = f"/proc/{init}/root"
    wanted = {name: text.encode() for name, text in marks.items()}
    for place in _PLACES:
        for directory, _, names in os.walk(os.path.join(root, place)):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    status = os.lstat(path)
                    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
                        continue
                    with open(path, "rb") as source:
                        text = source.read()
                except OSError:
                    continue  # removed meanwhile
                found = frozenset(name for name, mark in wanted.items() if mark in text)
                if found:
                    lines = tuple(
                        line.decode(errors="replace")[:300]
                        for line in text.split(b"\n")
                        if any(mark in line for mark in wanted.values())
                    )
                    shown = path[len(root) :]
                    yield Hit(node, shown, found, stat.S_IMODE(status.st_mode), readable_by_all(path, root), lines)


def readable_by_all(path: str, root: str) -> bool:
    """Whether an account without any rights can read the file: by its own mode, and through all directories below `root`."""
    if not os.stat(path).st_mode & stat.S_IROTH:
        return False
    directory = os.path.dirname(path)
    while len(directory) > len(root):
        if not os.stat(directory).st_mode & stat.S_IXOTH:
            return False
        directory = os.path.dirname(directory)
    return True
