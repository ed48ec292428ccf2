"""Searches the orders of events of a world, the short ones first. It has no rules: a world has.

A state is a value that Python can hash; only its hash is kept, 64 bits, with the hash it came from. A story is found by going
back along those, and by doing again, from the beginning, the events that lead from each to the next.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

State = Any  # of a world; a tuple of numbers is fast


class World(Protocol):
    """What can happen. An event's name has no blanks, and is one event's alone in its state."""

    def begin(self) -> State:
        """The first state."""
        ...

    def events(self, state: State) -> Iterable[tuple[str, State]]:
        """All that can happen next."""
        ...

    def wrong(self, state: State) -> str:
        """Why the state must not be, "" when it may."""
        ...

    def over(self, state: State) -> bool:
        """Whether nothing wrong can come of the state any more: nothing after it is tried."""
        ...


class Found(NamedTuple):
    """What a search came to. states: distinct ones. events: that were tried. depth: events of the longest order. complete:
    nothing within the world's bounds is left. wrong, story: the first state that must not be, and the names of the events to it.
    sample: some of the states, for other questions."""

    states: int
    events: int
    depth: int
    complete: bool
    seconds: float
    wrong: str
    story: list[str]
    sample: list[State]


def search(world: World, depth: int, seconds: float, every: int = 0) -> Found:
    """Until something is wrong, nothing is left, `depth` events or `seconds` are reached. every: the sample has one of so many
    states."""
    began = time.monotonic()
    first = world.begin()
    came: dict[int, int] = {hash(first): 0}
    level, sample, tried, deep = [first], [first], 0, 0

    def found(wrong: str = "", story: Sequence[str] = (), complete: bool = False) -> Found:
        seconds = time.monotonic() - began
        return Found(len(came), tried, deep, complete, seconds, wrong, list(story), sample)

    while level and deep < depth:
        following = []
        for state in level:
            own = hash(state)
            for _, after in world.events(state):
                tried += 1
                mark = hash(after)
                if mark in came:
                    continue
                came[mark] = own
                wrong = world.wrong(after)
                if wrong:
                    deep += 1
                    return found(wrong, _story(world, came, mark))
                if not world.over(after):
                    following.append(after)
                if every and len(came) % every == 0:
                    sample.append(after)
            if time.monotonic() - began > seconds:
                return found()
        deep += 1
        level = following
    return found(complete=not level)


def _story(world: World, came: dict[int, int], mark: int) -> list[str]:
    """The events to the state of this hash."""
    marks = []
    while mark:
        marks.append(mark)
        mark = came[mark]
    state, names = world.begin(), []
    for mark in marks[-2::-1]:
        name, state = next(one for one in world.events(state) if hash(one[1]) == mark)
        names.append(name)
    return names


class NoSuchEvent(Exception):
    """A story has an event that cannot happen there."""


def replay(world: World, story: Sequence[str]) -> list[tuple[str, State]]:
    """The events of a story, each with the state after it. Raises NoSuchEvent."""
    state = world.begin()
    told: list[tuple[str, State]] = []
    for name in story:
        possible = dict(world.events(state))
        if name not in possible:
            raise NoSuchEvent(
                f"{name} cannot happen after {' '.join(story[: len(told)]) or 'nothing'}: {' '.join(possible)}"
            )
        state = possible[name]
        told.append((name, state))
    return told


def heals(world: World, state: State, whole: Any, steps: int, choose: Any) -> bool:
    """Whether a run of a world without faults gets from a state to one that is `whole`, within so many events. choose: picks one
    of the possible events each time; a fair one is to pick at random."""
    for _ in range(steps):
        if whole(state):
            return True
        possible = list(world.events(state))
        if not possible:
            return False
        state = choose(possible)[1]
    return bool(whole(state))
