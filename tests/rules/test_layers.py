"""The layers of the house: imports only go down, never in a circle, and production knows nothing of the lab."""

from __future__ import annotations

import ast

from tests.rules import structure  # type: ignore[import-not-found]

# Each may import from those before it, and from itself.
LAYERS = {
    "backstay": ["ocf", "host", "cluster", "agent", "watch", "services", "admin"],
    "backstay_lab": [
        "machines",
        "checkers",
        "clients",
        "systems",
        "nemesis",
        "run",
        "campaign",
        "bench",
        "report",
        "commands",
    ],
}
GRAPH = structure.graph()
# What is still to be mended. A line may go, none may come.
UPWARD = {
    ("backstay.agent.dispatch", "backstay.watch.client"),
    ("backstay.services.haproxy.admin", "backstay.admin.preflight"),
    ("backstay.services.mysql.admin", "backstay.admin.preflight"),
    ("backstay.services.rabbitmq.admin", "backstay.admin.diagnose"),
    ("backstay_lab.machines.cluster", "backstay_lab.systems.topology"),
}
KNOTS = 8  # sets of modules that import each other


def layer(module: str) -> tuple[str, int]:
    """The package, and how high in it the module stands."""
    package, name, *_ = module.split(".")
    return package, LAYERS[package].index(name)


def upward(graph: structure.Graph) -> set[tuple[str, str]]:
    found = set()
    for name, others in graph.items():
        package, own = layer(name)
        for other in others:
            where, height = layer(other)
            if where == package and height > own:
                found.add((name, other))
    return found


def test_every_module_has_a_layer() -> None:
    assert all(layer(name) for name in GRAPH)


def test_imports_only_go_down() -> None:
    assert upward(GRAPH) == UPWARD


def test_there_is_no_circle() -> None:
    assert len(structure.circles(GRAPH)) <= KNOTS


def test_production_imports_nothing_of_the_lab() -> None:
    crossing = {(name, other) for name, others in GRAPH.items() for other in others if name.startswith("backstay.")}
    crossing = {(name, other) for name, other in crossing if other.startswith("backstay_lab.")}
    assert crossing == {("backstay.admin.cli", "backstay_lab.commands")}  # looked for, and done without


def test_no_service_imports_another() -> None:
    for name, others in GRAPH.items():
        if name.startswith("backstay.services.") and name.count(".") > 2:
            own = name.split(".")[2]
            services = {
                other.split(".")[2]
                for other in others
                if other.count(".") > 2 and other.startswith("backstay.services.")
            }
            assert services <= {own}, name


def test_the_rules_see_every_kind_of_import() -> None:
    known = {"backstay.host.command", "backstay.watch.daemon", "backstay.agent.log", "backstay.ocf.codes"}
    text = '''
"""Prose about backstay.watch.daemon is no import."""
import backstay.host.command
if TYPE_CHECKING:
    from backstay.agent import log
def later():
    from backstay.ocf.codes import Role
    return f"from backstay.watch.daemon import main"
'''
    assert structure.imported(ast.parse(text), known) == known
    assert structure.imported(ast.parse('"""Prose about backstay.watch.daemon."""'), known) == set()


def test_the_rules_find_a_circle_and_a_way_up() -> None:
    knot = {"backstay.ocf.codes": {"backstay.host.command"}, "backstay.host.command": {"backstay.ocf.codes"}}
    assert structure.circles(knot) == [["backstay.host.command", "backstay.ocf.codes"]]
    assert upward(knot) == {("backstay.ocf.codes", "backstay.host.command")}
    assert structure.circles({"backstay.a": {"backstay.b"}, "backstay.b": set()}) == []
