"""A planned move is refused with every reason, or planned with all that comes with it."""

from __future__ import annotations

import pytest
from tests.decisions.cluster_values import (  # type: ignore[import-not-found]
    MYSQL,
    cluster,
    with_attributes,
    with_node,
)

from backstay.admin.switchover_plan import Plan, Refusal, arrived, plan
from backstay.cluster.model import Cluster, Constraint, Failure, Instance
from backstay.services.catalogue import advices_of


def decide(of: Cluster, target: str = "", resource: str = "") -> Plan | Refusal:
    return plan(of, advices_of(of), resource, target)


def test_the_best_candidate_and_what_follows_it() -> None:
    found = decide(cluster())
    assert isinstance(found, Plan)
    assert (found.resource.id, found.source, found.target) == ("mysql", "n1", "n2")
    assert [one.id for one in found.followers] == ["mysql-writer"]
    assert isinstance(decide(cluster(), "n3", "mysql-clone"), Plan)
    lagging = decide(cluster(private={"mysql-lag": {"n2": "5", "n3": "0"}}))
    assert isinstance(lagging, Plan) and lagging.target == "n3"


@pytest.mark.parametrize(
    ("of", "target", "reason"),
    [
        (cluster(), "n1", "promoted on n1 already"),
        (cluster(), "n9", "no node n9; there are n1, n2, n3"),
        (cluster(quorum=False), "n2", "no quorum"),
        (cluster(options={"stonith-enabled": "false"}), "n2", "fencing is off"),
        (cluster(options={"maintenance-mode": "true"}), "n2", "not managed"),
        (cluster(state="S_TRANSITION_ENGINE"), "n2", "busy (coordinator: transition engine)"),
        (cluster(state=""), "n2", "gives no answer"),
        (with_node("n3", pending=True), "n2", "n3 is pending"),
        (with_node("n2", standby=True), "n2", "n2 is standby"),
        (with_node("n2", online=False), "n2", "n2 is offline"),
        (cluster(private={"mysql-lag": {"n2": "60"}}), "n2", "60 s or more behind"),
        (with_attributes("n2", state="errant 0-1-7", score="-INFINITY"), "n2", "errant 0-1-7"),
        (cluster(failures=(Failure("mysql", "n2", "monitor", 1, "no answer"),)), "n2", "failure on record (no answer)"),
        (
            cluster(constraints=(Constraint("location", "cli-ban-x", {"rsc": "mysql-clone"}),)),
            "n2",
            "crm_resource --clear --resource mysql-clone",
        ),
        (cluster(facts={"mysql": "epoch=3 primary=n1 gtid= sync= solo=yes"}), "", "runs alone"),
        (cluster(instances=(Instance("mysql", "n1", "Promoted"),)), "", "there is no other instance"),
        (cluster(resources=(MYSQL, MYSQL._replace(id="other"))), "", "must be named; there is: mysql, other"),
    ],
)
def test_refusals_say_why(of: Cluster, target: str, reason: str) -> None:
    found = decide(of, target)
    assert isinstance(found, Refusal)
    assert any(reason in one for one in found.reasons), found


def test_all_reasons_come_at_once() -> None:
    found = decide(with_node("n2", cluster(state=""), standby=True), "n2")
    assert isinstance(found, Refusal) and len(found.reasons) == 2


def test_it_has_arrived_when_the_address_has() -> None:
    found = decide(cluster())
    assert isinstance(found, Plan) and not arrived(cluster(), found)
    role = (Instance("mysql", "n2", "Promoted"), Instance("mysql", "n1", "Unpromoted"))
    assert not arrived(cluster(instances=role), found)
    address = Instance("mysql-writer", "n2", "Started")
    assert arrived(cluster(instances=(*role, address)), found)
    for not_yet in (
        address._replace(failed=True),
        address._replace(pending="Starting"),
        address._replace(role="Starting"),
        address._replace(node="n1"),
    ):
        assert not arrived(cluster(instances=(*role, not_yet)), found), not_yet
    there = cluster(instances=(*role, address))
    assert arrived(with_node("n2", there, attributes={"mysql-writer-state": "ok"}), found)
    assert not arrived(with_node("n2", there, attributes={"mysql-writer-state": "10.0.0.9 is in use by x"}), found)
