"""A peer really serves on the lab, suffers a fault and is measured; the page is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backstay_lab.bench import cli
from backstay_lab.bench.peers import CONTENDERS
from backstay_lab.report.results import gather

pytestmark = pytest.mark.slow


def measured(tmp_path: Path, name: str, faults: list[str]) -> list[dict[str, Any]]:
    """The records of one turn, in which everything came back and nothing was lost."""
    sink = cli.Sink(str(tmp_path / "results" / "bench.jsonl"))
    records = cli.Turn(CONTENDERS[name], str(tmp_path / "lab"), "bookworm", 60.0, sink).take(0, faults)
    assert [record["fault"] for record in records] == faults
    assert all(record["gap"] is not None for record in records), [record["error"] for record in records]
    assert all(not record["lost"] for record in records)  # None where nobody writes
    return records


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("ocf:heartbeat:IPaddr2", ["move"]),
        ("ocf:heartbeat:mysql", ["move", "kill"]),
        ("ocf:heartbeat:mariadb", ["move"]),
    ],
)
def test_a_peer_is_measured(tmp_path: Path, name: str, faults: list[str]) -> None:
    for record in measured(tmp_path, name, faults):
        assert 0 < record["gap"] < 60
        assert record["phases"]["address"] <= record["phases"]["first write"]
    found = gather(str(tmp_path / "results"))
    assert len(found.runs) == len(faults)
    assert "Pacemaker" in found.about[0].facts
    assert not (tmp_path / "lab").exists()


def test_the_floor_is_measured_under_each_of_its_faults(tmp_path: Path) -> None:
    killed, moved, lost = measured(tmp_path, "floor", ["kill", "move", "power-off"])
    for record, begins in ((killed, "detected"), (moved, "demoted"), (lost, "fenced")):
        assert record["whole"] and record["now"] not in ("", record["was"])
        assert record["phases"][begins] < record["phases"]["promoted"] < record["phases"]["address"]
        assert {"promote", "start"} <= {action["action"] for action in record["actions"]}
    assert {"demote", "stop", "promote"} <= {one["action"] for one in killed["actions"] if one["resource"] == "floor"}


def test_vrrp_has_the_address_on_two_nodes_once_its_daemon_is_killed(tmp_path: Path) -> None:
    moved, killed = measured(tmp_path, "keepalived", ["move", "keeper-kill"])
    assert moved["error"] == "" and moved["now"] not in ("", moved["was"])
    assert "had the address at the same time" in killed["error"] and killed["was"] in killed["error"]


def test_a_changed_configuration_costs_connections_where_it_means_stop_and_start(tmp_path: Path) -> None:
    [restarted] = measured(tmp_path, "ocf:pidfile:haproxy", ["reload"])
    [reloaded] = measured(tmp_path, "ocf:backstay:haproxy", ["reload"])
    assert restarted["dropped"] > 0 == reloaded["dropped"]
