"""Asks the broker for the watcher whether it answers: one kept connection over Erlang's distribution protocol, one call at a
time.

The call needs a scheduler of the Erlang machine and no lock, no disk and no queue. So silence means that the machine does
not run. A broker may run and take no clients; the monitor judges that.

The prober also asks what else a monitor would ask. While these answers are calm (health.py), the monitor uses them and asks
nothing itself (watch/reuse.py).
"""

from __future__ import annotations

import time

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq import amqp, broker, probe_account
from backstay.services.rabbitmq.health import calm
from backstay.services.rabbitmq.observation import ANSWERS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node

_LOOK = 1.5  # seconds from which on it is looked at again: at every other probe
_LOG_IN = 4.5  # the same for a login, which the broker logs
_PATIENCE = 1.0  # seconds for the questions of a look


class RabbitmqProber:
    def __init__(self, context: RabbitmqContext) -> None:
        self._context = context
        self._kept: Node | None = None
        self._dialect: Dialect | None = None
        self._seen = ""
        self._look_again = self._log_in_again = 0.0
        self._let_in = False

    def probe(self, deadline: Deadline) -> str:
        """See watch/target.py: what is calm, or ""."""
        try:
            if self._kept is None:
                self._kept = self._context.broker.connect(deadline)
            self._kept.deadline = deadline
            self._kept.call("erlang", "is_alive")
        except AgentError:
            if self._kept is not None:
                self._kept.close()
            self._kept, self._seen, self._look_again = None, "", 0.0
            raise
        if time.monotonic() >= self._look_again:
            self._look_again = time.monotonic() + _LOOK
            self._seen = self._look(self._kept, deadline.within(_PATIENCE))
        return self._seen

    def _look(self, node: Node, deadline: Deadline) -> str:
        """Not being told, or late, is no silence: the machine runs, and these questions may wait for other brokers."""
        try:
            if not self._lets_in(deadline):
                return ""
            node.deadline = deadline
            dialect = self._dialect = self._dialect or broker.dialect_of(node)
            connected = dialect.connected(node)
            return calm(broker.look(node, dialect, ANSWERS), connected)
        except AgentError as error:
            if self._seen:
                self._context.log.info(f"no look at the broker: {error}")
            return ""

    def _lets_in(self, deadline: Deadline) -> bool:
        """Whether it takes clients. Not asked over TLS, which would have to be loaded to stay. Raises AgentError."""
        if time.monotonic() < self._log_in_again:
            return self._let_in
        running, listener = self._context.broker.find(), self._context.broker.listener
        account = probe_account.known(self._context, running) if running and not listener.ca else None
        if account is None:
            return False
        self._let_in, self._log_in_again = False, time.monotonic() + _LOG_IN
        self._let_in = amqp.greet(listener, deadline, account)
        return self._let_in
