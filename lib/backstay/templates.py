"""Configuration templates: plain crmsh text with `@name@` for a value that must be given and `@name=default@` for one
that may be."""

import os
import re

from backstay.errors import WrongParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"@(?P<name>[a-z][a-z0-9_]*)(?:=(?P<default>[^@\n]*))?@")
_INSTALLED = "/usr/share/backstay/crm-templates"


def render(text: str, values: "Mapping[str, str]") -> str:
    """The text with its values filled in.

    Raises WrongParameter for all unset values at once, for values the template does not know (a typing error would
    otherwise leave a default in force), and for values that would break out of their quotes. Comments are left alone.
    """
    lines = text.splitlines(keepends=True)
    found = [match for line in lines if not line.startswith("#") for match in _PLACEHOLDER.finditer(line)]
    known = {match["name"] for match in found}
    unset = sorted({match["name"] for match in found if match["default"] is None} - set(values))
    unknown = sorted(set(values) - known)
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

    return "".join(line if line.startswith("#") else _PLACEHOLDER.sub(fill, line) for line in lines)


def load(name: str) -> str:
    """The text of a template, from the checkout or from where it is installed. Raises WrongParameter."""
    checkout = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "crm-templates")
    for directory in (checkout, _INSTALLED):
        path = os.path.join(directory, f"{name}.crm")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as source:
                return source.read()
    raise WrongParameter(f"no template {name} in {_INSTALLED}")
