"""A server that something else started under ocf:backstay:mysql, with a real MariaDB: it is started anew by a start, and
forbidden by the monitors. What it had written would be in no binary log."""

from __future__ import annotations

import pytest
from acting import Chamber
from mysql_box import run

# `other OPTION…` has the data directory served as a distribution's own service does, and waits for it.
OTHER = r"""
other() {
    mariadbd --defaults-file=/etc/mysql/set.cnf --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock \
        --pid-file=/run/mysqld/mysqld.pid "$@" >/tmp/other 2>&1 &
    within 30 mariadb -e 'select 1' >/dev/null 2>&1
}
asked() { mariadb -Ne "select $1"; }
"""
# What another node is told: its answer counts only without a `why`.
PEER = """
cat > /tmp/peer.py <<'END'
from backstay.host.deadline import Deadline
from backstay.services.mysql.dialects import dialect_for
from backstay.services.mysql.server import Server
server = Server("it", Deadline(10), "backstay_monitor", "m0n", host="127.0.0.1", port=3306)
print(f"told={dialect_for('10.11.0-MariaDB').peer(server).why}")
END
"""
AS_OURS = "--log-bin=binlog --relay-log=relay --log-slave-updates --report-host=n1 --server-id=1000"


def test_a_start_has_it_started_anew(chamber: Chamber) -> None:
    """A clean end first: what it had committed is kept."""
    result = run(
        chamber,
        OTHER
        + """
        act start; act stop
        other; mariadb -e 'create database d; create table d.t (i int) engine=innodb; insert into d.t values (1)'
        echo "before=$(asked @@log_bin)"; act monitor
        act start; act monitor $RECURRING
        echo "after=$(asked '@@log_bin, @@sync_relay_log, @@gtid_strict_mode, @@report_host, @@read_only')"
        echo "kept=$(asked '(select count(*) from d.t)')"
        grep -c 'shutdown complete' /var/lib/mysql/error.log > /tmp/ends || true
        act promote; act monitor $RECURRING; mariadb -e 'insert into d.t values (2)'; echo "history=$(asked @@gtid_binlog_pos)"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0, 0, 191, 0], result.text
    assert result.values["before"] == "0"
    assert result.values["after"].split() == ["1", "1", "1", "n1", "1"], result.text
    assert result.values["kept"] == "1"
    assert result.values["history"].startswith("0-1000-"), result.text


@pytest.mark.parametrize("closed", ["", "--read-only"])
def test_a_start_ends_it_by_a_kill_where_a_commit_waits_for_an_acknowledgement(chamber: Chamber, closed: str) -> None:
    """A clean end would commit it, and so does waiting for it in vain."""
    result = run(
        chamber,
        OTHER
        + f"""
        act start; act promote; mariadb -e 'create database d; create table d.t (i int) engine=innodb'; act stop
        rm -rf /run/backstay/mysql
        other --log-bin=binlog --rpl-semi-sync-master-enabled=1 --rpl-semi-sync-master-timeout=1000000 {closed}
        (mariadb -e 'insert into d.t values (1)' || true) >/dev/null 2>&1 &
        waits() {{ mariadb -Ne "show status like 'Rpl_semi_sync_master_wait_sessions'" | grep -qw 1; }}; within 20 waits
        took act start; cat /tmp/said; act stop
        echo "gently=$(grep -c 'Normal shutdown' /tmp/other)"
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert result.values["gently"] == "0", result.text
    assert result.took[0] < 40_000, result.text


def test_monitors_leave_it_running_and_forbid_it(chamber: Chamber) -> None:
    result = run(
        chamber,
        OTHER
        + PEER
        + """
        act start; act stop; other; was=$(cat /run/mysqld/mysqld.pid); python3 /tmp/peer.py
        act monitor; act monitor $RECURRING
        echo "only=$(asked @@read_only)"
        mariadb -e 'set global rpl_semi_sync_slave_enabled=1'
        act monitor $RECURRING
        echo "gives=$(asked @@rpl_semi_sync_slave_enabled)"
        act promote $CLONE; act monitor $RECURRING; act demote
        echo "open=$(asked '@@read_only')"; act monitor $RECURRING; [ $was = $(cat /run/mysqld/mysqld.pid) ]
        mariadb-admin shutdown; wait; act start; act monitor $RECURRING; act promote; act stop
        """,
    )
    #                       start stop probe monitor x2 promote monitor demote monitor start monitor promote stop
    assert result.codes == [0, 0, 0, 190, 190, 0, 191, 0, 190, 0, 0, 0, 0], result.text
    assert result.values["told"].startswith("it runs with log_bin=OFF, log_slave_updates=OFF"), result.text
    reason = "something else started this server: end it, and the cluster starts it anew (it runs with log_bin=OFF"
    for place in (3, 4, 8):
        assert reason in result.reasons[place], result.text
    assert f"not promoted: {reason}" in result.reasons[5], result.text
    assert (result.values["only"], result.values["gives"], result.values["open"]) == ("1", "0", "1")


def test_what_a_running_server_takes_is_set(chamber: Chamber) -> None:
    result = run(
        chamber,
        OTHER
        + f"""
        act start; act stop; other {AS_OURS}; was=$(cat /run/mysqld/mysqld.pid)
        act monitor $RECURRING
        echo "monitored=$(asked '@@sync_relay_log, @@gtid_strict_mode, @@sync_binlog, @@rpl_semi_sync_master_wait_point')"
        mariadb -e 'set global sync_relay_log=10000, global gtid_strict_mode=0'
        act start; echo "started=$(asked '@@sync_relay_log, @@gtid_strict_mode')"
        act promote; mariadb -e 'set global sync_binlog=0'; act monitor $RECURRING; echo "primary=$(asked @@sync_binlog)"
        [ $was = $(cat /run/mysqld/mysqld.pid) ]; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0, 191, 0], result.text
    assert result.values["monitored"].split() == ["1", "1", "1", "AFTER_SYNC"]
    assert result.values["started"].split() == ["1", "1"]
    assert result.values["primary"] == "1"


def test_a_server_under_another_name_or_anothers_id_is_not_taken_for_ours(chamber: Chamber) -> None:
    """The primary would not know who follows it; and of two servers with one id one drops the other's events."""
    result = run(
        chamber,
        OTHER
        + f"""
        act start; act stop; other {AS_OURS} --report-host=elsewhere; act monitor $RECURRING; mariadb-admin shutdown; wait
        other {AS_OURS} --server-id=7; act monitor $RECURRING; act start; act monitor $RECURRING; act stop
        """,
    )
    assert result.codes == [0, 0, 190, 190, 0, 0, 0], result.text
    assert "report_host=elsewhere" in result.reasons[2] and "server_id=7" in result.reasons[3], result.text
