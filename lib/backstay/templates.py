"""Configuration templates: plain crmsh text with `@name@` for a value that must be given and `@name=default@` for one
that may be."""

import os
import re

from backstay.errors import WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = re.compile(r"@(?P<name>[a-z][a-z0-9_]*)(?:=(?P<default>[^@\n]*))?@")
_INSTALLED = "/usr/share/backstay/crm-templates"


def render(text: str, values: "Mapping[str, str]") -> str:
    """The text with its values filled in.

    Raises WrongParameter for all unset values at once, for values the template does not know (a typing error would
    otherwise leave a default in force), and for values that would break out of their quotes. Comments are left alone.
    """
    lines = text.splitlines(keepends=True)
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

    return "".join(line if line.startswith("#") else PLACEHOLDER.sub(fill, line) for line in lines)


def placeholders(text: str) -> "dict[str, str | None]":
    """The values that a template takes: name -> default, None where one must be given. In the order of the text."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            for match in PLACEHOLDER.finditer(line):
                if found.setdefault(match["name"], match["default"]) is not None and match["default"] is None:
                    found[match["name"]] = None  # without a default in one place, it must be given
    return found


def _directory() -> str:
    checkout = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "crm-templates")
    return checkout if os.path.isdir(checkout) else _INSTALLED


def names() -> "list[str]":
    """The topologies there are."""
    return sorted(name[: -len(".crm")] for name in os.listdir(_directory()) if name.endswith(".crm"))


def load(name: str) -> str:
    """The text of a template, from the checkout or from where it is installed. Raises WrongParameter."""
    if name not in names():
        raise WrongParameter(f"no topology {name}; there are {', '.join(names())}")
    with open(os.path.join(_directory(), f"{name}.crm"), encoding="utf-8") as source:
        return source.read()
