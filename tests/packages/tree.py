"""A copy of the checkout to build from: what a build leaves behind stays out of the checkout, and of the next build."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay import __version__

PARTS = ["agents", "bin", "crm-templates", "debian", "docs", "examples", "lab", "lib"]
FILES = ["CHANGELOG.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "pyproject.toml", "setup.cfg", "setup.py"]
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "evidence")


def copied(target: Path, version: str = __version__) -> Path:
    """The copy, made at `target`; it calls itself `version`."""
    for part in PARTS:
        shutil.copytree(CHECKOUT / part, target / part, ignore=_LEFT_OUT, symlinks=True)
    for name in FILES:
        shutil.copy2(CHECKOUT / name, target / name)
    for path in (target / "lib/backstay/__init__.py", target / "debian/changelog"):
        path.write_text(path.read_text().replace(__version__, version, 1))
    return target


def modules(package: Path) -> set[str]:
    """The files of a package of the checkout that are of use, relative to its parent."""
    found = (path.relative_to(package.parent) for path in package.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}
