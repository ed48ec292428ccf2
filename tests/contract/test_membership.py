"""Whether the cluster's membership stands, by the files in which Corosync keeps its ring."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from backstay import membership


def ring(directory: Path, name: str, age: float) -> None:
    path = directory / name
    path.write_bytes(bytes(8))
    os.utime(path, (time.time() - age,) * 2)


def test_it_stands_once_the_newest_ring_is_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "RINGS", str(tmp_path))
    assert membership.settled() == ""  # nobody knows
    ring(tmp_path, "ringid_1", 3600)
    ring(tmp_path, "ringid_9", 7200)  # of before this node got another number
    ring(tmp_path, "fdata", 1)
    before = membership.settled()
    assert before and membership.settled() == before
    ring(tmp_path, "ringid_1", 14)
    assert membership.settled() == ""
    ring(tmp_path, "ringid_1", 16)
    assert membership.settled() not in ("", before)
    ring(tmp_path, "ringid_1", -60)
    assert membership.settled() == ""  # the clock was set back
    monkeypatch.setattr(membership, "RINGS", str(tmp_path / "none"))
    assert membership.settled() == ""
