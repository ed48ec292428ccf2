"""The steps of what the promoted instance does to the cluster's members: KEEPING and HEALING. Pure: services/rabbitmq/coordinator
does what they say."""

from __future__ import annotations

from backstay.ocf.steps import DONE, LEFT, Again, End, Steps, Value, unchanged, without_arguments
from backstay.services.rabbitmq.boot_steps import STRAY
from backstay.services.rabbitmq.formation import stray
from backstay.services.rabbitmq.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.ocf.steps import Protocol
    from backstay.services.rabbitmq.boot_steps import Looked

QUEUES = 8.0  # seconds of a monitor for copies of queues to be taken away
RESTART = "restart"  # an end: this broker has to be started anew


class Keeper(Value):
    """What the promoted instance knows. members, running: Erlang names, of this monitor's look. leaving: nodes that the admin
    gave up. record: as the cluster has it. new: as it is to be. waits: nodes that leave and whose broker still runs."""

    __slots__ = ("erlang", "leaving", "me", "members", "new", "record", "running", "waits")

    def __init__(
        self, me: str, erlang: str, members: frozenset[str], running: frozenset[str], leaving: frozenset[str]
    ) -> None:
        self.me = me
        self.erlang = erlang
        self.members = members
        self.running = running
        self.leaving = leaving
        self.record = self.new = Record({}, {})
        self.waits: frozenset[str] = frozenset()

    @property
    def leavers(self) -> list[tuple[str, str]]:
        """Nodes on record that leave and run no broker, and how that is called."""
        return sorted((node, erlang) for node, erlang in self.new.members.items() if self._leaves(node, erlang))

    def _leaves(self, node: str, erlang: str) -> bool:
        return node in self.leaving and erlang not in self.running


class Parted(Value):
    """What is known of a partition that lasted. restart: Erlang names of brokers to be started anew. nodes: those to be told."""

    __slots__ = ("erlang", "nodes", "reason", "restart")

    def __init__(self, erlang: str, restart: tuple[str, ...], reason: str) -> None:
        self.erlang = erlang
        self.restart = restart
        self.reason = reason
        self.nodes: tuple[str, ...] = ()


def keeping(
    me: str,
    erlang: str,
    members: frozenset[str],
    running: frozenset[str],
    leaving: frozenset[str],
    table: Protocol | None = None,
) -> Steps:
    return Steps(KEEPING if table is None else table, Keeper(me, erlang, members, running, leaving))


def read(stray: Callable[..., str]) -> Callable[[Keeper, Looked], Keeper | End]:
    """The record, and whether this broker is one of its members."""

    def told(known: Keeper, looked: Looked) -> Keeper | End:
        record = looked.record
        why = stray(known.me, known.erlang, known.members, record, known.leaving, looked.full)
        if why:
            return End(STRAY, why)
        waits = frozenset(node for node in known.leaving & set(record.members) if record.members[node] in known.running)
        return known.but(record=record, new=record, waits=waits)

    return told


def _to_be_forgotten(known: Keeper) -> tuple[str, str] | None:
    """The first by name of those that leave, and that the broker still knows."""
    return next(((node, erlang) for node, erlang in known.leavers if erlang in known.members), None)


def _forgotten(known: Keeper, answer: object) -> Again:
    node, erlang = _to_be_forgotten(known) or ("", "")
    return Again("FORGET", known.but(members=known.members - {erlang}, new=known.new.without(node, erlang)))


def _unknown(known: Keeper) -> tuple[dict[str, str], frozenset[str]] | None:
    """Whose nodes the record does not name; of the rest, who is gone already."""
    return {**known.new.members, known.me: known.erlang}, known.members


def _named(known: Keeper, names: dict[str, str]) -> Keeper:
    new = known.new
    for node, erlang in known.leavers:
        new = new.without(node, erlang)
    for node, erlang in names.items():
        if erlang in known.members and new.members.get(node) != erlang:
            new = new.with_member(node, erlang)
    return known.but(new=new)


def _returned(known: Keeper) -> tuple[frozenset[str]] | None:
    back = frozenset(
        erlang
        for node, erlang in known.new.members.items()
        if known.record.removed.get(node) == erlang in known.members
    )
    return (back,) if back else None


def _record(known: Keeper) -> tuple[Record, Record] | None:
    return None if known.new == known.record else (known.record, known.new.following(known.record))


def _written(known: Keeper, written: bool) -> Keeper | End:
    return known if written else End()


def _waiting(known: Keeper, answer: object) -> End:
    return End(
        DONE, "; ".join(f"{node} leaves for good: waiting for its broker to stop" for node in sorted(known.waits))
    )


def _nodes(known: Parted, record: Record) -> Parted:
    names = {erlang: node for node, erlang in record.members.items()}
    return known.but(nodes=tuple(names[one] for one in known.restart if one != known.erlang and one in names))


def _healed(known: Parted, answer: object) -> End:
    return End(RESTART if known.erlang in known.restart else DONE, known.reason)


# fmt: off
def protocol(stray: Callable[..., str] = stray) -> Protocol:
    """The table KEEPING, by what decides."""
    return (
        ("READ", "recorded", without_arguments, read(stray), LEFT,
         "on; the end where this broker is no member", "a second cluster must not be written over the first"),
        ("FORGET", "forget", _to_be_forgotten, _forgotten, QUEUES,
         "FORGET, for the next one; left out where nobody leaves whose broker has stopped",
         "before it is off the record: until then it is no stranger"),
        ("NAMES", "names", _unknown, _named, LEFT,
         "on", "which node a new member is on, it has said itself"),
        ("NOTE", "note_returned", _returned, unchanged, LEFT,
         "on; left out where nobody has come back", "before the record says so: queues get their copies there again"),
        ("DOUBT", "doubt", lambda known: _record(known) and (), unchanged, LEFT,
         "on; left out where the record says so already", "until a write is answered nobody knows what is on record"),
        ("RECORD", "record", _record, _written, LEFT,
         "on; left out as DOUBT. The end where somebody else has changed it: the next monitor looks anew",
         "who has the cluster's data"),
        ("KEEP", "keep", lambda known: (known.new,), _waiting, LEFT,
         "the end", "the next monitors compare with this copy, and ask nobody"),
    )


KEEPING = protocol()

HEALING: Protocol = (
    ("READ", "read", without_arguments, _nodes, LEFT, "on", "which nodes those brokers are on"),
    ("TELL", "fail", lambda known: (known.nodes,), _healed, LEFT,
     "the end: where this broker is on the smaller side, its monitor fails", "the cluster restarts them, one side of the two"),
)
# fmt: on


def healing(erlang: str, restart: tuple[str, ...], reason: str) -> Steps:
    return Steps(HEALING, Parted(erlang, restart, reason))
