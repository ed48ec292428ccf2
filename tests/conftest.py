"""What all tests share: tiers, and the chamber, where Debian's own crmsh and Pacemaker tools work on a CIB in a file.

A test's directory says what it needs, and so does the fixture of the chamber: it is marked for that here, by nobody else.
`pytest -m "not chamber and not lab"` is the fast tier. Whatever is asked for runs in the order of `TIERS`, the cheap first; with
`-n 3`, three at a time, but for what needs a lab (parallel.py).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Any

import hypothesis
import pytest

from backstay.host import command

CHECKOUT = Path(__file__).parent.parent

# Directory -> the marks of all its tests.
TIERS: dict[str, tuple[str, ...]] = {
    "rules": (),
    "decisions": (),
    "packages": ("chamber",),  # first of these, for its files are the longest units of work
    "contract": ("chamber",),
    "templates": ("chamber",),
    "lab": ("lab",),
    "failover": ("lab",),
    "vagrant": ("lab", "vagrant"),
}
ONE_BY_ONE = ("contract", "templates")  # which workers are given tests of singly

# An example may take as long as a busy machine makes it: no test here is about time.
hypothesis.settings.register_profile("backstay", deadline=None)
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)  # a fourth of them, for `make check`
hypothesis.settings.load_profile("backstay")

# The lab's image, read-only under a scratch layer, with the agents where Pacemaker looks for them and the test's
# directory as /work. Everything is in a mount namespace: it ends with the script.
ENTER = """
image=$1 checkout=$2 work=$3 script=$4
mount -t tmpfs chamber /mnt
mkdir /mnt/upper /mnt/layer /mnt/root
mount -t overlay chamber -o "lowerdir=$image,upperdir=/mnt/upper,workdir=/mnt/layer" /mnt/root
cd /mnt/root
bind() { mkdir -p ".$2" && mount --bind "$1" ".$2"; }
bind "$checkout/lib/backstay" /usr/lib/ocf/lib/backstay
bind "$checkout/lib/backstay" /usr/lib/python3/dist-packages/backstay
bind "$checkout/lab/backstay_lab" /usr/lib/python3/dist-packages/backstay_lab
bind "$checkout/agents" /usr/lib/ocf/resource.d/backstay
bind "$checkout/crm-templates" /usr/share/backstay/crm-templates
bind "$work" /work
install -m 755 "$checkout/lab/backstay_lab/machines/fence_backstay_lab" usr/sbin/
mount -t proc proc proc
mount --rbind /dev dev
exec chroot . sh -ec "cd /work; $script"
"""
CONFINED = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child"]

Chamber = Callable[..., command.Finished]


def directory_of(path: str | Path) -> str:
    """The directory of `tests` that a test's file is in, as TIERS has it."""
    return Path(path).relative_to(CHECKOUT / "tests").parts[0]


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = set(TIERS[directory_of(item.path)])
        if not marks and "bookworm" in getattr(item, "fixturenames", ()):
            marks.add("chamber")
        for mark in marks:
            item.add_marker(mark)
    order = list(TIERS)
    items.sort(key=lambda item: order.index(directory_of(item.path)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Loaded here: whoever runs tests without workers needs no xdist."""
    import parallel

    def unit_of(test: str) -> str:
        path = test.partition("::")[0]
        directory = directory_of(config.rootpath / path)
        if "lab" in TIERS[directory]:
            return parallel.ALONE
        return test if directory in ONE_BY_ONE else path

    return parallel.TierScheduling(config, log, unit_of)


class Minutes:
    """Where the time goes. spans: directory -> when its first test began and its last one ended; two may overlap where there are
    workers. tests: directory -> ids."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spans: dict[str, tuple[float, float]] = {}
        self.tests: dict[str, set[str]] = defaultdict(set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        directory, now = directory_of(self.root / report.location[0]), time()
        begun, _ = self.spans.get(directory, (now - report.duration, now))
        self.spans[directory] = begun, now
        self.tests[directory].add(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.spans:
            terminalreporter.section("minutes of each tier")
        for directory in (name for name in TIERS if name in self.spans):
            begun, ended = self.spans[directory]
            tests = len(self.tests[directory])
            terminalreporter.write_line(f"{(ended - begun) / 60:6.1f}  tests/{directory} ({tests} tests)")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Minutes(config.rootpath))


@pytest.fixture(scope="session")
def bookworm() -> str:
    """The path of the lab's Debian 12 image, built when it is not there; BACKSTAY_TEST_IMAGE names another suite."""
    from backstay_lab.machines import image  # tests that need no machine do without the lab

    return image.ensure(os.environ.get("BACKSTAY_TEST_IMAGE", "bookworm"), print)


@pytest.fixture
def chamber(bookworm: str, tmp_path: Path) -> Chamber:
    """Run a shell script in the chamber; files of the test's tmp_path are in its working directory."""

    def run(script: str, timeout: float = 120, check: bool = True) -> command.Finished:
        arguments = [bookworm, str(CHECKOUT), os.fspath(tmp_path), script]
        home = {"HOME": "/root", "CIB_file": "/work/cib.xml", "PYTHONDONTWRITEBYTECODE": "1"}
        return command.run([*CONFINED, "sh", "-ec", ENTER, "sh", *arguments], timeout, check=check, env=home)

    return run
