"""A history as plain numbers."""

from __future__ import annotations


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
