"""Whether the cluster's membership stands, by the files in which Corosync keeps its ring."""

from __future__ import annotations

import os
import time
from pathlib import Path

from backstay.cluster.ring import settled
from backstay.host.state_files import Files

HOUR = 3600


def ring(directory: Path, name: str, age: float) -> None:
    path = directory / name
    path.write_bytes(bytes(8))
    os.utime(path, (time.time() - age,) * 2)


def seen(directory: Path, seconds_ago: float) -> None:
    """That the present rings were first seen then."""
    moment = time.monotonic_ns() - int(seconds_ago * 1e9)
    os.utime(directory / "ring", ns=(moment, moment))


def test_it_stands_once_the_newest_ring_was_seen_for_a_while(tmp_path: Path) -> None:
    rings, files = str(tmp_path), Files(str(tmp_path))
    assert settled(files, rings) == ""  # nobody knows
    ring(tmp_path, "ringid_1", HOUR)
    ring(tmp_path, "ringid_9", 2 * HOUR)  # of before this node got another number
    ring(tmp_path, "fdata", 1)
    assert settled(files, rings) == ""  # not seen before
    seen(tmp_path, 16)
    before = settled(files, rings)
    assert before and settled(files, rings) == before
    ring(tmp_path, "ringid_1", 14)
    assert settled(files, rings) == ""
    seen(tmp_path, 14)
    assert settled(files, rings) == ""
    seen(tmp_path, 16)
    assert settled(files, rings) not in ("", before)
    assert settled(files, str(tmp_path / "none")) == ""


def test_a_new_ring_is_new_whatever_the_clock_says(tmp_path: Path) -> None:
    rings, files = str(tmp_path), Files(str(tmp_path))
    ring(tmp_path, "ringid_9", -HOUR)  # of before the clock was set back
    ring(tmp_path, "ringid_1", 60)
    settled(files, rings)
    seen(tmp_path, 16)
    assert settled(files, rings)
    ring(tmp_path, "ringid_1", HOUR)  # the clock is an hour late
    assert settled(files, rings) == ""
    ring(tmp_path, "ringid_1", -HOUR)  # or was ahead
    assert settled(files, rings) == ""


def test_what_cannot_be_noted_never_stands(tmp_path: Path) -> None:
    ring(tmp_path, "ringid_1", HOUR)
    files = Files(str(tmp_path / "none"), [])
    assert settled(files, str(tmp_path)) == "" == settled(files, str(tmp_path))
