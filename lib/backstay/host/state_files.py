"""What an agent remembers between its calls: small files in /run, for root alone, each replaced as a whole. Any of them can
vanish at any time, and writing can fail at any time. Then the agent knows less and promises less.

A file's date is the monotonic clock's, which nobody sets. With the wall clock, a step of that clock would make an old note
new, or a new one old. A date in the future counts for nothing: an earlier revision wrote dates of the wall clock (decision
37).

| an action          | that cannot write                                  | because                                             |
|--------------------|----------------------------------------------------|-----------------------------------------------------|
| start, promote     | fails, with a sentence                             | nothing depends on this node yet                    |
| demote             | fails once all is closed, if it still looks open   | Pacemaker answers that by a stop                    |
| monitor            | goes on, and calls the resource degraded           | the service is well; a move would not repair /run   |
| stop, notify, else | goes on, and says so in the log                    | a failed stop fences                                |
"""

import os
import time

from backstay.ocf.errors import PermissionMissing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class Unwritable(PermissionMissing):
    """The agent's own files cannot be written on this node."""


def unwritable(directory: str, error: OSError) -> str:
    """The sentence for the admin."""
    return f"{directory} cannot be written, {error.strerror}: free space there, or mount it writable"


def stamp(descriptor: int) -> None:
    """Date a file that was just written, for `Files.age`."""
    now = time.monotonic_ns()
    os.utime(descriptor, ns=(now, now))


def private(path: str, flags: int) -> int:
    """For open(): a new file is for root alone."""
    return os.open(path, flags, 0o600)


class StateFile:
    """A file of a resource's directory, declared once, in its module. name: of the file. meaning: what is in it; with a date,
    since when. lost: what it costs that it vanishes. docs/state.md is made of all of them."""

    __slots__ = ("lost", "meaning", "name")

    def __init__(self, name: str, meaning: str, *, lost: str) -> None:
        self.name = name
        self.meaning = meaning
        self.lost = lost

    def __repr__(self) -> str:
        return f"StateFile({self.name!r})"


CHECK = StateFile("check", "nothing: written to see whether anything can be", lost="nothing")


class Files:
    """The files of one resource. complaints: gets what could not be written, once, where the action has to go on without;
    None: that is an error."""

    def __init__(self, directory: str, complaints: "Optional[list[str]]" = None) -> None:
        self.directory = directory
        self._complaints = complaints

    def path(self, file: StateFile) -> str:
        """For what is opened otherwise: a lock, a log, a socket."""
        return os.path.join(self.directory, file.name)

    def read(self, file: StateFile) -> str:
        """The file's text, "" when there is none."""
        try:
            with open(self.path(file), encoding="utf-8") as source:
                return source.read()
        except OSError:
            return ""

    def age(self, file: StateFile) -> float:
        """Seconds since the file was written; infinite when there is none, or nobody knows."""
        try:
            passed = time.monotonic_ns() - os.stat(self.path(file)).st_mtime_ns
        except OSError:
            return float("inf")
        return passed / 1e9 if passed >= 0 else float("inf")

    def has(self, file: StateFile) -> bool:
        return os.path.exists(self.path(file))

    def lasting(self, file: StateFile, what: str) -> float:
        """Seconds for which `what` has been so, each call noting that it is; 0 where nobody knows since when. For what must
        not be done too early."""
        age = self.age(file)
        if age < float("inf") and self.read(file) == what:
            return age
        self.write(file, what)
        return 0.0

    def write(self, file: StateFile, text: str) -> None:
        """Raises Unwritable, unless complaints are collected; the old text stays then."""
        path = self.path(file)
        temporary = f"{path}.{os.getpid()}"
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(handle, "w", encoding="utf-8") as sink:
                sink.write(text)
                sink.flush()
                stamp(handle)
            os.replace(temporary, path)
        except OSError as error:
            self._discard(temporary)
            self._fail(error, False)

    def check(self) -> None:
        """Before something that must be noted afterwards. Raises as `write` does."""
        self.write(CHECK, "written before a note that matters")
        self.remove(CHECK)

    def remove(self, file: StateFile, must: bool = False) -> None:
        """Raises Unwritable, unless complaints are collected and it need not be."""
        path = self.path(file)
        if not os.path.exists(path):
            return
        try:
            os.unlink(path)
        except FileNotFoundError:
            return
        except OSError as error:
            self._fail(error, must)

    def _discard(self, temporary: str) -> None:
        """A full file system must not fill up with what could not be written to it."""
        try:
            os.unlink(temporary)
        except OSError:
            return  # it was never made

    def _fail(self, error: OSError, must: bool) -> None:
        said = unwritable(self.directory, error)
        if self._complaints is None or must:
            raise Unwritable(said) from None
        if said not in self._complaints:
            self._complaints.append(said)
