"""The steps of a start: the table BEGINNING. Pure: services/rabbitmq/boot does what it says.

Look, decide, record who begins a cluster, boot, compare before it serves and once more when it does. The order is what makes one
cluster of all nodes.
"""

from __future__ import annotations

from backstay.ocf.steps import LEFT, REFUSED, Again, End, Steps, Value, unchanged, without_arguments
from backstay.services.rabbitmq.formation import (
    ASIDE,
    BOOT,
    JOIN,
    MISPLACED,
    REFUSE,
    SEED,
    WAIT,
    Force,
    Plan,
    force_boot,
    plan,
    stray,
)
from backstay.services.rabbitmq.observation import DATA
from backstay.services.rabbitmq.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from backstay.ocf.steps import Protocol

STRAY = "stray"  # an end: the broker belongs to another cluster than the record's
ASK = 2.0  # seconds for one peer's answer
NOTHING = Record({}, {})


class Disk(Value):
    """What is on this node's disk. full: RabbitMQ takes it for data, or may. up: Erlang names of those that were up when this
    broker went down. members: of its cluster, as its files have them; empty where they do not tell. forcible: it can be made to
    boot without the others. elsewhere: directories of this host with data under other names, where here is none."""

    __slots__ = ("elsewhere", "forcible", "full", "members", "up")

    def __init__(
        self,
        full: bool,
        up: frozenset[str] = frozenset(),
        members: frozenset[str] = frozenset(),
        forcible: bool = False,
        elsewhere: tuple[str, ...] = (),
    ) -> None:
        self.full = full
        self.up = up
        self.members = members
        self.forcible = forcible
        self.elsewhere = elsewhere


class Looked(Value):
    """The record, and what is known of the others. serving: Erlang names of recorded members that serve. said: of other online
    nodes the broker's name, what it has (DATA, EMPTY or UNSAID), and who was up when it went down; empty where that decides
    nothing. down: nodes that surely run no broker. patient: who said nothing is still waited for."""

    __slots__ = ("down", "patient", "record", "said", "serving")

    def __init__(
        self,
        record: Record,
        serving: frozenset[str],
        said: Mapping[str, tuple[str, str, frozenset[str]]],
        down: frozenset[str],
        patient: bool,
    ) -> None:
        self.record = record
        self.serving = serving
        self.said = said
        self.down = down
        self.patient = patient

    @property
    def full(self) -> dict[str, str]:
        """Others that have data -> their brokers' names."""
        return {node: erlang for node, (erlang, has, _) in self.said.items() if has == DATA}


class Beginner(Value):
    """What a start knows. leaving: nodes that the admin gave up. allowed: to boot without who was up last. oldest: RabbitMQ joins
    the oldest of its peers, perhaps itself. record: as this start last read or wrote it. members: of its broker, by itself; empty
    when unknown. adopted: the broker ran before. served: it serves by now. why: it must not."""

    __slots__ = (
        *("adopted", "allowed", "disk", "erlang", "force", "leaving", "me"),
        *("members", "oldest", "plan", "record", "served", "why"),
    )

    def __init__(self, me: str, erlang: str, leaving: frozenset[str], allowed: bool) -> None:
        self.me = me
        self.erlang = erlang
        self.leaving = leaving
        self.allowed = allowed
        self.oldest = False
        self.disk = Disk(False)
        self.record = NOTHING
        self.plan = Plan(WAIT)
        self.force = Force(False)
        self.members: frozenset[str] = frozenset()
        self.adopted = False
        self.served = False
        self.why = ""

    @property
    def names(self) -> dict[str, str]:
        """Of all members and this node, the brokers' names."""
        return {**self.record.members, self.me: self.erlang}

    @property
    def begun(self) -> Record:
        """The record once this node has begun the cluster."""
        return self.record.with_member(self.me, self.erlang).following(self.record)

    @property
    def seeded(self) -> Record:
        """The record while it begins."""
        return self.record.seeded_by(self.me).following(self.record)

    def planned(self, *steps: str) -> bool:
        return self.plan.step in steps


def beginning(me: str, erlang: str, leaving: frozenset[str], allowed: bool, table: Protocol | None = None) -> Steps:
    return Steps(BEGINNING if table is None else table, Beginner(me, erlang, leaving, allowed))


def _adopted(known: Beginner, runs: bool) -> Beginner | Again:
    return Again("MEMBERS", known.but(adopted=True, served=True)) if runs else known


def _first(known: Beginner) -> Beginner:
    return Beginner(known.me, known.erlang, known.leaving, known.allowed).but(oldest=known.oldest)


def _anew(known: Beginner) -> Beginner:
    """Before another round: what the last one brought counts no more."""
    return _first(known).but(disk=known.disk)


