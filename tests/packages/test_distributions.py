"""The two Python distributions, built and installed without a network: each holds all that it needs."""

from __future__ import annotations

import email
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]
from tests.packages import tree  # type: ignore[import-not-found]

from backstay import __version__
from backstay.admin import templates
from backstay.admin.manpage import pages

PYTHON = "/usr/bin/python3"
OFFLINE = ["--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]
SDIST = "from setuptools import build_meta; build_meta.build_sdist('dist')"
PARTS = {"share/agents": "agents", "share/bin": "bin", "share/crm-templates": "crm-templates"}
LIBRARY, LAB = "backstay", "backstay_lab"
PLUGIN = "backstay_lab.commands"


def run(*argv: str | Path, cwd: Path, status: int = 0) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(argv, cwd=cwd, env=clean, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def wheel(source: Path, target: Path) -> Path:
    """Built from the source tree, by this machine's setuptools."""
    run(PYTHON, "-m", "pip", "wheel", *OFFLINE, "--no-build-isolation", "-w", target, ".", cwd=source)
    (made,) = target.glob("*.whl")
    return made


class Built:
    """Of one distribution: its wheel, its unpacked source distribution, and the wheel that is built from that alone."""

    def __init__(self, source: Path, scratch: Path) -> None:
        run(PYTHON, "-c", SDIST, cwd=source)
        (archive,) = (source / "dist").glob("*.tar.gz")
        with tarfile.open(archive) as found:
            found.extractall(scratch / "unpacked")  # noqa: S202  built here
        (self.source,) = (scratch / "unpacked").iterdir()
        self.again = wheel(self.source, scratch / "again")
        self.wheel = wheel(source, scratch / "wheel")

    def names(self) -> set[str]:
        """The files in the wheel; they are the same as in the one from the source distribution."""
        first, second = (set(zipfile.ZipFile(path).namelist()) for path in (self.wheel, self.again))
        assert first == second
        return first


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Built]:
    root = tree.copied(tmp_path_factory.mktemp("built") / "checkout")
    lab = Built(root / "lab", root.parent / LAB)  # first, while the library is beside it as in a checkout
    return {LIBRARY: Built(root, root.parent / LIBRARY), LAB: lab}


@pytest.fixture(scope="module")
def programs(built: dict[str, Built], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with the library, from its source distribution. What it needs is the system's."""
    at = tmp_path_factory.mktemp("environment")
    run(PYTHON, "-m", "venv", "--system-site-packages", at, cwd=at)
    run(at / "bin/pip", "install", *OFFLINE, built[LIBRARY].again, cwd=at)
    return at / "bin"


def test_a_wheel_has_every_file_of_its_package_and_no_other_package(built: dict[str, Built]) -> None:
    data = {f"{LIBRARY}/{place}/{path.name}" for place, part in PARTS.items() for path in (CHECKOUT / part).iterdir()}
    wanted = {LIBRARY: tree.modules(CHECKOUT / "lib" / LIBRARY) | data, LAB: tree.modules(CHECKOUT / "lab" / LAB)}
    for name, of in built.items():
        beside = {path for path in of.names() if not path.startswith(f"{name}-{__version__}.")}
        assert beside == wanted[name]


def test_a_wheel_has_its_manual_pages_and_its_licence(built: dict[str, Built]) -> None:
    for name, plugin in ((LIBRARY, ""), (LAB, PLUGIN)):
        inside = built[name].names()
        assert {f"{name}-{__version__}.data/data/share/man/{page}" for page, _ in pages(plugin)} <= inside
        assert any(path.endswith(("dist-info/LICENSE", "licenses/LICENSE")) for path in inside)


def requirements(of: Path) -> list[str]:
    """What a wheel needs: name and bound, without what differs between versions of setuptools."""
    (name,) = (name for name in zipfile.ZipFile(of).namelist() if name.endswith("/METADATA"))
    needed = email.message_from_bytes(zipfile.ZipFile(of).read(name)).get_all("Requires-Dist", [])
    return sorted(re.sub("[ ()]", "", one) for one in needed if "extra" not in one)


def test_the_lab_needs_the_library_of_its_own_version(built: dict[str, Built]) -> None:
    library, lab = (requirements(built[name].again) for name in (LIBRARY, LAB))
    assert library == ["PyMySQL>=1.0", "click>=7.1", "lxml>=4.9", "rich>=8.0"]
    # The lab runs on machines of today.
    assert lab == ["PyMySQL>=1.0", f"backstay=={__version__}", "click>=8.0", "lxml>=4.9", "psutil>=5.9", "rich>=13.0"]


def test_the_source_distribution_is_installable_by_make(built: dict[str, Built], tmp_path: Path) -> None:
    run("make", "install", f"DESTDIR={tmp_path}", cwd=built[LIBRARY].source)
    assert f"version {__version__}" in run(tmp_path / "usr/bin/backstay", "--version", cwd=tmp_path)


def test_the_library_alone_is_a_whole_command(programs: Path, tmp_path: Path) -> None:
    command = programs / "backstay"
    assert run(command, "--version", cwd=tmp_path) == f"backstay, version {__version__}\n"
    said = run(command, "-h", cwd=tmp_path)
    assert "switchover" in said and "rehearse" not in said and "come with backstay-lab" in said
    listed = run(command, "render", "--list", cwd=tmp_path)
    assert [line for line in listed.splitlines() if not line.startswith(" ")] == templates.names()
    assert "No such command 'lab'" in run(command, "lab", "--help", cwd=tmp_path, status=2)
    assert "doctor" in run(command, "doctor", "--help", cwd=tmp_path)
    code = (
        "from backstay.admin import shipped; print(*(path for part in shipped.PARTS for path in shipped.files(part)))"
    )
    beside = run(programs / "python", "-c", code, cwd=tmp_path).split()
    parts = {path.name for part in PARTS.values() for path in (CHECKOUT / part).iterdir()}
    assert {Path(path).name for path in beside} == parts and all(
        path.startswith(str(programs.parent)) for path in beside
    )
    where = run(programs / "python", "-c", "import backstay; print(backstay.__file__)", cwd=tmp_path)
    assert where.startswith(str(programs.parent))


def test_it_installs_a_node(programs: Path, tmp_path: Path) -> None:
    """The agents that a wheel carries, and its library, where Pacemaker looks for them."""
    ocf = tmp_path / "usr/lib/ocf"
    run(programs / "python", "-m", "backstay.admin.install", ocf, cwd=tmp_path)
    agents = sorted(path.name for path in (CHECKOUT / "agents").iterdir())
    assert sorted(os.listdir(ocf / "resource.d/backstay")) == agents
    assert not (ocf / "lib/backstay/share").exists()
    for agent in agents:
        assert f'name="{agent}"' in run(ocf / "resource.d/backstay" / agent, "meta-data", cwd=tmp_path)


def test_the_lab_plugs_its_commands_in(built: dict[str, Built], programs: Path, tmp_path: Path) -> None:
    command = programs / "backstay"
    run(programs / "pip", "install", *OFFLINE, built[LAB].again, cwd=tmp_path)
    try:
        said = run(command, "-h", cwd=tmp_path)
        assert "switchover" in said and "rehearse" in said and "come with" not in said
        assert "--topology" in run(command, "lab", "up", "--help", cwd=tmp_path)
        for other in ("rehearse", "campaign", "bench", "report", "demo"):
            assert "Usage" in run(command, other, "--help", cwd=tmp_path)
    finally:
        run(programs / "pip", "uninstall", "--yes", "--quiet", "backstay-lab", cwd=tmp_path)
    assert "rehearse" not in run(command, "-h", cwd=tmp_path)
