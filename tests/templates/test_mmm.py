"""What MMM's users did, with the template and Pacemaker's own commands: docs/mmm.md names these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import Cluster  # type: ignore[import-not-found]

MOVE_TO_N2 = ["mysql demote n1", "mysql-writer stop n1", "mysql promote n2", "mysql-writer start n2"]


@pytest.fixture
def set_of_equals(chamber: Chamber, tmp_path: Path) -> Cluster:
    """Three healthy nodes, n1 promoted."""
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"])
    cluster.score(n1="101", n2="100", n3="100")
    cluster.settle()
    cluster.score(n1="100")
    assert cluster.propose() == []
    return cluster


def test_prefer(set_of_equals: Cluster) -> None:
    """The preferred writer gets the role back, but not while it lags: 10 is less than what lagging costs."""
    set_of_equals.chamber("crm configure location prefer-n2 mysql-clone rule role=Promoted 10: '#uname' eq n2")
    assert set_of_equals.propose() == MOVE_TO_N2
    set_of_equals.score(n2="50")
    assert set_of_equals.propose() == []


def test_move_role_stays_where_it_was_moved(set_of_equals: Cluster) -> None:
    set_of_equals.chamber("crm_resource --move --resource mysql-clone --node n2 --promoted")
    assert set_of_equals.settle() == MOVE_TO_N2
    set_of_equals.chamber("crm_resource --clear --resource mysql-clone")
    assert set_of_equals.propose() == []


def test_set_offline_and_set_online(set_of_equals: Cluster) -> None:
    set_of_equals.chamber("crm_standby --node n1 --update on --lifetime forever")
    done = set_of_equals.settle()
    assert {"mysql demote n1", "mysql stop n1", "mysql promote n2", "mysql-writer start n2"} <= set(done)
    set_of_equals.chamber("crm_standby --node n1 --delete")
    assert set_of_equals.propose() == ["mysql start n1"]


@pytest.mark.parametrize(
    "freeze",
    [
        "crm_attribute --name maintenance-mode --update true",  # set_passive: everything
        "crm_resource --resource mysql-clone --meta --set-parameter is-managed --parameter-value false",  # set_manual
    ],
)
def test_set_passive_and_set_manual(set_of_equals: Cluster, freeze: str) -> None:
    set_of_equals.chamber(freeze)
    assert [step for step in set_of_equals.propose("--op-inject", "mysql_monitor_3000@n1=1") if "mysql " in step] == []


@pytest.mark.parametrize(("failure_timeout", "comes_back"), [("0", False), ("30s", True)])
def test_hard_offline_until_an_admin_or_the_time_says_so(
    set_of_equals: Cluster, failure_timeout: str, comes_back: bool
) -> None:
    """auto_set_online=0, or so many seconds."""
    set_failure_timeout = "crm_resource --resource mysql --meta --set-parameter failure-timeout --parameter-value"
    set_of_equals.chamber(f"{set_failure_timeout} {failure_timeout}")
    failed = set_of_equals.propose("--op-inject", "mysql_monitor_3000@n1=1")
    assert "mysql promote n2" in failed and "mysql start n1" not in failed
    set_of_equals.chamber("mv next.xml cib.xml")
    later = set_of_equals.propose("--set-datetime", "'2037-01-01 00:00:00'")
    assert later == (["mysql start n1"] if comes_back else [])
