"""The layers of the house: imports only go down, never in a circle, and production knows nothing of the lab."""

from __future__ import annotations

import ast

import pytest
from tests.rules import structure  # type: ignore[import-not-found]

from backstay.agent.context import Context
from backstay.services import catalogue

# Each may import from those before it, and from itself.
LAYERS = {
    "backstay": ["ocf", "host", "cluster", "agent", "watch", "services", "admin"],
    "backstay_lab": [
        "machines",
        "checkers",
        "explorer",
        "clients",
        "nemesis",
        "systems",
        "run",
        "campaign",
        "bench",
        "report",
        "commands",
    ],
}
GRAPH, MODULES = structure.graph(), structure.modules()


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
    assert upward(GRAPH) == set()


def test_there_is_no_circle() -> None:
    assert structure.circles(GRAPH) == []


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


SERVICES = [name for name in GRAPH if name.startswith("backstay.services.")]
MOST = 8  # attributes of a context that one part may use


def used(text: str) -> set[str]:
    """Attributes of a context that a source text uses, by whatever name it holds it."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute):
            owner = node.value
            held = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if held.lstrip("_") == "context":
                found.add(node.attr)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_no_part_uses_more_than_a_few_of_a_contexts_attributes(name: str) -> None:
    if not name.endswith((".agent", ".context")):
        assert len(used(MODULES[name].read_text())) <= MOST


def test_actions_are_no_context_and_nobody_imports_them() -> None:
    for service in catalogue.names():
        agent = catalogue.agent_of(service)
        assert not issubclass(agent, Context) and agent.context_class is not Context
        module = f"backstay.services.{service}.agent"
        assert [name for name, others in GRAPH.items() if module in others] == []


def test_what_a_context_is_asked_for_is_counted() -> None:
    assert used("context.log.info(self.context.state.read(x), self._context.parameters.y, other.deadline)") == {
        "log",
        "state",
        "parameters",
    }
