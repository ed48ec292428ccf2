"""A decision that is written as a table: the first row that applies decides. Pure.

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
    from typing import TypeVar

    Inputs = TypeVar("Inputs")
    Result = TypeVar("Result")
    Row = tuple[Result, Callable[[Inputs], object], str, str]
    Table = Sequence[Row[Result, Inputs]]


def always(inputs: object) -> bool:
    return True


def first(table: Table[Result, Inputs], inputs: Inputs) -> Row[Result, Inputs]:
    """The row that decides."""
    return next(row for row in table if row[1](inputs))


def decide(table: Table[Result, Inputs], inputs: Inputs) -> Result:
    return first(table, inputs)[0]
