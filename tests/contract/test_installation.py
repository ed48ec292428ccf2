"""The library is replaced under the hands of agents that run: each goes on with the modules of its own version."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.admin import install

# Begins as the agents do, and loads the rest of its library when it is told to.
AGENT = (
    (CHECKOUT / "agents/vip").read_text().partition("try:")[0]
    + """
from backstay import first
print(first.VERSION, flush=True)
sys.stdin.readline()
from backstay import later
print(later.VERSION, first.__cached__ and os.path.exists(first.__cached__))
"""
)


@pytest.fixture
def lib(tmp_path: Path) -> Path:
    """An empty /usr/lib/ocf, with an agent that loads its library in two steps; its lib."""
    agents = tmp_path / "ocf/resource.d/backstay"
    agents.mkdir(parents=True)
    (agents / "agent").write_text(AGENT)
    (tmp_path / "ocf/lib").mkdir()
    return tmp_path / "ocf/lib"


def library(directory: Path, version: str) -> str:
    """One with two modules that tell its version."""
    made = directory / version / "backstay"
    (made / "part").mkdir(parents=True)
    for name in ("__init__", "first", "later", "part/inner"):
        (made / f"{name}.py").write_text(f"VERSION = {version!r}\n")
    return str(made)


def started(lib: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-I", str(lib.parent / "resource.d/backstay/agent")]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first(agent: subprocess.Popen[str]) -> str:
    assert agent.stdout
    return agent.stdout.readline().strip()


def rest(agent: subprocess.Popen[str]) -> str:
    return agent.communicate("go on\n", timeout=30)[0].strip()


def test_an_agent_has_modules_of_one_version(lib: Path, tmp_path: Path) -> None:
    install.install_on_node(library(tmp_path, "old"), str(lib))
    before = started(lib)
    assert first(before) == "old"
    install.install_on_node(library(tmp_path, "new"), str(lib))
    after = started(lib)
    assert first(after) == "new"
    assert rest(before) == "old True"
    assert rest(after) == "new True"


def test_the_installation_before_the_last_is_removed_and_no_more(lib: Path, tmp_path: Path) -> None:
    for version in ("one", "two", "three"):
        install.install_on_node(library(tmp_path, version), str(lib))
    assert sorted(os.listdir(lib)) == ["backstay", "backstay.d"]
    assert sorted(os.listdir(lib / "backstay.d")) == ["2", "3", "current"]
    assert os.readlink(lib / "backstay.d/current") == "3"
    assert (lib / "backstay/first.py").read_text() == "VERSION = 'three'\n"


def test_a_directory_of_before_gives_way_to_a_link(lib: Path, tmp_path: Path) -> None:
    os.rename(library(tmp_path, "old"), lib / "backstay")
    install.install_on_node(library(tmp_path, "new"), str(lib))
    assert os.readlink(lib / "backstay") == "backstay.d/current/backstay"
    agent = started(lib)
    assert (first(agent), rest(agent)) == ("new", "new True")


def test_one_that_fails_leaves_the_one_before_current(lib: Path, tmp_path: Path) -> None:
    install.install_on_node(library(tmp_path, "old"), str(lib))
    broken = library(tmp_path, "new")
    os.symlink("nowhere", os.path.join(broken, "dangling.py"))
    with pytest.raises(OSError):
        install.install_on_node(broken, str(lib))
    assert (lib / "backstay/first.py").read_text() == "VERSION = 'old'\n"
    install.install_on_node(library(tmp_path, "newer"), str(lib))
    assert (lib / "backstay/first.py").read_text() == "VERSION = 'newer'\n"


def test_what_is_removed_is_gone_and_nothing_else(lib: Path, tmp_path: Path) -> None:
    (lib / "heartbeat").mkdir()
    for version in ("one", "two"):
        install.install_on_node(library(tmp_path, version), str(lib))
    install.remove_from_node(str(lib.parent))
    assert os.listdir(lib) == ["heartbeat"] and os.listdir(lib.parent / "resource.d") == []
    install.remove_from_node(str(lib.parent))


def test_a_directory_of_before_is_removed_as_well(lib: Path, tmp_path: Path) -> None:
    os.rename(library(tmp_path, "old"), lib / "backstay")
    install.remove_from_node(str(lib.parent))
    assert os.listdir(lib) == []


def test_agents_are_replaced_as_whole_files(tmp_path: Path) -> None:
    source, target = tmp_path / "from", tmp_path / "to"
    source.mkdir()
    target.mkdir()
    (source / "mysql").write_text("new\n")
    (target / "mysql").write_text("old\n")
    with (target / "mysql").open() as held:
        install.replace_files(str(source), str(target))
        assert held.read() == "old\n"
    assert (target / "mysql").read_text() == "new\n" and os.access(target / "mysql", os.X_OK)
    assert os.listdir(target) == ["mysql"]
