"""What the parts of this agent share: the parameters, the way to this node's broker, and the cluster's record.

What it remembers, in its directory under /run:

process      the broker's identity
promoted     that of the broker that has the lease
unanswered   identity, how many monitors in a row had no greeting
unserved     identity, dated when that began
booting      identity of a broker whose start did not wait for it, and when it must serve (CLOCK_MONOTONIC, seconds);
             until it does
silent       identity of a broker that was found so, and failed
belongs      identity of a broker that was compared with the record
partition    from whom, dated when that began
short        queues that are short of copies, and what was tried (mirror_policy.py)
account      identity, and the account with which a monitor logs in
absent       brokers whose nodes have left, and that were waited for
returned     brokers that came back, and get copies of queues again
facts        our copy of the record

Others are those of the watcher (watch/client.py), of what is calm (watch/reuse.py) and of a settled membership
(cluster/ring.py).
"""

from __future__ import annotations

from backstay.agent.context import Context
from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq.local_broker import LocalBroker
from backstay.services.rabbitmq.parameters import RabbitmqParameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.log import Log
    from backstay.cluster.pacemaker import Pacemaker
    from backstay.host.state_files import Files
    from backstay.services.rabbitmq.record import Record


class RabbitmqContext(Context):
    parameters_class = RabbitmqParameters
    parameters: RabbitmqParameters

    @property
    def broker(self) -> LocalBroker:
        """Of this node."""
        return LocalBroker(self.parameters, self.pacemaker, self.state, self.log, f"backstay-{self.invocation.action}")

    @property
    def record(self) -> RecordStore:
        """Of the cluster."""
        return RecordStore(self.pacemaker, self.state, self.log)


class RecordStore:
    """Where the record is: in the cluster, and a copy on this node, which saves asking."""

    def __init__(self, pacemaker: Pacemaker, state: Files, log: Log) -> None:
        self._pacemaker = pacemaker
        self._state = state
        self._log = log

    def read(self) -> Record:
        """Raises AgentError when it cannot be read."""
        from backstay.services.rabbitmq.record import MalformedRecord, Record

        try:
            return Record.parse(self._pacemaker.facts())
        except MalformedRecord as error:
            raise AgentError(str(error)) from None

    def write(self, record: Record) -> None:
        """Raises AgentError."""
        self._log.notice(f"recording {record}")
        self._pacemaker.set_facts(str(record))
        self.keep(record)

    def copy(self) -> Record:
        """As this node last saw it; empty when it has not."""
        from backstay.services.rabbitmq.record import MalformedRecord, Record

        try:
            return Record.parse(self._state.read("facts"))
        except MalformedRecord:
            return Record({}, {})

    def keep(self, record: Record) -> None:
        """As the copy, where it is the cluster's already."""
        self._state.write("facts", str(record))
