"""Readers follow the primary and never decide who it is: with the scheduler of each image's Pacemaker, 2.1 and 3.0."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_readers_template import set_with_readers  # type: ignore[import-not-found]


@pytest.fixture(scope="session", params=["bookworm", "sid"])
def bookworm(request: pytest.FixtureRequest) -> str:
    """In the place of the one image of other tests: the chamber is made of each."""
    from backstay_lab.machines import image

    return image.ensure(request.param, print)


@pytest.mark.parametrize("readable", ["n2", "n3"])
def test_the_better_score_is_promoted_wherever_readers_may_be(chamber: Chamber, tmp_path: Path, readable: str) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    cluster.attributes(mysql_readable={node: str(int(node == readable)) for node in ("n1", "n2", "n3")})
    assert cluster.settle()["mysql-writer"] == "n1"
    assert cluster.settle("--node-fail", "n1")["mysql-writer"] == "n2"
