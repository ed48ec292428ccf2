"""Three servers, Pacemaker and the network, as far as they matter for who has which row.

The world answers verbs. What is done, and in which order, say the agents' own tables of steps and decisions (`Code`); nothing
here knows why. A state is (servers, record, acknowledged, writers, promoted, faults):

servers       of each a tuple, see the numbers below
record        the number of the record in the cluster
acknowledged  the rows whose clients heard yes, a bit for each
writers       which server wrote each row
promoted      who has the role, by Pacemaker; -1 for nobody
faults        so far
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from backstay.cluster.model import Instance
from backstay.cluster.overview import Ends, Overview
from backstay.ocf.steps import DONE, FAILED, FAILURE, UNKNOWN, End, Steps, unchanged
from backstay.services.mysql import duty_steps, next_step, promotion_steps
from backstay.services.mysql.duty_steps import Duty, Look
from backstay.services.mysql.election import Report, Round, own_writes
from backstay.services.mysql.observation import Acks, Observed, ReplicaStatus
from backstay.services.mysql.promotion_steps import READY, Candidate, Recorded
from backstay.services.mysql.record import Record
from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.values import Numbered, bits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from backstay.ocf.steps import Protocol, Verb

# Of a server. RECEIVED: its rows, in the relay log or applied. APPLIED: those it serves. UP: it runs. NODE: see below. RECEIVER:
# it runs, connected or not. SOURCE: the number of the server it is connected to and one more, 0 for none. GIVES: it acknowledges.
# OPEN: it takes writes. WAITS: see below. NOTE: the record that it notes it was promoted with. DOUBT: about that. STEPS: what its
# agent is doing. FOLLOWS: its disk says whom it replicates from.
RECEIVED, APPLIED, UP, NODE, RECEIVER, SOURCE, GIVES, OPEN, WAITS, NOTE, DOUBT, STEPS, FOLLOWS = range(13)
# A node: a member; lost, and not fenced yet; fenced; its cluster software stopped cleanly in maintenance, so its server runs on.
MEMBER, LOST, FENCED, LEFT = range(4)
OFF, NOMINALLY, FOREVER = range(3)  # how a primary waits
SERVERS, RECORD, ACKNOWLEDGED, WRITERS, PROMOTED, FAULTS = range(6)
DEGRADE_AFTER = 60.0  # seconds, where it is set

# Verbs that no other server can see: done at once with what is before them.
_UNSEEN: dict[str, Any] = {
    "errant": "", "flaw": "", "holding": None, "tell": None, "accounts": True, "check": None, "mark": None, "drop": None,
    "reviewed": None, "distrusted": "",
}  # fmt: skip


class Code(NamedTuple):
    """What is explored: the agents' own tables and decisions. A mutant replaces one."""

    promotion: Protocol = promotion_steps.PROMOTION
    admission: Protocol = duty_steps.ADMISSION
    beginning: Protocol = duty_steps.BEGINNING
    end_solo: Protocol = duty_steps.END_SOLO
    review: Protocol = duty_steps.REVIEW
    primary_step: Callable[..., next_step.Step] = next_step.primary_step
    replica_step: Callable[..., next_step.Step] = next_step.replica_step
    known_end: Callable[[int, bool], Ends] = lambda node, up: known_end(node, up)


class Bounds(NamedTuple):
    """What may happen: so many commits, faults, promotions, servers. kinds: of faults, all where it is empty. disks: one may be
    replaced by an empty one, where a history is on record. hands: of an admin: replication is stopped, or stopped and started,
    acknowledging is switched off, a primary is made read-only. degrade: `degrade_after` is set. alone: it begins with a primary
    that is on record as running alone, and the others apart."""

    commits: int = 1
    faults: int = 2
    promotions: int = 2
    nodes: int = 3
    kinds: frozenset[str] = frozenset()
    disks: bool = False
    hands: bool = False
    degrade: bool = False
    alone: bool = False


def known_end(node: int, up: bool) -> Ends:
    """As Pacemaker's history shows it: docs/decisions/0042."""
    if node == FENCED:
        return Ends.FENCED
    return Ends.STOPPED if node == MEMBER and not up else Ends.STARTED


