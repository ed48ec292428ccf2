"""What is not as wanted is named with its reason and its remedy; a whole cluster gives no finding."""

from __future__ import annotations

import pytest
from tests.decisions.cluster_values import (  # type: ignore[import-not-found]
    MYSQL,
    attributes,
    cluster,
    with_attributes,
    with_node,
)

from backstay.admin.diagnose import judge
from backstay.cluster.model import Cluster, Constraint, Failure, Instance, Resource
from backstay.services.catalogue import advices_of


def said(of: Cluster) -> list[tuple[str, str, str]]:
    found = judge(of, advices_of(of))
    assert all(finding.remedy for finding in found)
    return [(finding.level, finding.subject, finding.what) for finding in found]


def test_a_whole_cluster_has_no_finding() -> None:
    assert said(cluster()) == []


@pytest.mark.parametrize(
    ("of", "level", "subject", "part"),
    [
        (cluster(quorum=False, instances=()), "error", "cluster", "no quorum"),
        (cluster(options={"maintenance-mode": "true"}), "warning", "cluster", "maintenance"),
        (cluster(options={"stonith-enabled": "false"}), "error", "cluster", "fencing is off"),
        (cluster(state="", dc="n2"), "error", "cluster", "coordinator n2 does not answer"),
        (cluster(state="S_TRANSITION_ENGINE"), "warning", "cluster", "busy (transition engine)"),
        (
            cluster(degraded=(Failure("mysql-writer", "n1", "monitor", 190, "is contested by 52:54:00:1"),)),
            "warning",
            "mysql-writer on n1",
            "is degraded: is contested",
        ),
        (
            cluster(degraded=(Failure("web", "n1", "monitor", 190, "an old configuration"),)),
            "warning",
            "web on n1",
            "is degraded: an old configuration",
        ),
        (with_node("n3", online=False), "error", "n3", "offline"),
        (with_node("n3", unclean=True, online=False), "error", "n3", "unclean"),
        (with_node("n3", standby=True), "warning", "n3", "standby"),
        (with_node("n3", maintenance=True), "warning", "n3", "maintenance"),
        (with_attributes("n2", state="errant 0-1-7", score="-INFINITY"), "error", "mysql on n2", "errant 0-1-7"),
        (with_attributes("n2", state="more than 30 s behind", score="50"), "warning", "mysql on n2", "30 s behind"),
        (with_attributes("n2", score="20"), "warning", "mysql on n2", "score 20 of 100"),
        (with_node("n2", attributes={}), "warning", "mysql on n2", "no promotion score"),
        (cluster(facts={"mysql": "epoch=x"}), "error", "mysql", "not readable"),
        (
            cluster(facts={"mysql": "epoch=3 primary=n1 gtid= sync= solo=yes"}),
            "error",
            "mysql",
            "n1 runs alone",
        ),
        (
            cluster(facts={"mysql": "epoch=3 primary=n1 gtid= sync=n2 solo=no"}),
            "warning",
            "mysql",
            "n3 does not acknowledge yet",
        ),
        (
            cluster(facts={"mysql": "epoch=4 primary=n2 gtid= sync=n3 solo=no"}),
            "error",
            "mysql",
            "n1 is promoted, and the record names n2",
        ),
        (
            cluster(constraints=(Constraint("location", "cli-prefer-mysql-clone", {"rsc": "mysql-clone"}),)),
            "warning",
            "mysql-clone",
            "left from a move",
        ),
        (
            cluster(failures=(Failure("mysql", "n2", "monitor", 1, "receiver stopped: 1236"),)),
            "warning",
            "mysql on n2",
            "receiver stopped: 1236",
        ),
        (
            cluster(failures=(Failure("mysql", "n2", "asyncmon", 1, "Simulated failure"),)),
            "warning",
            "mysql on n2",
            "the watcher",
        ),
    ],
)
def test_each_flaw_is_named(of: Cluster, level: str, subject: str, part: str) -> None:
    assert any(found[:2] == (level, subject) and part in found[2] for found in said(of)), said(of)


def test_what_a_result_and_an_attribute_say_is_told_once() -> None:
    of = with_attributes("n2", state="more than 30 s behind; another reason", score="50")
    twice = of._replace(degraded=(Failure("mysql", "n2", "monitor", 190, "more than 30 s behind"),))
    assert said(twice) == said(of) != []


def test_an_instance_that_should_run_and_does_not() -> None:
    whole = cluster()
    left = tuple(one for one in whole.instances if (one.resource, one.node) != ("mysql", "n3"))
    assert ("error", "mysql on n3", "does not run, though its node is online") in said(cluster(instances=left))
    failed = cluster(instances=left, failures=(Failure("mysql", "n3", "start", 1, "no space"),))
    assert [one for one in said(failed) if one[1] == "mysql on n3"] == [
        ("error", "mysql on n3", "start failed: no space")
    ]
    two = MYSQL._replace(meta={**MYSQL.meta, "clone-max": "2"})
    assert (
        said(cluster(instances=left, resources=(two,), facts={"mysql": "epoch=3 primary=n1 gtid= sync=n2 solo=no"}))
        == []
    )


