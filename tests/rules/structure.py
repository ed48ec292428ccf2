"""Who imports whom in the two packages: values for the rules about it.

An import is any: at the top of a file, inside a function, for annotations alone, and a module that is named in a string, as
programs are that a process of ours is started with.
"""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

PACKAGES = {"backstay": CHECKOUT / "lib", "backstay_lab": CHECKOUT / "lab"}
_NAMED = re.compile(r"(?<![\w./])(backstay(?:_lab)?(?:\.[a-z_0-9]+)+)")

Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Every module by its name; a package by its `__init__`."""
    found = {}
    for package, place in PACKAGES.items():
        for path in sorted((place / package).rglob("*.py")):
            parts = path.relative_to(place).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def tree(path: Path) -> ast.Module:
    """What a file says, parsed once for all rules."""
    return ast.parse(path.read_text())


def imported(source: ast.Module, known: set[str]) -> set[str]:
    """Those of the `known` modules that a source imports, in whatever way. A package counts by what is taken from it."""
    found: set[str] = set()

    def add(name: str) -> None:
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name:
            found.add(name)

    prose = {id(node.value) for node in ast.walk(source) if isinstance(node, ast.Expr)}
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                add(whole if whole in known else node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            found.update(name for name in _NAMED.findall(node.value) if name in known)
    return found


def graph() -> Graph:
    """Module -> the modules that it imports. The packages' heads, which hold a text and a version, are left out."""
    paths = modules()
    made = {name: imported(tree(path), set(paths)) - {name} - set(PACKAGES) for name, path in paths.items()}
    return {name: others for name, others in made.items() if name not in PACKAGES}


def circles(edges: Graph) -> list[list[str]]:
    """Every set of modules that reach each other, sorted; [] when imports only go one way."""
    reach: Graph = {}
    for start in edges:
        seen: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting.extend(edges.get(name, ()))
        reach[start] = seen
    found = {
        tuple(sorted(other for other in edges if other in reach[name] and name in reach[other]))
        for name in edges
        if name in reach[name]
    }
    return sorted(map(list, found))
