"""A decision that is written as a table: the first row that applies decides; and the values that decisions take and give. Pure.

A row is a plain tuple, since that costs nothing at start-up:

result     what is decided; in a table of verdicts also the functions that make the sentence
applies    a question about the inputs. A row may rely on it that no row above applies
when, why  the same in words, and what speaks for it: docs/reference/tables.md is made of them, by `make tables`

The last row of a table applies always.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Own = TypeVar("Own", bound="Value")
    Inputs = TypeVar("Inputs")
    Result = TypeVar("Result")
    Row = tuple[Result, Callable[[Inputs], object], str, str]
    Table = Sequence[Row[Result, Inputs]]


class Value:
    """What a decision takes or gives. Its slots are set once, and two of the same type with the same in them are equal. A list in
    one would keep it from being hashed: give a tuple."""

    __slots__: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{name} of {self!r} is given once")
        object.__setattr__(self, name, value)

    def but(self: Own, **fields: object) -> Own:
        """The same with other fields."""
        other = object.__new__(type(self))
        for name in self.__slots__:
            object.__setattr__(other, name, fields[name] if name in fields else getattr(self, name))
        return other

    def _held(self) -> tuple[Any, ...]:
        held = (getattr(self, name) for name in self.__slots__)
        return tuple(frozenset(one.items()) if isinstance(one, dict) else one for one in held)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._held() == other._held()

    def __hash__(self) -> int:
        return hash(self._held())

    def __repr__(self) -> str:
        told = (f"{name}={getattr(self, name)!r}" for name in self.__slots__ if getattr(self, name, None))
        return f"{type(self).__name__}({', '.join(told)})"


def always(inputs: object) -> bool:
    return True


def first(table: Table[Result, Inputs], inputs: Inputs) -> Row[Result, Inputs]:
    """The row that decides."""
    return next(row for row in table if row[1](inputs))


def decide(table: Table[Result, Inputs], inputs: Inputs) -> Result:
    return first(table, inputs)[0]
