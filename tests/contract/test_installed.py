"""What `make install` and `pip install` leave runs from there, without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.admin.cli import OWN
from backstay.admin.manpage import pages as command_pages
from backstay.ocf.manpage import render
from backstay.ocf.parameters import actions_of, parameters_of
from backstay.services.haproxy.agent import Haproxy
from backstay.services.mysql.agent import Mysql
from backstay.services.rabbitmq.agent import Rabbitmq
from backstay.services.vip.agent import Vip

AGENTS = [Haproxy, Mysql, Rabbitmq, Vip]
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "OCF_ROOT": "/usr/lib/ocf", "HOME": "/nonexistent"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    argv = ["make", "--no-print-directory", "install", f"DESTDIR={root}"]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True, timeout=120)
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
    assert "power-off" in said["backstay-lab.8"]


def test_the_shell_completes(installed: Path) -> None:
    script = installed / "usr/share/bash-completion/completions/backstay"
    subprocess.run(["bash", "-n", script], check=True)
    for other in ("zsh/vendor-completions/_backstay", "fish/vendor_completions.d/backstay.fish"):
        assert "_BACKSTAY_COMPLETE" in (installed / "usr/share" / other).read_text()
    environment = {**CLEAN, "_BACKSTAY_COMPLETE": "bash_complete", "COMP_WORDS": "backstay re", "COMP_CWORD": "1"}
    argv = [installed / "usr/bin/backstay"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plain,rehearse", "plain,render", "plain,report"]


def test_pip_installs_the_library_and_the_command(tmp_path: Path) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--system-site-packages", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/pip", "install", "--quiet", "--no-deps", "--no-build-isolation", CHECKOUT]
    done = subprocess.run(pip, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "venv/bin/backstay", "--help"], capture_output=True, text=True, check=True).stdout
    assert "lab" in said
    code = "import backstay.services.mysql.agent, backstay_lab.machines.cluster, backstay; print(backstay.__file__)"
    where = subprocess.run(
        [tmp_path / "venv/bin/python", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert str(tmp_path) in where and sys.version_info >= (3, 9)
