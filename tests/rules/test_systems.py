"""One folder is one system: a new one shows in every command of the proving ground, and no existing file is edited for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]
from tests.rules import structure  # type: ignore[import-not-found]

DECLARATION = '''
"""A lamp that is on, on one node."""

from backstay_lab.machines.faults import Daemon
from backstay_lab.systems.declaration import Benched, Campaigned, Declaration, Rehearsed, Show, Way
from backstay_lab.nemesis.fault import Cost, table
from backstay_lab.nemesis.measured import KILL
from backstay_lab.nemesis.victim import Traits
from backstay_lab.systems.subject import Subject
from backstay_lab.systems.system import System


class Lamp(System):
    name, clone = "lamp", "lamp-clone"
    traits = Traits(port=7, peers=0, configuration="/etc/lamp", nonsense="dark", address="10.77.0.120")


def lamps(lab):
    lab.put(lab.nodes[0], "/etc/lamp", "on")


SYSTEM = Declaration(
    "Lamps",
    {"lamps": lamps},
    {"lamp": Daemon(("lampd",))},
    Rehearsed(Lamp, "lamps", table(KILL.there("the lamp is shot", Cost(fails=True), name="dark")), "a moth"),
    Campaigned("lamp", {"": Lamp.traits}, Subject),
    Benched((Way("ocf:toy:lamp", "a lamp", lamps, Lamp),), ("dark",)),
    Show("a lamp", "it is on", "a moth flies", {"dark": "a shot"}, {}, "{gap:.0f} s of darkness"),
)
'''
# As bin/backstay, with one more place where systems are looked for.
START = """
import sys
from backstay_lab import systems
systems.__path__.append(sys.argv.pop(1))
from backstay.admin.cli import main
main()
"""
# Who outside a system's folder knows that very system, and why.
PARTICULAR = {
    "backstay_lab.bench.stacks",  # peers of three systems on the same nodes
    "backstay_lab.run.false_alarms",  # measured with the MySQL set
    "backstay_lab.run.timing",  # measured with the MySQL set
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "lamp"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A toy."""\n')
    (folder / "declaration.py").write_text(DECLARATION)
    return tmp_path


def backstay(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", START, str(place), *arguments],
        env={"PYTHONPATH": f"{CHECKOUT / 'lib'}:{CHECKOUT / 'lab'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_folder_is_all_that_a_new_system_takes(place: Path) -> None:
    lab = backstay(place, "lab", "up", "--help")
    assert "|lamps|" in lab and "|mysql|" in lab
    assert "dark" in backstay(place, "rehearse", "lamp", "--list")
    can_suffer = backstay(place, "campaign", "lamp", "--list")
    assert "address-removed:" in can_suffer and "kill:" in can_suffer
    assert "disk-full:" not in can_suffer and "port-cut:" not in can_suffer  # it has no data, and no peers
    assert "ocf:toy:lamp" in backstay(place, "bench", "--list")
    assert "lamp|" in backstay(place, "demo", "--help")


def test_without_the_folder_there_is_no_such_system(tmp_path: Path) -> None:
    assert "lamps" not in backstay(tmp_path, "lab", "up", "--help")
    assert "'lamp' is not one of" in backstay(tmp_path, "rehearse", "lamp", "--list")
    assert "there are none, haproxy, mysql" in backstay(tmp_path, "lab", "up", "--topology", "lamps")


def test_the_proving_ground_has_no_circle() -> None:
    assert [knot for knot in structure.circles(structure.graph()) if knot[0].startswith("backstay_lab.")] == []


def test_others_know_systems_by_their_declarations() -> None:
    folder = "backstay_lab.systems."
    graph = structure.graph()
    systems = {
        name.removesuffix(".declaration") for name in graph if name.startswith(folder) and name.endswith(".declaration")
    }
    systems.discard("backstay_lab.systems")
    assert len(systems) > 3
    for name, others in graph.items():
        inside = any(f"{name}.".startswith(f"{system}.") for system in systems)
        named = {other for other in others for system in systems if f"{other}.".startswith(f"{system}.")}
        assert inside or not named or name in PARTICULAR, f"{name}: {sorted(named)}"
        # It loads every folder; a folder that looked there would stand in a circle that imports do not show.
        assert not (inside and "backstay_lab.systems.catalogue" in others), name
