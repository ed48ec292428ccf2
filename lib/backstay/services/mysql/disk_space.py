"""How much room a server has where it writes: its data directory and its binary log."""

from __future__ import annotations

import os

from backstay.ocf.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.server import Server


def least_free_space(server: Server, datadir: str) -> tuple[int, str]:
    """Bytes that the server's account may still write, and the directory, where these are fewest. Raises AgentError."""
    base = str(server.one("SELECT @@log_bin_basename AS path")["path"] or "")
    found = []
    for path in {datadir, os.path.dirname(base) or datadir}:
        try:
            disk = os.statvfs(path)
        except OSError as error:
            raise AgentError(f"the room that is left in {path} cannot be read: {error.strerror}") from error
        found.append((disk.f_bavail * disk.f_frsize, path))
    return min(found)
