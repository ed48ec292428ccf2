"""Every order of events of a set of three nodes, up to a number of them, with the decisions that the agent makes.

Servers, connections and Pacemaker are small models here, and so is the order of the steps within an action. What is decided
is the product's own: election.decide and acknowledgers, next_step.review, Overview.surely_inactive and may_have_run. A history is
the set of transactions that a server has. An order that ends with a promoted server which lacks an acknowledged one is a loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from backstay.cluster.model import Instance
from backstay.cluster.overview import Ends, Overview
from backstay.services.mysql import election, next_step
from backstay.services.mysql import record as durable

NODES = ("n1", "n2", "n3")
NONE: frozenset[int] = frozenset()


class Transactions:
    """A history, by the numbers of its transactions."""

    def __init__(self, numbers: frozenset[int]) -> None:
        self.numbers = numbers

    def includes(self, other: Transactions) -> bool:
        return other.numbers <= self.numbers

    def minus(self, other: Transactions) -> Transactions:
        return Transactions(self.numbers - other.numbers)

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def __str__(self) -> str:
        return ",".join(map(str, sorted(self.numbers)))


class Node(NamedTuple):
    """has: transactions. up: its server runs. member: its node is in the cluster. follows: its receiver is connected to the
    primary. gives: it acknowledges. left: the cluster software was stopped in maintenance, and the server runs on."""

    has: frozenset[int] = NONE
    up: bool = True
    member: bool = True
    follows: bool = True
    gives: bool = True
    left: bool = False


class Record(NamedTuple):
    epoch: int
    primary: str
    gtid: frozenset[int]
    sync: frozenset[str]
    solo: bool

    def as_recorded(self) -> durable.Record:
        return durable.Record(self.epoch, self.primary, ",".join(map(str, sorted(self.gtid))), self.sync, self.solo)


class World(NamedTuple):
    nodes: tuple[Node, ...]
    record: Record
    acknowledged: frozenset[int] = NONE
    primary: str = ""
    written: int = 0
    faults: int = 0
    promotions: int = 0

    def put(self, name: str, **changes: Any) -> World:
        at = NODES.index(name)
        return self._replace(nodes=(*self.nodes[:at], self.nodes[at]._replace(**changes), *self.nodes[at + 1 :]))

    def of(self, name: str) -> Node:
        return self.nodes[NODES.index(name)]

    def quorate(self) -> bool:
        return sum(node.member for node in self.nodes) >= 2

    def lost(self) -> frozenset[int]:
        return self.acknowledged - self.of(self.primary).has if self.primary else NONE


class Rules(NamedTuple):
    """What decides; a mutant replaces one."""

    decide: Callable[..., Any] = election.decide
    acknowledgers: Callable[..., frozenset[str]] = election.acknowledgers
    review: Callable[..., next_step.Review] = next_step.review
    ended: Callable[[World, str], Ends] = lambda world, name: _ended(world, name)
    may_run: Callable[[Overview, str], bool] = Overview.may_have_run
    begins: bool = True


class Bounds(NamedTuple):
    commits: int = 2
    faults: int = 3
    promotions: int = 2
    depth: int = 9
    empty_disks: bool = (
        False  # a disk is replaced by an empty one; always: even before a set has its first history on record
    )
    always: bool = False


def begin(gtid: frozenset[int] = NONE) -> World:
    """A healthy set, whose primary is n1."""
    nodes = (Node(has=gtid, follows=False, gives=False), Node(has=gtid), Node(has=gtid))
    record = Record(1, "n1", gtid, frozenset(("n2", "n3")), False)
    return World(nodes, record, acknowledged=gtid, primary="n1", written=len(gtid))


def alone() -> World:
    """n1 is on record as alone; the others acknowledged before, and would again."""
    world = begin()
    apart = world.put("n2", follows=False).put("n3", follows=False)
    return apart._replace(record=world.record._replace(sync=frozenset(), solo=True))


def explore(rules: Rules, bounds: Bounds, first: World | None = None) -> tuple[int, list[str]]:
    """How many worlds there are, and the shortest story that ends with a loss, [] for none."""
    start = first or begin()
    seen: dict[World, tuple[World, str] | None] = {start: None}
    waiting = deque([(start, 0)])
    while waiting:
        world, depth = waiting.popleft()
        if depth == bounds.depth:
            continue
        for event, after in events(world, rules, bounds):
            if after in seen:
                continue
            seen[after] = (world, event)
            if after.lost():
                return len(seen), _story(seen, after)
            waiting.append((after, depth + 1))
    return len(seen), []


def _story(seen: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    story = []
    while (before := seen[world]) is not None:
        world, event = before
        story.append(event)
    return story[::-1]


def events(world: World, rules: Rules, bounds: Bounds) -> Iterator[tuple[str, World]]:
    if world.primary:
        yield from _writes(world, bounds)
        yield from _replicas(world)
        if world.of(world.primary).member and world.quorate():
            yield from _duties(world, rules)
    yield from _returns(world)
    if world.faults < bounds.faults:
        yield from _faults(world._replace(faults=world.faults + 1), bounds)
    if not world.primary and world.promotions < bounds.promotions and world.quorate():
        for name in NODES:
            if world.of(name).up and world.of(name).member:
                yield from _promotion(world, name, rules, bounds)


def _followers(world: World) -> list[str]:
    return [name for name in NODES if name != world.primary and world.of(name).up and world.of(name).follows]


def _writes(world: World, bounds: Bounds) -> Iterator[tuple[str, World]]:
    """A commit, received by any of the followers; and a follower that catches up, and so acknowledges what it got."""
    has = world.of(world.primary).has
    followers = _followers(world)
    if world.written < bounds.commits + len(world.record.gtid if world.record.epoch == 1 else NONE):
        number = world.written + 1
        for choice in range(2 ** len(followers)):
            receiving = [name for bit, name in enumerate(followers) if choice >> bit & 1]
            after = world.put(world.primary, has=has | {number})._replace(written=number)
            for name in receiving:
                after = after.put(name, has=world.of(name).has | has | {number})
            if world.record.solo or any(world.of(name).gives for name in receiving):
                after = after._replace(acknowledged=after.acknowledged | {number})
                yield f"{number} is acknowledged, received by {receiving}", after
            else:
                yield f"{number} waits, received by {receiving}", after
    for name in followers:
        if world.of(name).has != has:
            after = world.put(name, has=world.of(name).has | has)
            if world.of(name).gives:
                after = after._replace(acknowledged=after.acknowledged | has)
            yield f"{name} catches up", after


def _replicas(world: World) -> Iterator[tuple[str, World]]:
    has = world.of(world.primary).has
    for name in NODES:
        node = world.of(name)
        if name == world.primary or not node.up:
            continue
        counted = not world.record.solo and name in world.record.sync
        if not node.follows and node.has <= has:  # else it is errant
            yield f"{name} joins", world.put(name, follows=True, gives=node.gives or counted)
        if node.follows and not node.gives and (counted or world.record.solo):
            yield f"{name} begins to acknowledge", world.put(name, gives=True)


def _overview(world: World, rules: Rules) -> Overview:
    online = frozenset(name for name in NODES if world.of(name).member)
    running = tuple(Instance("db", name, "") for name in NODES if world.of(name).member and world.of(name).up)
    ends = {name: rules.ended(world, name) for name in NODES}
    return Overview(True, online, frozenset(NODES) - online, frozenset(), running, False, ends=ends)


def _ended(world: World, name: str) -> Ends:
    """As Pacemaker's history shows it: decisions/0042."""
    if world.of(name).left:
        return Ends.STARTED
    return Ends.STOPPED if world.of(name).member else Ends.FENCED


