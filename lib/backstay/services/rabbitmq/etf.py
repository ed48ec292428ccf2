"""Erlang terms in the external term format, both ways. Pure.

Source: Erlang/OTP, "External Term Format" (erts). What Python has no type for (pids, references, ports, functions) comes
back as Opaque, whose bytes can be sent again.

| Erlang          | Python          |   | Erlang     | Python            |
|-----------------|-----------------|---|------------|-------------------|
| atom            | Atom            |   | tuple      | tuple             |
| true, false     | bool            |   | list       | list              |
| integer         | int             |   | map        | dict              |
| float           | float           |   | binary     | bytes             |
| "string"        | list of int     |   | pid, ref … | Opaque            |
"""

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Term = Any

VERSION = b"\x83"
_DEPTH = 200  # nesting that no answer of a broker comes near


class Malformed(ValueError):
    """These bytes are no Erlang term."""


class Atom(str):
    """An Erlang atom."""

    __slots__ = ()


class Opaque:
    """A term that is only passed on: `raw` is its encoding, `kind` says what it is."""

    __slots__ = ("kind", "raw")

    def __init__(self, kind: str, raw: bytes) -> None:
        self.kind = kind
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"<{self.kind}>"


def text(term: "Term") -> str:
    """A name, whichever of Erlang's ways it is written in: atom, binary or list of characters. Raises Malformed."""
    if isinstance(term, str):
        return str(term)
    try:
        return bytes(term).decode() if isinstance(term, (bytes, list)) else str(int(term))
    except (ValueError, TypeError):
        raise Malformed(f"{term!r} is no text") from None


def atom(name: str) -> bytes:
    """An atom's encoding. Raises ValueError for a name beyond 255 bytes."""
    raw = name.encode()
    if len(raw) > 255:
        raise ValueError(f"{name[:20]}… is too long for an atom")
    return b"w" + bytes([len(raw)]) + raw


def node_of(pid: Opaque) -> str:
    """The node of a process. Raises Malformed for another term."""
    if pid.kind != "pid":
        raise Malformed(f"{pid!r} is no process")
    return text(decode(VERSION + pid.raw[1:])[0])


def function(module: str, name: str, arity: int) -> Opaque:
    """An exported function, as an argument for another."""
    return Opaque("function", b"q" + atom(module) + atom(name) + encode(arity))


def encode(term: "Term") -> bytes:
    """The term without the version byte. Raises TypeError for what has no Erlang form here."""
    if isinstance(term, Opaque):
        return term.raw
    if isinstance(term, bool):
        return atom("true" if term else "false")
    if isinstance(term, Atom):
        return atom(term)
    if isinstance(term, int):
        if 0 <= term < 256:
            return b"a" + bytes([term])
        if -(2**31) <= term < 2**31:
            return b"b" + struct.pack(">i", term)
        size = (abs(term).bit_length() + 7) // 8
        return b"n" + bytes([size, term < 0]) + abs(term).to_bytes(size, "little")
    if isinstance(term, float):
        return b"F" + struct.pack(">d", term)
    if isinstance(term, bytes):
        return b"m" + struct.pack(">I", len(term)) + term
    if isinstance(term, str):
        return encode(list(map(ord, term)))
    if isinstance(term, tuple):
        head = b"h" + bytes([len(term)]) if len(term) < 256 else b"i" + struct.pack(">I", len(term))
        return head + b"".join(map(encode, term))
    if isinstance(term, list):
        return b"l" + struct.pack(">I", len(term)) + b"".join(map(encode, term)) + b"j" if term else b"j"
    if isinstance(term, dict):
        pairs = b"".join(encode(key) + encode(value) for key, value in term.items())
        return b"t" + struct.pack(">I", len(term)) + pairs
    raise TypeError(f"no Erlang term for {type(term).__name__}")


