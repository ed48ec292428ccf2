"""Three brokers, Pacemaker and an admin, as far as they matter for who is in which cluster.

The world answers verbs, and says what RabbitMQ makes of a disk and of peers. What is done, and in which order, say the agents'
own tables of steps and decisions (`Code`); nothing here knows why. A state is (brokers, record, promoted, faults, clusters,
admin, late, lost):

brokers   of each a tuple, see the numbers below
record    the number of the record in the cluster
promoted  who has the role, by Pacemaker; -1 for nobody
faults    so far
clusters  how many were begun
admin     the number of the node that is named in `removed` and one more, 0 for none; negative once it is taken out again
late      a write of the record that was not answered, and may still be done: what is on record before and after; () for none
lost      data was put aside of which nobody else had a copy
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.cluster.model import Instance
from backstay.cluster.overview import Ends, Overview
from backstay.ocf.steps import FAILED, FAILURE, REFUSED, UNKNOWN, End, Steps
from backstay.services.rabbitmq import boot_steps, formation, membership_steps, peers
from backstay.services.rabbitmq.boot_steps import Beginner, Disk, Looked
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.membership_steps import Keeper
from backstay.services.rabbitmq.observation import DATA as HAS_DATA
from backstay.services.rabbitmq.observation import EMPTY, UNSAID
from backstay.services.rabbitmq.record import Record
from backstay_lab.explorer.values import Numbered, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstay.ocf.steps import Protocol, Verb

# Of a broker. DISK: see below. CLUSTER: the number of the one that its data is of. MEMBERS, UP: of that cluster, and those that
# ran when this one last ran, by its own files, a bit for each. MAIL: a client's message was confirmed here. RUN: see below.
# TARGETS: whom it was told to join. NODE: see below. SAID: what its node said before it booted. STEPS: what its agent is doing.
# COPY: the record that its agent noted. HELD: see below. BELONGS: it was compared with the record.
DISK, CLUSTER, MEMBERS, UP, MAIL, RUN, TARGETS, NODE, SAID, STEPS, COPY, HELD, BELONGS = range(13)
NOTHING, CUT_OFF, DATA = range(3)  # a disk: empty; with files of a first boot that was cut off; with a broker's data
DOWN, BOOTS, SETTLED, SERVES = range(4)  # SETTLED: it knows its members, and lets nobody in yet
MEMBER, LOST, FENCED, LEFT = range(4)  # as in the world of MySQL
FREE, STRAY, GONE = range(
    3
)  # its start is refused until the admin acts: it has data of another cluster; its own is lost
BROKERS, RECORD, PROMOTED, FAULTS, CLUSTERS, ADMIN, LATE, LOSS = range(8)

# What is in a node's directory, as RabbitMQ 3.10 leaves it.
FILES = {
    NOTHING: frozenset[str](),
    CUT_OFF: frozenset({"coordination", "cluster_nodes.config", "nodes_running_at_shutdown", "quorum"}),
    DATA: frozenset({"cluster_nodes.config", "nodes_running_at_shutdown", "quorum", "schema.DAT", "rabbit_serial"}),
}
_DIALECT = dialect_for("3.10.8")
_UNSEEN = (
    "adopt",
    "prepare",
    "disk",
    "tell",
    "launch",
    "members",
    "note",
    "names",
    "note_returned",
    "keep",
    "ahead",
    "doubt",
)


class Code(NamedTuple):
    """What is explored: the agents' own tables and decisions. A mutant replaces one. forgets: promote has the copy of the record
    forgotten. tells_again: a monitor says what its node's broker has, where the cluster has forgotten it."""

    beginning: Protocol = boot_steps.BEGINNING
    keeping: Protocol = membership_steps.KEEPING
    differs: Callable[..., bool] = Record.differs
    has_data: Callable[[frozenset[str]], bool] = _DIALECT.has_data
    stray: Callable[..., str] = formation.stray
    down: Callable[..., frozenset[str]] = peers.down
    forgets: bool = True
    tells_again: bool = True