def test_without_a_primary_the_scores_and_the_address_say_why() -> None:
    instances = (
        *(Instance("mysql", node, "Unpromoted") for node in ("n1", "n2", "n3")),
        Instance("mysql-writer", "", "Stopped"),
    )
    of = with_node("n2", cluster(instances=instances), attributes=attributes(score="-INFINITY"))
    assert ("error", "mysql", "nobody is promoted: promotion scores n1 100, n2 -INFINITY, n3 100") in said(of)
    assert (
        "error",
        "mysql-writer",
        "runs nowhere: it goes with the promoted mysql, and nobody is promoted",
    ) in said(of)


def test_a_primary_that_is_reloaded_is_not_told_as_lost_while_the_cluster_is_busy() -> None:
    """As by a change of passwords: Pacemaker shows nobody promoted until the primary's next monitor."""
    instances = tuple(Instance("mysql", node, "Unpromoted", confirming=node == "n1") for node in ("n1", "n2", "n3"))
    busy = cluster(instances=instances, state="S_TRANSITION_ENGINE")
    assert said(busy) == [("warning", "cluster", "is busy (transition engine)")]
    assert any(what.startswith("nobody is promoted") for _, _, what in said(busy._replace(state="S_IDLE")))
    lost = tuple(one._replace(confirming=False) for one in instances)
    assert any(what.startswith("nobody is promoted") for _, _, what in said(busy._replace(instances=lost)))


def unmanaged(of: Cluster, *nodes: str) -> Cluster:
    return of._replace(instances=tuple(one._replace(managed=one.node not in nodes) for one in of.instances))


def test_maintenance_is_told_once_where_it_can_be_ended() -> None:
    whole = unmanaged(cluster(options={"maintenance-mode": "true"}), "n1", "n2", "n3")
    assert [one[:2] for one in said(whole)] == [("warning", "cluster")]
    node = unmanaged(with_node("n2", maintenance=True), "n2")
    assert [one[:2] for one in said(node)] == [("warning", "n2")]


@pytest.mark.parametrize(("name", "value"), [("is-managed", "false"), ("maintenance", "true")])
def test_a_resource_that_is_not_managed_is_told_with_what_makes_it_so(name: str, value: str) -> None:
    left = MYSQL._replace(meta={**MYSQL.meta, name: value})
    of = unmanaged(cluster(resources=(left,)), "n1", "n2", "n3")
    remedies = {one.remedy for one in judge(of, advices_of(of)) if "is not managed" in one.what}
    assert remedies == {f"crm_resource --resource mysql --meta --delete-parameter {name}"}


def test_a_rebuild_that_was_asked_for_is_no_error() -> None:
    copying = with_attributes("n2", state="rebuilding, errant 0-1-7", score="-INFINITY")
    assert ("warning", "mysql on n2", "rebuilding, errant 0-1-7") in said(copying)
    assert not [one for one in said(copying) if one[0] == "error"]
    done = Failure("mysql", "n2", "monitor", 1, "rebuilt: restarting on the new data")
    whole = cluster(failures=(done,))
    left = tuple(one for one in whole.instances if (one.resource, one.node) != ("mysql", "n2"))
    found = judge(whole._replace(instances=left), advices_of(whole))
    assert [(one.level, one.remedy[:4]) for one in found if one.subject == "mysql on n2"] == [("warning", "wait")]
    refused = with_attributes("n2", state="not rebuilt: errant 0-1-7; too little room", score="-INFINITY")
    assert ("error", "mysql on n2", "not rebuilt: errant 0-1-7; too little room") in said(refused)


def test_attributes_of_a_node_that_is_off_count_for_nothing() -> None:
    of = with_node("n2", online=False, attributes=attributes(state="errant 0-1-7"))
    assert [subject for _, subject, _ in said(of)] == ["n2"]


@pytest.mark.parametrize(
    ("of", "part"),
    [
        (cluster(), None),
        (with_attributes("n2", state="errant 1"), "errant 1"),
        (with_attributes("n2", score="50"), "promotion score 50"),
        (cluster(facts={"mysql": "epoch=3 primary=n1 gtid= sync=n3 solo=no"}), "does not acknowledge"),
        (cluster(facts={"mysql": "epoch=3 primary=n1 gtid= sync= solo=yes"}), "runs alone"),
        (cluster(private={"mysql-lag": {"n2": "10"}}), "10 s or more behind"),
        (cluster(private={"mysql-lag": {"n2": "0"}}), None),
    ],
)
def test_what_speaks_against_a_candidate(of: Cluster, part: str | None) -> None:
    obstacles = advices_of(of)[1].obstacles(of, "n2")
    assert obstacles == [] if part is None else any(part in one for one in obstacles)


def test_a_backend_of_haproxy_without_servers() -> None:
    haproxy = Resource("haproxy", "ocf:backstay:haproxy", containers=("haproxy-clone",), cloned=True)
    whole = cluster()
    of = with_node(
        "n2",
        cluster(
            resources=(*whole.resources, haproxy),
            instances=(*whole.instances, *(Instance("haproxy", node, "Started") for node in ("n1", "n2", "n3"))),
        ),
        attributes={**attributes(), "haproxy-up-reads": "0", "haproxy-up-api": "1"},
    )
    assert said(of) == [("error", "haproxy on n2", "no server of backend reads is up")]
    notes = [advices_of(of)[3].note(of, Instance("haproxy", node, "Started")) for node in ("n1", "n2")]
    assert notes == ["", "api up, reads DOWN"]
