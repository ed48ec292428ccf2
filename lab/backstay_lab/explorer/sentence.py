"""Events as a person reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def sentence(event: str, known_words: Mapping[str, str]) -> str:
    """A sentence of an event, WHAT[-MORE][:NODE]. known_words: WHAT -> a sentence with {node} in it; the longest WHAT counts."""
    name, _, node = event.rpartition(":") if ":" in event else (event, "", "")
    known = max((known for known in known_words if name.startswith(known)), key=len, default="")
    rest = name[len(known) :].replace("-", " ").strip()
    said = known_words.get(known, "{node}: {name}").format(node=node, name=name)
    return f"{said} ({rest})" if rest else said