def decode(data: bytes, offset: int = 0) -> "tuple[Term, int]":
    """One term with its version byte at `offset`; the term and where it ends. Raises Malformed, whatever the bytes are."""
    if data[offset : offset + 1] != VERSION:
        raise Malformed("an Erlang term begins with byte 131")
    reader = _Reader(data, offset + 1)
    return reader.term(0), reader.at


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        if len(taken) != size:
            raise Malformed("the term is cut off")
        self.at += size
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def many(self, count: int, depth: int) -> "list[Term]":
        if count > len(self.data) - self.at:  # each takes a byte at least: no list of a billion from six bytes
            raise Malformed("the term is cut off")
        return [self.term(depth + 1) for _ in range(count)]

    def name(self, size: int) -> "Term":
        raw = self.take(size)
        word = raw.decode("utf-8", "replace")
        return {"true": True, "false": False}.get(word, Atom(word))

    def big(self, size: int) -> int:
        negative = self.take(1) != b"\0"
        value = int.from_bytes(self.take(size), "little")
        return -value if negative else value

    def opaque(self, kind: str, begin: int, after_node: int) -> Opaque:
        """A term that begins at `begin`, names a node here, and has `after_node` bytes after that."""
        if not isinstance(self.term(_DEPTH), Atom):
            raise Malformed(f"a {kind} of no node")
        self.take(after_node)
        return Opaque(kind, self.data[begin : self.at])

    def term(self, depth: int) -> "Term":
        if depth > _DEPTH:
            raise Malformed("the term is nested too deeply")
        begin = self.at
        tag = self.take(1)
        if tag in _NAMES:
            return self.name(self.number(_NAMES[tag]))
        if tag == b"a":
            return self.number(1)
        if tag == b"b":
            return int.from_bytes(self.take(4), "big", signed=True)
        if tag in b"no":
            return self.big(self.number(1 if tag == b"n" else 4))
        if tag == b"F":
            return struct.unpack(">d", self.take(8))[0]
        if tag in b"hi":
            return tuple(self.many(self.number(1 if tag == b"h" else 4), depth))
        if tag == b"j":
            return []
        if tag == b"k":
            return list(self.take(self.number(2)))
        if tag == b"l":
            return self.list(self.number(4), depth)
        if tag == b"m":
            return self.take(self.number(4))
        if tag == b"M":
            size = self.number(4)
            self.take(1)
            return self.take(size)
        if tag == b"t":
            return self.map(self.number(4), depth)
        return self.unnamed(tag, begin, depth)

    def list(self, count: int, depth: int) -> "Term":
        items = self.many(count, depth)
        tail = self.term(depth + 1)
        return items if tail == [] else [*items, tail]  # an improper list is no answer that anything here expects

    def map(self, count: int, depth: int) -> "Term":
        flat = self.many(2 * count, depth)
        try:
            return dict(zip(flat[::2], flat[1::2]))
        except TypeError:
            return list(zip(flat[::2], flat[1::2]))  # keys that Python cannot hash

    def unnamed(self, tag: bytes, begin: int, depth: int) -> Opaque:
        if tag in _AFTER_NODE:
            kind, size = _AFTER_NODE[tag]
            return self.opaque(kind, begin, size)
        if tag in b"Zr":
            count = self.number(2)
            return self.opaque("reference", begin, 4 * count + (4 if tag == b"Z" else 1))
        if tag == b"p":
            self.take(self.number(4) - 4)
            return Opaque("function", self.data[begin : self.at])
        if tag == b"q":
            self.many(3, depth)
            return Opaque("function", self.data[begin : self.at])
        raise Malformed(f"no Erlang term begins with byte {tag[0]}")


_NAMES = {b"w": 1, b"s": 1, b"v": 2, b"d": 2}  # atoms: tag -> bytes of the length
_AFTER_NODE = {  # tag -> what it is, bytes after the node's name
    b"X": ("pid", 12),
    b"g": ("pid", 9),
    b"Y": ("port", 8),
    b"x": ("port", 12),
    b"f": ("port", 5),
}
