"""Whether HAProxy answers, for the watcher."""

from backstay.deadline import Deadline
from backstay.errors import AgentError
from backstay.haproxy import control


class HaproxyProber:
    def __init__(self, socket: str) -> None:
        self._socket = socket

    def probe(self, deadline: Deadline) -> None:
        """See watch.Prober. Master and worker: each may hang by itself."""
        _, stat = control.look(self._socket, deadline)
        if stat is None:
            raise AgentError("HAProxy has no worker that serves: it may be loading one")
