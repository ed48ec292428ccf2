"""One lab without a topology, for all that is tried on it."""

from collections.abc import Iterator

import pytest

from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.catalogue import topology


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab.up(str(tmp_path_factory.mktemp("lab")), topology=topology("none"), boot_delay=1, volume=64)
    yield lab
    lab.down()


@pytest.fixture
def whole(lab: Lab) -> Lab:
    """The lab with everything plugged in, uncut and online."""
    lab.heal()
    for node in lab.nodes:
        lab.power_on(node)
    lab.wait_online(lab.nodes, timeout=60)
    return lab
