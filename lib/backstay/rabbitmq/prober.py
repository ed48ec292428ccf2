"""Whether the broker answers, for the watcher: one kept connection over Erlang's distribution protocol, a call at a time.

The call needs a scheduler of the Erlang machine and no lock, no disk and no queue: silence means that the machine does not
run. A broker that runs and takes no clients is for the monitor to judge.
"""

from backstay.errors import AgentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from backstay.deadline import Deadline
    from backstay.rabbitmq.agent import Rabbitmq
    from backstay.rabbitmq.distribution import Node


class RabbitmqProber:
    def __init__(self, agent: "Rabbitmq") -> None:
        self._agent = agent
        self._kept: Optional[Node] = None

    def probe(self, deadline: "Deadline") -> None:
        """See watch.Prober."""
        try:
            if self._kept is None:
                self._kept = self._agent.connect(deadline)
            self._kept.deadline = deadline
            self._kept.call("erlang", "is_alive")
        except AgentError:
            if self._kept is not None:
                self._kept.close()
                self._kept = None
            raise
