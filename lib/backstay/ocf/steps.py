"""A protocol as a value: what is done in which order, apart from doing it. Pure.

A protocol is a table, and how far it is is a `Steps`. That knows what to do next (`next`: a verb, or an end with its reason),
and what follows when it is told the answer (`told`: another value). Nothing else knows the order. The agent does the verbs of
one (agent/interpreter.py); a search through orders of events does the same values on a model, copies and compares them.

A row is a plain tuple, as in `ocf/table`:

step       its name
verb       what is done; a method of what carries it out
arguments  of what is known, a tuple; None leaves the step out
told       of what is known and the answer: what is known then, `Again`, another protocol, or an `End`
seconds    the longest that the verb may take, LEFT for as long as the action has
then, why  what follows, and what speaks for it, in words: docs/reference/tables.md is made of them

The order of the rows is the order of the steps. An answer may be FAILED, or UNKNOWN where nobody can say whether it was done,
as with a write of the record that was not answered in time. Either ends the protocol.
"""

from __future__ import annotations

from backstay.ocf.table import Value as Value  # the values of protocols as well

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Row = tuple[str, str, Callable[[Any], "tuple[Any, ...] | None"], Callable[[Any, Any], Any], float, str, str]
    Protocol = Sequence[Row]

LEFT = float("inf")  # seconds: what the action has left
DONE, REFUSED, FAILURE = "done", "refused", "failure"  # kinds of ends


class Answer:
    """One that is no answer."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


FAILED = Answer("FAILED")  # it was not done
UNKNOWN = Answer("UNKNOWN")  # it may have been done


class Verb(Value):
    """To do now, within so many seconds."""

    __slots__ = ("arguments", "name", "seconds")

    def __init__(self, name: str, arguments: tuple[Any, ...], seconds: float = LEFT) -> None:
        self.name = name
        self.arguments = arguments
        self.seconds = seconds


class End(Value):
    """Nothing more to do. kind: DONE, REFUSED by what was found, or FAILURE of a verb."""

    __slots__ = ("kind", "reason")

    def __init__(self, kind: str = DONE, reason: str = "") -> None:
        self.kind = kind
        self.reason = reason


class Again(Value):
    """Back to a step, or to what stands in its place."""

    __slots__ = ("known", "step")

    def __init__(self, step: str, known: object) -> None:
        self.step = step
        self.known = known


class Steps(Value):
    """How far a protocol is. at: the number of its row, or the end. known: what it knows by now."""

    __slots__ = ("at", "known", "table")

    def __init__(self, table: Protocol, known: object, at: int | End = 0) -> None:
        self.table = table
        self.known = known
        self.at = self._from(at) if isinstance(at, int) else at

    def next(self) -> Verb | End:
        if not isinstance(self.at, int):
            return self.at
        _, verb, arguments, _, seconds, _, _ = self.table[self.at]
        return Verb(verb, arguments(self.known) or (), seconds)

    def told(self, answer: object) -> Steps:
        """What follows, once the verb of `next` has this answer."""
        if not isinstance(self.at, int):
            return self
        name, _, _, told, _, _, _ = self.table[self.at]
        if answer is FAILED or answer is UNKNOWN:
            return Steps(self.table, self.known, End(FAILURE, f"{name}: {answer!r}"))
        found = told(self.known, answer)
        if isinstance(found, Steps):
            return found
        if isinstance(found, End):
            return Steps(self.table, self.known, found)
        if isinstance(found, Again):
            back = (number for number, row in enumerate(self.table) if row[0] == found.step)
            return Steps(self.table, found.known, next(back, self.at + 1))
        return Steps(self.table, found, self.at + 1)

    @property
    def step(self) -> str:
        """The name of the step that is next, "" at the end."""
        return self.table[self.at][0] if isinstance(self.at, int) else ""

    def _from(self, at: int) -> int | End:
        """The first step from there on that is not left out."""
        for number in range(at, len(self.table)):
            if self.table[number][2](self.known) is not None:
                return number
        return End()

    def __repr__(self) -> str:
        return f"Steps({self.step or self.at!r}, {self.known!r})"

    def _held(self) -> tuple[Any, ...]:
        return id(self.table), self.at, self.known


def without_arguments(known: object) -> tuple[Any, ...]:
    return ()


def unchanged(known: Any, answer: object) -> Any:
    """Whatever the answer is, nothing more is known than before."""
    return known
