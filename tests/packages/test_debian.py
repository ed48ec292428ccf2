"""The Debian packages on a node: installed from a repository, upgraded and rolled back under agents that run, removed, purged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT, Chamber  # type: ignore[import-not-found]
from tests.packages import tree  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import cib  # type: ignore[import-not-found]
from tests.templates.test_render_formats import NODES, values_for  # type: ignore[import-not-found]

from backstay import __version__

NAMES = ("backstay", "backstay-agents", "backstay-lab")
LATER = f"{__version__}.1"
BUILD, SCRIPT = 600.0, 240.0  # seconds
AGENTS = sorted(path.name for path in (CHECKOUT / "agents").iterdir())

# The chamber without what it shows of the checkout, as a node is before anything of Backstay is installed.
BARE = """
export PYTHONDONTWRITEBYTECODE= DEBIAN_FRONTEND=noninteractive
dist=/usr/lib/python3/dist-packages; agents=/usr/lib/ocf/resource.d/backstay; lib=/usr/lib/ocf/lib
for place in $lib/backstay $dist/backstay $dist/backstay_lab $agents /usr/share/backstay/crm-templates; do
    umount $place; rmdir $place
done
rmdir /usr/share/backstay; rm /usr/sbin/fence_backstay_lab
found() { find / -xdev ! -type d ! -path '/var/*' ! -path '/work/*' ! -path '/tmp/*' | sort; }
found > /tmp/before; mkdir -p /etc/apt/empty
apt() { # from the local repository alone
    apt-get -qq -y -o Dir::Etc::sourcelist=/work/local.list -o Dir::Etc::sourceparts=/etc/apt/empty \\
        -o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Dpkg::Use-Pty=0 "$@"
}
# An agent is called all the time, as by Pacemaker's monitors; /tmp/failed gets what went wrong.
running() {
    : > /tmp/failed; : > /tmp/calls; : > /tmp/run
    while [ -e /tmp/run ]; do
        $agents/vip meta-data > /tmp/said 2> /tmp/wrong || cat /tmp/wrong >> /tmp/failed
        echo >> /tmp/calls
    done &
}
stopped() { rm /tmp/run; wait; tail -n 1 /tmp/failed >&2; [ ! -s /tmp/failed ]; wc -l < /tmp/calls; }
version() { $agents/vip meta-data | grep -o 'resource-agent name="vip" version="[^"]*"' | cut -d'"' -f4; }
gone() { found > /tmp/after; diff /tmp/before /tmp/after; [ ! -d $agents ]; [ ! -e $lib/backstay.d ]; }
"""


def control(package: Path, field: str) -> str:
    argv = ["dpkg-deb", "--field", package, field]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def contents(package: Path) -> set[str]:
    """The files, as "./usr/…"."""
    listed = subprocess.run(["dpkg-deb", "--contents", package], capture_output=True, text=True, check=True).stdout
    return {line.split()[5] for line in listed.splitlines() if not line.endswith("/")}


def relabelled(package: Path, version: str, scratch: Path) -> None:
    """The same package, which says that it and what it holds are of another version."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, scratch], check=True)
    for path in (scratch / "DEBIAN/control", scratch / "usr/share/backstay/library/backstay/__init__.py"):
        if path.exists():
            path.write_text(path.read_text().replace(__version__, version))
    name = package.name.replace(__version__, version)
    argv = ["dpkg-deb", "--root-owner-group", "--build", scratch, package.with_name(name)]
    subprocess.run(argv, check=True, capture_output=True)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages of this version and of a later one, and their index. What lintian says fails `make deb`."""
    scratch = tmp_path_factory.mktemp("deb")
    made = scratch / "repository"
    argv = ["make", "--no-print-directory", "deb", f"DIST={made}"]
    source = tree.copied(scratch / "checkout")
    done = subprocess.run(argv, cwd=source, capture_output=True, text=True, check=False, timeout=BUILD)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    for package in list(made.iterdir()):
        relabelled(package, LATER, scratch / package.stem)
    argv = ["dpkg-scanpackages", "--multiversion", "."]
    index = subprocess.run(argv, cwd=made, capture_output=True, check=True).stdout
    (made / "Packages").write_bytes(index)
    return made


@pytest.fixture
def node(repository: Path, chamber: Chamber, tmp_path: Path) -> Chamber:
    """Runs a script on a bare node, with the repository."""
    shutil.copytree(repository, tmp_path / "repository")
    (tmp_path / "local.list").write_text("deb [trusted=yes] file:/work/repository ./\n")

    def run(script: str) -> str:
        return str(chamber(BARE + script, timeout=SCRIPT).out)

    return run


def package(repository: Path, name: str) -> Path:
    return repository / f"{name}_{__version__}_all.deb"


def test_the_packages_are_of_the_librarys_version(repository: Path) -> None:
    assert (CHECKOUT / "debian/changelog").read_text().startswith(f"backstay ({__version__}) ")
    assert {path.name for path in repository.glob("*.deb")} >= {package(repository, name).name for name in NAMES}
    for name in NAMES:
        assert control(package(repository, name), "Version") == __version__
    assert f"backstay-agents (= {__version__})" in control(package(repository, "backstay"), "Depends")
    assert f"backstay (= {__version__})" in control(package(repository, "backstay-lab"), "Depends")


def test_every_file_is_in_one_package(repository: Path) -> None:
    command, agents, lab = (contents(package(repository, name)) for name in NAMES)
    assert not (command & agents) | (command & lab) | (agents & lab)
    library = tree.modules(CHECKOUT / "lib/backstay")
    assert {f"./usr/share/backstay/library/{path}" for path in library} <= agents
    assert {f"./usr/lib/ocf/resource.d/backstay/{name}" for name in AGENTS} <= agents
    assert {f"./usr/lib/backstay-lab/{path}" for path in tree.modules(CHECKOUT / "lab/backstay_lab")} <= lab
    assert {f"./usr/share/doc/backstay/examples/{name}" for name in ("corosync.conf", "my.cnf")} <= command
    assert "./usr/share/doc/backstay/docs/production.md" in command and "./usr/bin/backstay" in command
    assert not [path for path in command | agents if "backstay_lab" in path or "__pycache__" in path]


def test_the_examples_are_those_of_the_guide() -> None:
    guide = (CHECKOUT / "docs/production.md").read_text()
    for name in ("corosync.conf", "my.cnf"):
        _, *lines = (CHECKOUT / "examples" / name).read_text().splitlines()
        assert "\n".join(f"    {line}" for line in lines) in guide


def test_installed_on_a_bare_node_it_renders_and_loads(node: Chamber, tmp_path: Path) -> None:
    (tmp_path / "cib.xml").write_text(cib(NODES))
    (tmp_path / "values").write_text("".join(f"{name}={value}\n" for name, value in values_for("mysql").items()))
    said = node(
        f"""
        apt install /work/repository/backstay_{__version__}_all.deb /work/repository/backstay-agents_{__version__}_all.deb >&2
        cd /; backstay --version; backstay render --list | grep mysql-readers
        export PYTHONPATH=$lib; python3 -c 'from backstay.admin.shipped import *; print(*map(files, PARTS))' > /tmp/parts
        grep -q $agents/vip /tmp/parts; grep -q /usr/share/backstay/crm-templates/mysql.crm /tmp/parts
        grep -q "'/usr/bin/backstay'" /tmp/parts
        backstay render mysql --values /work/values -o /work/mysql.crm
        crm -F configure load update /work/mysql.crm >&2 # without a fence device crmsh warns
        crm script list | grep backstay-mysql
        setpriv --reuid nobody --regid nogroup --clear-groups $agents/mysql meta-data | grep resource-agent
        """
    )
    assert f"backstay, version {__version__}" in said and "backstay-mysql" in said
    assert '<resource-agent name="mysql"' in said
    assert 'provider="backstay"' in (tmp_path / "cib.xml").read_text()


def test_upgraded_rolled_back_removed_and_purged_while_an_agent_runs(node: Chamber) -> None:
    said = node(
        f"""
        apt update; apt install backstay={__version__} backstay-agents={__version__} >&2
        version; running
        apt install backstay={LATER} backstay-agents={LATER} >&2; version; backstay --version
        apt install --allow-downgrades backstay={__version__} backstay-agents={__version__} >&2; version
        for again in 1 2 3; do apt install --reinstall backstay-agents={__version__} >&2; done
        calls=$(stopped); echo "calls $calls"
        ls $lib/backstay.d | wc -l; readlink $lib/backstay
        mkdir -p /run/backstay/mysql; apt remove backstay-agents >&2; gone; ls -d /run/backstay
        apt purge backstay backstay-agents >&2; gone; [ ! -e /run/backstay ]
        dpkg-query -W 'backstay*' 2>&1 | wc -l
        """
    ).split("\n")
    assert said[:4] == [__version__, LATER, f"backstay, version {LATER}", __version__], said
    assert int(said[4].split()[1]) > 10
    assert said[5:8] == ["3", "backstay.d/current/backstay", "/run/backstay"]  # two installations, and `current`


def test_the_way_from_make_install_to_the_packages(node: Chamber, tmp_path: Path) -> None:
    """Agents go on, and nothing of it is left that no package owns."""
    argv = ["make", "--no-print-directory", "install", "install-lab", f"DESTDIR={tmp_path}/made"]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True, timeout=BUILD)
    said = node(
        f"""
        cp -a made/. /; backstay --version; running
        apt update; apt install backstay={LATER} backstay-agents={LATER} >&2
        version; calls=$(stopped); echo "calls $calls"
        dpkg --force-depends -i repository/backstay-lab_{LATER}_all.deb >&2; backstay lab --help | head -n 1
        (cd made; find . -type f -o -type l) | cut -c 2- | grep -v -e __pycache__ -e $lib/ | while read -r path; do
            [ ! -e $path ] || dpkg -S $path > /tmp/owner || echo "left over: $path"
        done
        dpkg --force-depends --purge backstay-lab >&2; [ ! -e /usr/lib/backstay-lab ]
        apt purge backstay-agents >&2; gone; echo clean
        """
    )
    assert f"\n{LATER}\ncalls" in said and "Usage: backstay lab" in said and said.endswith("clean\n")
    assert "left over" not in said


def test_the_lab_plugs_its_commands_in_and_out(node: Chamber) -> None:
    """Not every package that it depends on is in the chamber."""
    said = node(
        f"""
        apt update; apt install backstay={__version__} backstay-agents={__version__} >&2
        backstay lab --help && exit 1
        dpkg --force-depends -i repository/backstay-lab_{__version__}_all.deb >&2
        backstay lab up --help; backstay -h
        dpkg --force-depends --remove backstay-lab >&2; [ ! -e /usr/lib/backstay-lab ]; echo removed; backstay -h
        mkdir -p /var/cache/backstay/images; dpkg --purge backstay-lab >&2; [ ! -e /var/cache/backstay ]
        """
    )
    before, after = said.split("removed\n")
    assert "--topology" in before and "rehearse" in before
    assert "rehearse" not in after and "come with backstay-lab" in after
