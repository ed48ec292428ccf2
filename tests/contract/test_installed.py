"""What `make install` and `make install-lab` leave runs from there, without the checkout; `make uninstall` takes it away."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.admin.cli import OWN
from backstay.admin.manpage import pages as command_pages
from backstay.cluster.model import Resource
from backstay.ocf.manpage import render
from backstay.ocf.parameters import actions_of, parameters_of
from backstay.services.advice import DOCUMENTATION, Advice
from backstay.services.haproxy.agent import Haproxy
from backstay.services.mysql.agent import Mysql
from backstay.services.rabbitmq.agent import Rabbitmq
from backstay.services.vip.agent import Vip

AGENTS = [Haproxy, Mysql, Rabbitmq, Vip]
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OCF_ROOT": "/usr/lib/ocf", "HOME": "/nonexistent"}


def make(target: str, root: Path) -> None:
    argv = ["make", "--no-print-directory", target, f"DESTDIR={root}"]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True, timeout=300)


def listed(root: Path) -> set[str]:
    """The files below `root`, relative to it."""
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or not path.is_dir()}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    make("install", root)
    return root


@pytest.mark.parametrize("agent", AGENTS)
def test_an_installed_agent_runs(installed: Path, agent: type) -> None:
    program = installed / "usr/lib/ocf/resource.d/backstay" / agent.parameters_class().name
    done = subprocess.run([program, "meta-data"], cwd="/", env=CLEAN, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f'<resource-agent name="{agent.parameters_class().name}"' in done.stdout  # type: ignore[attr-defined]


def test_everything_installed_is_world_readable(installed: Path) -> None:
    """ocf-tester, pcs and crmsh read meta-data as nobody."""
    for path in (installed / "usr").rglob("*"):
        assert path.stat().st_mode & (0o005 if path.is_dir() else 0o004), path


@pytest.mark.parametrize("agent", AGENTS)
def test_the_manual_page_has_it_all_and_formats(installed: Path, agent: type) -> None:
    page = installed / f"usr/share/man/man7/ocf_backstay_{agent.parameters_class().name}.7"  # type: ignore[attr-defined]
    assert page.read_text() == render(agent)
    environment = {**os.environ, "LC_ALL": "C", "MANWIDTH": "100"}
    argv = ["man", "--warnings", "-l", page]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert not done.stderr
    for item in [*parameters_of(agent.parameters_class()), *actions_of(agent)]:
        assert item.name in done.stdout


def test_the_commands_pages_have_every_option_and_format(installed: Path) -> None:
    pages = dict(command_pages())
    assert set(pages) >= {"man8/backstay.8", *(f"man8/backstay-{name}.8" for name in OWN)}
    said = {}
    for name, text in pages.items():
        page = installed / "usr/share/man" / name
        assert page.read_text() == text
        environment = {**os.environ, "LC_ALL": "C", "MANWIDTH": "100"}
        argv = ["man", "--warnings", "-l", page]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
        assert not done.stderr, (name, done.stderr)
        said[name] = done.stdout
    assert "--watch" in said["man8/backstay-status.8"] and "Exit status" in said["man8/backstay-status.8"]


def test_the_pages_that_a_remedy_names_are_installed(installed: Path) -> None:
    for agent in AGENTS:
        name = agent.parameters_class().name  # type: ignore[attr-defined]
        said = Advice(Resource(name, f"ocf:backstay:{name}")).see
        assert (installed / said.removeprefix("see /")).is_file(), said
    assert (installed / f"{DOCUMENTATION}/security.md".lstrip("/")).is_file()
    for template in (installed / "usr/share/backstay/crm-templates").iterdir():
        for page in re.findall(r"/usr/share/doc/\S+\.md", template.read_text()):
            assert (installed / page.lstrip("/")).is_file(), page


def test_the_shell_completes(installed: Path) -> None:
    script = installed / "usr/share/bash-completion/completions/backstay"
    subprocess.run(["bash", "-n", script], check=True)
    for other in ("zsh/vendor-completions/_backstay", "fish/vendor_completions.d/backstay.fish"):
        assert "_BACKSTAY_COMPLETE" in (installed / "usr/share" / other).read_text()
    environment = {**CLEAN, "_BACKSTAY_COMPLETE": "bash_complete", "COMP_WORDS": "backstay re", "COMP_CWORD": "1"}
    argv = [installed / "usr/bin/backstay"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plain,render"]


def test_a_production_node_gets_nothing_of_the_lab(installed: Path) -> None:
    there = [path for path in listed(installed) if not path.startswith("usr/share/doc/")]
    assert not [path for path in there if "lab" in path.replace("available", "")]
    said = subprocess.run([installed / "usr/bin/backstay", "-h"], env=CLEAN, capture_output=True, text=True, check=True)
    assert "switchover" in said.stdout and "rehearse" not in said.stdout


def test_the_lab_is_installed_beside_it_and_both_are_taken_away(tmp_path: Path) -> None:
    others = tmp_path / "usr/lib/ocf/resource.d/heartbeat/other"
    others.parent.mkdir(parents=True)
    others.write_text("of another package\n")
    make("install", tmp_path)
    before = listed(tmp_path)
    make("install-lab", tmp_path)
    added = listed(tmp_path) - before
    assert all(
        path.startswith(("usr/lib/backstay-lab/backstay_lab/", "usr/share/man/man8/backstay-")) for path in added
    )
    page = tmp_path / "usr/share/man/man8/backstay-lab.8"
    argv = ["man", "--warnings", "-l", page]
    environment = {**os.environ, "LC_ALL": "C", "MANWIDTH": "100"}
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert "power-off" in done.stdout and not done.stderr
    said = subprocess.run(
        [tmp_path / "usr/bin/backstay", "lab", "up", "--help"], env=CLEAN, capture_output=True, text=True, check=True
    )
    assert "--topology" in said.stdout
    for path in (tmp_path / "usr/lib/backstay-lab").rglob("*"):
        assert path.stat().st_mode & (0o005 if path.is_dir() else 0o004), path
    make("uninstall", tmp_path)
    assert listed(tmp_path) == {str(others.relative_to(tmp_path))}
    assert {path.name for path in tmp_path.rglob("*") if path.is_dir()} == {
        "usr",
        "lib",
        "ocf",
        "resource.d",
        "heartbeat",
    }