class Mysql:
    """The world. It begins with a healthy set whose primary is n1."""

    def __init__(self, code: Code | None = None, bounds: Bounds | None = None, like: Mysql | None = None) -> None:
        """like: a world whose states are of this one too, with other bounds."""
        self.code = code or Code()
        self.bounds = bounds = bounds or Bounds()
        self.names = tuple(f"n{number + 1}" for number in range(bounds.nodes))
        self._all = range(bounds.nodes)
        self._records: Numbered = like._records if like else Numbered()
        self._steps: Numbered = like._steps if like else Numbered()
        self._memory: dict[Any, Any] = {}
        self._opens_last = self.code.promotion[-1][1] == "open"

    # -- the world --------------------------------------------------------------------------------------------------------

    def begin(self) -> Any:
        sync = self.names[1:]
        alone = self.bounds.alone
        record = self._records.of(Record(1, "n1", "", () if alone else sync, alone))
        first = (0, 0, 1, MEMBER, 0, 0, 0, 1, NOMINALLY if alone else FOREVER, record, 0, 0, 0)
        other = (0, 0, 1, MEMBER, 1, 0 if alone else 1, 1, 0, OFF, 0, 0, 0, 1)
        return (first, *(other for _ in sync)), record, 0, (), 0, 0

    def wrong(self, state: Any) -> str:
        servers, _, acknowledged = state[:3]
        writing = []
        for number, server in enumerate(servers):
            if not server[OPEN]:
                continue
            lacking = acknowledged & ~(server[RECEIVED] if server[RECEIVER] else server[APPLIED])  # its applier goes on
            if lacking and number == state[PROMOTED]:
                return f"{self.names[number]} serves without row {Rows(lacking)}, which was acknowledged"
            if server[WAITS] < FOREVER or any(one[SOURCE] == number + 1 and one[GIVES] for one in servers):
                writing.append(self.names[number])
        return f"{' and '.join(writing)} acknowledge both" if len(writing) > 1 else ""

    def over(self, state: Any) -> bool:
        """Whether nothing can go wrong any more within the bounds: docs/exploring.md says why."""
        servers, acknowledged = state[SERVERS], state[ACKNOWLEDGED]
        serving = [number for number, server in enumerate(servers) if server[OPEN]]
        if len(serving) > 1 or any(acknowledged & ~servers[number][APPLIED] for number in serving):
            return False
        begun = any(server[STEPS] and self._is_candidate(server[STEPS]) for server in servers)
        epoch = self.recorded(state).epoch
        if epoch > self.bounds.promotions and not begun:  # nobody is promoted any more
            return True
        if state[FAULTS] < self.bounds.faults:
            return False
        if not serving:  # one at most will open, and stays
            lacking = any(acknowledged & ~server[APPLIED] or self._may_roll_back(server) for server in servers)
            return self._opens_last and not lacking
        only = servers[serving[0]]  # if it stays, no other is promoted
        stays = state[PROMOTED] == serving[0] and only[NODE] == MEMBER
        return stays and not begun and self._epoch(only) >= epoch

    @staticmethod
    def _may_roll_back(server: Any) -> bool:
        """Whether its start may undo something, if another is promoted before."""
        return not server[UP] and not server[FOLLOWS] and server[APPLIED] > 0

    def _epoch(self, server: Any) -> int:
        """That of its note, 0 where it has none."""
        note: Record | None = self._records.values[server[NOTE]]
        return note.epoch if note else 0

    def _is_candidate(self, steps: int) -> bool:
        return isinstance(self._steps.values[steps].known, Candidate)

    def whole(self, state: Any) -> bool:
        """Whether there is a primary."""
        promoted = state[PROMOTED]
        return promoted >= 0 and bool(state[SERVERS][promoted][OPEN]) and state[SERVERS][promoted][NODE] == MEMBER

    def events(self, state: Any) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        for number in self._all:
            server = state[SERVERS][number]
            if server[STEPS]:
                self._advance(state, number, found)
            if server[OPEN]:
                self._commit(state, number, found)
            elif server[UP]:
                self._replicate(state, number, found)
            if server[RECEIVED] != server[APPLIED] and server[UP] and self._applies(state, number):
                found.append((f"apply:{self.names[number]}", self._put(state, number, {APPLIED: server[RECEIVED]})))
            self._return(state, number, found)
            if server[UP] and not server[STEPS] and server[NODE] in (MEMBER, LOST):
                self._monitor(state, number, found)
            if state[FAULTS] < self.bounds.faults:
                self._break(state, number, found)
        return found

    # -- states ---------------------------------------------------------------------------------------------------------

    def _put(self, state: Any, number: int, changes: dict[int, int], **more: int) -> Any:
        server = list(state[SERVERS][number])
        for field, value in changes.items():
            server[field] = value
        return self._set(state, number, tuple(server), **more)

    def _set(self, state: Any, number: int, server: Any, record: int = -1, promoted: int = -2, fault: int = 0) -> Any:
        servers = list(state[SERVERS])
        servers[number] = server
        return self._with(tuple(servers), state, record, promoted, fault)

    @staticmethod
    def _with(servers: Any, state: Any, record: int = -1, promoted: int = -2, fault: int = 0) -> Any:
        """With what is acknowledged by now: what an open server has that need not wait, or that one who gives has received."""
        acknowledged = state[ACKNOWLEDGED]
        for number, server in enumerate(servers):
            if server[OPEN]:
                if server[WAITS] < FOREVER:
                    acknowledged |= server[APPLIED]
                else:
                    for one in servers:
                        if one[SOURCE] == number + 1 and one[GIVES]:
                            acknowledged |= one[RECEIVED] & server[APPLIED]
        return (
            servers,
            state[RECORD] if record < 0 else record,
            acknowledged,
            state[WRITERS],
            state[PROMOTED] if promoted < -1 else promoted,
            state[FAULTS] + fault,
        )

    def _die(self, state: Any, number: int, node: int = -1, fault: int = 0) -> Any:
        """Its server ends, and with it what its agent does, and its connections."""
        servers = []
        for other, server in enumerate(state[SERVERS]):
            if other == number:
                node = server[NODE] if node < 0 else node
                server = (server[RECEIVED], server[APPLIED], 0, node, 0, 0, 0, 0, OFF, 0, 0, 0, server[FOLLOWS])
            elif server[SOURCE] == number + 1:
                server = (*server[:SOURCE], 0, *server[SOURCE + 1 :])
            servers.append(server)
        promoted = -1 if state[PROMOTED] == number else state[PROMOTED]
        return self._with(tuple(servers), state, promoted=promoted, fault=fault)

    @staticmethod
    def said(state: Any, number: int) -> int:
        """The rows that a server says it has. Of what it received and did not apply MariaDB tells a position, so only what
        the writer of the last row wrote."""
        received: int = state[SERVERS][number][RECEIVED]
        late = received & ~state[SERVERS][number][APPLIED]
        if not late:
            return received
        writers = state[WRITERS]
        last = writers[late.bit_length() - 1]
        return received & ~sum(1 << row for row in bits(late) if writers[row] != last)

    @staticmethod
    def _members(state: Any) -> int:
        members = 0
        for server in state[SERVERS]:
            members += server[NODE] == MEMBER
        return members

    def _quorate(self, state: Any, number: int) -> bool:
        return state[SERVERS][number][NODE] == MEMBER and 2 * self._members(state) > self.bounds.nodes

    def recorded(self, state: Any) -> Record:
        """What the cluster has on record."""
        record: Record = self._records.values[state[RECORD]]
        return record

    def _cached(self, key: Any, make: Callable[[], Any]) -> Any:
        """What a decision says, asked once for the same facts."""
        try:
            return self._memory[key]
        except KeyError:
            made = self._memory[key] = make()
            return made

    # -- what servers and the network do --------------------------------------------------------------------------------

    def _commit(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        server, rows = state[SERVERS][number], len(state[WRITERS])
        if rows < self.bounds.commits:
            after = (*state[:WRITERS], (*state[WRITERS], number), *state[PROMOTED:])
            changes = {RECEIVED: server[RECEIVED] | 1 << rows, APPLIED: server[APPLIED] | 1 << rows}
            found.append((f"commit:{self.names[number]}", self._put(after, number, changes)))

    def _replicate(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        server, name = state[SERVERS][number], self.names[number]
        if server[SOURCE]:
            missing = state[SERVERS][server[SOURCE] - 1][APPLIED] & ~server[RECEIVED]
            if missing:
                row = missing & -missing
                found.append((f"receive:{name}", self._put(state, number, {RECEIVED: server[RECEIVED] | row})))
        elif server[RECEIVER]:
            source = self._reachable_primary(state, number)
            if source >= 0 and not server[RECEIVED] & ~state[SERVERS][source][APPLIED]:
                found.append((f"connect:{name}", self._put(state, number, {SOURCE: source + 1})))

    def _applies(self, state: Any, number: int) -> bool:
        """Whether to apply now makes a difference: not while it receives (docs/exploring.md)."""
        server = state[SERVERS][number]
        if server[RECEIVER] and not server[OPEN]:
            late = server[RECEIVED] & ~server[APPLIED]
            return any(state[WRITERS][row] == number for row in bits(late))
        return bool(server[RECEIVER]) or self._quorate(state, number)

    def _reachable_primary(self, state: Any, number: int) -> int:
        """Who answers at the writer address: the promoted one, else one that left the cluster and serves on."""
        servers = state[SERVERS]
        if servers[number][NODE] == LOST:
            return -1
        promoted = state[PROMOTED]
        if promoted >= 0:
            return promoted if servers[promoted][OPEN] and servers[promoted][NODE] != LOST else -1
        return next((other for other in self._all if servers[other][OPEN] and servers[other][NODE] == LEFT), -1)

    def _return(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        server, name = state[SERVERS][number], self.names[number]
        if server[NODE] == LOST:
            if 2 * self._members(state) > self.bounds.nodes:
                found.append((f"fence:{name}", self._die(state, number, FENCED)))
        elif server[NODE] == FENCED:
            found.append((f"back:{name}", self._put(state, number, {NODE: MEMBER})))
        elif server[NODE] == LEFT:
            after = self._put(state, number, {NODE: MEMBER})
            if server[OPEN]:  # Pacemaker's probe finds it promoted: it gets the role, or is demoted
                after = (
                    self._put(after, number, {}, promoted=number) if state[PROMOTED] < 0 else self._die(after, number)
                )
            found.append((f"back:{name}", after))
        elif not server[UP] and self._quorate(state, number):
            found.append((f"start:{name}", self._put(state, number, {UP: 1})))
            self._roll_back(state, number, found)

    def _roll_back(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        """A start that undoes the end of the log: what a crash left undecided, where another is on record as the primary and it
        wrote last. That may be anything it wrote itself, heard of or not; else the last that it applied."""
        server = state[SERVERS][number]
        if server[FOLLOWS] or self.recorded(state).primary == self.names[number]:
            return
        kept = server[APPLIED]
        while kept:
            last = kept.bit_length() - 1
            own = state[WRITERS][last] == number
            if not own and kept != server[APPLIED]:
                return
            kept &= ~(1 << last)
            changes = {UP: 1, RECEIVED: kept, APPLIED: kept}
            name = f"start-without-{Rows(server[APPLIED] & ~kept)}".replace(",", "-")
            found.append((f"{name}:{self.names[number]}", self._put(state, number, changes)))
            if not own:
                return

    def _break(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        server, name = state[SERVERS][number], self.names[number]
        kinds = self.bounds.kinds

        def fault(kind: str, after: Any) -> None:
            if not kinds or kind in kinds:
                found.append((f"{kind}:{name}", after))

        if server[UP]:
            fault("kill", self._die(state, number, fault=1))
        elif self.bounds.disks and server[RECEIVED] and self.recorded(state).gtid:
            fault("empty", self._put(state, number, {RECEIVED: 0, APPLIED: 0, FOLLOWS: 0}, fault=1))
        if server[SOURCE]:
            fault("cut", self._put(state, number, {SOURCE: 0}, fault=1))
        if server[NODE] == MEMBER and 2 * (self._members(state) - 1) > self.bounds.nodes:
            fault("lose", self._cut_off(state, number))
            if server[UP]:
                promoted = -1 if state[PROMOTED] == number else -2
                fault("leave", self._put(state, number, {NODE: LEFT, STEPS: 0}, promoted=promoted, fault=1))
        if server[STEPS]:
            fault("abort", self._given_up(state, number, fault=1))
        if self.bounds.hands:
            for kind, after in self._by_hand(state, number):
                fault(kind, after)

    def _by_hand(self, state: Any, number: int) -> Iterator[tuple[str, Any]]:
        """What somebody does on a server."""
        server = state[SERVERS][number]
        if server[OPEN] and not server[APPLIED] & ~state[ACKNOWLEDGED]:  # else it waits for the commit
            yield "close", self._put(state, number, {OPEN: 0}, fault=1)
        if not server[RECEIVER] or server[OPEN]:
            return
        yield "halt", self._put(state, number, {RECEIVER: 0, SOURCE: 0}, fault=1)
        if server[GIVES] and server[SOURCE]:
            yield "mute-acks", self._put(state, number, {GIVES: 0}, fault=1)
        if server[RECEIVED] != server[APPLIED]:
            yield "restart", self._restarted(state, number)

    def _restarted(self, state: Any, number: int) -> Any:
        """Both threads stopped and started: the relay log is thrown away. Where no other that acknowledges has a row of it, that
        was the only acknowledged copy, and counts no more (docs/assumptions.md)."""
        thrown, kept = state[SERVERS][number][RECEIVED] & ~state[SERVERS][number][APPLIED], 0
        for other in self.recorded(state).sync - {self.names[number]}:
            kept |= state[SERVERS][self.names.index(other)][RECEIVED]
        changes = {RECEIVED: state[SERVERS][number][APPLIED]}
        servers, record, acknowledged, *rest = self._put(state, number, changes, fault=1)
        return servers, record, acknowledged & ~(thrown & ~kept), *rest

    def _cut_off(self, state: Any, number: int) -> Any:
        after = state
        for other in self._all:
            if state[SERVERS][other][SOURCE] == number + 1:
                after = self._put(after, other, {SOURCE: 0})
        return self._put(after, number, {NODE: LOST, SOURCE: 0}, fault=1)

    def _given_up(self, state: Any, number: int, fault: int = 0) -> Any:
        """An action failed. After a promote Pacemaker stops the server; a monitor is repeated."""
        if self._is_candidate(state[SERVERS][number][STEPS]):
            return self._die(state, number, fault=fault)
        return self._put(state, number, {STEPS: 0}, fault=fault)

    # -- monitors and promotions ----------------------------------------------------------------------------------------

    def _monitor(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        """What Pacemaker has the agent do on a node."""
        server = state[SERVERS][number]
        if server[OPEN]:
            if state[PROMOTED] == number:
                self._attend(state, number, found)
            return
        if not self._quorate(state, number):
            return
        if state[PROMOTED] == number and server[NOTE]:  # somebody closed it: its monitor fails, and it is restarted
            found.append((f"closed:{self.names[number]}", self._die(state, number)))
            return
        self._join(state, number, found)
        lost = any(one[NODE] == LOST for one in state[SERVERS])
        if state[PROMOTED] < 0 and not lost and self.recorded(state).epoch <= self.bounds.promotions:
            begun = Steps(self.code.promotion, Candidate(self.names[number], False))
            after = self._move(self._put(state, number, {}, promoted=number), number, self._steps.of(begun), {})
            found.append((f"promote:{self.names[number]}", after))

    def _join(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        server = state[SERVERS][number]
        key = (state[RECORD], number, server[RECEIVER], server[GIVES], server[RECEIVED] == server[APPLIED], "replica")
        step = self._cached(key, lambda: self._replica_step(state, number))
        if step is next_step.Step.JOIN:
            source = self._reachable_primary(state, number)
            record = self.recorded(state)
            if source < 0 or self.names[source] != record.primary or server[RECEIVED] != server[APPLIED]:
                return
            if not server[APPLIED] & ~state[SERVERS][source][RECEIVED]:
                gives = int(record.admits(self.names[number]))
                changes = {RECEIVER: 1, SOURCE: source + 1, GIVES: gives, FOLLOWS: 1}
                found.append((f"join:{self.names[number]}", self._put(state, number, changes)))
        elif step is next_step.Step.ACKNOWLEDGE:
            found.append((f"acknowledge:{self.names[number]}", self._put(state, number, {GIVES: 1})))

    def _replica_step(self, state: Any, number: int) -> next_step.Step:
        server = state[SERVERS][number]
        receiver = "Yes" if server[RECEIVER] else "No"
        replica = ReplicaStatus("vip", 3306, receiver, bool(server[RECEIVER]), 0, True, (0, ""), (0, ""))
        rows, received = Rows(server[APPLIED]), Rows(server[RECEIVED])
        seen = Observed(
            "", 1, True, rows, received, replica,
            Acks(False, True, False, 0, 0, 0, bool(server[GIVES])), frozenset(),
        )  # fmt: skip
        return self.code.replica_step(seen, self.names[number], self.recorded(state), "vip")

    def _attend(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        """The primary's monitor."""
        server, name = state[SERVERS][number], self.names[number]
        quorate = self._quorate(state, number)
        if server[DOUBT] or not server[NOTE]:
            if quorate:
                found.append(
                    (f"ask-what-is-recorded:{name}", self._put(state, number, {NOTE: state[RECORD], DOUBT: 0}))
                )
            return
        if quorate and self.recorded(state).epoch > self._epoch(server):
            found.append((f"deposed:{name}", self._die(state, number)))
            return
        followers = frozenset(one for one in self._all if state[SERVERS][one][SOURCE] == number + 1)
        clients = sum(state[SERVERS][one][GIVES] for one in followers)
        waiting = int(bool(server[APPLIED] & ~state[ACKNOWLEDGED]))
        key = (server[NOTE], number, server[WAITS], followers, clients, waiting, server[APPLIED])
        step, begun = self._cached(key, lambda: self._primary_step(number, server, followers, clients, waiting))
        if step is next_step.Step.REPAIR:
            waits = NOMINALLY if self._records.values[server[NOTE]].solo else FOREVER
            found.append((f"repair:{name}", self._put(state, number, {WAITS: waits})))
        elif begun and quorate:
            found.append((f"{step.name.lower()}:{name}", self._move(state, number, begun, {})))

    def _primary_step(
        self, number: int, server: Any, followers: frozenset[int], clients: int, waiting: int
    ) -> tuple[next_step.Step, int]:
        record, me = self._records.values[server[NOTE]], self.names[number]
        names = frozenset(self.names[one] for one in followers)
        acks = Acks(server[WAITS] > OFF, True, server[WAITS] == FOREVER, clients, waiting, 0, False)
        rows = Rows(server[APPLIED])
        seen = Observed("", 1, False, rows, rows, None, acks, names)
        step = self.code.primary_step(seen, record, float("inf"), False)
        tables = {
            next_step.Step.ADMIT: self.code.admission,
            next_step.Step.BEGIN: self.code.beginning,
            next_step.Step.END_SOLO: self.code.end_solo,
            next_step.Step.REVIEW: self.code.review,
        }
        if step not in tables:
            return step, 0
        known = Duty(me, record, rows, names, DEGRADE_AFTER if self.bounds.degrade else 0.0)
        return step, self._steps.of(Steps(tables[step], known))

    def _move(
        self, state: Any, number: int, steps: int, changes: dict[int, int], record: int = -1, fault: int = 0
    ) -> Any:
        """Its agent is as far as `steps`, and goes on to the next verb that others can see, or to the end."""
        server = list(state[SERVERS][number])
        for field, value in changes.items():
            server[field] = value
        server[STEPS] = steps
        key = (tuple(server), state[PROMOTED] == number)
        end, moved = self._cached(key, lambda: self._onward(server))
        after = self._set(state, number, moved, record, fault=fault)
        if end == FAILURE:
            return self._given_up(after, number)
        closed = end not in ("", DONE) and state[PROMOTED] == number and not moved[OPEN]
        return self._with(after[SERVERS], after, promoted=-1) if closed else after

    def _onward(self, server: list[int]) -> tuple[str, tuple[int, ...]]:
        """On to the next verb that others can see, or to the end: its kind, "" for none, and the server then."""
        while True:
            steps = server[STEPS]
            todo = self._next(steps)
            if isinstance(todo, End):
                if todo.kind != FAILURE:
                    server[STEPS] = 0
                return todo.kind, tuple(server)
            answer = _UNSEEN.get(todo.name)
            if todo.name == "drain" and not server[SOURCE]:
                server[APPLIED] = server[RECEIVED]
                answer = Rows(server[RECEIVED])
            elif todo.name == "cease" and not server[SOURCE]:
                server[GIVES] = 0
            elif todo.name == "wait_for_acks" and not server[OPEN]:
                server[WAITS] = FOREVER if todo.arguments[0] else NOMINALLY
            elif todo.name == "doubt":
                server[DOUBT] = 1
            elif todo.name == "seal":
                answer = Rows(server[APPLIED])
            elif todo.name == "absent" and todo.arguments[1] is not None:
                answer = frozenset(todo.arguments[0]) - todo.arguments[1]
            elif todo.name == "absent_for" and not (todo.arguments[0] and self.bounds.degrade):
                answer = 0.0
            elif todo.name not in _UNSEEN:
                return "", tuple(server)
            server[STEPS] = self._told(steps, answer)

    def _next(self, steps: int) -> Verb | End:
        todo: Verb | End = self._cached((steps, "next"), lambda: self._steps.values[steps].next())
        return todo

    def _told(self, steps: int, answer: Any) -> int:
        told: int = self._cached((steps, answer), lambda: self._number(self._steps.values[steps].told(answer)))
        return told

    def _number(self, steps: Steps) -> int:
        """Of how far a protocol is. Those from which the same verbs follow, whatever is answered, have one number."""
        follow, further = [], steps
        while isinstance(further.at, int):
            if further.table[further.at][3] is not unchanged:
                return self._steps.of(steps)
            follow.append(further.next())
            further = further.told(None)
        key = (type(steps.known), tuple(follow), further.at.kind)
        number: int = self._cached(key, lambda: self._steps.of(steps))
        return number

    def _advance(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        """The next verb of what an agent is doing, with every answer that it may have."""
        steps = state[SERVERS][number][STEPS]
        todo: Any = self._next(steps)
        name = self.names[number]
        for said, answer, changes, more in getattr(self, f"_do_{todo.name}")(state, number, *todo.arguments):
            after = self._move(state, number, self._told(steps, answer), changes, **more)
            found.append((f"{todo.name}{said}:{name}", after))

    # -- verbs: what is added to the name of the event, the answer, changes of the server, and of the rest -----------------

    def _do_read(self, state: Any, number: int) -> Iterator[Any]:
        if self._quorate(state, number):
            record = self.recorded(state)
            yield (
                "",
                self._cached((state[RECORD], "read"), lambda: _Recorded(record, Rows.parse(record.gtid), ())),
                {},
                {},
            )
        else:
            yield "", FAILED, {}, {}

    def _do_members(self, state: Any, number: int) -> Iterator[Any]:
        yield "", self._present(state), {}, {}

    def _do_absent(self, state: Any, number: int, whom: tuple[str, ...], _: None) -> Iterator[Any]:
        yield "", frozenset(whom) - self._present(state), {}, {}

    def _present(self, state: Any) -> frozenset[str]:
        return frozenset(name for name, server in zip(self.names, state[SERVERS]) if server[NODE] == MEMBER)

    def _do_ask(
        self,
        state: Any,
        number: int,
        recorded: Recorded,
        whom: tuple[str, ...],
        absent: frozenset[str],
        everyone: bool,
    ) -> Iterator[Any]:
        servers, faults = state[SERVERS], self.bounds.faults
        mute = state[FAULTS] < faults and (not self.bounds.kinds or "mute" in self.bounds.kinds)
        facts: list[Any] = []
        for name in whom:
            other = self.names.index(name)
            server = servers[other]
            away = name in absent
            if not server[UP] or server[NODE] in (LOST, FENCED) or (away and not everyone):
                facts.append(away)
            else:
                facts.append((self.said(state, other), server[OPEN], server[GIVES], server[RECEIVER]))
        key = (state[SERVERS][number][STEPS], tuple(facts), state[WRITERS], mute)
        yield from self._cached(key, lambda: list(self._heard(state, recorded, whom, absent, facts, mute)))

    def _heard(
        self, state: Any, recorded: Recorded, whom: tuple[str, ...], absent: frozenset[str], facts: Any, mute: bool
    ) -> Iterator[Any]:
        """What a round of questions may bring. facts: of each who is asked, its answer, or whether it is not in the cluster."""
        reports = {}
        for name, fact in zip(whom, facts):
            if isinstance(fact, bool):
                reports[name] = Report(None, why="" if fact else "gives no answer")
                continue
            own = Rows(sum(1 << row for row in bits(fact[0]) if state[WRITERS][row] == self.names.index(name)))
            stray = own_writes(name, own, recorded.record, recorded.promoted_with)
            reports[name] = Report(
                Rows(fact[0]).minus(stray) if stray else Rows(fact[0]),
                writable=bool(fact[1]),
                gives=bool(fact[2]),
                receives=bool(fact[3]),
                parted=bool(stray),
            )
        yield "", self._round(reports), {}, {}
        for name, report in reports.items():
            if mute and report.received is not None:
                silent = {**reports, name: Report(None, why="gives no answer")}
                yield f"-mute-{name}", self._round(silent), {}, {"fault": 1}

    def _round(self, reports: dict[str, Report]) -> _Round:
        heard: _Round = self._cached((frozenset(reports.items()), "round"), lambda: _Round(reports))
        return heard

    def _do_fetch(self, state: Any, number: int, node: str, received: Rows, missing: str) -> Iterator[Any]:
        other = state[SERVERS][self.names.index(node)]
        if not other[UP] or other[NODE] == LOST or received.mask & ~other[RECEIVED]:
            yield "", FAILED, {}, {}
            return
        rows = state[SERVERS][number][RECEIVED] | received.mask
        yield "", Rows(rows), {RECEIVED: rows, APPLIED: rows}, {}

    def _do_end_of(self, state: Any, number: int, node: str) -> Iterator[Any]:
        server = state[SERVERS][self.names.index(node)]
        yield "", self.code.known_end(server[NODE], bool(server[UP])), {}, {}

    def _do_pause(self, state: Any, number: int) -> Iterator[Any]:
        yield "", READY, {}, {}
        yield "-too-long", float("inf"), {}, {}

    def _do_record(self, state: Any, number: int, new: Record) -> Iterator[Any]:
        if not self._quorate(state, number):
            yield "-without-quorum", FAILED, {}, {}
            return
        record = self._records.of(new)
        yield "", None, {NOTE: record, DOUBT: 0}, {"record": record}
        if state[FAULTS] < self.bounds.faults and (not self.bounds.kinds or "record" in self.bounds.kinds):
            yield "-refused", FAILED, {}, {"fault": 1}
            yield "-unanswered", UNKNOWN, {}, {"record": record, "fault": 1}

    def _do_drain(self, state: Any, number: int) -> Iterator[Any]:
        received = state[SERVERS][number][RECEIVED]
        yield "", Rows(received), {APPLIED: received}, {}

    def _do_cease(self, state: Any, number: int) -> Iterator[Any]:
        yield "", None, {GIVES: 0}, {}

    def _do_wait_for_acks(self, state: Any, number: int, forever: bool) -> Iterator[Any]:
        yield "", None, {WAITS: FOREVER if forever else NOMINALLY}, {}

    def _do_stop_waiting(self, state: Any, number: int) -> Iterator[Any]:
        yield "", None, {WAITS: OFF}, {}

    def _do_open(self, state: Any, number: int) -> Iterator[Any]:
        # It forgets its source soon. Killed before, it rolls back nothing, which is one of the ways that it may start.
        yield "", None, {OPEN: 1, SOURCE: 0, FOLLOWS: 0}, {}

    def _has(self, state: Any, node: str, history: Rows) -> bool:
        number = self.names.index(node)
        server = state[SERVERS][number]
        return server[UP] and server[NODE] != LOST and not history.mask & ~self.said(state, number)

    def _do_which_have(self, state: Any, number: int, nodes: tuple[str, ...], history: Rows) -> Iterator[Any]:
        yield "", frozenset(node for node in nodes if self._has(state, node, history)), {}, {}

    def _do_any_has(self, state: Any, number: int, nodes: frozenset[str], history: Rows) -> Iterator[Any]:
        yield "", any(self._has(state, node, history) for node in nodes), {}, {}

    def _do_one_keeps_up(self, state: Any, number: int, nodes: frozenset[str]) -> Iterator[Any]:
        yield from self._do_any_has(state, number, nodes, Rows(state[SERVERS][number][APPLIED]))

    def _do_look(self, state: Any, number: int) -> Iterator[Any]:
        server = state[SERVERS][number]
        followers = [other for other in self._all if state[SERVERS][other][SOURCE] == number + 1]
        able = server[WAITS] > OFF and any(state[SERVERS][other][GIVES] for other in followers)
        names = frozenset(self.names[other] for other in followers)
        yield "", Look(Rows(server[APPLIED]), names, able), {}, {}

    def _do_absent_for(self, state: Any, number: int, absent: bool) -> Iterator[Any]:
        yield "", 0.0, {}, {}
        yield "-long", DEGRADE_AFTER, {}, {}

    def _do_overview(self, state: Any, number: int) -> Iterator[Any]:
        key = (tuple((server[NODE], server[UP]) for server in state[SERVERS]), "overview")
        yield "", self._cached(key, lambda: self._overview(state)), {}, {}

    def _overview(self, state: Any) -> _Seen:
        nodes: dict[int, set[str]] = {kind: set() for kind in (MEMBER, LOST, FENCED, LEFT)}
        running, ends = [], {}
        for name, server in zip(self.names, state[SERVERS]):
            nodes[server[NODE]].add(name)
            if server[NODE] in (MEMBER, LOST) and server[UP]:
                running.append(Instance("db", name, ""))
            ends[name] = self.code.known_end(server[NODE], bool(server[UP]))
        quorate = 2 * len(nodes[MEMBER]) > self.bounds.nodes
        return _Seen(
            quorate, frozenset(nodes[MEMBER]), frozenset(nodes[FENCED] | nodes[LEFT]), frozenset(nodes[LOST]),
            tuple(running), False, ends=ends,
        )  # fmt: skip


# Those that can be keys: there is one object for each.


class _Seen(Overview):
    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Round(Round):
    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__


class _Recorded(Recorded):
    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__
