"""What the parts of this agent share: the parameters, the way to this node's broker, and the cluster's record."""

from __future__ import annotations

from backstay.agent.context import Context
from backstay.host.state_files import StateFile
from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq.local_broker import LocalBroker
from backstay.services.rabbitmq.parameters import RabbitmqParameters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.agent.log import Log
    from backstay.cluster.pacemaker import Pacemaker
    from backstay.host.state_files import Files
    from backstay.services.rabbitmq.record import Record


PROMOTED = StateFile(
    "promoted",
    "identity of the broker that has the lease",
    lost="it is whose Pacemaker says it is: noted again by a monitor",
)
UNANSWERED = StateFile(
    "unanswered", "identity, and how many monitors in a row had no greeting", lost="a silent broker is failed later"
)
UNSERVED = StateFile("unserved", "identity, dated when it last began to give no greeting", lost="as unanswered")
UNAWAITED = StateFile(
    "booting",
    "identity of a broker whose start did not wait for it, and when it must serve (CLOCK_MONOTONIC, seconds); until it does",
    lost="a broker that still boots counts as one that does not answer",
)
BELONGS = StateFile(
    "belongs", "identity of a broker that was compared with the record", lost="it is compared once more"
)
PARTITION = StateFile(
    "partition", "from whom the broker is parted, dated when that began", lost="partition_grace begins anew"
)
SHORT = StateFile("short", "queues that are short of copies, and what was tried", lost="they get copies a little later")
ACCOUNT = StateFile(
    "account",
    "identity, and the account with which a monitor logs in",
    lost="monitors log in once the account is learned again",
)
ABSENT = StateFile(
    "absent",
    "brokers whose nodes have left, and that were waited for",
    lost="a monitor waits for their fencing once more",
)
RETURNED = StateFile(
    "returned",
    "brokers that came back, and get copies of queues again",
    lost="the agent gives them no copies of queues: add those by hand",
)
RECORD = StateFile("facts", "this node's copy of the record", lost="it is copied again from the cluster")


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
        return self._parsed(self._pacemaker.facts())

    def replace(self, old: Record, new: Record) -> bool:
        """Write it where the cluster still has `old`; whether it had. Raises AgentError."""
        text = self._pacemaker.facts()
        changed = self._parsed(text) != old and (
            text or self._pacemaker.clustered
        )  # outside a cluster nothing stays written
        if changed or not self._pacemaker.replace_facts(text, str(new)):
            self._log.notice(f"another node has changed the record: {new} is not written")
            return False
        self._log.notice(f"recorded {new}")
        self.keep(new)
        return True

    @staticmethod
    def _parsed(text: str) -> Record:
        from backstay.services.rabbitmq.record import MalformedRecord, Record

        try:
            return Record.parse(text)
        except MalformedRecord as error:
            raise AgentError(str(error)) from None

    def copy(self) -> Record:
        """As this node last saw it; empty when it has not."""
        from backstay.services.rabbitmq.record import MalformedRecord, Record

        try:
            return Record.parse(self._state.read(RECORD))
        except MalformedRecord:
            return Record({}, {})

    def keep(self, record: Record) -> None:
        """As the copy, where it is the cluster's already."""
        self._state.write(RECORD, str(record))

    def forget(self) -> None:
        """The copy: it may have become old."""
        self._state.remove(RECORD)