def _duties(world: World, rules: Rules) -> Iterator[tuple[str, World]]:
    """Of the primary's monitor, as far as they change the record."""
    has, record = world.of(world.primary).has, world.record
    followers, overview = frozenset(_followers(world)), _overview(world, rules)

    def holds(name: str) -> bool:
        return world.of(name).up and world.of(name).has >= has

    if rules.begins and not record.gtid and has and all(map(holds, record.sync)):
        yield "the record begins", world._replace(record=record._replace(gtid=has))
    if record.solo:
        if any(map(holds, followers)):
            running = {name for name in overview.nodes if rules.may_run(overview, name)}
            sync = (followers | running) - {world.primary}
            yield "it is alone no more", world._replace(record=record._replace(sync=sync, solo=False))
        return
    ready = frozenset(filter(holds, followers - record.sync))
    if ready:
        yield f"{sorted(ready)} is admitted", world._replace(record=record._replace(sync=record.sync | ready))
    for waited in (0.0, 1.0):  # seconds, and degrade_after is one
        outcome = rules.review(record.as_recorded(), followers, overview, waited, 1.0)
        if outcome.act and not outcome.sync:
            alone = world._replace(record=record._replace(sync=outcome.sync, solo=True))
            yield "it goes on alone", alone._replace(acknowledged=world.acknowledged | has)
        elif outcome.act and any(map(holds, outcome.sync)):
            yield f"{sorted(outcome.sync)} stays on record", world._replace(record=record._replace(sync=outcome.sync))


