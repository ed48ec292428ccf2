"""What one look at a broker saw. Pure values."""

from __future__ import annotations

from backstay.ocf.table import Value

TYPE_CHECKING = False

# How AMQP answered.
ANSWERS, REFUSES, SILENT = "answers", "refuses", "silent"
SHUT_OUT = "shut out"  # it answers, and does not let the agent's account in
# The application in the Erlang machine. PAUSED: it sees a minority, or heals a partition, and stopped serving by itself.
# DRAINED: in maintenance mode, listeners closed by the admin. ALIVE: the machine answers, and does not tell. UNKNOWN: it does
# not answer.
RUNNING, BOOTING, PAUSED, DRAINED, STOPPED = "running", "booting", "paused", "drained", "stopped"
ALIVE, UNKNOWN = "alive", "unknown"

# What a node says of its broker's data before that boots.
EMPTY, DATA, UNSAID = "empty", "data", ""


class Seen(Value):
    """One look.

    amqp, app: words from above. members, running: Erlang node names, empty when unknown. partitions: nodes that this
    one is partitioned from. alarms: words such as memory and disk.
    """

    __slots__ = ("alarms", "amqp", "app", "members", "partitions", "running")

    def __init__(
        self,
        amqp: str,
        app: str = UNKNOWN,
        members: frozenset[str] = frozenset(),
        running: frozenset[str] = frozenset(),
        partitions: frozenset[str] = frozenset(),
        alarms: tuple[str, ...] = (),
    ) -> None:
        self.amqp = amqp
        self.app = app
        self.members = members
        self.running = running
        self.partitions = partitions
        self.alarms = alarms
