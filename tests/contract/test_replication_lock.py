"""One change of a server's replication at a time, whoever makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from backstay.host.deadline import Deadline
from backstay.services.mysql.state import Occupied, State


def test_a_second_one_waits_until_its_deadline_and_says_so(tmp_path: Path) -> None:
    first, second = State(str(tmp_path)), State(str(tmp_path))
    with (
        first.replication(Deadline(5)),
        pytest.raises(Occupied, match="another to be done"),
        second.replication(Deadline(0.1)),
    ):
        pytest.fail("two at once")
    with second.replication(Deadline(0)):
        assert not list(tmp_path.iterdir())  # nothing has to be written for it
