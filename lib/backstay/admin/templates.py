"""Configuration templates: plain crmsh text with `@name@` for a value that must be given and `@name=default@` for one
that may be. A line `include NAME value=TEXT …` stands for another template, some of whose values it gives."""

import os
import re

from backstay.admin import shipped
from backstay.ocf.errors import WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

PLACEHOLDER = re.compile(r"@(?P<name>[a-z][a-z0-9_]*)(?:=(?P<default>[^@\n]*))?@")
_INCLUDE, _PROPERTY = "include ", "property "
BY_HAND = re.compile("^# Fill in .*?(?=^# Before you load it)", re.MULTILINE | re.DOTALL)
_PART = "crm-templates"


def render(text: str, values: "Mapping[str, str]") -> str:
    """The text with its values filled in.

    Raises WrongParameter for all unset values at once, for values the template does not know (a typing error would
    otherwise leave a default in force), and for values that would break out of their quotes. Of the comments only those
    are left out that tell how to fill in the text by hand.
    """
    known = placeholders(text)
    unset = sorted(name for name, default in known.items() if default is None and name not in values)
    unknown = sorted(set(values) - set(known))
    unfit = sorted(name for name, value in values.items() if not value or re.search(r'["\\\n@]', value))
    complaints = [
        f"{what}: {', '.join(names)}"
        for what, names in (
            ("values not given", unset),
            ("values the template does not have", unknown),
            ('values that are empty or contain ", \\, @ or a line end', unfit),
        )
        if names
    ]
    if complaints:
        raise WrongParameter("; ".join(complaints))

    def fill(match: "re.Match[str]") -> str:
        return values.get(match["name"], match["default"] or "")

    return _filled(BY_HAND.sub("", text), fill)


def placeholders(text: str) -> "dict[str, str | None]":
    """The values that a template takes: name -> default, None where one must be given. In the order of the text."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            for match in PLACEHOLDER.finditer(line):
                if found.setdefault(match["name"], match["default"]) is not None and match["default"] is None:
                    found[match["name"]] = None  # without a default in one place, it must be given
    return found


def names(directory: str = "") -> "list[str]":
    """The topologies there are. directory: as in `load`."""
    return sorted(
        name[: -len(".crm")] for name in os.listdir(directory or shipped.directory(_PART)) if name.endswith(".crm")
    )


def load(name: str, directory: str = "") -> str:
    """The text of a template with what it includes, from `directory`, by default the checkout's or the installed one.

    Raises WrongParameter for a template that is not there, and for values that an included one does not have.
    """
    directory = directory or shipped.directory(_PART)
    there = names(directory)
    if name not in there:
        raise WrongParameter(f"no topology {name}; there are {', '.join(there)}")
    with open(os.path.join(directory, f"{name}.crm"), encoding="utf-8") as source:
        lines = source.read().splitlines(keepends=True)
    whole = (_included(line, directory) if line.startswith(_INCLUDE) else line for line in lines)
    return _one_property("".join(whole))


def _one_property(text: str) -> str:
    """crmsh takes one statement of properties in a file: the first gets what the others say, and they become comments."""
    lines = text.splitlines(keepends=True)
    at = [number for number, line in enumerate(lines) if line.startswith(_PROPERTY)]
    said: dict[str, str] = {}
    for number in at:
        for name, _, value in (pair.partition("=") for pair in lines[number].split()[1:]):
            if said.setdefault(name, value) != value:
                raise WrongParameter(f"the templates contradict each other: {name}={said[name]} and {name}={value}")
    for number in at[1:]:
        lines[number] = f"# Set above, with the other properties: {lines[number][len(_PROPERTY) :]}"
    if len(at) > 1:
        lines[at[0]] = _PROPERTY + " ".join(f"{name}={value}" for name, value in said.items()) + "\n"
    return "".join(lines)


def _included(line: str, directory: str) -> str:
    """The text that an include line stands for. What it gives may be a placeholder of its own: so a value is renamed."""
    _, name, *pairs = line.split()
    text = load(name, directory)
    given = dict(pair.split("=", 1) for pair in pairs)
    unknown = sorted(set(given) - set(placeholders(text)))
    if unknown:
        raise WrongParameter(f"{name}.crm does not have the values {', '.join(unknown)}")

    def give(match: "re.Match[str]") -> str:
        return given.get(match["name"], match[0])

    return _filled(text, give)


def _filled(text: str, fill: "Callable[[re.Match[str]], str]") -> str:
    """Comments are left alone."""
    lines = text.splitlines(keepends=True)
    return "".join(line if line.startswith("#") else PLACEHOLDER.sub(fill, line) for line in lines)
