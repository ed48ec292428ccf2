"""A node that is disturbed and lives is not taken for lost, with the timing that the templates recommend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from backstay_lab.machines.cluster import Lab
from backstay_lab.run.timing import Disturbance, measure
from backstay_lab.systems.catalogue import topology

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def set_of_three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab.up(str(tmp_path_factory.mktemp("timing") / "lab"), topology=topology("mysql"))
    yield lab
    lab.down()


@pytest.mark.parametrize(
    "what",
    [Disturbance("loss", 20), Disturbance("share", 10), Disturbance("pause", 1.0)],
    ids=str,
)
def test_a_disturbed_node_is_neither_fenced_nor_deposed(set_of_three: Lab, what: Disturbance) -> None:
    count = measure(set_of_three, what, 60.0)
    assert count.clean, str(count)


def test_what_really_takes_a_node_away_is_counted(set_of_three: Lab) -> None:
    count = measure(set_of_three, Disturbance("pause", 4.0), 20.0)
    assert len(count.fenced) == 1 and not count.clean, str(count)
