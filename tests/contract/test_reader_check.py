"""The reader check with a real MariaDB, as HAProxy asks it. What needs a replica is in tests/failover/test_readers.py."""

from __future__ import annotations

from acting import Chamber
from mysql_box import run

from backstay.services.mysql.health import still_readable
from backstay.services.mysql.observation import ReplicaStatus

PREPARE = """
export OCF_RESKEY_reader_check_port=3309
ask() { echo "answer=$(echo | socat -t2 - TCP:127.0.0.1:3309 2>/dev/null || true)"; }
says() { ask | grep -q "$1"; }
answers() { within 20 says "$1"; }
identity() { sed 's/.* //' /run/backstay/db/reader; }
"""


def answers(text: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith("answer=")]


def test_what_it_answers_through_the_life_of_a_server(chamber: Chamber) -> None:
    result = run(
        chamber,
        PREPARE
        + """
        ask; act start; answers "down #"; ask
        act promote; answers "up 0%"; ask
        kill -STOP $(cat /run/mysqld/mysqld.pid); ask; kill -CONT $(cat /run/mysqld/mysqld.pid)
        act demote; echo -n 1 > /run/backstay/db/readable; answers "up 100%"; ask
        kill -STOP $(cat /run/mysqld/mysqld.pid); answers "down #"; ask; kill -CONT $(cat /run/mysqld/mysqld.pid)
        answers "up 100%"
        kill -9 $(cat /run/mysqld/mysqld.pid); answers '^answer=$'; act stop; ask
        act start; answers "down #"; act stop; ask
        """,
    )
    assert set(result.codes) == {0}, result.text
    up = ["", "down #not readable yet", "up 0%", "up 0%", "up 100%", "down #the local server does not answer", "", ""]
    assert answers(result.text) == up, result.text


def test_a_monitor_starts_it_again_and_follows_its_parameters(chamber: Chamber) -> None:
    result = run(
        chamber,
        PREPARE
        + """
        act start; act promote; answers "up 0%"; before=$(identity)
        act monitor $RECURRING; [ "$before" = "$(identity)" ] && echo same
        kill -9 ${before%:*}; answers '^answer=$'; act monitor $RECURRING; answers "up 0%"
        act monitor $RECURRING OCF_RESKEY_max_lag=5; [ "$before" != "$(identity)" ] && echo other; answers "up 0%"
        act monitor $RECURRING OCF_RESKEY_reader_check_port=0; answers '^answer=$'
        taken() { ss -ltn | grep -q :3310; }; socat TCP-LISTEN:3310,fork,reuseaddr EXEC:cat & within 20 taken
        act monitor $RECURRING OCF_RESKEY_reader_check_port=3310
        within 20 test -s /run/backstay/db/reader-complaint
        act demote; act monitor $RECURRING OCF_RESKEY_reader_check_port=3310; act stop
        """,
    )
    assert "same" in result.text and "other" in result.text, result.text
    assert result.codes[-2:] == [190, 0], result.text
    assert "reader_check_port=3310 cannot be used: Address already in use" in result.text


def replica(lag: int | None, sql: bool = True) -> ReplicaStatus:
    return ReplicaStatus("writer", 3306, "Yes", sql, lag, True, (0, ""), (0, ""))


def test_only_a_monitor_makes_readable_again() -> None:
    assert still_readable(replica(0), "", True, 30) == (True, "")
    assert still_readable(replica(0), "", False, 30) == (False, "")
    assert still_readable(replica(31), "", True, 30) == (False, "more than 30 s behind")
    assert still_readable(replica(None), "", True, 30) == (True, "")
    assert still_readable(replica(0), "0-1-7", True, 30)[0] is False
    assert still_readable(replica(0, sql=False), "", True, 30) == (False, "replication is not running")
