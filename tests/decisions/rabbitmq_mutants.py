"""The steps and decisions of RabbitMQ with one thing taken out, by name: a search through orders of events must find each."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from mutants import swapped, told, without

from backstay.services.rabbitmq import boot_steps, formation, membership_steps
from backstay.services.rabbitmq.boot_steps import BEGINNING
from backstay.services.rabbitmq.dialects.base import beside_flags
from backstay.services.rabbitmq.membership_steps import KEEPING
from backstay_lab.explorer.rabbitmq.world import Bounds, Code


class Mutant(NamedTuple):
    """code: with something taken out. bounds: within which it falls. fast: in a second or two."""

    code: Code
    bounds: Bounds
    fast: bool = False


def faults(beginning: str, number: int, *kinds: str) -> Bounds:
    return Bounds(number, beginning, frozenset(kinds))


def planned(row: int, applies: Any) -> Code:
    """With another question in a row of the plans."""
    plans = tuple((one[0], applies, *one[2:]) if at == row else one for at, one in enumerate(formation.PLANS))
    return Code(beginning=boot_steps.protocol(plan=partial(formation.plan, plans=plans)))  # type: ignore[arg-type]


def never(_: Any) -> bool:
    return False


def blindly(*names: str) -> Any:
    """The record is written whatever is on it by then."""
    return tuple((*row[:2], _whatever(row[2]), *row[3:]) if row[0] in names else row for row in BEGINNING)


def _whatever(arguments: Any) -> Any:
    def blind(known: Any) -> Any:
        found = arguments(known)
        return (None, found[1]) if found else None

    return blind


def belongs(*_: Any) -> str:
    return ""


def untold(*case: Any) -> formation.Plan:
    """Who has data is not told whom to join."""
    found = formation.plan(*case)
    return found.but(targets=()) if found.step == formation.BOOT else found


def seeded_again(known: Any) -> Any:
    """As if it were the first time, each time."""
    found = boot_steps._seed(known)
    return found and (found[0], found[1].but(version=1))


def seeds_again(known: Any, written: bool) -> Any:
    after = boot_steps._seeds(known, written)
    if not written:
        return after
    return after.but(record=after.record.but(version=1))  # type: ignore[union-attr]


def offline(pacemaker: Any) -> frozenset[str]:
    return frozenset(pacemaker.overview(ends=True).offline)


ROWS = {formation.PLANS[at][2]: at for at in range(len(formation.PLANS))}
UNCOMPARED = Code(beginning=boot_steps.protocol(stray=belongs), stray=belongs)
FIRST, DARK, REPLACED, REMOVED = "nothing", "dark", "replacement", "removal"

MUTANTS: dict[str, Mutant] = {
    # rows of the plans
    "one that was removed keeps its data": Mutant(planned(0, never), faults(REMOVED, 0), True),
    "one with data does not boot": Mutant(planned(1, never), faults(DARK, 0), True),
    "one without data joins nobody": Mutant(planned(6, never), faults(FIRST, 0), True),
    "one begins beside members that do not serve": Mutant(planned(7, never), faults(FIRST, 1, "lose")),
    "one begins beside the recorded seed": Mutant(planned(8, never), faults(FIRST, 1, "lose")),
    "one begins beside one with data": Mutant(planned(9, never), faults(FIRST, 2, "lose", "record")),
    # steps of a start
    "who begins is not recorded": Mutant(Code(beginning=without(BEGINNING, "SEED")), faults(FIRST, 1, "lose")),
    "a seed boots before it is recorded": Mutant(
        Code(beginning=swapped(BEGINNING, "SEED", "LAUNCH")), faults(FIRST, 1, "lose")
    ),
    "who begins is recorded over another": Mutant(Code(beginning=blindly("SEED")), faults(FIRST, 1, "impatient")),
    "a seed that begins anew leaves no trace": Mutant(
        Code(
            beginning=tuple(
                (*row[:2], seeded_again, seeds_again, *row[4:]) if row[0] == "SEED" else row for row in BEGINNING
            )
        ),
        faults(FIRST, 1, "lose"),
    ),
    "a start without LOOK's plan": Mutant(
        Code(beginning=told(BEGINNING, "WAIT", lambda known, _: known)), faults(FIRST, 0), True
    ),
    "a stray is not ended": Mutant(Code(beginning=without(BEGINNING, "END", "DISCARD")), faults(FIRST, 1, "alone")),
    # what made second clusters before: decision 35
    "files of a boot that was cut off are data, it is told of nobody, and not compared": Mutant(
        Code(
            beginning=boot_steps.protocol(plan=untold, stray=belongs),
            stray=belongs,
            has_data=lambda names: bool(beside_flags(names)),
        ),
        faults(FIRST, 1, "kill"),
    ),
    "one that stands alone is not compared": Mutant(UNCOMPARED, faults(FIRST, 1, "alone"), True),
    # the record of members
    "a member is off the record before it is forgotten": Mutant(
        Code(keeping=without(KEEPING, "FORGET")), faults(REMOVED, 0), True
    ),
    "members are not recorded": Mutant(Code(keeping=without(KEEPING, "RECORD")), faults(FIRST, 0), True),
    "what is on record is taken for known until the answer": Mutant(
        Code(keeping=without(KEEPING, "DOUBT")), faults(REMOVED, 1, "record")
    ),
    "the copy of an earlier lease counts": Mutant(Code(forgets=False), faults(REMOVED, 1, "kill")),
    "a member that left in between says no name": Mutant(Code(tells_again=False), faults(FIRST, 1, "leave")),
    "a second cluster is written over the first": Mutant(
        Code(
            keeping=membership_steps.protocol(stray=belongs),
            stray=belongs,
            beginning=boot_steps.protocol(stray=belongs),
        ),
        faults(FIRST, 1, "alone"),
        True,
    ),
}


class Harmless(NamedTuple):
    """A change within whose bounds nothing is wrong, and why."""

    code: Code
    bounds: Bounds
    why: str


HARMLESS: dict[str, Harmless] = {
    "one begins before others have said what they have": Harmless(
        planned(10, never),
        faults(FIRST, 0),
        "of two that begin only one finds the record as both have read it; the row is for data that nobody has recorded",
    ),
    "whoever is not the first by name begins, too": Harmless(
        planned(12, never), faults(FIRST, 0), "of two that begin only one finds the record as both have read it"
    ),
    "a seed whose data is there boots with it": Harmless(
        planned(2, never), faults(FIRST, 1, "kill"), "it is recorded by its monitor; what is lost are the definitions"
    ),
    "one without data that is recorded is not refused": Harmless(
        planned(5, never), faults(REPLACED, 0), "RabbitMQ refuses it, too: the others have it as a member"
    ),
    "the first member is not recorded": Harmless(
        Code(beginning=without(BEGINNING, "MEMBER")), faults(FIRST, 1, "kill"), "it is by its first monitor"
    ),
    "a stray's data is kept": Harmless(
        Code(beginning=without(BEGINNING, "DISCARD")),
        faults(FIRST, 1, "alone"),
        "it is refused until the admin renames it",
    ),
    "whoever left the cluster is dead": Harmless(
        Code(down=offline),
        faults(FIRST, 1, "leave"),
        "a node leaves once its start has ended, so who begins is a member on record by then",
    ),
}