class Bounds(NamedTuple):
    """faults: the most in one order of events. beginning: see BEGINNINGS. kinds: of faults, all where it is empty. admin: does
    what agents ask for."""

    faults: int = 2
    beginning: str = "nothing"
    kinds: frozenset[str] = frozenset()
    admin: bool = False


NODES = ("n1", "n2", "n3")
ERLANG = tuple(f"rabbit@{node}" for node in NODES)
EVERYBODY = 7
# nothing: empty disks, no record. dark: all have lost their power. replacement: the disk of n3 was replaced by an empty one.
# removal: n3 is whole, and is to leave and to come back.
BEGINNINGS = ("nothing", "dark", "replacement", "removal")


def names(mask: int) -> frozenset[str]:
    return frozenset(ERLANG[number] for number in bits(mask))


class Rabbitmq:
    """The world."""

    def __init__(self, code: Code | None = None, bounds: Bounds | None = None, like: Rabbitmq | None = None) -> None:
        """like: a world whose states are of this one too, with other bounds."""
        self.code = code or Code()
        self.bounds = bounds or Bounds()
        self._records: Numbered = like._records if like else Numbered()
        self._steps: Numbered = like._steps if like else Numbered()
        self._said: Numbered = like._said if like else Numbered()
        self._memory: dict[Any, Any] = {}

    # -- the world --------------------------------------------------------------------------------------------------------

    def begin(self) -> Any:
        beginning = self.bounds.beginning
        if beginning == "nothing":
            empty = (NOTHING, 0, 0, 0, 0, DOWN, 0, MEMBER, 0, 0, 0, FREE, 0)
            return (empty,) * 3, self._records.of(Record({}, {})), -1, 0, 0, 0, (), 0
        record = self._records.of(Record(dict(zip(NODES, ERLANG)), {}))
        up, belongs = (DOWN, 0) if beginning == "dark" else (SERVES, 1)
        whole = (DATA, 1, EVERYBODY, EVERYBODY, 1, up, 0, MEMBER, 0, 0, 0, FREE, belongs)
        last = whole
        if beginning == "replacement":
            whole = (DATA, 1, EVERYBODY, 3, 1, up, 0, MEMBER, 0, 0, 0, FREE, belongs)
            last = (NOTHING, 0, 0, 0, 0, DOWN, 0, MEMBER, 0, 0, 0, FREE, 0)
        return (whole, whole, last), record, -1, 0, 1, 0, (), 0

    def wrong(self, state: Any) -> str:
        serving: dict[int, list[str]] = {}
        for name, broker in zip(NODES, state[BROKERS]):
            if broker[RUN] == SERVES:
                serving.setdefault(broker[CLUSTER], []).append(name)
        if len(serving) > 1:
            return f"two clusters serve: {' and '.join(', '.join(some) for some in serving.values())}"
        return "data was put aside of which there is no other copy" if state[LOSS] else ""

    def over(self, state: Any) -> bool:
        """With the faults used up, a whole cluster stays one."""
        return state[FAULTS] >= self.bounds.faults and not state[LATE] and self._done(state)

    def whole(self, state: Any) -> bool:
        """Whether all are in one cluster, on record."""
        brokers = state[BROKERS]
        one = all(broker[RUN] == SERVES and broker[CLUSTER] == brokers[0][CLUSTER] for broker in brokers)
        return one and set(self.recorded(state).members) == set(NODES)

    def _done(self, state: Any) -> bool:
        idle = all(broker[NODE] == MEMBER and not broker[STEPS] for broker in state[BROKERS])
        return idle and self.whole(state) and (self.bounds.beginning != "removal" or state[ADMIN] < 0)

    def events(self, state: Any) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        for number, broker in enumerate(state[BROKERS]):
            if broker[STEPS]:
                self._advance(state, number, found)
            if broker[RUN] in (BOOTS, SETTLED):
                self._boot(state, number, found)
            self._return(state, number, found)
            if not broker[STEPS] and self._quorate(state, number):
                self._manage(state, number, found)
            if state[FAULTS] < self.bounds.faults:
                self._break(state, number, found)
        if state[LATE]:
            old, new = state[LATE]
            landed = old in (state[RECORD], 0)
            after = self._with(state, late=(), **({"record": new} if landed else {}))
            found.append(("late-write" if landed else "late-write-refused", after))
        self._administer(state, found)
        return found

    # -- states -----------------------------------------------------------------------------------------------------------

    @staticmethod
    def _with(state: Any, **changes: Any) -> Any:
        """brokers: as a list or a tuple. fault: one more."""
        fields = ("brokers", "record", "promoted", "faults", "clusters", "admin", "late", "lost")
        fault = changes.pop("fault", 0)
        after = [changes.get(name, value) for name, value in zip(fields, state)]
        after[BROKERS] = tuple(after[BROKERS])
        after[FAULTS] += fault
        return tuple(after)

    def _put(self, state: Any, number: int, changes: dict[int, Any], **more: Any) -> Any:
        brokers = list(state[BROKERS])
        broker = list(brokers[number])
        for field, value in changes.items():
            broker[field] = value
        brokers[number] = tuple(broker)
        return self._with(state, brokers=brokers, **more)

    def _down(self, state: Any, number: int, changes: dict[int, Any] | None = None, **more: Any) -> Any:
        """Its broker ends, and with it what its agent does. Those that serve note who is up."""
        changes = {RUN: DOWN, TARGETS: 0, STEPS: 0, BELONGS: 0, **(changes or {})}
        promoted = -1 if state[PROMOTED] == number else state[PROMOTED]
        after = self._put(state, number, changes, **{"promoted": promoted, **more})
        cluster = state[BROKERS][number][CLUSTER] if state[BROKERS][number][RUN] == SERVES else 0
        return self._noted(after, cluster) if cluster else after

    def _noted(self, state: Any, cluster: int) -> Any:
        """Brokers of a cluster that serve have noted which of them do, and have the same messages."""
        serving = [
            number for number, one in enumerate(state[BROKERS]) if one[RUN] == SERVES and one[CLUSTER] == cluster
        ]
        mask = sum(1 << number for number in serving)
        after = state
        for number in serving:
            after = self._put(after, number, {UP: mask, MAIL: 1})
        return after

    def _quorate(self, state: Any, number: int) -> bool:
        return state[BROKERS][number][NODE] == MEMBER and self._members(state) > 1

    @staticmethod
    def _members(state: Any) -> int:
        return sum(broker[NODE] == MEMBER for broker in state[BROKERS])

    def _reach(self, state: Any, one: int, other: int) -> bool:
        return bool(state[BROKERS][one][NODE] != LOST and state[BROKERS][other][NODE] not in (LOST, FENCED))

    def recorded(self, state: Any) -> Record:
        """What the cluster has on record."""
        record: Record = self._records.values[state[RECORD]]
        return record

    def _leaving(self, state: Any) -> frozenset[str]:
        return frozenset({NODES[state[ADMIN] - 1]}) if state[ADMIN] > 0 else frozenset()

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        try:
            return self._memory[key]
        except KeyError:
            made = self._memory[key] = make()
            return made

    # -- what RabbitMQ does -------------------------------------------------------------------------------------------------

    def _boot(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, name = state[BROKERS][number], NODES[number]
        if broker[RUN] == SETTLED:
            if not (broker[STEPS] and self._next(broker[STEPS]).name in ("settled", "recorded")):  # docs/exploring.md
                after = self._noted(self._put(state, number, {RUN: SERVES, UP: 1 << number}), broker[CLUSTER])
                found.append((f"let-in:{name}", self._answered(after, number, "serve", True)))
            return
        if broker[DISK] == DATA:
            self._boot_with_data(state, number, found)
            return
        begun = {DISK: DATA, CLUSTER: state[CLUSTERS] + 1, MEMBERS: 1 << number, UP: 1 << number, MAIL: 0, RUN: SETTLED}
        alone = self._put(state, number, begun, clusters=state[CLUSTERS] + 1)
        if not broker[TARGETS]:
            found.append((f"begin:{name}", self._settled(alone, number)))
            return
        for other in bits(broker[TARGETS]):
            if state[BROKERS][other][RUN] == SERVES and self._reach(state, number, other):
                if state[BROKERS][other][MEMBERS] >> number & 1:
                    found.append((f"join-refused:{name}", self._failed(state, number, GONE)))
                else:
                    found.append((f"join:{name}", self._settled(self._joined(state, number, other), number)))
                if state[FAULTS] < self.bounds.faults and self._kind("alone"):
                    found.append((f"stand-alone:{name}", self._settled(self._with(alone, fault=1), number)))
                return

    def _joined(self, state: Any, number: int, other: int) -> Any:
        cluster, members = state[BROKERS][other][CLUSTER], state[BROKERS][other][MEMBERS] | 1 << number
        after = state
        for one, broker in enumerate(state[BROKERS]):
            if broker[CLUSTER] == cluster and broker[RUN] >= SETTLED:
                after = self._put(after, one, {MEMBERS: members})
        joined = {DISK: DATA, CLUSTER: cluster, MEMBERS: members, UP: members, MAIL: 0, RUN: SETTLED}
        return self._put(after, number, joined)

    def _boot_with_data(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, name = state[BROKERS][number], NODES[number]
        others = [one for one in bits(broker[MEMBERS] & ~(1 << number)) if self._reach(state, number, one)]
        brokers = state[BROKERS]
        running = [one for one in others if brokers[one][RUN] >= SETTLED]
        if any(brokers[one][CLUSTER] != broker[CLUSTER] or not brokers[one][MEMBERS] >> number & 1 for one in running):
            found.append((f"boot-refused:{name}", self._failed(state, number, GONE)))
            return
        here = sum(
            1 << one for one in others if brokers[one][RUN] >= BOOTS and brokers[one][CLUSTER] == broker[CLUSTER]
        )
        serving = [one for one in running if brokers[one][RUN] == SERVES]
        if serving or not broker[UP] & ~(1 << number) & ~here:
            members = brokers[running[0]][MEMBERS] if running else broker[MEMBERS]
            after = self._put(state, number, {RUN: SETTLED, MEMBERS: members})
            found.append((f"boot:{name}", self._settled(after, number)))

    def _settled(self, state: Any, number: int) -> Any:
        return self._answered(state, number, "settled", names(state[BROKERS][number][MEMBERS]))

    def _failed(self, state: Any, number: int, held: int) -> Any:
        return self._down(state, number, {HELD: held})

    def _answered(self, state: Any, number: int, verb: str, answer: Any) -> Any:
        """Where its agent waits for that."""
        steps = state[BROKERS][number][STEPS]
        if not steps or self._next(steps).name != verb:
            return state
        return self._onward(state, number, self._told(steps, answer))

    # -- Pacemaker, nodes, the admin ----------------------------------------------------------------------------------------

    def _return(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, name = state[BROKERS][number], NODES[number]
        if broker[NODE] == LOST and self._members(state) > 1:
            found.append((f"fence:{name}", self._down(state, number, {NODE: FENCED, SAID: 0, COPY: 0})))
        elif broker[NODE] in (FENCED, LEFT):
            found.append((f"back:{name}", self._put(state, number, {NODE: MEMBER})))

    def _manage(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, name = state[BROKERS][number], NODES[number]
        leaving = self._leaving(state)
        if broker[RUN] == DOWN:
            if broker[HELD] == FREE and name not in leaving:
                begun = Steps(self.code.beginning, Beginner(name, ERLANG[number], leaving, False))
                found.append((f"start:{name}", self._onward(state, number, self._steps.of(begun))))
        elif broker[RUN] == SERVES:
            if name in leaving:
                found.append((f"stop:{name}", self._down(state, number)))
                return
            record = self.recorded(state)
            if not broker[BELONGS] and record.members:
                why = self.code.stray(name, ERLANG[number], names(broker[MEMBERS]), record, leaving, {})
                after = self._failed(state, number, STRAY) if why else self._put(state, number, {BELONGS: 1})
                found.append((f"compare:{name}", after))
            if not broker[SAID] and self.code.tells_again:
                said = self._said.of((True, frozenset()))
                found.append((f"tell:{name}", self._put(state, number, {SAID: said})))
            if state[PROMOTED] < 0:
                copy = {COPY: 0} if self.code.forgets else {}
                found.append((f"promote:{name}", self._put(state, number, copy, promoted=number)))
            elif state[PROMOTED] == number:
                self._keep(state, number, found)
        elif not broker[STEPS]:
            found.append((f"stop:{name}", self._down(state, number)))  # it failed, and is started anew

    def _keep(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, leaving = state[BROKERS][number], self._leaving(state)
        copy = self._records.values[broker[COPY]] or Record({}, {})
        members = names(broker[MEMBERS])
        if self.code.differs(copy, members, leaving):
            running = frozenset(
                ERLANG[one]
                for one, other in enumerate(state[BROKERS])
                if other[RUN] == SERVES and other[CLUSTER] == broker[CLUSTER] and self._reach(state, number, one)
            )
            known = Keeper(NODES[number], ERLANG[number], members, running, leaving)
            begun = self._steps.of(Steps(self.code.keeping, known))
            found.append((f"keep:{NODES[number]}", self._onward(state, number, begun)))

    def _administer(self, state: Any, found: list[tuple[str, Any]]) -> None:
        """A removal, and who is refused is dealt with as the agents say."""
        replaced, admin = self.bounds.beginning in ("replacement", "removal"), state[ADMIN]
        brokers = state[BROKERS]
        if admin > 0:
            if NODES[admin - 1] in self.recorded(state).removed and brokers[admin - 1][RUN] == DOWN:
                found.append((f"take-back:{NODES[admin - 1]}", self._put(state, admin - 1, {HELD: FREE}, admin=-admin)))
        elif replaced and admin == 0 and (self.bounds.beginning == "removal" or brokers[2][HELD] == GONE):
            found.append(("remove:n3", self._with(state, admin=3)))
        if not self.bounds.admin:
            return
        for number, broker in enumerate(brokers):
            if broker[HELD] == STRAY:
                rename = {DISK: NOTHING, CLUSTER: 0, MEMBERS: 0, UP: 0, MAIL: 0, HELD: FREE}
                found.append((f"rename:{NODES[number]}", self._put(state, number, rename)))
            elif broker[HELD] == GONE and admin <= 0 and NODES[number] in self.recorded(state).members:
                found.append((f"remove:{NODES[number]}", self._with(state, admin=number + 1)))
            elif broker[HELD] == GONE:
                found.append((f"clean-up:{NODES[number]}", self._put(state, number, {HELD: FREE})))

    def _kind(self, kind: str) -> bool:
        return not self.bounds.kinds or kind in self.bounds.kinds

    def _break(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        broker, name = state[BROKERS][number], NODES[number]

        def fault(kind: str, after: Any) -> None:
            if self._kind(kind):
                found.append((f"{kind}:{name}", after))

        if broker[RUN]:
            fault("kill", self._down(state, number, fault=1))
        elif broker[STEPS]:
            fault("abort", self._down(state, number, fault=1))
        if broker[STEPS] and broker[RUN] == SERVES:
            fault("abort", self._put(state, number, {STEPS: 0}, fault=1))
        if broker[NODE] == MEMBER and self._members(state) > 2:
            promoted = -1 if state[PROMOTED] == number else state[PROMOTED]
            fault("lose", self._put(state, number, {NODE: LOST}, promoted=promoted, fault=1))
            if broker[RUN] and not broker[STEPS]:  # Pacemaker ends when its actions have
                gone = {NODE: LEFT, STEPS: 0, SAID: 0}
                fault("leave", self._put(state, number, gone, promoted=promoted, fault=1))

    # -- what agents do -----------------------------------------------------------------------------------------------------

    def _next(self, steps: int) -> Any:
        return self._cached((steps, "next"), lambda: self._steps.values[steps].next())

    def _told(self, steps: int, answer: Any) -> int:
        told: int = self._cached((steps, answer), lambda: self._steps.of(self._steps.values[steps].told(answer)))
        return told

    def _onward(self, state: Any, number: int, steps: int) -> Any:
        """Its agent is as far as `steps`, and goes on to the next verb that others can see, or to the end. What it is told, and
        what it looks at first, are one event (docs/exploring.md)."""
        told = False
        while True:
            todo = self._next(steps)
            if isinstance(todo, End):
                return self._ended(state, number, todo)
            if todo.name == "end":
                return self._put(state, number, {RUN: DOWN, TARGETS: 0, STEPS: steps})
            if todo.name == "pause":
                answer: Any = True
            elif todo.name == "recorded" or (todo.name == "look" and told):
                answer = next(iter(getattr(self, f"_do_{todo.name}")(state, number, *todo.arguments)))[1]
                told = False
            elif todo.name == "hear" and self._heard(state, number, *todo.arguments) is None:
                answer = None
            elif todo.name in _UNSEEN:
                state, answer = getattr(self, f"_at_once_{todo.name}")(state, number, *todo.arguments)
                told = told or todo.name == "tell"
            elif todo.name == "settled" and state[BROKERS][number][RUN] > SETTLED:
                answer = frozenset()
            elif todo.name == "serve" and state[BROKERS][number][RUN] == SERVES:
                answer = True
            else:
                return self._put(state, number, {STEPS: steps})
            steps = self._told(steps, answer)

    def _ended(self, state: Any, number: int, end: End) -> Any:
        serves = state[BROKERS][number][RUN] == SERVES
        if end.kind == boot_steps.STRAY:
            return self._failed(state, number, STRAY)
        if end.kind in (REFUSED, formation.MISPLACED):
            return self._failed(state, number, GONE)
        if end.kind == FAILURE and (not serves or isinstance(self._known(state, number), Beginner)):
            return self._down(state, number)
        return self._put(state, number, {STEPS: 0})

    def _known(self, state: Any, number: int) -> Any:
        steps = self._steps.values[state[BROKERS][number][STEPS]]
        return steps.known if steps else None

    def _advance(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        """The next verb of what an agent is doing, with every answer that it may have."""
        steps = state[BROKERS][number][STEPS]
        todo: Verb = self._next(steps)
        act = getattr(self, f"_do_{todo.name}", None)
        if act is None:  # it waits for its broker
            return
        for said, answer, after in act(state, number, *todo.arguments):
            onward = self._onward(after, number, self._told(steps, answer))
            if onward != state:
                found.append((f"{todo.name}{said}:{NODES[number]}", onward))

    # -- verbs that nobody else sees, or that follow at once: the state, and the answer -----------------------------------------

    def _at_once_adopt(self, state: Any, number: int) -> tuple[Any, bool]:
        return state, False

    def _at_once_prepare(self, state: Any, number: int) -> tuple[Any, bool]:
        return state, False

    def _at_once_ahead(self, state: Any, number: int, targets: tuple[str, ...]) -> tuple[Any, str]:
        return state, ""

    def _at_once_disk(self, state: Any, number: int) -> tuple[Any, Disk]:
        broker = state[BROKERS][number]
        return state, self._disk(broker[DISK], broker[UP], broker[MEMBERS])

    def _disk(self, disk: int, up: int, members: int) -> Disk:
        def made() -> Disk:
            if not self.code.has_data(FILES[disk]):
                return Disk(False)
            return Disk(True, names(up), names(members), disk == DATA)

        found: Disk = self._cached((disk, up, members, "disk"), made)
        return found

    def _at_once_tell(self, state: Any, number: int, full: bool, up: frozenset[str]) -> tuple[Any, None]:
        return self._put(state, number, {SAID: self._said.of((full, up))}), None

    def _at_once_launch(self, state: Any, number: int, step: str, targets: tuple[str, ...]) -> tuple[Any, None]:
        mask = sum(1 << ERLANG.index(target) for target in targets)
        disk = max(state[BROKERS][number][DISK], CUT_OFF)
        return self._put(state, number, {RUN: BOOTS, TARGETS: mask, DISK: disk}), None

    def _at_once_members(self, state: Any, number: int) -> tuple[Any, frozenset[str]]:
        return state, names(state[BROKERS][number][MEMBERS])

    def _at_once_note(self, state: Any, number: int, recorded: bool) -> tuple[Any, None]:
        return self._put(state, number, {BELONGS: int(recorded)}), None

    def _at_once_names(self, state: Any, number: int, known: dict[str, str], _: Any) -> tuple[Any, Any]:
        said = {
            name: erlang
            for name, erlang, broker in zip(NODES, ERLANG, state[BROKERS])
            if broker[NODE] == MEMBER and broker[SAID]
        }
        return state, _Names({**said, **known})

    def _at_once_note_returned(self, state: Any, number: int, returned: Any) -> tuple[Any, None]:
        return state, None

    def _at_once_doubt(self, state: Any, number: int) -> tuple[Any, None]:
        return self._put(state, number, {COPY: 0}), None

    def _at_once_keep(self, state: Any, number: int, record: Record) -> tuple[Any, None]:
        return self._put(state, number, {COPY: self._records.of(record)}), None

    # -- verbs: what is added to the name of the event, the answer, the state ------------------------------------------------

    def _looked(self, state: Any, number: int, full: bool, patient: bool, all_of_it: bool = False) -> Looked:
        record = self.recorded(state)
        serving = 0
        for one, broker in enumerate(state[BROKERS]):
            if one != number and broker[NODE] == MEMBER and broker[RUN] == SERVES and self._reach(state, number, one):
                serving |= NODES[one] in record.members and 1 << one
        if record.members and (full or serving) and not all_of_it:
            key: Any = (state[RECORD], serving, patient)
            short: Looked = self._cached(key, lambda: _Looked(record, names(serving), {}, frozenset(), patient))
            return short
        facts = tuple((broker[NODE], broker[RUN] > DOWN, broker[SAID]) for broker in state[BROKERS])
        key = (state[RECORD], number, serving, patient, facts)
        found: Looked = self._cached(
            key,
            lambda: _Looked(record, names(serving), self._others(state, number), self._surely_down(state), patient),
        )
        return found

    def _others(self, state: Any, number: int) -> dict[str, tuple[str, str, frozenset[str]]]:
        said = {}
        for one, broker in enumerate(state[BROKERS]):
            if one != number and broker[NODE] == MEMBER:
                told = self._said.values[broker[SAID]]
                has = (HAS_DATA if told[0] else EMPTY) if told else UNSAID
                said[NODES[one]] = (ERLANG[one] if told else "", has, told[1] if told else frozenset())
        return said

    def _surely_down(self, state: Any) -> frozenset[str]:
        key = (tuple((broker[NODE], broker[RUN] > DOWN) for broker in state[BROKERS]), "down")
        down: frozenset[str] = self._cached(key, lambda: self.code.down(_Cluster(state[BROKERS])))
        return down

    def _do_look(self, state: Any, number: int, full: bool) -> Iterator[Any]:
        if not self._quorate(state, number):
            yield "-without-quorum", FAILED, state
            return
        looked = self._looked(state, number, full, True)
        yield "", looked, state
        unsaid = any(has == UNSAID for _, has, _ in looked.said.values())
        if (unsaid or looked.full) and state[FAULTS] < self.bounds.faults and self._kind("impatient"):
            yield "-impatient", self._looked(state, number, full, False), self._with(state, fault=1)

    def _heard(self, state: Any, number: int, named: Any, mine: frozenset[str], record: Record) -> Looked | None:
        online = {NODES[one] for one, broker in enumerate(state[BROKERS]) if broker[NODE] == MEMBER}
        if all(node in online or named[node] not in mine for node in named):
            return None
        return self._looked(state, number, True, True, all_of_it=True)

    def _do_hear(self, state: Any, number: int, *asked: Any) -> Iterator[Any]:
        yield "", self._heard(state, number, *asked), state

    def _do_recorded(self, state: Any, number: int, *_: Any) -> Iterator[Any]:
        if not self._quorate(state, number):
            yield "-without-quorum", None if isinstance(self._known(state, number), Beginner) else FAILED, state
            return
        record = self.recorded(state)
        told = record.members or record.seed == NODES[number]
        said = {} if told else {node: one for node, one in self._others(state, number).items() if one[1] == HAS_DATA}
        key = (
            state[RECORD],
            tuple(sorted(said)),
            tuple(broker[SAID] for broker in state[BROKERS]) if said else (),
            "members",
        )
        yield "", self._cached(key, lambda: _Looked(record, frozenset(), said, frozenset(), True)), state

    def _do_record(self, state: Any, number: int, old: Record | None, new: Record) -> Iterator[Any]:
        """old: None for one that is written whatever is on record."""
        if not self._quorate(state, number):
            yield "-without-quorum", FAILED, state
            return
        if old is not None and old != self.recorded(state):
            yield "-changed", False, state
            return
        after = self._with(state, record=self._records.of(new))
        yield "", True, after
        if state[FAULTS] >= self.bounds.faults or not self._kind("record"):
            return
        yield "-refused", FAILED, self._with(state, fault=1)
        yield "-unanswered", UNKNOWN, self._with(after, fault=1)
        if not state[LATE]:
            write = (0 if old is None else self._records.of(old), self._records.of(new))
            yield "-late", UNKNOWN, self._with(state, late=write, fault=1)

    def _do_end(self, state: Any, number: int) -> Iterator[Any]:
        yield "", True, state
        yield "-too-late", False, state

    def _do_put_aside(self, state: Any, number: int, name: str, why: str) -> Iterator[Any]:
        own = state[BROKERS][number]
        copies = [one for other, one in enumerate(state[BROKERS]) if other != number and one[CLUSTER] == own[CLUSTER]]
        lost = int(own[MAIL] and not any(one[MAIL] for one in copies))
        empty = {DISK: NOTHING, CLUSTER: 0, MEMBERS: 0, UP: 0, MAIL: 0}
        yield f"-{name}", None, self._put(state, number, empty, lost=state[LOSS] or lost)

    def _do_forget(self, state: Any, number: int, leaver: str, erlang: str) -> Iterator[Any]:
        other, cluster = NODES.index(leaver), state[BROKERS][number][CLUSTER]
        if state[BROKERS][other][RUN] >= SETTLED and state[BROKERS][other][CLUSTER] == cluster:
            yield "-refused", FAILED, state
            return
        after = state
        for one, broker in enumerate(state[BROKERS]):
            if broker[RUN] >= SETTLED and broker[CLUSTER] == cluster:
                after = self._put(after, one, {MEMBERS: broker[MEMBERS] & ~(1 << other)})
        yield "", None, after


class _Looked(Looked):
    """One that can be a key: there is one object for each."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Names(dict[str, str]):
    """One that can be a key."""

    __hash__ = object.__hash__  # type: ignore[assignment]


class _Cluster:
    """What peers.down asks."""

    def __init__(self, brokers: Any) -> None:
        nodes: dict[int, set[str]] = {kind: set() for kind in (MEMBER, LOST, FENCED, LEFT)}
        running, ends = [], {}
        for name, broker in zip(NODES, brokers):
            nodes[broker[NODE]].add(name)
            if broker[NODE] in (MEMBER, LOST) and broker[RUN]:
                running.append(Instance("rabbitmq", name, ""))
            stopped = broker[NODE] == MEMBER and not broker[RUN]
            ends[name] = Ends.FENCED if broker[NODE] == FENCED else Ends.STOPPED if stopped else Ends.STARTED
        self._overview = Overview(
            len(nodes[MEMBER]) > 1, frozenset(nodes[MEMBER]), frozenset(nodes[FENCED] | nodes[LEFT]), frozenset(nodes[LOST]),
            tuple(running), False, ends=ends,
        )  # fmt: skip

    def overview(self, ends: bool) -> Overview:
        return self._overview
