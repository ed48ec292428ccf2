"""What start decided, for the monitors that follow: interface and prefix. Its existence says that it is started."""

import os

from backstay.host.state_files import Files, StateFile
from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


PLACE = StateFile(
    "place",
    "interface and prefix that start chose; its existence says that the instance is started",
    lost="the next monitor notes them again from what the kernel shows; a probe before that finds no standby",
)
RIVAL = StateFile(
    "rival",
    "the other host that had the address when this one was to take it; each monitor tries again until it is gone",
    lost="the next monitor finds the address absent, and the cluster starts it anew",
)


class Record:
    """In `directory`, which a boot empties."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._path = Files(directory).path(PLACE)

    def read(self) -> "tuple[str, Optional[int]]":
        """Interface and prefix; ("", None) when not started."""
        try:
            with open(self._path, encoding="utf-8") as source:
                nic, prefix = source.read().split()
            return nic, int(prefix)
        except (OSError, ValueError):
            return "", None

    def write(self, nic: str, prefix: int) -> None:
        """Raises AgentError."""
        Files(self._directory).write(PLACE, f"{nic} {prefix}\n")

    def identity(self) -> str:
        """Different for each start, "" when not started."""
        try:
            return str(os.stat(self._path).st_mtime_ns)
        except OSError:
            return ""

    def erase(self) -> None:
        """Raises AgentError: left behind, it would make the next probe of a clone see a standby."""
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise AgentError(f"cannot remove {self._path}: {error.strerror}") from None
