"""Labs that several files use, and the order in which tests need them.

BACKSTAY_TEST_NODES=vagrant runs the same tests on machines that Vagrant makes, where the lab need not be of another image.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labs import KEY, Labs, lab_of

from backstay_lab.machines.cluster import Lab

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the same lab follow each other, and labs come in the order in which they are first asked for."""
    places = [place for place, item in enumerate(items) if HERE in item.path.parents]
    own = [items[place] for place in places]
    first: dict[tuple[str, str], int] = {}
    for number, item in enumerate(own):
        first.setdefault(lab_of(item), number)
    for place, item in zip(places, sorted(own, key=lambda item: first[lab_of(item)])):
        items[place] = item


@pytest.fixture(scope="package")
def labs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    made = request.config.stash[KEY] = Labs(tmp_path_factory.mktemp("labs"))
    yield made
    made.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Where a test failed, the next ones get a lab that is whole, and tell of themselves."""
    made = yield
    if made.get_result().failed and KEY in item.config.stash:
        item.config.stash[KEY].spoil()


@pytest.fixture
def three(labs: Labs) -> Lab:
    """A MySQL set of three; every test leaves it whole."""
    return labs.get("mysql")


@pytest.fixture
def two(labs: Labs) -> Lab:
    """A MySQL set of two; every test leaves it whole."""
    return labs.get("mysql", nodes=2)
