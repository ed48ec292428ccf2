"""The reader addresses and HAProxy's template, loaded by crmsh and run through Pacemaker's own scheduler."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from tests.conftest import Chamber  # type: ignore[import-not-found]
from tests.templates.test_mysql_template import FENCING, cib  # type: ignore[import-not-found]

from backstay.admin.templates import load, render

MYSQL = {"writer_ip": "10.77.0.100", "monitor_password": "m0nitor", "replication_password": "r3plicate"}
READERS = {"reader_ip_1": "10.77.0.101", "reader_ip_2": "10.77.0.102"}
HELD = re.compile(
    r"^\s*\* (?P<what>mysql-reader-\d|mysql-writer|haproxy-address).*Started (?P<where>n\d)", re.MULTILINE
)


class Cluster:
    """A cluster in a file, settled after each event."""

    def __init__(
        self, chamber: Chamber, directory: Path, nodes: list[str], templates: dict[str, dict[str, str]]
    ) -> None:
        self.chamber = chamber
        self.nodes = nodes
        (directory / "cib.xml").write_text(cib(nodes))
        texts = {"fencing": FENCING.format(nodes=" ".join(nodes))}
        texts.update({name: render(load(name), values) for name, values in templates.items()})
        for name, text in texts.items():
            (directory / f"{name}.crm").write_text(text)
        done = chamber("\n".join(f"crm configure load update {name}.crm" for name in texts))
        self.said = (done.out + done.err).strip()

    def attributes(self, **values: dict[str, str]) -> None:
        """Name, with _ for -, to the values of the nodes."""
        self.chamber(
            "".join(
                f"crm_attribute -N {node} -n {name.replace('_', '-')} -l reboot -v {value}\n"
                for name, nodes in values.items()
                for node, value in nodes.items()
            )
        )

    def settle(self, *events: str) -> dict[str, str]:
        """What happens is carried out, and what follows from it; where the addresses are afterwards."""
        done = self.chamber(
            f"crm_simulate -S -x cib.xml -O next.xml {' '.join(events)} > /dev/null; mv next.xml cib.xml\n"
            "crm_simulate -S -x cib.xml -O next.xml > /dev/null; mv next.xml cib.xml\ncrm_simulate -L -x cib.xml"
        )
        return dict(HELD.findall(done.out))

    def placed(self) -> dict[str, str]:
        return dict(HELD.findall(self.chamber("crm_simulate -L -x cib.xml").out))

    def verified(self) -> str:
        done = self.chamber("crm_verify -V -x cib.xml")
        return (done.out + done.err).strip()


def set_with_readers(chamber: Chamber, directory: Path, count: int) -> Cluster:
    """All nodes readable, n1 promoted."""
    nodes = [f"n{number}" for number in range(1, count + 1)]
    cluster = Cluster(chamber, directory, nodes, {"mysql": {**MYSQL, "nodes": str(count)}, "mysql-readers": READERS})
    chamber("".join(f"crm_attribute --utilization -N {node} -n reader -v 2\n" for node in nodes))
    cluster.attributes(
        master_mysql={node: str(1000 - number) for number, node in enumerate(nodes)},
        mysql_readable=dict.fromkeys(nodes, "1"),
    )
    cluster.settle()
    return cluster


def readers(placed: dict[str, str]) -> dict[str, int]:
    return dict(Counter(where for what, where in placed.items() if what.startswith("mysql-reader")))


@pytest.mark.parametrize("count", [2, 3])
def test_it_loads_without_a_complaint(chamber: Chamber, tmp_path: Path, count: int) -> None:
    cluster = set_with_readers(chamber, tmp_path, count)
    said = [
        line for line in cluster.said.splitlines() if "unknown attribute 'critical'" not in line
    ]  # crmsh 4.4 sets it
    assert said == [] and cluster.verified() == ""


def test_readers_spread_over_the_replicas_and_avoid_the_primary(chamber: Chamber, tmp_path: Path) -> None:
    placed = set_with_readers(chamber, tmp_path, 3).placed()
    assert placed["mysql-writer"] == "n1"
    assert readers(placed) == {"n2": 1, "n3": 1}


@pytest.mark.parametrize(
    ("lost", "left"),
    [
        ("n1", {"n3": 2}),  # n2 is promoted, so the last replica has both
        ("n2", {"n3": 2}),
        ("n3", {"n2": 2}),
    ],
)
def test_after_the_loss_of_a_node_all_are_there_and_after_its_return_they_spread_again(
    chamber: Chamber, tmp_path: Path, lost: str, left: dict[str, int]
) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    assert readers(cluster.settle("--node-fail", lost)) == left
    cluster.settle("--node-up", lost)
    cluster.attributes(master_mysql={lost: "900"}, mysql_readable={lost: "1"})
    placed = cluster.settle()
    replicas = set(cluster.nodes) - {placed["mysql-writer"]}
    assert readers(placed) == dict.fromkeys(replicas, 1)


def test_the_primary_takes_them_when_it_is_alone(chamber: Chamber, tmp_path: Path) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    cluster.attributes(mysql_readable={"n2": "0", "n3": "0"})
    assert readers(cluster.settle()) == {"n1": 2}
    cluster.attributes(mysql_readable={"n3": "1"})
    assert readers(cluster.settle()) == {"n3": 2}


def test_none_where_nobody_may_be_read(chamber: Chamber, tmp_path: Path) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    cluster.attributes(mysql_readable={"n1": "0", "n2": "0"})
    cluster.chamber("crm_attribute -N n3 -n mysql-readable -l reboot -D")
    assert readers(cluster.settle()) == {}


def test_other_resources_do_not_unbalance_them(chamber: Chamber, tmp_path: Path) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    others = [
        f"primitive other-{number} ocf:heartbeat:Dummy meta priority=10\nlocation on-n3-{number} other-{number} inf: n3\n"
        for number in (1, 2, 3)
    ]
    cluster.chamber(f"echo '{''.join(others)}' > others.crm; crm configure load update others.crm")
    assert readers(cluster.settle()) == {"n2": 1, "n3": 1}


def test_readers_do_not_decide_who_is_promoted(chamber: Chamber, tmp_path: Path) -> None:
    cluster = set_with_readers(chamber, tmp_path, 3)
    cluster.attributes(mysql_readable={"n1": "0", "n3": "0"})
    assert cluster.settle()["mysql-writer"] == "n1"
    assert cluster.settle("--node-fail", "n1")["mysql-writer"] == "n2"


# -- HAProxy -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def balancers(chamber: Chamber, tmp_path: Path) -> Cluster:
    cluster = Cluster(chamber, tmp_path, ["n1", "n2", "n3"], {"haproxy": {"haproxy_ip": "10.77.0.110"}})
    cluster.settle()
    return cluster


def test_haproxy_loads_without_a_complaint(balancers: Cluster) -> None:
    assert balancers.said == "" and balancers.verified() == ""
    assert set(balancers.placed()) == {"haproxy-address"}


@pytest.mark.parametrize("lost", ["n1", "n2", "n3"])
def test_its_address_survives_any_node(balancers: Cluster, lost: str) -> None:
    where = balancers.placed()["haproxy-address"]
    after = balancers.settle("--node-fail", lost)["haproxy-address"]
    assert after != lost and (after == where or where == lost)


def test_a_restart_in_place_leaves_the_address_where_it_is(balancers: Cluster) -> None:
    where = balancers.placed()["haproxy-address"]
    did = balancers.chamber(f"crm_simulate -S -x cib.xml -O next.xml --op-inject haproxy_asyncmon_0@{where}=1").out
    actions = re.findall(r"Resource action: (haproxy\S*) +(start|stop) on (n\d)", did)
    assert [(how, on) for what, how, on in actions] == [("stop", where), ("start", where)], did


def test_repeated_failures_move_the_address(balancers: Cluster) -> None:
    where = balancers.placed()["haproxy-address"]
    after = [balancers.settle("--op-inject", f"haproxy_monitor_10000@{where}=7") for _ in range(5)]
    stayed = [placed["haproxy-address"] == where for placed in after]
    assert stayed == [True, True, True, True, False]


# -- HAProxy, promoted on one node ---------------------------------------------------------------------------------------

FOUR = ["n1", "n2", "n3", "n4"]
PROMOTED = re.compile(r"\* Promoted: \[ (?P<where>n\d) \]")


@pytest.fixture
def warm(chamber: Chamber, tmp_path: Path) -> Cluster:
    """Four nodes; n1 is promoted, and all would do."""
    cluster = Cluster(chamber, tmp_path, FOUR, {"haproxy-promotable": {"haproxy_ip": "10.77.0.110"}})
    cluster.attributes(master_haproxy={"n1": "11", **dict.fromkeys(FOUR[1:], "10")})
    cluster.settle()
    cluster.attributes(master_haproxy={"n1": "10"})
    return cluster


def test_promotable_haproxy_loads_without_a_complaint(warm: Cluster) -> None:
    assert warm.said == "" and warm.verified() == ""
    assert warm.placed() == {"haproxy-address": "n1"}


def test_any_one_or_two_of_four_nodes_may_go_and_the_address_stays_with_the_promoted_one(warm: Cluster) -> None:
    lost = [(one,) for one in FOUR] + [(one, two) for one in FOUR for two in FOUR if one < two]
    events = [" ".join(f"--node-fail {node}" for node in nodes) for nodes in lost]
    # With half of the votes gone quorum is a matter of Corosync: here it is kept, as with a quorum device.
    said = warm.chamber(
        "\n".join(
            f"crm_simulate -q 1 -S -x cib.xml -O next.xml {one} >&2; echo '== '; crm_simulate -L -x next.xml"
            for one in events
        )
    ).out.split("== ")[1:]
    assert len(said) == len(lost)
    for nodes, after in zip(lost, said):
        (promoted,) = PROMOTED.findall(after)
        assert dict(HELD.findall(after)) == {"haproxy-address": promoted} and promoted not in nodes
        assert (promoted == "n1") == ("n1" not in nodes), (nodes, after)


def test_the_death_of_the_promoted_one_waits_for_no_restart(warm: Cluster) -> None:
    did = warm.chamber("crm_simulate -S -x cib.xml -O next.xml --op-inject haproxy_asyncmon_0@n1=1").out
    actions = re.findall(r"Resource action: (haproxy\S*) +(start|stop|promote|demote) on (n\d)", did)
    other = actions[-1][2]
    assert (
        actions
        == [
            ("haproxy", "demote", "n1"),
            ("haproxy-address", "stop", "n1"),
            ("haproxy", "stop", "n1"),
            ("haproxy", "promote", other),
            ("haproxy-address", "start", other),
        ]
        and other != "n1"
    )