def _returns(world: World) -> Iterator[tuple[str, World]]:
    for name in NODES:
        if not world.of(name).up and world.of(name).member:
            yield f"the server of {name} starts", world.put(name, up=True)
        if not world.of(name).member:
            yield f"{name} is back in the cluster", world.put(name, member=True, left=False)


def _faults(world: World, bounds: Bounds) -> Iterator[tuple[str, World]]:
    for name in NODES:
        node = world.of(name)
        apart = world.put(name, member=False)
        if node.up:
            dead = _down(world, name)
            yield f"the server of {name} is killed", dead
            if node.member and apart.quorate():
                yield f"{name} is lost and fenced", dead.put(name, member=False)
            if node.follows:
                yield f"the receiver of {name} stops", world.put(name, follows=False)
            if node.member and name != world.primary and apart.quorate():
                yield f"{name} leaves the cluster in maintenance", apart.put(name, left=True)
        elif bounds.empty_disks and node.has and (world.record.gtid or bounds.always):
            yield f"the disk of {name} is replaced", world.put(name, has=NONE)


def _down(world: World, name: str) -> World:
    """Its server is gone, and if it was the primary, so are all connections."""
    after = world.put(name, up=False, follows=False, gives=False)
    if world.primary == name:
        for other in NODES:
            after = after.put(other, follows=False)
        after = after._replace(primary="")
    return after


def _promotion(world: World, me: str, rules: Rules, bounds: Bounds) -> Iterator[tuple[str, World]]:
    recorded, promoted_with, mine = world.record.as_recorded(), Transactions(world.record.gtid), world.of(me).has
    asked = election.witnesses(me, recorded, NODES)
    everyone = False
    for _ in range(2 * len(NODES)):
        reports = {name: _report(world, name, everyone) for name in asked}
        verdict = rules.decide(me, Transactions(mine), recorded, NODES, reports, promoted_with, False)
        if isinstance(verdict, election.Fetch):
            mine |= reports[verdict.node].received.numbers  # type: ignore[union-attr]
        elif isinstance(verdict, election.Refuse) and not everyone:
            everyone = True
        else:
            break
    if not isinstance(verdict, election.Promote):
        return
    sync = rules.acknowledgers(me, recorded, Transactions(mine), reports)
    record = Record(recorded.epoch + 1, me, mine, sync, not sync)
    after = world._replace(record=record, promotions=world.promotions + 1).put(me, has=mine)
    for name in NODES:
        after = after.put(name, follows=False)
    after = after.put(me, gives=False)
    told = f"{me} is promoted by {verdict.proof}, recorded with {sorted(mine)} and {sorted(sync)}"
    yield told, after._replace(primary=me)
    if world.faults < bounds.faults:
        yield f"{told}, and killed before it opens", after.put(me, up=False)._replace(faults=world.faults + 1)


def _report(world: World, name: str, everyone: bool) -> election.Report:
    node = world.of(name)
    if not node.up or not (node.member or (everyone and node.left)):
        return election.Report(None)
    return election.Report(Transactions(node.has), gives=node.gives, receives=node.follows)  # type: ignore[arg-type]
