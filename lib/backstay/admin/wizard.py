"""A topology as a wizard of crmsh: `crm script run backstay-TOPOLOGY name=value …`. Pure, and run by `make install`, so that
crm-templates/ stays the one statement of a topology.

Source: crmsh's own /usr/share/crmsh/scripts, format 2.2, of crmsh 4.4 and 5.1. It is YAML, of which JSON's strings are a part.
"""

from __future__ import annotations

import json
import os
import re
import sys

from backstay.admin import template_values, templates
from backstay.ocf.errors import WrongParameter

_INSTALLED = "/usr/share/backstay/crm-templates"  # where the admin finds the template with its comments
# Parameters of every wizard, by which crmsh is told how to run it -> ours instead.
_RESERVED = {"nodes": "node_count", "user": "", "port": "", "timeout": "", "action": "", "debug": "", "sudo": ""}


def wizard(topology: str, text: str) -> str:
    """The wizard's main.yml for a template. Raises WrongParameter for what crmsh would take for something of its own."""
    known, described = templates.placeholders(text), template_values.described(text)
    taken = [name for name in known if _RESERVED.get(name) == ""]
    if "{{" in text or taken:
        raise WrongParameter(f"the template {topology} has {', '.join(taken) or '{{'}, which means something to crmsh")
    title, *rest = _head(text)
    lines = ["version: 2.2", "category: Backstay", f"shortdesc: {json.dumps(title.rstrip('.'))}", "longdesc: |"]
    for line in [*rest, f"Every choice is explained in {_INSTALLED}, next to its line."]:
        # It fills paragraphs: what is indented belongs to the line before it.
        lines += [f"  {line.strip()}"] if line.startswith(" ") else ["", f"  {line}"]
    lines += ["", "parameters:"]
    for name, default in known.items():
        needs = "required: true" if default is None else f"value: {json.dumps(default)}"
        shown = _RESERVED.get(name, name)
        lines += [f"  - name: {shown}", f"    shortdesc: {json.dumps(described[name].rstrip('.'))}", f"    {needs}"]
    lines += ["actions:", "  - cib: |"]
    lines += [f"      {statement}" for statement in _statements(text)]
    return "\n".join(lines) + "\n"


def _head(text: str) -> list[str]:
    """The comment that begins the template: its first sentence, then its lines; how to fill it in is crmsh's matter here."""
    lines = templates.BY_HAND.sub("", text).partition("\n\n")[0].splitlines()
    said = [line.lstrip("#").removeprefix(" ") for line in lines]
    end = next((at for at, line in enumerate(said) if line.endswith(".")), 0)
    return [" ".join(said[: end + 1]), *(line for line in said[end + 1 :] if not line.startswith("Before you load"))]


def _statements(text: str) -> list[str]:
    """Each on one line, since crmsh takes a wizard's line breaks for blanks; values in its notation."""
    bare = "\n".join(line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", bare)
    return templates.PLACEHOLDER.sub(
        lambda found: f"{{{{{_RESERVED.get(found['name'], found['name'])}}}}}", joined
    ).splitlines()


def main(directory: str) -> None:
    """Write the wizards of all topologies there, each in a directory of its own."""
    for topology in templates.names():
        home = os.path.join(directory, f"backstay-{topology}")
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "main.yml"), "w", encoding="utf-8") as sink:
            sink.write(wizard(topology, templates.load(topology)))


if __name__ == "__main__":
    main(sys.argv[1])
