"""Whether HAProxy answers, for the watcher."""

from __future__ import annotations

from backstay.host.deadline import Deadline
from backstay.ocf.errors import AgentError
from backstay.services.haproxy import master_cli


class HaproxyProber:
    def __init__(self, socket: str) -> None:
        self._socket = socket

    def probe(self, deadline: Deadline) -> None:
        """See watch/target.py. Master and worker: each may hang by itself."""
        _, stat = master_cli.look(self._socket, deadline)
        if stat is None:
            raise AgentError("HAProxy has no worker that serves: it may be loading one")
