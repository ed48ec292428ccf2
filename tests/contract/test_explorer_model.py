"""What a verb means in the explorer's model is what real servers do: the same schedules on both, compared after each event."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from acting import Chamber

LIES = Path(__file__).with_name("explorer_lies.py")
SET = """
ip link set lo up
hostname n1
mkdir /tmp/real; chmod 755 /tmp/real
for n in 1 2 3; do echo "127.0.0.$n n$n" >> /etc/hosts; done
"""
EVENTS = 30
A_FEW = 6  # schedules of one test


def said(chamber: Chamber, work: Path, *arguments: str) -> str:
    shutil.copy(LIES, work)
    done = chamber(f"{SET} python3 explorer_lies.py {' '.join(arguments)}", timeout=590, check=False)
    assert done.status == 0, done.out + done.err
    return done.out


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 36, A_FEW))
def test_servers_do_what_the_model_says(chamber: Chamber, tmp_path: Path, first: int) -> None:
    text = said(chamber, tmp_path, str(first), str(A_FEW), str(EVENTS))
    assert text.count(" agrees: ") == A_FEW, text
    print(text)


def test_servers_do_what_the_model_says_of_a_failover(chamber: Chamber, tmp_path: Path) -> None:
    assert "failover: agrees" in said(chamber, tmp_path, "failover")


@pytest.mark.slow
@pytest.mark.parametrize(
    "lie", ["sent is acknowledged", "a relay log is lost", "a relay log is kept", "only its own rows"]
)
def test_a_model_that_lies_is_found_out(chamber: Chamber, tmp_path: Path, lie: str) -> None:
    text = said(chamber, tmp_path, f"'{lie}'")
    assert "as it is: agrees" in text, text
    print(text)
