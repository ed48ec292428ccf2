"""MySQL's binary log is cut before a start: the account's own one, whatever its directory and its index say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.decisions.test_oracle_binlog import ME, SURVIVED, log, transaction  # type: ignore[import-not-found]

from backstay.services.mysql.dialects.mysql import Oracle

ACCOUNT, GROUP = 5, 60
WHOLE, TAIL = log(transaction(9), transaction(10)), transaction(11)
KEPT = "unacknowledged-binlog.000002"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    directory = tmp_path / "data"
    directory.mkdir()
    os.chown(directory, ACCOUNT, GROUP)
    own(directory / "auto.cnf", f"[auto]\nserver-uuid={ME}\n".encode())
    own(directory / "binlog.index", b"./binlog.000001\n./binlog.000002\n")
    own(directory / "binlog.000002", WHOLE + TAIL)
    (tmp_path / "roots").write_bytes(WHOLE + TAIL)
    return directory


def own(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.chown(path, ACCOUNT, GROUP)


def cut(data: Path) -> str:
    return Oracle((8, 4, 0)).discard_tail(str(data), str(data / "binlog.index"), SURVIVED)


def untouched(data: Path) -> bool:
    roots = data.parent / "roots"
    return roots.read_bytes() == WHOLE + TAIL and roots.stat().st_uid == 0


def test_the_tail_is_cut_off_and_kept_as_the_accounts(data: Path) -> None:
    os.link(data / "binlog.000002", data / "backup")  # as a snapshot of the directory has it
    assert cut(data).startswith(f"cut {ME}:11 off the binary log")
    assert (data / "binlog.000002").read_bytes() == WHOLE
    assert (data / KEPT).read_bytes() == log() + TAIL
    assert (data / KEPT).stat().st_uid == ACCOUNT and (data / KEPT).stat().st_gid == GROUP
    assert not (data / "auto.cnf").exists()
    assert cut(data).startswith("no unacknowledged tail looked for")  # nothing says whose log it is


def test_an_index_that_leads_elsewhere_cuts_nothing_there(data: Path) -> None:
    own(data / "binlog.index", b"../roots\n")
    assert "does not belong to whom" in cut(data)
    assert untouched(data) and (data / "auto.cnf").exists()


@pytest.mark.parametrize("plant", [os.symlink, os.link])
@pytest.mark.parametrize("name", ["binlog.000002", KEPT, "binlog.index", "auto.cnf"])
def test_what_lies_in_wait_is_left_alone(data: Path, name: str, plant: object) -> None:
    (data / name).unlink(missing_ok=True)
    plant(data.parent / "roots", data / name)  # type: ignore[operator]
    cut(data)
    assert untouched(data)
    assert name != KEPT or (data / KEPT).read_bytes() == log() + TAIL
