"""What decisions take and give are values: equal when the same is in them, fit for a set, and told in full when printed."""

from __future__ import annotations

import ast
import importlib
import inspect
from enum import Enum

import pytest
from tests.rules.structure import modules, tree  # type: ignore[import-not-found]
from tests.rules.test_rules import PURE  # type: ignore[import-not-found]

from backstay.ocf.table import Value

MODULES = modules()
DECISIONS = [name for name in PURE if name.startswith("backstay.")]
# Classes of pure modules that nobody decides on. They may have state, or are themselves and nothing else.
OTHERS = {
    "backstay.admin.crm_parser.Command": "built word by word while a template is read",
    "backstay.cluster.attributes.Attribute": "declared once",
    "backstay.cluster.attributes.Property": "declared once",
    "backstay.cluster.configuration.Configuration": "reads one CIB",
    "backstay.ocf.codes.Role": "two words of the contract",
    "backstay.ocf.parameters.ActionSpec": "declared once",
    "backstay.ocf.parameters.Actions": "holds declarations",
    "backstay.ocf.parameters.Choice": "declared once",
    "backstay.ocf.parameters.Count": "declared once",
    "backstay.ocf.parameters.Generic": "a word for type checkers",
    "backstay.ocf.parameters.Flag": "declared once",
    "backstay.ocf.parameters.OptionalCount": "declared once",
    "backstay.ocf.parameters.Parameter": "declared once",
    "backstay.ocf.parameters.Parameters": "holds declarations",
    "backstay.ocf.parameters.Seconds": "declared once",
    "backstay.ocf.parameters.Text": "declared once",
    "backstay.ocf.steps.Answer": "one that is no answer, itself and no other",
    "backstay.services.advice.Advice": "a service's part of the admin's commands",
    "backstay.services.haproxy.admin.Admin": "the same",
    "backstay.services.haproxy.server_state.Configuration": "reads one text",
    "backstay.services.mysql.admin.Admin": "the same",
    "backstay.services.mysql.promotion_steps._Recording": "functions of the tables of steps, with one of them to be chosen",
    "backstay.services.rabbitmq.admin.Admin": "the same",
    "backstay.services.rabbitmq.boot_steps._Decisions": "functions of the table of steps, with decisions to be chosen",
    "backstay.services.rabbitmq.erlang_text._Tokens": "reads one text",
    "backstay.services.rabbitmq.etf._Reader": "reads one text",
    "backstay.services.vip.admin.Admin": "the same",
}


def classes() -> dict[str, type]:
    """Every class that is made in a decision module, but for exceptions."""
    found = {}
    for name in DECISIONS:
        for each in vars(importlib.import_module(name)).values():
            if inspect.isclass(each) and each.__module__ == name and not issubclass(each, BaseException):
                found[f"{name}.{each.__name__}"] = each
    return found


def lacks(value: type) -> list[str]:
    """What keeps a class from being one of values."""
    if issubclass(value, Enum):
        return []
    missing = [
        name
        for name in ("__eq__", "__hash__", "__repr__")
        if getattr(value, name) is None or getattr(value, name) is getattr(object, name)
    ]
    held = (
        []
        if issubclass(value, (tuple, int, str))
        else [one for one in value.__mro__[:-1] if "__slots__" not in vars(one)]
    )
    return missing + [f"slots of {one.__name__}" for one in held]


FOUND = classes()


@pytest.mark.parametrize("name", sorted(set(FOUND) - set(OTHERS)))
def test_what_a_decision_takes_or_gives_is_a_value(name: str) -> None:
    assert lacks(FOUND[name]) == []


def test_what_is_no_value_is_there_and_says_why() -> None:
    assert set(OTHERS) <= set(FOUND)
    assert all(lacks(FOUND[name]) for name in OTHERS)  # a value needs no excuse


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_module_remembers_nothing(name: str) -> None:
    """No name of the module is given anew or changed while it runs."""
    source = tree(MODULES[name])
    assert not [node.lineno for node in ast.walk(source) if isinstance(node, ast.Global)]
    constants = {
        target.id
        for node in source.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in ast.walk(source):
        if not isinstance(function, (ast.FunctionDef, ast.Lambda)):
            continue
        own = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        for node in ast.walk(function):
            held = node.value if isinstance(node, (ast.Subscript, ast.Attribute)) else None
            if isinstance(held, ast.Name) and held.id in constants - own:
                changes = not isinstance(node.ctx, ast.Load) or getattr(node, "attr", "") in CHANGES
                assert not changes, f"{held.id}, line {node.lineno}"


CHANGES = {"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "discard", "clear", "popitem"}


class Pair(Value):
    __slots__ = ("left", "right")

    def __init__(self, left: object, right: object) -> None:
        self.left = left
        self.right = right


class Loose:
    def __init__(self, left: object) -> None:
        self.left = left


def test_a_value_is_what_is_in_it() -> None:
    assert Pair(1, {"a": 2}) == Pair(1, {"a": 2}) != Pair(1, {"a": 3})
    assert len({Pair(1, "b"), Pair(1, "b"), Pair(2, "b")}) == 2
    assert repr(Pair(1, "b")) == "Pair(left=1, right='b')"
    assert Pair(1, "b").but(left=2) == Pair(2, "b")
    with pytest.raises(AttributeError, match="given once"):
        Pair(1, "b").left = 2
    assert lacks(Pair) == [] and lacks(Loose) == ["__eq__", "__hash__", "__repr__", "slots of Loose"]
