"""Histories."""

from __future__ import annotations

from typing import Any

from backstay.services.mysql.gtid import History


class Rows(History):
    """A history: one bit for each row."""

    __slots__ = ("mask",)

    def __init__(self, mask: int) -> None:
        self.mask = mask

    @classmethod
    def parse(cls, *texts: str) -> Rows:
        return cls(sum(1 << int(number) for text in texts for number in text.split(",") if number))

    def includes(self, other: Any) -> bool:
        return not other.mask & ~self.mask

    def minus(self, other: Any) -> Rows:
        return Rows(self.mask & ~other.mask)

    def union(self, other: Any) -> Rows:
        return Rows(self.mask | other.mask)

    def __bool__(self) -> bool:
        return bool(self.mask)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self.mask == other.mask

    def __hash__(self) -> int:
        return self.mask

    def __str__(self) -> str:
        return ",".join(str(number) for number in range(self.mask.bit_length()) if self.mask >> number & 1)

    def __repr__(self) -> str:
        return f"Rows({self})"
