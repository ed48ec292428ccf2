"""The files of OpenStack's services in the lab say what docs/openstack.md recommends, and oslo.config would read them so."""

from __future__ import annotations

import configparser
import re

import pytest
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay_lab.machines import image
from backstay_lab.systems import catalogue
from backstay_lab.systems.nova import settings

PLANE = settings.Plane(
    writer="10.77.0.100:3306",
    reader="10.77.0.103:3307",
    brokers=[f"amqp://app:secret@10.77.0.1{node}:5672/app" for node in (1, 2, 3)],
    client="10.77.0.10",
    password="pw",
)
FILES = settings.files(PLANE)
SECTIONS = {
    "/etc/keystone/keystone.conf": ["database"],
    "/etc/glance/glance-api.conf": ["database"],
    "/etc/placement/placement.conf": ["placement_database"],
    "/etc/nova/nova.conf": ["database", "api_database"],
}


def read(path: str) -> configparser.ConfigParser:
    parsed = configparser.ConfigParser(interpolation=None, default_section="")
    parsed.read_string(FILES[path])
    return parsed


@pytest.mark.parametrize("path", SECTIONS)
def test_each_database_is_asked_as_recommended(path: str) -> None:
    for section in SECTIONS[path]:
        options = dict(read(path)[section])
        assert options.pop("connection").startswith("mysql+pymysql://openstack:pw@10.77.0.100:3306/")
        options.pop("slave_connection", None)
        assert options == settings.RECOMMENDED["database"]


def test_an_answer_is_waited_for_as_long_as_the_page_says_and_a_connection_longer() -> None:
    urls = re.findall(r"connection = (\S+)", "".join(text for path, text in FILES.items() if "patient" not in path))
    assert len(urls) == 6
    assert {url.partition("?")[2] for url in urls} == {f"read_timeout={settings.READ_TIMEOUT}"}


def test_changes_of_a_schema_have_no_time_out() -> None:
    patient = read(f"{settings.STATE}/patient.conf")
    assert {section: patient[section]["connection"].rpartition("/")[2] for section in patient.sections()} == {
        "api_database": "nova_api",
        "database": "nova",
    }


def test_all_brokers_are_named_in_one_url() -> None:
    brokers = ",".join(f"app:secret@10.77.0.1{node}:5672" for node in (1, 2, 3))
    assert read("/etc/nova/nova.conf")["DEFAULT"]["transport_url"] == f"rabbit://{brokers}/app"


def test_reads_go_to_the_balancer() -> None:
    url = read("/etc/nova/nova.conf")["database"]["slave_connection"]
    assert url == "mysql+pymysql://openstack:pw@10.77.0.103:3307/nova?read_timeout=10"


def test_the_page_says_what_the_lab_runs_with() -> None:
    page = (CHECKOUT / "docs/openstack.md").read_text()
    for section, options in settings.RECOMMENDED.items():
        block = page.partition(f"    [{section}]\n")[2].partition("\n\n")[0]
        said = dict(line.split(" = ", 1) for line in map(str.strip, block.splitlines()))
        said.pop("connection", None)
        assert said == options
    for option in settings.BUILD_TIMEOUT:
        assert f"    {option} = " in page
    assert f"?read_timeout={settings.READ_TIMEOUT}\n" in page
    assert dict(read("/etc/nova/nova.conf")["oslo_messaging_rabbit"]) == settings.RECOMMENDED["oslo_messaging_rabbit"]


def test_no_other_topology_needs_its_image() -> None:
    """`make test` builds what its topologies need, and nothing more."""
    needed = {name: one.image_of("bookworm") for name, one in catalogue.topologies().items()}
    assert needed.pop("nova") == "bookworm-nova"
    assert set(needed.values()) == {"bookworm"}
    assert set(image.RECIPES["bookworm-nova"]) > set(image.RECIPES["bookworm"])
