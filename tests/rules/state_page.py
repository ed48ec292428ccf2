"""Makes docs/state.md of the declarations in the code. Run it from the checkout after a change of them:

PYTHONPATH=lib:lab python3 -m tests.rules.state_page
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator

from tests.conftest import CHECKOUT  # type: ignore[import-not-found]
from tests.rules.structure import modules, tree  # type: ignore[import-not-found]

from backstay.cluster.attributes import Attribute, Property
from backstay.host.state_files import StateFile

PAGE = CHECKOUT / "docs/state.md"
KINDS = {"StateFile": StateFile, "Attribute": Attribute, "Property": Property}
HEAD = """# What the agents remember

Made of the declarations in the code by `tests/rules/state_page`: change them there, and run it.

## Files

In `/run/backstay/RESOURCE`, for root alone. A boot empties it, and it may vanish or become unwritable at any time: then an agent
knows less, and promises less. None of these names changes: nodes of two versions work side by side.
"""
TAIL = """
A public attribute is in the status of the cluster's configuration, and rules can use it. A private one only the attribute daemons
have. Both are gone when the node leaves the cluster. A property stays.
"""
SERVICES = {"haproxy": "HAProxy", "mysql": "MySQL", "rabbitmq": "RabbitMQ", "vip": "Addresses"}


def calls(name: str) -> Iterator[ast.Call]:
    """Where a module makes a declaration."""
    for node in ast.walk(tree(modules()[name])):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
            yield node


def declaring() -> dict[str, int]:
    """Modules of the product that make declarations, and how many."""
    found = {name: len(list(calls(name))) for name in modules() if name.startswith("backstay.")}
    return {name: count for name, count in sorted(found.items()) if count}


def declared(name: str) -> list[StateFile | Attribute]:
    """What a module declares, in its order. What it takes from another is that one's."""
    given = {node.args[0].value for node in calls(name) if isinstance(node.args[0], ast.Constant)}
    values = vars(importlib.import_module(name)).values()
    return [value for value in values if isinstance(value, (StateFile, Attribute)) and value.name in given]


def part(name: str) -> str:
    """Of which part a module's files are."""
    words = name.split(".")
    return SERVICES[words[2]] if words[1] == "services" else "The watcher" if words[1] == "watch" else "Every agent"


def rows(found: list[StateFile]) -> str:
    named = ((f"RESOURCE{one.name}" if one.name.startswith(".") else one.name, one) for one in found)
    return "".join(
        f"| `{name}` | {one.meaning} | {one.lost} |\n" for name, one in sorted(named, key=lambda pair: pair[0])
    )


def page() -> str:
    parts: dict[str, list[StateFile]] = {}
    attributes: list[Attribute] = []
    for name in declaring():
        for one in declared(name):
            if isinstance(one, StateFile):
                parts.setdefault(part(name), []).append(one)
            else:
                attributes.append(one)
    text = HEAD
    for title in ("Every agent", "The watcher", *SERVICES.values()):
        text += f"\n### {title}\n\n| file | holds | if it is lost |\n| --- | --- | --- |\n{rows(parts.pop(title))}"
    assert not parts, parts
    text += "\n## Attributes and properties\n\n| name | kind | says | if it is lost |\n| --- | --- | --- | --- |\n"
    for one in sorted(attributes, key=lambda one: one.name):
        kind = "cluster property" if isinstance(one, Property) else f"{'public' if one.public else 'private'} attribute"
        name = one.of("RESOURCE", "BACKEND")
        text += f"| `{name}` | {kind} | {one.meaning} | {one.lost} |\n"
    return (
        text
        + "\nA public attribute is in the status of the cluster's configuration, and rules can use it. A private one only the "
        "attribute\ndaemons have. Both are gone when the node leaves the cluster. A property stays.\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
