"""What the documentation names is there."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]
from tests.rules.test_layers import LAYERS  # type: ignore[import-not-found]

from backstay.admin.cli import commands

ENTRY = [CHECKOUT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
DECISIONS = sorted((CHECKOUT / "docs/decisions").glob("0*.md"))
GUIDES = sorted({*ENTRY, *(CHECKOUT / "docs").rglob("*.md")} - set(DECISIONS))
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
LAYER = "|".join(layer for layers in LAYERS.values() for layer in layers)
PLACES = [CHECKOUT / "lib/backstay", CHECKOUT / "lab/backstay_lab", CHECKOUT]


def named(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def is_target(name: str) -> bool:
    """Whether the Makefile has it, or a pattern for it."""
    rules = re.findall(r"^([a-z%][a-z% -]*):(?!=)", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    return any(re.fullmatch(one.replace("%", "[a-z]+"), name) for rule in rules for one in rule.split())


@functools.cache
def sources_of_tests() -> str:
    return "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("page", GUIDES, ids=named)
def test_tests_commands_and_targets_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    for name in re.findall(r"\btest_\w+(?!\w*\.py)\b", text):
        assert f"def {name}(" in sources_of_tests() or any((CHECKOUT / "tests").rglob(f"{name}.py")), name
    for command in re.findall(r"`(?:bin/)?backstay ([a-z]+)", text):
        assert command in commands(), command
    for target in re.findall(r"(?:`|^    (?:sudo )?)make (?:-j2 )?([a-z-]+)", text, re.MULTILINE):
        assert is_target(target), target


@pytest.mark.parametrize("file", [".ci/run", ".github/workflows/check.yml", ".gitlab-ci.yml"])
def test_what_ci_runs_are_targets(file: str) -> None:
    text = (CHECKOUT / file).read_text()
    targets = re.findall(r"(?:^|- |run: )make (?:--[a-z-]+ )*([a-z-]+)", text, re.MULTILINE)
    assert targets and all(map(is_target, targets)), targets


@pytest.mark.parametrize("page", [*GUIDES, *DECISIONS, CHECKOUT / "CHANGELOG.md"], ids=named)
def test_what_a_page_links_to_exists(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [*GUIDES, *DECISIONS], ids=named)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    """Written as `layer/module`, of either package; the checkout has a directory `bench` as well. NAME is any service."""
    for name in re.findall(rf"`((?:{LAYER})/[\w/]+)(?:\.py)?`", page.read_text().replace("/NAME/", "/vip/")):
        assert any((place / name).exists() or (place / f"{name}.py").exists() for place in PLACES), name


def test_the_indexes_name_every_page() -> None:
    index = CHECKOUT / "docs/README.md"
    linked = {(index.parent / target).resolve() for target in LINK.findall(index.read_text())}
    assert {page for page in GUIDES if page.name != "README.md"} - linked == set()
    listed = LINK.findall((CHECKOUT / "docs/decisions/README.md").read_text())
    assert {page.name for page in DECISIONS} == set(listed)
