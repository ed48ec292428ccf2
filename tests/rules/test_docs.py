"""What the documentation names is there."""

from __future__ import annotations

import re

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.admin.cli import commands

PAGES = sorted(
    path for path in [*(CHECKOUT / "docs").rglob("*.md"), CHECKOUT / "README.md"] if "decisions" not in path.parts
)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tests_files_and_commands_that_a_page_names_exist(page) -> None:  # type: ignore[no-untyped-def]
    text = page.read_text()
    tests = "".join(path.read_text() for path in (CHECKOUT / "tests").rglob("test_*.py"))
    for name in re.findall(r"\btest_\w+(?!\w*\.py)\b", text):
        assert f"def {name}(" in tests or any((CHECKOUT / "tests").rglob(f"{name}.py")), name
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / target).exists(), target
    for command in re.findall(r"`(?:bin/)?backstay ([a-z]+)", text):
        assert command in commands(), command