def _from_the_start(known: Beginner, answer: object) -> Again:
    return Again("DISK", _first(known))


class _Decisions:
    """What the answers come to, by who decides."""

    def __init__(self, plan: Callable[..., Plan], stray: Callable[..., str], force: Callable[..., Force]) -> None:
        self._plan = plan
        self._stray = stray
        self._force = force

    def planned(self, known: Beginner, looked: Looked) -> Beginner | End:
        """What to do, from a round of questions."""
        disk, record = known.disk, looked.record
        said = {node: has for node, (_, has, _) in looked.said.items()}
        found = self._plan(
            *(known.me, disk.full, record, said, looked.serving, looked.down),
            *(looked.patient, known.erlang, disk.elsewhere),
        )
        known = known.but(plan=found, record=record)
        if found.step in (REFUSE, MISPLACED):
            return End(REFUSED if found.step == REFUSE else MISPLACED, found.reason)
        if found.step != BOOT or not disk.members:
            return known
        why = self._stray(known.me, known.erlang, disk.members, record, known.leaving, looked.full)
        if why and looked.patient and not record.members:
            return known.but(plan=Plan(WAIT, why))  # it rests on what others have said, some of them perhaps long ago
        return End(STRAY, why) if why else known

    def forced(self, known: Beginner, heard: Looked | None) -> Beginner:
        """Whether to boot without a node that was up last. heard: None where all that were up are online."""
        if heard is None or heard.serving:
            return known
        up = {node: up for node, (_, has, up) in heard.said.items() if has == DATA}
        return known.but(
            force=self._force(known.me, {**up, known.me: known.disk.up}, known.names, heard.down, known.allowed)
        )

    def compared(self, known: Beginner, looked: Looked | None) -> Beginner | Again | End:
        """Its members with the record, None for one that could not be read."""
        if looked is None:
            return known if known.served else Again("SETTLE", known.but(members=frozenset()))
        why = self._stray(known.me, known.erlang, known.members, looked.record, known.leaving, looked.full)
        if why and known.adopted:
            return End(STRAY, why)
        return known.but(why=why, record=looked.record)


def _clocks(known: Beginner) -> tuple[tuple[str, ...]] | None:
    return (known.plan.targets,) if known.oldest and known.planned(JOIN) else None


def _not_yet(known: Beginner, why: str) -> Beginner:
    return known.but(plan=Plan(WAIT, why)) if why else known


def _waits(known: Beginner) -> tuple[str] | None:
    return (known.plan.reason,) if known.planned(WAIT) else None


def _waited(known: Beginner, left: bool) -> Again | End:
    return Again("LOOK", _anew(known)) if left else End(REFUSED, known.plan.reason)


def _last_to_go(known: Beginner) -> tuple[Any, ...] | None:
    asked = known.planned(BOOT) and known.disk.forcible and known.disk.up
    return (known.names, known.disk.up, known.record) if asked else None


def _force(known: Beginner) -> tuple[str] | None:
    return (known.force.reason,) if known.force.force else None


def _seed(known: Beginner) -> tuple[Record, Record] | None:
    return (known.record, known.seeded) if known.planned(SEED) else None


def _seeds(known: Beginner, written: bool) -> Beginner | Again:
    """Of two that would begin only one finds the record as both have read it."""
    return known.but(record=known.seeded) if written else Again("LOOK", _anew(known))


def _launch(known: Beginner) -> tuple[str, tuple[str, ...]]:
    return known.plan.step, known.plan.targets


def _waits_for(known: Beginner) -> tuple[Record, str, frozenset[str]] | None:
    """Mnesia waits for who was up when this broker went down, Khepri for a majority."""
    if known.why:
        return None
    others = frozenset(known.disk.up or known.record.members.values()) - {known.erlang}
    return known.record, known.force.reason, others


def _settles(known: Beginner) -> tuple[Record, str, frozenset[str]] | None:
    return None if known.planned(SEED) else _waits_for(known)


def _member(known: Beginner) -> tuple[Record, Record] | None:
    return (known.record, known.begun) if known.planned(SEED) else None


def _begins(known: Beginner, written: bool) -> Beginner:
    if not written:
        return known.but(why=f"another node took over from {known.me}, which began the cluster")
    return known.but(record=known.begun)


def _compares(known: Beginner) -> tuple[bool] | None:
    return (known.served,) if known.members and not known.why else None


def _when_it_serves(known: Beginner) -> tuple[()] | None:
    return () if known.served and not known.why else None


def _compared(known: Beginner) -> tuple[bool] | None:
    """Whether there was a record to compare with."""
    return (bool(known.record.members),) if known.served and known.members and not known.why else None


