"""The order in which tests run, alone and by two workers: tier after tier, and nothing beside a lab."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from backstay.host import command

TESTS = Path(__file__).resolve().parents[1]
# Each of its tests notes where it began and ended; those of the chamber tier wait for one of another worker, where there is one.
MADE = """
import json, os, time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_one(number):
    begun = time.monotonic()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    with open({noted!r}, "a") as notes:
        notes.write(json.dumps(["{directory}", worker, begun, 0]) + "\\n")
    deadline = begun + 20
    while {meets} and worker and len({{json.loads(line)[1] for line in open({noted!r}) if '"{directory}"' in line}}) < 2:
        assert time.monotonic() < deadline, "this tier had one worker"
        time.sleep(0.01)
    with open({noted!r}, "a") as notes:
        notes.write(json.dumps(["{directory}", worker, begun, time.monotonic()]) + "\\n")
"""
COUNTS = {
    "failover": 4,
    "templates": 5,
    "rules": 1,
    "contract": 6,
    "lab": 3,
}  # as files are found: in no order of tiers


class Ran(NamedTuple):
    directory: str
    worker: str
    begun: float
    ended: float


def run(directory: Path, *options: str) -> tuple[list[Ran], str]:
    """What ran, in the order of its end, and what pytest printed."""
    noted = directory / "noted"
    for name in ("conftest.py", "parallel.py"):
        (directory / "tests").mkdir(exist_ok=True)
        shutil.copy(TESTS / name, directory / "tests")
    for name, count in COUNTS.items():
        (directory / "tests" / name).mkdir()
        text = MADE.format(count=count, noted=str(noted), directory=name, meets=name == "contract")
        (directory / "tests" / name / f"test_{name}.py").write_text(text)
    (directory / "pytest.ini").write_text("[pytest]\nmarkers =\n  chamber: c\n  lab: l\n  vagrant: v\n")
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    library = {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "lib"), str(TESTS.parent / "lab")])}
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, str(directory / "tests")]
    wiped = ["env", "-i", *(f"{name}={value}" for name, value in {**own, **library}.items())]
    done = command.run([*wiped, "sh", "-c", 'cd "$0" && exec "$@"', str(directory), *argv], timeout=120, check=False)
    assert done.status == 0, done.out + done.err
    lines = [Ran(*json.loads(line)) for line in noted.read_text().splitlines()]
    return [one for one in lines if one.ended], done.out


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "two"])
def test_tiers_follow_each_other_and_nothing_runs_beside_a_lab(tmp_path: Path, options: tuple[str, ...]) -> None:
    ran, said = run(tmp_path, *options)
    assert sorted(one.directory for one in ran) == sorted(name for name, count in COUNTS.items() for _ in range(count))
    labs = [one for one in ran if one.directory in ("lab", "failover")]
    others = [one for one in ran if one not in labs]
    assert max(one.ended for one in others) <= min(one.begun for one in labs)
    assert len({one.worker for one in labs}) == 1
    assert [one.directory for one in sorted(labs, key=lambda one: one.begun)] == ["lab"] * 3 + ["failover"] * 4
    assert len({one.worker for one in others}) == (2 if options else 1)
    closing = [line for line in said.splitlines() if "tests/" in line and "tests)" in line]
    assert [line.split("tests/")[1] for line in closing] == [
        f"{name} ({COUNTS[name]} tests)" for name in ("rules", "contract", "templates", "lab", "failover")
    ]
    assert "19 passed" in said.splitlines()[-1]


def test_tests_that_share_a_lab_follow_each_other() -> None:
    """There is one at a time: whoever needs another between them has theirs taken down, and made anew."""
    environment = {"PYTHONPATH": os.pathsep.join([str(TESTS.parent / "lib"), str(TESTS.parent / "lab")])}
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(TESTS.parent),
    ]
    done = command.run([*argv, str(TESTS / "failover")], timeout=120, env=environment)
    names = [line.partition("::")[2].partition("[")[0] for line in done.out.splitlines() if "::" in line]
    two = [names.index("test_two_nodes_go_on_when_one_is_lost_and_say_so_first")]
    two.append(names.index("test_commits_wait_until_a_lost_replica_is_fenced"))  # of another file
    three = names.index("test_a_server_that_runs_on_without_its_cluster_stays_on_record")  # of a file between them
    assert two == [two[0], two[0] + 1] and three < two[0]
