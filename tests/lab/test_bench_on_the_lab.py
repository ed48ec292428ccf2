"""A peer really serves on the lab, suffers a fault and is measured; the page is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay.bench import cli
from backstay.bench.peers import CONTENDERS
from backstay.report.results import gather

pytestmark = [pytest.mark.lab, pytest.mark.slow]


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        ("ocf:heartbeat:IPaddr2", ["move"]),
        ("ocf:heartbeat:mysql", ["move", "kill"]),
        ("ocf:heartbeat:mariadb", ["move"]),
    ],
)
def test_a_peer_is_measured(tmp_path: Path, name: str, faults: list[str]) -> None:
    sink = cli.Sink(str(tmp_path / "results" / "bench.jsonl"))
    records = cli.Turn(CONTENDERS[name], str(tmp_path / "lab"), "bookworm", 60.0, sink).take(0, faults)
    assert [record["fault"] for record in records] == faults
    for record in records:
        assert record["gap"] is not None, record["error"]
        assert 0 < record["gap"] < 60
        assert record["lost"] == 0
        assert record["phases"]["address"] <= record["phases"]["first write"]
    found = gather(str(tmp_path / "results"))
    assert len(found.runs) == len(faults)
    assert "Pacemaker" in found.about[0].facts
    assert not (tmp_path / "lab").exists()
