"""Labs that several files use: booting one takes twenty seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay.lab.cluster import Lab


@pytest.fixture(scope="package")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A MySQL set of three; every test leaves it whole."""
    lab = Lab.up(str(tmp_path_factory.mktemp("three") / "lab"), topology="mysql")
    yield lab
    lab.down()


@pytest.fixture(scope="package")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A MySQL set of two; every test leaves it whole."""
    lab = Lab.up(str(tmp_path_factory.mktemp("two") / "lab"), nodes=2, topology="mysql")
    yield lab
    lab.down()
