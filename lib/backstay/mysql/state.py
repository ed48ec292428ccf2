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
    silent     when a monitor found the server silent: demote and stop need not find out again
    stopping   our own stop is under way: the watcher keeps quiet
    errant     the errant transactions that were found
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
