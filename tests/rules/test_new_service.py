"""A service is a folder, a link among the agents and a template: nothing that is there already has to be edited."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

TOY = {
    "__init__.py": "",
    "service.py": """
from backstay.services.declaration import Service
SERVICE = Service(units=("toyd",), modules=("toy_client_module",))
""",
    "agent.py": """
from backstay.agent.context import Context
from backstay.agent.dispatch import Agent
from backstay.ocf.codes import ExitCode
from backstay.ocf.parameters import Text, Parameters, action

class ToyParameters(Parameters):
    name, short, long = "toy", "A toy", "It runs nowhere."
    colour = Text("Colour", "What it looks like.", default="red")

class ToyContext(Context):
    parameters_class = ToyParameters

class Toy(Agent):
    context_class = ToyContext

    @action(timeout=10, interval=10)
    def monitor(self) -> ExitCode:
        return ExitCode.NOT_RUNNING

AGENT = Toy
""",
    "admin.py": """
from backstay.services.advice import Advice

class Admin(Advice):
    def note(self, cluster, instance):
        return "a toy that runs"
""",
}
TEMPLATE = "primitive toy ocf:backstay:toy params colour=blue op monitor interval=10s\n"
# What the product says of it, told by the product in the copy.
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from backstay.admin import host, manpage, status
from backstay.cluster.model import Cluster, Instance, Node, Resource
from backstay.host.deadline import Deadline
from backstay.services import catalogue
toy = Resource("toy", "ocf:backstay:toy")
runs = Instance("toy", "n1", "Started")
cluster = Cluster(name="c", quorum=True, dc="n1", nodes=(Node("n1", True),), instances=(runs,), resources=(toy,))
print(json.dumps({
    "names": catalogue.names(),
    "manual pages": sorted(name for name, _ in manpage.pages()),
    "missing": sorted(host.look("n1", ["n1"], ["toy"], Deadline(30)).modules),
    "units": catalogue.declared("toy").units,
    "status": status.document(cluster, catalogue.advices_of(cluster), [])["nodes"]["n1"]["resources"]["toy"]["note"],
}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout with one more service."""
    root = tmp_path_factory.mktemp("checkout")
    for part in ("lib", "bin", "agents", "crm-templates"):
        shutil.copytree(CHECKOUT / part, root / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    folder = root / "lib/backstay/services/toy"
    folder.mkdir()
    for name, text in TOY.items():
        (folder / name).write_text(text)
    (root / "agents/toy").symlink_to("mysql")
    (root / "crm-templates/toy.crm").write_text(TEMPLATE)
    return root


def test_its_agent_runs(copy: Path) -> None:
    said = subprocess.run([copy / "agents/toy", "meta-data"], capture_output=True, text=True, check=True).stdout
    assert '<resource-agent name="toy"' in said and '<parameter name="colour"' in said
    monitor = {"OCF_RESKEY_CRM_meta_interval": "10000", "PATH": os.environ["PATH"]}
    assert subprocess.run([copy / "agents/toy", "monitor"], env=monitor, check=False).returncode == 7


def test_the_product_knows_it(copy: Path) -> None:
    asked = [sys.executable, "-c", ASK, str(copy / "lib")]
    found = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    assert "toy" in found["names"] and "man7/ocf_backstay_toy.7" in found["manual pages"]
    assert "the Python module toy_client_module" in found["missing"]
    assert found["units"] == ["toyd"] and found["status"] == "a toy that runs"


def test_its_template_is_rendered(copy: Path) -> None:
    listed = subprocess.run(
        [copy / "bin/backstay", "render", "--list"], capture_output=True, text=True, check=True
    ).stdout
    assert "toy" in listed.split()
    shown = subprocess.run([copy / "bin/backstay", "render", "toy"], capture_output=True, text=True, check=True).stdout
    assert "ocf:backstay:toy" in shown
