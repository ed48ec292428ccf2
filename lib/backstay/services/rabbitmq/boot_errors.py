"""Finds the telling line in what a failing boot prints. Pure.

A failing boot prints pages. The cause comes first or after BOOT FAILED; what each supervisor thinks of it follows.
"""

import re

from backstay.ocf.table import Value

_LINE = re.compile(r"^\d{4}-\d\d-\d\d \S+ \[(?:error|critical|emergency|alert)\] <[0-9.]+>")
_DETAIL = re.compile(r"^-\s+(.*)$")
_NOISE = re.compile(
    r"^(=+|BOOT FAILED|\*+|Error during startup:.*configuration.*|(Exception|Error) during startup:|"
    r"(supervisor|errorContext|reason|offender|crasher|initial call|pid|registered_name|in function|ancestors):?.*)$"
)
_TERM = re.compile(r"^(?:Exception|Error) during startup:\s*(\{.*)$")  # an Erlang term, over several lines
_SENTENCE = re.compile(r'"([^"]{20,})"')
_CONFIGURATION = re.compile(
    r"^Error (preparing|parsing) configuration|unable to (parse|read) .*config|^Failed to load .*config", re.IGNORECASE
)


class Complaint(Value):
    """text: one line, "" when nothing tells. configuration: it is about the broker's settings. inconsistent: it is in a cluster
    by its data, and by the others it is not."""

    __slots__ = ("configuration", "inconsistent", "text")

    def __init__(self, text: str, configuration: bool = False, inconsistent: bool = False) -> None:
        self.text = text
        self.configuration = configuration
        self.inconsistent = inconsistent


def complaint(printed: str) -> Complaint:
    """From what the launcher and the broker wrote to the console."""
    lines = [_LINE.sub("", line).strip() for line in printed.splitlines()]
    for at, line in enumerate(lines):
        if _CONFIGURATION.search(line):
            details = [found[1] for found in map(_DETAIL.match, lines[at + 1 : at + 6]) if found]
            return Complaint("; ".join(details[:2]) or line, configuration=True)
    telling = [line for line in lines if line and not _NOISE.match(line)]
    failed = next((at for at, line in enumerate(lines) if line.startswith("BOOT FAILED")), None)
    if failed is not None:
        term = _term(lines[failed:])
        if term:
            sentence = _SENTENCE.search(term)
            return Complaint(sentence[1] if sentence else term[:300], inconsistent="inconsistent_cluster" in term)
        after = [line for line in lines[failed:] if line and not _NOISE.match(line)]
        telling = after or telling
    return Complaint(telling[0][:300] if telling else "")


def _term(lines: "list[str]") -> str:
    """The term that a boot ended with, in one line; "" where none is printed."""
    for at, line in enumerate(lines):
        begun = _TERM.match(line)
        if begun:
            rest = lines[at + 1 :]
            return " ".join([begun[1], *rest[: rest.index("") if "" in rest else len(rest)]])
    return ""
