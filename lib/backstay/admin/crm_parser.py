"""crmsh's configuration language, as far as templates use it, read into values. Pure.

The templates are the one statement of a topology. What must be said in another language (pcs) is made from these values.
A word that is not understood here is an error, never left out.
"""

import re
import shlex

from backstay.ocf.errors import WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {"Mandatory", "Optional", "Serialize"}
_ROLES = {"Promoted", "Unpromoted", "Started", "Stopped", "Master", "Slave"}
_ACTIONS = {"start", "stop", "promote", "demote"}
_SECTIONS = ("params", "meta", "utilization", "op")


class Command:
    """One statement. comments: the lines before it, without `#`, "" for an empty one. kind: its first word, in one of the
    forms below, where `options` are name and value in the order of the text.

    property, rsc_defaults, op_defaults   options
    primitive    id, agent, sections: (params|meta|utilization, options) and (op NAME, options), in order
    clone        id, members: the one resource, options: meta attributes
    group        id, members, options: meta attributes
    colocation   id, members: (resource, role) twice, score
    order        id, members: (resource, action) two or more, score: a kind, options: symmetrical
    location     id, members: the resource and its role, score; either `node`, or `rule`: the expression as written
    """

    def __init__(self, kind: str, comments: "tuple[str, ...]") -> None:
        self.kind = kind
        self.comments = comments
        self.id = ""
        self.agent = ""
        self.members: list[tuple[str, str]] = []
        self.score = ""
        self.node = ""
        self.rule: list[str] = []
        self.options: list[tuple[str, str]] = []
        self.sections: list[tuple[str, list[tuple[str, str]]]] = []


def parse(text: str) -> "list[Command]":
    """The statements of a rendered template. Raises WrongParameter for what it does not understand."""
    return [_command(words, comments) for words, comments in _statements(text)]


def _statements(text: str) -> "Iterator[tuple[list[str], tuple[str, ...]]]":
    """Continued lines joined and split into words, with the comments before them."""
    comments: list[str] = []
    pending = ""
    for line in text.splitlines():
        if not pending and (line.startswith("#") or not line.strip()):
            comments.append(line[1:].removeprefix(" ") if line.startswith("#") else "")
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        yield shlex.split(pending + line), tuple(comments)
        pending, comments = "", []
    if pending:
        raise WrongParameter("the template ends within a statement")


def _command(words: "list[str]", comments: "tuple[str, ...]") -> Command:
    made = Command(words[0], comments)
    readers = {
        "property": _options,
        "rsc_defaults": _options,
        "op_defaults": _options,
        "primitive": _primitive,
        "clone": _clone,
        "group": _clone,
        "colocation": _colocation,
        "order": _order,
        "location": _location,
    }
    if made.kind not in readers:
        raise WrongParameter(f"a template cannot say {' '.join(words[:2])}: it is not known to the pcs format")
    try:
        readers[made.kind](made, words[1:])
    except (IndexError, ValueError):
        raise WrongParameter(f"not understood in the template: {' '.join(words)[:100]}") from None
    return made


def _pair(word: str) -> "tuple[str, str]":
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ValueError(word)
    return name, value


def _options(made: Command, words: "list[str]") -> None:
    made.options = [_pair(word) for word in words]


def _primitive(made: Command, words: "list[str]") -> None:
    made.id, made.agent = words[0], words[1]
    rest = words[2:]
    while rest:
        section = rest.pop(0)
        if section not in _SECTIONS:
            raise ValueError(section)
        if section == "op":
            section = f"op {rest.pop(0)}"
        end = next((at for at, word in enumerate(rest) if word in _SECTIONS), len(rest))
        made.sections.append((section, [_pair(word) for word in rest[:end]]))
        rest = rest[end:]


def _clone(made: Command, words: "list[str]") -> None:
    made.id = words[0]
    at = words.index("meta") if "meta" in words else len(words)
    made.members = [(word, "") for word in words[1:at]]
    made.options = [_pair(word) for word in words[at + 1 :]]
    if not made.members or (made.kind == "clone" and len(made.members) > 1):
        raise ValueError(made.id)


def _member(word: str, allowed: "set[str]") -> "tuple[str, str]":
    name, colon, part = word.partition(":")
    if colon and part not in allowed:
        raise ValueError(word)
    return name, part


def _score(word: str) -> str:
    """As Pacemaker's XML has it: crmsh writes `inf:`."""
    score = word.removesuffix(":")
    if score == word:
        raise ValueError(word)
    return re.sub("^([-+]?)inf$", r"\1INFINITY", score)


def _colocation(made: Command, words: "list[str]") -> None:
    made.id, made.score = words[0], _score(words[1])
    made.members = [_member(word, _ROLES) for word in words[2:]]
    if len(made.members) != 2:
        raise ValueError(made.id)


def _order(made: Command, words: "list[str]") -> None:
    made.id = words[0]
    made.score = words[1].removesuffix(":")
    if made.score not in _KINDS:
        raise ValueError(words[1])
    made.members = [_member(word, _ACTIONS) for word in words[2:] if "=" not in word]
    made.options = [_pair(word) for word in words[2:] if "=" in word]
    if len(made.members) < 2:
        raise ValueError(made.id)


def _location(made: Command, words: "list[str]") -> None:
    made.id = words[0]
    if words[2] == "rule":
        rest = words[3:]
        role = ""
        if rest[0].startswith(("$role=", "role=")):
            role = rest.pop(0).partition("=")[2]
        made.members = [(words[1], role)]
        made.score, made.rule = _score(rest[0]), rest[1:]
        if not made.rule:
            raise ValueError(made.id)
    else:
        rest = words[2:]
        role = rest.pop(0).partition("=")[2] if rest[0].startswith("role=") else ""
        made.members = [(words[1], role)]
        made.score, made.node = _score(rest[0]), rest[1]
