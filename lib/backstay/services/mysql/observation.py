"""What one look at a server shows, the same for both families. Pure values."""

from __future__ import annotations

from backstay.ocf.table import Value

EPOCHS, NODES = 1000, 4_000_000  # of which replication ids are made; their product stays below 2**32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay.services.mysql.gtid import History


class ReplicaStatus(Value):
    """The default replication channel. io: Yes, No or Connecting. lag: seconds, None when unknown. by_gtid: positions
    itself by GTID. last_errors: of the receiver and the applier, number and text, (0, "") when none. replays: the applier
    works through the relay log from before a restart, as the agent told it to."""

    __slots__ = ("applier_error", "by_gtid", "host", "io", "lag", "port", "receiver_error", "replays", "sql")

    def __init__(
        self,
        host: str,
        port: int,
        io: str,
        sql: bool,
        lag: int | None,
        by_gtid: bool,
        receiver_error: tuple[int, str],
        applier_error: tuple[int, str],
        replays: bool = False,
    ) -> None:
        self.host = host
        self.port = port
        self.io = io
        self.sql = sql
        self.lag = lag
        self.by_gtid = by_gtid
        self.receiver_error = receiver_error
        self.applier_error = applier_error
        self.replays = replays


class Acks(Value):
    """Semi-synchronous replication. waits: this server waits for acknowledgements as a primary, forever or, when
    degraded, only nominally. active: it is not in the asynchronous state that a nominal wait falls into. clients:
    replicas ready to acknowledge. waiting: sessions that wait now. confirmed: how many commits were acknowledged so
    far. gives: this server acknowledges as a replica."""

    __slots__ = ("active", "clients", "confirmed", "forever", "gives", "waiting", "waits")

    def __init__(
        self, waits: bool, active: bool, forever: bool, clients: int, waiting: int, confirmed: int, gives: bool
    ) -> None:
        self.waits = waits
        self.active = active
        self.forever = forever
        self.clients = clients
        self.waiting = waiting
        self.confirmed = confirmed
        self.gives = gives


class Peer(Value):
    """What another node's server says. received: applied, or in its relay log. own: what of that it wrote itself since it
    has its present identity. why: what makes its word unsettled, "" for nothing. gives: it acknowledges as a replica.
    receives: its receiver runs, connected or not."""

    __slots__ = ("gives", "own", "received", "receives", "why", "writable")

    def __init__(self, received: History, own: History, writable: bool, why: str, gives: bool, receives: bool) -> None:
        self.received = received
        self.own = own
        self.writable = writable
        self.why = why
        self.gives = gives
        self.receives = receives


class Holding(Value):
    """What a server holds, in its history or not. databases: names of those that users made, None when the account may not
    see them. told: its history tells whose data it is, as it does once it replicated or was restored with a position."""

    __slots__ = ("databases", "told")

    def __init__(self, databases: tuple[str, ...] | None, told: bool) -> None:
        self.databases = databases
        self.told = told


class Observed(Value):
    """One look. applied: committed here. received: applied, or in the relay log. read_only: as hard as the family can.
    followers: nodes whose receivers are connected to this server; only asked of a writable server. lacks: settings that our
    promises rest on and that are otherwise, with what they are. name: as whom it reports itself to a source."""

    __slots__ = (
        "acks",
        "applied",
        "followers",
        "lacks",
        "name",
        "read_only",
        "received",
        "replica",
        "server_id",
        "version",
    )

    def __init__(
        self,
        version: str,
        server_id: int,
        read_only: bool,
        applied: History,
        received: History,
        replica: ReplicaStatus | None,
        acks: Acks,
        followers: frozenset[str],
        lacks: Mapping[str, str] | None = None,
        name: str = "",
    ) -> None:
        self.version = version
        self.server_id = server_id
        self.read_only = read_only
        self.applied = applied
        self.received = received
        self.replica = replica
        self.acks = acks
        self.followers = followers
        self.lacks = lacks or {}
        self.name = name

    def followed_by(self, followers: frozenset[str]) -> Observed:
        """The same look with other followers."""
        return self.but(followers=followers)

    def started_as(self, name: str, node: int) -> bool:
        """Whether it runs under the node's name and one of its ids. node: its number, 0 when that is not known."""
        return self.name == name and (not node or self.server_id // EPOCHS == node % NODES)
