"""What a fault is: a value. Pure; what its functions do is in `harm` and in the systems' folders."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.nemesis.victim import Traits

    Undo = Callable[[], None]
    Inflict = Callable[[Stage[Any]], "Undo | None"]

LEADER, FOLLOWER, COORDINATOR, ALL = "leader", "follower", "coordinator", "all"
ONE = (LEADER, FOLLOWER)
ANY = (LEADER, FOLLOWER, COORDINATOR)
ORDERS = ("order 1 2 3", "order 1 3 2", "order 2 1 3", "order 2 3 1", "order 3 1 2", "order 3 2 1")
# What a fault needs of what it hits: one of Traits' fields that says something, or to be a certain system.
ANYTHING, PEERS, DATA, ADDRESS = "", "peers", "data", "address"
MYSQL, RABBITMQ = "mysql", "rabbitmq"
DAEMON, NODE, NODES = "daemon", "node", "nodes"


class Cost(NamedTuple):
    """What a fault may cost at most, and what it must. moves: how often the leader may change, if it was the leader that was hit.
    fences: whether a node may be fenced. elsewhere: another server must take over. fails: the cluster remembers a failure of the
    node that was hit, which keeps its server stopped until failure-timeout or a cleanup. unseen: clients of the other nodes must
    not notice. silences: nothing that was begun after it may be acknowledged by the server that led before. all_lost: no server
    is left, or none that can serve. median, worst: seconds without an acknowledgement, at most."""

    moves: int = 1
    fences: bool = False
    elsewhere: bool = False
    fails: bool = False
    unseen: bool = False
    silences: bool = False
    all_lost: bool = False
    median: float = inf
    worst: float = inf


USUAL = Cost()


class Inflicted(NamedTuple):
    """What a verdict must know of the fault. began: the monotonic time of it. moves: how often the leader may have changed.
    unseen: the node whose loss clients of the others must not have noticed, "" for none. all_lost: no server was left."""

    began: float
    moves: int
    unseen: str = ""
    all_lost: bool = False


class Fault(NamedTuple):
    """name: as commands and reports call it. what: it does, in a line. cost: what it is expected to cost.

    inflict: does it to what is on the stage, and returns what undoes it, or None when nothing does. What undoes it may be called
    again, also after the node came back from a reset, and raises AgentError while it cannot be done. `inflict` raises AgentError
    when there is nothing that it could hit (a daemon that an earlier fault has ended already).

    For a rehearsal, target: who is hit, LEADER or FOLLOWER. part: of the system, that is the stage's system; "" for the system
    itself. nodes: the size of the set. patience: seconds until writes must be acknowledged again."""

    name: str
    what: str
    inflict: Inflict
    cost: Cost = USUAL
    target: str = LEADER
    part: str = ""
    nodes: int = 3
    patience: float = 60.0

    def there(self, what: str, cost: Cost = USUAL, **changes: Any) -> Fault:
        """The same fault as a system knows it: `what` it is there, and what it costs there. changes: of other fields."""
        return self._replace(what=what, cost=cost, **changes)

    def inflicted(self, stage: Stage[Any]) -> Inflicted:
        """What the verdict must know of it."""
        unseen = stage.node if self.cost.unseen else ""
        return Inflicted(stage.began, self.cost.moves, unseen, self.cost.all_lost)


def table(*faults: Fault) -> dict[str, Fault]:
    """Name -> fault, in their order."""
    return {fault.name: fault for fault in faults}


class Kind(NamedTuple):
    """A fault, and how schedules draw it. row: of the catalogue. targets: roles, which are resolved when it is inflicted, or
    orders of power-on. lasts: least and most seconds until it is undone; what cannot be undone, or undoes itself, has none.
    needs: which systems, alone or as parts of others, have leaders and followers that it can hit. scope: what it reaches there,
    the part's daemon or address alone, all that is on the node, or more nodes than one. barred: why it is not done to machines
    that are reached over ssh alone (Vagrant's), "" where it is. aimed: no seed draws it, schedules of `aimed` have it."""

    fault: Fault
    row: int
    targets: tuple[str, ...] = ONE
    lasts: tuple[float, float] = (0.0, 0.0)
    needs: str = ANYTHING
    scope: str = NODE
    barred: str = ""
    aimed: bool = False

    @property
    def name(self) -> str:
        return self.fault.name

    @property
    def what(self) -> str:
        return self.fault.what

    @property
    def cost(self) -> Cost:
        return self.fault.cost

    def suits(self, system: str, traits: Traits) -> bool:
        """Whether it can be done to the system of this name."""
        if self.needs in (PEERS, DATA, ADDRESS):
            return bool(getattr(traits, self.needs))
        return self.needs in (ANYTHING, system)