def _strays(known: Beginner) -> tuple[()] | None:
    return () if known.why else None


def _ended(known: Beginner, time_left: bool) -> Beginner | End:
    """A joiner had nothing before. RabbitMQ from 3.13 stands alone where a peer seems to have begun later."""
    return known if known.planned(JOIN) and time_left else End(STRAY, known.why)


def _stray_data(known: Beginner) -> tuple[str, str] | None:
    return ("stray", f"{known.why}: it joined nobody") if known.why else None


# fmt: off
def protocol(
    plan: Callable[..., Plan] = plan, stray: Callable[..., str] = stray, force: Callable[..., Force] = force_boot
) -> Protocol:
    """The table, by what decides."""
    decisions = _Decisions(plan, stray, force)
    return (
        ("ADOPT", "adopt", without_arguments, _adopted, LEFT,
         "MEMBERS, where a broker runs that serves; else on", "one that serves stays; one that does not is ended"),
        ("PREPARE", "prepare", without_arguments, lambda known, oldest: known.but(oldest=oldest), LEFT,
         "on", "what is wrong on this host is said before anything is changed"),
        ("DISK", "disk", without_arguments, lambda known, disk: known.but(disk=disk), LEFT,
         "on", "whether there is data decides how it begins"),
        ("TELL", "tell", lambda known: (known.disk.full, known.disk.up), unchanged, LEFT,
         "on", "first: of two that look at each other at least one sees what the other has"),
        ("LOOK", "look", lambda known: (known.disk.full,), decisions.planned, LEFT,
         "on, with a plan (the table above); refused where that is to refuse, or where its files name members of another cluster",
         "the record says who has the cluster's data"),
        ("CLOCKS", "ahead", _clocks, _not_yet, LEFT,
         "on, with a plan to wait where a peer seems to have begun later; left out before RabbitMQ 3.13, and but to join",
         "it would stand alone"),
        ("WAIT", "pause", _waits, _waited, LEFT,
         "LOOK; refused when the start has no more time. Left out where there is nothing to wait for",
         "others may be about to serve"),
        ("PUT ASIDE", "put_aside", lambda known: ("removed", known.plan.reason) if known.planned(ASIDE) else None,
         _from_the_start, LEFT,
         "DISK; left out but for one that was removed", "what it has is of no worth, and is kept all the same"),
        ("HEAR", "hear", _last_to_go, decisions.forced, LEFT,
         "on; left out where all that were up when it went down are online", "whoever went down last has the newest messages"),
        ("FORCE", "force", _force, unchanged, LEFT,
         "on; left out unless the admin allows it, and the last is surely down", "it would wait for that one"),
        ("SEED", "record", _seed, _seeds, LEFT,
         "on; LOOK, where somebody else has changed it; the end where it is not answered. Left out but for who begins",
         "who begins is written down before anything is begun; of two only one finds the record as both have read it"),
        ("LAUNCH", "launch", _launch, unchanged, LEFT,
         "on", "RabbitMQ finds its data, or joins one of these peers; only a seed may begin"),
        ("SETTLE", "settled", _settles, lambda known, members: known.but(members=members), LEFT,
         "on; left out for a seed", "its members are known before it lets clients in"),
        ("COMPARE", "recorded", _compares, decisions.compared, LEFT,
         "on; END, where it belongs to another cluster; SETTLE, where the record could not be read",
         "a broker of another cluster must not serve"),
        ("SERVE", "serve", _waits_for, lambda known, serves: known.but(served=serves), LEFT,
         "on; the next four are left out where the start does not wait for it", "a start is done when clients are let in"),
        ("MEMBER", "record", _member, _begins, LEFT,
         "on; END, where somebody else has changed it. Left out but for a seed",
         "from here on nobody else begins, and others may join"),
        ("MEMBERS", "members", _when_it_serves, lambda known, members: known.but(members=members), LEFT,
         "on", "what RabbitMQ made of it in the end; also of a broker that ran before"),
        ("COMPARE AGAIN", "recorded", lambda known: _compares(known) if known.served else None, decisions.compared, LEFT,
         "on; END, where it belongs to another cluster", "the same, where it was not known before"),
        ("NOTE", "note", _compared, unchanged, LEFT,
         "on; left out where its members are not known: its monitors ask", "monitors need not compare again"),
        ("END", "end", _strays, _ended, LEFT,
         "on, for a joiner that has the time for another attempt; else refused. Left out where it belongs",
         "at once: what it confirms, the cluster has not"),
        ("DISCARD", "put_aside", _stray_data, _from_the_start, LEFT,
         "DISK: it joins anew; left out where it belongs", "a joiner had nothing before"),
    )


BEGINNING = protocol()
# fmt: on
