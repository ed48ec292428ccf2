"""What an agent remembers between its calls, in /run: small files, replaced as a whole. All of it can vanish at any time;
then the agent knows less and promises less."""

import os
import time

from backstay.mysql.facts import Facts, MalformedFacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class State:
    """The files of one resource.

    promoted   identity of the server process that was promoted, and the facts it was promoted with: a restarted server
               is not promoted, whatever its variables say
    silent     identity of the process that a monitor or the watcher found silent: demote and stop need not find out again
    stopping   identity of the process that we end ourselves: the watcher keeps quiet (watch.py)
    errant     the errant transactions that were found
    rebuild*   of the job that copies the primary's data (rebuild.py): its lock, its log, its secrets, why it failed
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def promoted(self, identity: str) -> "Optional[Facts]":
        """The facts, if this very server process was promoted."""
        owner, _, facts = self.read("promoted").partition(" ")
        try:
            return Facts.parse(facts) if owner == identity else None
        except MalformedFacts:
            return None

    def set_promoted(self, identity: str, facts: Facts) -> None:
        self.write("promoted", f"{identity} {facts}")

    def read(self, name: str) -> str:
        try:
            with open(os.path.join(self.directory, name), encoding="utf-8") as source:
                return source.read()
        except OSError:
            return ""

    def age(self, name: str) -> float:
        """Seconds since the file was written; infinite when there is none."""
        try:
            return max(0.0, time.time() - os.stat(os.path.join(self.directory, name)).st_mtime)
        except OSError:
            return float("inf")

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.directory, name)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as sink:
            sink.write(text)
        os.replace(temporary, path)

    def remove(self, name: str) -> None:
        path = os.path.join(self.directory, name)
        if os.path.exists(path):
            os.unlink(path)


_MARK = "backstay-epoch"


def write_mark(datadir: str, epoch: int) -> None:
    """Note, beside the data and so bound to it, that its history was part of the set's in this epoch. Losing the note is
    harmless: a rebuild then asks for the admin."""
    try:
        with open(os.path.join(datadir, _MARK), "w", encoding="ascii") as sink:
            sink.write(f"{epoch}\n")
    except OSError:
        return


def read_mark(datadir: str) -> int:
    """The last epoch that was noted, 0 when none was."""
    try:
        with open(os.path.join(datadir, _MARK), encoding="ascii") as source:
            return int(source.read())
    except (OSError, ValueError):
        return 0
