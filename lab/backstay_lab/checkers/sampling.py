"""What samples of servers prove: when each was writable, and how closely it was watched. Pure.

A sample's answer was true at some instant between `begun` and `ended`, a millisecond apart where nothing is slow. One answer
says nothing of the time around it; two that are close do: between them the server was as both say.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from backstay_lab.checkers.history import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Seconds. Between two writable samples no further apart, with none that found it read-only, a server was writable: to be demoted
# and promoted again takes it longer, and so does a start.
CLOSE = 0.5
# Seconds in which nobody asked a server, at most. Of two servers that are writable together for 100 ms, one is seen within the
# first 50 of them and the other within the last.
HOLE = 0.05
USUAL = 0.99  # the share of intervals that is told beside the longest

S = TypeVar("S", "Span", Sample)


class Span(NamedTuple):
    """From `begun` to `ended` the server on `node` was writable."""

    node: str
    begun: float
    ended: float


class Hole(NamedTuple):
    """From `begun` to `ended` nobody asked the server on `node`."""

    node: str
    begun: float
    ended: float

    def __str__(self) -> str:
        return f"nobody asked {self.node} for {self.ended - self.begun:.3f} s at {self.begun:.3f}"


class Reached(NamedTuple):
    """How closely servers were watched while they answered: questions, and seconds from one to the next of the same server, of
    99 in a hundred and at most. What a slow answer costs is part of it."""

    samples: int = 0
    usual: float = math.inf
    longest: float = math.inf

    def __str__(self) -> str:
        if not self.samples:
            return "no server was sampled"
        return f"sampled every {1000 * self.usual:.0f} ms, at most {1000 * self.longest:.0f}"


def pairs(spans: Iterable[S]) -> list[tuple[S, S]]:
    """Those of two nodes that overlap, the sooner first."""
    found = []
    open_now: list[S] = []
    for span in sorted(spans, key=lambda span: span.begun):
        open_now = [earlier for earlier in open_now if earlier.ended >= span.begun]
        found += [(earlier, span) for earlier in open_now if earlier.node != span.node]
        open_now.append(span)
    return found


def spans(samples: Sequence[Sample]) -> list[Span]:
    """When each server was writable. A sample without an answer ends no span: who is not reached goes on."""
    found: list[Span] = []
    for node, own in groupby(sorted(samples, key=lambda one: (one.node, one.begun)), key=lambda one: one.node):
        last: Span | None = None
        for one in own:
            if one.writable and last is not None and one.begun - last.ended <= CLOSE:
                last = found[-1] = last._replace(ended=max(last.ended, one.ended))
            elif one.writable:
                last = Span(node, one.begun, one.ended)
                found.append(last)
            elif one.writable is False:
                last = None
    return found


def both_writable(samples: Sequence[Sample]) -> list[tuple[Span, Span]]:
    """Spans of two servers that overlap. An answer may come late, but not by the time that a handover takes: the sampler gives
    up sooner."""
    return pairs(spans(samples))


def holes(samples: Sequence[Sample], nodes: Iterable[str]) -> list[Hole]:
    """When nobody asked a server that was to be asked, from the first sample of any to the last. A server that was asked and
    gave no answer, or a late one, is none."""
    begin = min((one.begun for one in samples), default=0.0)
    end = max((one.ended for one in samples), default=math.inf)
    found = []
    for node in nodes:
        last = begin
        for one in sorted((one for one in samples if one.node == node), key=lambda one: one.begun):
            if one.begun - last > HOLE:
                found.append(Hole(node, last, one.begun))
            elif one.blind > HOLE:
                found.append(Hole(node, one.ended - one.blind, one.ended))
            last = max(last, one.ended)
        if end - last > CLOSE:  # its last question may have been under way at the end
            found.append(Hole(node, last, end))
    return sorted(found, key=lambda hole: hole.begun)


def reached(samples: Sequence[Sample]) -> Reached:
    """Over all servers."""
    apart = [
        later.begun - sooner.begun
        for _, own in groupby(sorted(samples, key=lambda one: (one.node, one.begun)), key=lambda one: one.node)
        for sooner, later in _neighbours(own)
        if sooner.writable is not None and later.writable is not None
    ]
    if not apart:
        return Reached(len(samples))
    return Reached(len(samples), sorted(apart)[math.ceil(USUAL * len(apart)) - 1], max(apart))


def _neighbours(own: Iterable[Sample]) -> Iterable[tuple[Sample, Sample]]:
    every = list(own)
    return zip(every, every[1:])
