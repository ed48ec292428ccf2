"""The shortest part of a failing sequence that still fails: delta debugging. Pure but for the predicate it is given.

Source: A. Zeller, R. Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28 (2002), algorithm ddmin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from backstay_lab.nemesis.schedule import Schedule

T = TypeVar("T")


def shortest(items: Sequence[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """A part of `items`, in order, that fails and of which no item can be left out. No part is tried twice.

    Raises ValueError when `items` do not fail: there is nothing to shrink then, or it fails only sometimes.
    """
    tried: dict[tuple[int, ...], bool] = {}

    def failing(chosen: tuple[int, ...]) -> bool:
        if chosen not in tried:
            tried[chosen] = fails(tuple(items[index] for index in chosen))
        return tried[chosen]

    whole = tuple(range(len(items)))
    if not failing(whole):
        raise ValueError("it does not fail")
    pieces = 2
    while len(whole) > 1:
        size = -(-len(whole) // pieces)
        parts = [whole[begin : begin + size] for begin in range(0, len(whole), size)]
        rests = [tuple(index for index in whole if index not in part) for part in parts]
        smaller = next((part for part in [*parts, *rests] if part and part != whole and failing(part)), None)
        if smaller is not None:
            # A part is halved again; of a rest the remaining pieces are tried.
            pieces = 2 if smaller in parts else max(2, pieces - 1)
            whole = smaller
        elif pieces >= len(whole):
            break
        else:
            pieces = min(len(whole), 2 * pieces)
    return tuple(items[index] for index in whole)


def shrink(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    """The schedule with as few injections as still fail, and of those as few that overlap as still fail. Raises as
    `shortest` does."""
    from backstay_lab.nemesis.schedule import with_injections

    found = with_injections(
        schedule, shortest(schedule.injections, lambda part: fails(with_injections(schedule, part)))
    )
    for index, one in enumerate(found.injections):
        if one.overlaps:
            calmer = list(found.injections)
            calmer[index] = one._replace(overlaps=False, after=0.0)
            candidate = with_injections(found, calmer)
            if fails(candidate):
                found = candidate
    return found
