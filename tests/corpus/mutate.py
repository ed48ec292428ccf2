"""Whole configurations, damaged as hands and tools damage them. Pure: the same seed gives the same mutants."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.corpus.table import Entry  # type: ignore[import-not-found]

_ODD = [
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"\x0c", b"\xc2\xa0", b"\xe2\x80\x9c", b"\xc2\xb2", b"\t",
    b"#", b'"', b"'", b"\\", b"{", b"}", b"=", b":",
]  # fmt: skip


def mutants(entries: list[Entry], seed: int, number: int) -> list[Entry]:
    """So many of them, each one or two damages away from an entry."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    found: list[Entry] = []
    while len(found) < number:
        entry = chance.choice(entries)
        files = dict(entry.files)
        if not files:
            continue
        for _ in range(chance.choice([1, 1, 2])):
            name = chance.choice(sorted(files))
            files[name] = chance.choice(DAMAGES)(files[name], chance)
        found.append(entry._replace(name=f"{entry.name}~{seed}.{len(found)}", files=files))
    return found


def _drop(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    del lines[chance.randrange(len(lines))]
    return b"\n".join(lines)


def _twice(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    return b"\n".join([*lines[:at], lines[at], *lines[at:]])


def _swap(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"\n".join(lines)


def _odd_byte(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_ODD) + data[at:]


def _lost_bytes(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[at + chance.choice([1, 1, 2, 8]) :]


def _cut(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _other_case(data: bytes, chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    lines[at] = chance.choice([bytes.upper, bytes.swapcase, bytes.title])(lines[at])
    return b"\n".join(lines)


def _longer(data: bytes, chance: random.Random) -> bytes:
    """A number with many more digits, or a value repeated."""
    at = chance.randrange(len(data) + 1)
    return data[:at] + data[max(0, at - 1) : at] * chance.choice([20, 300, 5000]) + data[at:]


DAMAGES: list[Callable[[bytes, random.Random], bytes]] = [
    _drop, _twice, _swap, _odd_byte, _lost_bytes, _cut, _other_case, _longer,
]  # fmt: skip
