"""Labs that several files use: booting one takes twenty seconds.

BACKSTAY_TEST_NODES=vagrant runs the same tests on machines that Vagrant makes, where the lab need not be of another image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.drivers import driver
from backstay_lab.systems.catalogue import topology

KIND = driver(vagrant=os.environ.get("BACKSTAY_TEST_NODES") == "vagrant")


@pytest.fixture(scope="package")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A MySQL set of three; every test leaves it whole."""
    lab = KIND.up(str(tmp_path_factory.mktemp("three") / "lab"), topology=topology("mysql"))
    yield lab
    lab.down()


@pytest.fixture(scope="package")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A MySQL set of two; every test leaves it whole."""
    lab = KIND.up(str(tmp_path_factory.mktemp("two") / "lab"), nodes=2, topology=topology("mysql"))
    yield lab
    lab.down()
