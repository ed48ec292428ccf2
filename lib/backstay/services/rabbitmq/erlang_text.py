"""Erlang terms as text, as the broker writes them beside its data (`nodes_running_at_shutdown`). Pure.

Reads atoms, quoted atoms, integers, strings, tuples and lists, each term ended by a full stop; comments begin with %.
Anything else is Malformed.
"""

import re

from backstay.services.rabbitmq.etf import Atom, Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_TOKEN = re.compile(
    r"""\s+ | %[^\n]*
    | (?P<atom>[a-z][A-Za-z0-9_@]*)
    | '(?P<quoted>(?:[^'\\]|\\.)*)'
    | "(?P<string>(?:[^"\\]|\\.)*)"
    | (?P<integer>-?[0-9]+)
    | (?P<sign>[\[\]{},.])""",
    re.VERBOSE | re.DOTALL,
)
_CLOSE = {"[": "]", "{": "}"}
_DEPTH = 100


def parse(text: str) -> "list[Any]":
    """All terms of a file. Raises Malformed, whatever the text is."""
    tokens = _Tokens(text)
    found = []
    while tokens.ahead is not None:
        found.append(_term(tokens, 0))
        if tokens.next() != ("sign", "."):
            raise Malformed("a term does not end with a full stop")
    return found


def node_names(text: str) -> "frozenset[str]":
    """The nodes in a file that holds one list of them. Raises Malformed."""
    terms = parse(text)
    if len(terms) != 1 or not isinstance(terms[0], list) or not all(isinstance(name, Atom) for name in terms[0]):
        raise Malformed("not one list of nodes")
    return frozenset(str(name) for name in terms[0])


class _Tokens:
    def __init__(self, text: str) -> None:
        self._found = self._scan(text)
        self.ahead = next(self._found, None)

    def next(self) -> "tuple[str, str]":
        token = self.ahead
        if token is None:
            raise Malformed("the text ends within a term")
        self.ahead = next(self._found, None)
        return token

    @staticmethod
    def _scan(text: str) -> "Iterator[tuple[str, str]]":
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise Malformed(f"no Erlang term begins with {text[at]!r}")
            at = match.end()
            if match.lastgroup:
                yield match.lastgroup, match[match.lastgroup]


def _term(tokens: _Tokens, depth: int) -> "Any":
    if depth > _DEPTH:
        raise Malformed("the term is nested too deeply")
    kind, value = tokens.next()
    if kind in ("atom", "quoted"):
        return Atom(re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL))
    if kind == "integer":
        return int(value) if len(value) < 1000 else 0
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    if value not in _CLOSE:
        raise Malformed(f"no term begins with {value!r}")
    items: list[Any] = []
    end = ("sign", _CLOSE[value])
    while tokens.ahead != end:
        items.append(_term(tokens, depth + 1))
        if tokens.ahead != end and (tokens.next() != ("sign", ",") or tokens.ahead == end):
            raise Malformed("terms in a list or tuple have one comma between them")
    tokens.next()
    return items if value == "[" else tuple(items)
