"""ocf:backstay:mysql under the OCF contract, with a real MariaDB: its life without a cluster, bad input, ocf-tester.

In the chamber there is no cluster, so nothing is promoted by election: the first promotion has no other node to ask.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from acting import Chamber, Result
from mysql_box import PREPARE, run

from backstay.host import command


def test_the_life_of_an_instance(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act monitor; act start; act start; act monitor $RECURRING
        act promote; act promote; act monitor $RECURRING
        mariadb -e 'create database d; create table d.t (i int); insert into d.t values (1)'
        act demote; act demote; act monitor $RECURRING
        mariadb -Ne 'select @@read_only'
        act stop; act stop; act monitor
        """,
    )
    #                       probe, start x2, monitor, promote x2, monitor, demote x2, monitor, stop x2, probe
    assert result.codes == [7, 0, 0, 0, 0, 0, 191, 0, 0, 0, 0, 0, 7], result.text
    assert "runs alone" in result.reasons[6]
    assert "\n1\n" in result.text


def test_a_promotion_ends_what_sends_the_log_since_an_earlier_one(chamber: Chamber) -> None:
    """A replica that comes back would wait for its old sender. Demoting leaves it: it brings the last commits across."""
    result = run(
        chamber,
        """
        act start; act promote
        senders() { mariadb -Ne "select count(*) from information_schema.processlist where command like 'Binlog Dump%'"; }
        mkdir /tmp/read; cd /tmp/read
        log=$(mariadb -Ne 'show master status' | cut -f 1)
        mariadb-binlog --read-from-remote-server --stop-never --raw -S /run/mysqld/mysqld.sock -u root $log & reader=$!
        one() { [ "$(senders)" = 1 ]; }; within 20 one
        act demote; echo before $(senders)
        act promote; none() { [ "$(senders)" = 0 ]; }; within 20 none; echo after $(senders)
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert "before 1" in result.text and "after 0" in result.text, result.text


def test_a_restarted_server_is_not_promoted_whatever_it_was(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; act promote
        kill -9 $(cat /run/mysqld/mysqld.pid); while kill -0 $(cat /run/mysqld/mysqld.pid) 2>/dev/null; do :; done
        act monitor $RECURRING; act demote; act start; act monitor $RECURRING
        mariadb -Ne 'select @@read_only'
        """,
    )
    assert result.codes == [0, 0, 7, 0, 0, 0], result.text
    assert result.text.rstrip().endswith("1")


def test_a_hung_server_is_a_finding_and_never_holds_up_demote_and_stop(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; act promote
        kill -STOP $(cat /run/mysqld/mysqld.pid)
        took eval 'act monitor $RECURRING OCF_RESKEY_probe_timeout=1s; act demote; act monitor; act stop'
        """,
    )
    assert result.codes == [0, 0, 1, 0, 7, 0], result.text
    assert "does not answer within 1 s" in result.reasons[2]
    assert result.took[0] < 10_000, result.text  # a stop that waits for it takes forty seconds


def test_a_hung_server_is_found_by_demote_itself(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; act promote
        kill -STOP $(cat /run/mysqld/mysqld.pid)
        took eval 'act demote; act monitor'
        """,
    )
    assert result.codes == [0, 0, 0, 7], result.text
    assert result.took[0] < 10_000, result.text  # a stop that waits for it takes forty seconds


def test_a_lock_is_told_as_a_lock_and_fails_nothing(chamber: Chamber) -> None:
    """As a backup holds it for its whole time. The disk is well, and another primary would not be there sooner."""
    result = run(
        chamber,
        """
        act start; act promote; mariadb -e "install soname 'metadata_lock_info'"; act monitor $RECURRING
        mariadb -e 'flush tables with read lock; do sleep(60)' & backup=$!
        held() { mariadb -Ne "select info from information_schema.processlist" | grep -q '^do sleep'; }; within 10 held
        took eval 'act monitor $RECURRING; act monitor $RECURRING'
        mariadb -e "uninstall soname 'metadata_lock_info'" 2> /dev/null & act monitor $RECURRING
        kill $backup; gone() { ! held; }; within 10 gone; act monitor $RECURRING
        mariadb -e 'lock tables backstay.heartbeat read; do sleep(60)' & backup=$!; within 10 held
        act monitor $RECURRING; kill $backup; within 10 gone; act monitor $RECURRING; act stop
        """,
    )
    assert result.codes == [0, 0, 191, 191, 191, 191, 191, 191, 191, 0], result.text
    assert "writes wait for a lock" in result.reasons[3] and "held by session" in result.reasons[3], result.text
    assert "@localhost" in result.reasons[3]
    assert "runs alone" in result.reasons[3], result.text  # the other duties go on
    assert "lock" not in result.reasons[6] and "writes wait for a lock" in result.reasons[7]
    assert result.took[0] < 10_000, result.text


def test_in_doubt_of_the_record_the_primary_changes_nothing(chamber: Chamber) -> None:
    """Its write of the record was not answered, and no cluster can say what is on record: its own note may be the older one."""
    result = run(
        chamber,
        """
        act start; act promote; touch /run/backstay/db/doubt; mariadb -e 'set global rpl_semi_sync_master_enabled=0'
        act monitor $RECURRING; echo "waits=$(mariadb -Ne 'select @@rpl_semi_sync_master_enabled')"
        rm /run/backstay/db/doubt; act monitor $RECURRING
        echo "repaired=$(mariadb -Ne 'select @@rpl_semi_sync_master_enabled')"; act stop
        """,
    )
    assert result.codes == [0, 0, 191, 191, 0], result.text
    assert "the cluster does not say what is on record" in result.reasons[2], result.text
    assert (result.values["waits"], result.values["repaired"]) == ("0", "1"), result.text


def test_a_row_that_an_earlier_monitor_is_still_committing_is_no_lock(chamber: Chamber) -> None:
    """It is the disk that stands still. Here its statement sleeps with the row in its hands."""
    result = run(
        chamber,
        """
        act start; act promote; act monitor $RECURRING
        mariadb -e 'set sql_log_bin = 0; replace into backstay.heartbeat values (1, now(6)), (sleep(60) + 2, now(6))' &
        old() { mariadb -Ne "select time >= 3 from information_schema.processlist where info like 'replace into%'" | grep -q 1; }
        within 20 old; act monitor $RECURRING; act stop
        """,
    )
    assert result.codes == [0, 0, 191, 1, 0], result.text
    assert "the local server commits no row" in result.reasons[3], result.text


def test_a_stalled_disk_is_a_finding(chamber: Chamber, tmp_path: Path) -> None:
    """A server on it still answers questions and cannot write."""
    disk = tmp_path / "disk"  # /work/disk there; the tool that makes it is not in every image
    with open(disk, "wb") as file:
        file.truncate(400 << 20)
    command.run(["mkfs.ext4", "-q", "-F", str(disk)], 60)
    result = run(
        chamber,
        """
        mkdir -p /var/lib/mysql; mount -o loop /work/disk /var/lib/mysql
        rmdir /var/lib/mysql/lost+found; act start; act promote; act monitor $RECURRING
        fsfreeze -f /var/lib/mysql
        took act monitor $RECURRING; act monitor $RECURRING  # the first one's row is still being committed
        fsfreeze -u /var/lib/mysql
        act monitor $RECURRING; act stop; umount /var/lib/mysql
        """,
    )
    assert result.codes == [0, 0, 191, 1, 1, 191, 0], result.text
    assert "does not answer within 3 s" in result.reasons[3]
    assert result.took[0] < 10_000, result.text  # unbounded, the question would take all of the monitor's 54 s


def test_unknown_is_neither_dead_nor_promoted(chamber: Chamber) -> None:
    """A rotated password, all connections taken: the server lives and serves, and a failover would meet the same."""
    result = run(
        chamber,
        """
        act start
        mariadb -e "set sql_log_bin=0; create user adm@localhost identified by 'right'; grant all on *.* to adm@localhost"
        act monitor $RECURRING OCF_RESKEY_agent_user=adm OCF_RESKEY_agent_password=right
        act monitor $RECURRING OCF_RESKEY_agent_user=adm OCF_RESKEY_agent_password=rotated
        act promote OCF_RESKEY_agent_user=adm OCF_RESKEY_agent_password=rotated
        act promote
        act monitor $RECURRING OCF_RESKEY_agent_user=adm OCF_RESKEY_agent_password=rotated
        act stop OCF_RESKEY_agent_password=lrm:// OCF_RESKEY_monitor_password= OCF_RESKEY_replication_password=
        act monitor
        """,
    )
    assert result.codes == [0, 0, 190, 1, 0, 191, 0, 7], result.text
    assert "refuses adm" in result.reasons[2]
    assert "rotated" not in result.text.replace("agent_password=rotated", "")


def test_a_password_may_have_any_letters(chamber: Chamber) -> None:
    """In the agent's own login, in the accounts that it makes and changes, and in theirs."""
    result = run(
        chamber,
        """
        export OCF_RESKEY_monitor_password="pä€s'x" OCF_RESKEY_replication_password=r€p LC_ALL=C
        echo 127.0.0.1 n1 >> /etc/hosts
        login() { mariadb -h 127.0.0.1 -u "$1" "-p$2" -Ne 'select "in"' 2>&1; }
        act start; act promote; act monitor $RECURRING; echo "first=$(login backstay_monitor "$OCF_RESKEY_monitor_password")"
        export OCF_RESKEY_monitor_password='ünd€' OCF_RESKEY_replication_password='«r»'
        act monitor $RECURRING; echo "second=$(login backstay_monitor 'ünd€')"; echo "third=$(login backstay_replication '«r»')"
        mariadb --default-character-set=utf8mb4 -e "set sql_log_bin=0; create user adm@localhost identified by 'ß€'"
        mariadb -e 'set sql_log_bin=0; grant all on *.* to adm@localhost'
        act monitor $RECURRING OCF_RESKEY_agent_user=adm OCF_RESKEY_agent_password=ß€; act stop
        act start "OCF_RESKEY_monitor_password=$(printf 'b\\344d')"
        """,
    )
    assert result.codes == [0, 0, 191, 191, 191, 0, 6], result.text
    assert [result.values.get(name) for name in ("first", "second", "third")] == ["in", "in", "in"], result.text
    assert "monitor_password=" in result.reasons[6] and "text in UTF-8 is needed" in result.reasons[6], result.text


def test_stop_and_probe_work_without_configuration(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start
        act monitor OCF_RESKEY_port=abc OCF_RESKEY_config=/nonexistent OCF_RESKEY_monitor_password=
        act stop OCF_RESKEY_port=abc OCF_RESKEY_config=/nonexistent OCF_RESKEY_binary=/nonexistent OCF_RESKEY_max_lag=x
        act monitor OCF_RESKEY_port=abc OCF_RESKEY_config=/nonexistent OCF_RESKEY_binary=/nonexistent
        """,
    )
    assert result.codes == [0, 0, 0, 7], result.text


BAD = [
    (["OCF_RESKEY_monitor_password="], 6, "parameter monitor_password is not set"),
    (["OCF_RESKEY_port=0"], 6, "parameter port=0: at least 1 is needed"),
    (["OCF_RESKEY_port=many"], 6, "parameter port=many: a whole number is needed"),
    (["OCF_RESKEY_rebuild=maybe"], 6, "parameter rebuild=maybe: one of never, auto is needed"),
    (["OCF_RESKEY_max_lag=soon"], 6, "parameter max_lag=soon: a time such as"),
    (["OCF_RESKEY_config=/nonexistent.cnf"], 2, "the options file /nonexistent.cnf is not readable: set config to it"),
    (["OCF_RESKEY_binary=/nonexistent"], 5, "no server program at /nonexistent: install it, or set binary"),
    (["OCF_RESKEY_user=nobody-here"], 2, "there is no system account nobody-here"),
    (["OCF_RESKEY_initialize=false"], 1, "/var/lib/mysql holds no database: set initialize=true, or restore a backup"),
]


@pytest.mark.parametrize(("given", "code", "reason"), BAD, ids=[" ".join(case[0]).lower() for case in BAD])
def test_bad_input_gets_one_sentence(chamber: Chamber, given: list[str], code: int, reason: str) -> None:
    result = run(chamber, f"act start {' '.join(given)}; act monitor {' '.join(given)}; act stop {' '.join(given)}")
    assert result.codes == [code, 7, 0], result.text
    assert result.reasons[0].startswith(reason)


def test_an_options_file_that_does_not_parse_is_named(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        printf '[mysqld]\\nno_such_option=1\\n' > /etc/mysql/set.cnf
        act validate-all OCF_CHECK_LEVEL=10; act start; act stop
        """,
    )
    assert result.codes == [2, 2, 0], result.text
    assert "no_such_option" in result.reasons[0] and "/etc/mysql/set.cnf" in result.reasons[0]
    assert "no_such_option" in result.reasons[1]


def test_level_10_names_each_mistake_with_its_remedy(chamber: Chamber) -> None:
    check = "act validate-all OCF_CHECK_LEVEL=10"
    result = run(
        chamber,
        f"""
        act start; {check}
        mariadb -e 'set global sync_relay_log=10000'; {check}; mariadb -e 'set global sync_relay_log=1'
        mariadb -e "set sql_log_bin=0; revoke slave monitor on *.* from backstay_monitor"; {check}
        mariadb -e "set sql_log_bin=0; grant slave monitor on *.* to backstay_monitor; drop user backstay_replication"
        {check}
        mariadb -e "set sql_log_bin=0; create user backstay_replication identified by 'r3p'"
        mariadb -e "set sql_log_bin=0; grant replication slave on *.* to backstay_replication; create user ''@'n1'"
        {check}; mariadb -e "set sql_log_bin=0; drop user ''@'n1'"
        {check} OCF_RESKEY_writer_address=no.such.name
        {check} OCF_RESKEY_tls_ca=/nonexistent.pem
        {check}
        """,
    )
    assert result.codes == [0, 0, 1, 1, 1, 1, 1, 1, 0], result.text
    expected = [
        "sync_relay_log is 10000 and must be 1",
        "lacks SLAVE MONITOR: on the primary run GRANT SLAVE MONITOR",
        "account backstay_replication@'%' is missing: on the primary run CREATE USER",
        "DROP USER ''@'n1'",
        "the name no.such.name does not resolve",
        "tls_ca /nonexistent.pem is not readable",
    ]
    for reason, words in zip(result.reasons[2:8], expected):
        assert words in reason


def test_clients_that_come_all_at_once_find_room_and_level_10_names_what_is_in_the_way(chamber: Chamber) -> None:
    check = "act validate-all OCF_CHECK_LEVEL=10 OCF_RESKEY_writer_address=127.0.0.1"
    result = run(
        chamber,
        f"""
        act start; echo "queue=$(ss -Hltn 'sport = :3306' | awk '{{print $3; exit}}')"
        {check}
        mv /usr/sbin/nft /tmp; {check}; {check} OCF_RESKEY_on_loss=refuse; mv /tmp/nft /usr/sbin
        mount --bind /proc/sys /proc/sys; mount -o remount,bind,rw /proc/sys
        echo 64 > /proc/sys/net/core/somaxconn; {check}; echo 4096 > /proc/sys/net/core/somaxconn
        act stop; echo back_log=50 >> /etc/mysql/set.cnf; act start; {check}
        """,
    )
    assert result.values["queue"] == "4096", result.text
    assert result.codes == [0, 0, 1, 0, 1, 0, 0, 1], result.text
    assert "nft is not installed, so a failover refuses clients" in result.reasons[2]
    assert "net.core.somaxconn is 64, so clients that come all at once may hang: set it to 151" in result.reasons[4]
    assert "back_log is 50, so clients that come all at once may hang" in result.reasons[7]


def test_level_10_names_a_limit_of_files_that_costs_clients(chamber: Chamber) -> None:
    """The server lowers max_connections by itself then, and tells its log alone."""
    result = run(
        chamber,
        """
        echo max_connections=500 >> /etc/mysql/set.cnf
        act start; act validate-all OCF_CHECK_LEVEL=10; act stop
        # As under Pacemaker where its unit has no more, and where root may not raise it.
        few() { setpriv --bounding-set -sys_resource --inh-caps -sys_resource prlimit --nofile=600:600 "$@"; }
        few $A start; echo "clients=$(mariadb -Ne 'select @@max_connections')"
        act validate-all OCF_CHECK_LEVEL=10; act stop
        """,
    )
    assert int(result.values["clients"]) < 500, result.text
    assert result.codes == [0, 0, 0, 1, 0], result.text
    assert (
        "and not 500 as /etc/mysql/set.cnf has it, since the server may open 600 files: raise LimitNOFILE"
        in result.reasons[3]
    )


def test_level_10_names_what_a_server_lacks_that_others_started(chamber: Chamber) -> None:
    """All of it, in the log; the first as the exit reason."""
    said = chamber(
        PREPARE
        + """
        act start; act stop
        mariadbd --defaults-file=/etc/mysql/set.cnf --user=mysql --datadir=/var/lib/mysql --skip-log-bin \
            --socket=/run/mysqld/mysqld.sock --pid-file=/run/mysqld/mysqld.pid --relay-log-recovery=1 >/dev/null 2>&1 &
        within 30 mariadb -e 'select 1' >/dev/null 2>&1
        act validate-all OCF_CHECK_LEVEL=10; cat /tmp/said
        kill $(cat /run/mysqld/mysqld.pid); wait
        """,
        timeout=90,
    ).out
    for words in (
        "log_bin is OFF and must be ON",
        "log_slave_updates is OFF and must be ON",
        "gtid_strict_mode is OFF and must be ON",
        "sync_binlog is 0 and must be 1",
        "sync_relay_log is 10000 and must be 1",
        "relay_log_recovery is ON and must be OFF",
        "rpl_semi_sync_master_wait_point is AFTER_COMMIT and must be AFTER_SYNC",
    ):
        assert f"{words}: restart the server through the cluster" in said, said
    assert re.search(r"^validate-all 1 log_bin is OFF", said, re.MULTILINE), said


def test_level_10_looks_at_the_host_before_there_is_a_server(chamber: Chamber) -> None:
    check = "act validate-all OCF_CHECK_LEVEL=10"
    result = run(
        chamber,
        f"""
        {check} OCF_RESKEY_initialize=false
        mkdir -p /var/lib/mysql /srv/data; mount --bind /srv/data /var/lib/mysql; {check} OCF_RESKEY_rebuild=auto
        mount -o remount,bind,ro /var/lib/mysql; {check}; umount /var/lib/mysql
        mount -t tmpfs data /var/lib/mysql; {check}; umount /var/lib/mysql
        {check}
        """,
    )
    expected = [
        "/var/lib/mysql holds no database: set initialize=true",
        "rebuild=auto cannot move /var/lib/mysql, a mount point",
        "/var/lib/mysql cannot be written: mount it writable",
        "/var/lib/mysql is in memory, and lost with the node's power: mount a disk there",
    ]
    assert result.codes == [1, 1, 1, 1, 0], result.text
    for reason, words in zip(result.reasons, expected):
        assert words in reason


CHECK = "act validate-all OCF_CHECK_LEVEL=10; sed -n 's/^err: /told: /p' /tmp/said"


def told(result: Result) -> list[str]:
    """All that level 10 found, in order."""
    return [line[6:] for line in result.text.splitlines() if line.startswith("told: ")]


def test_level_10_names_options_that_would_hurt_before_the_server_runs(chamber: Chamber) -> None:
    """As the server reads its files: in whichever group, under whichever spelling."""
    result = run(
        chamber,
        f"""
        printf '[mysqld]\nskip-name-resolve\nbinlog_ignore_db=logs\nrequire-secure-transport=1\nbind-address=127.0.0.1\n' \
            > /etc/mysql/set.cnf
        printf '[mariadb-10.11]\nreplicate-wild-do-table=shop.%%\nloose-skip-networking\n' >> /etc/mysql/set.cnf
        printf '[galera]\ninnodb_force_recovery=1\n[mariadbd]\nslave_skip_errors=1062\n' >> /etc/mysql/set.cnf
        {CHECK}
        printf '[mysqld]\n[mysqld-8.0]\nskip-networking\n[mariadb-10.5]\nbinlog-do-db=shop\n' > /etc/mysql/set.cnf
        act validate-all OCF_CHECK_LEVEL=10
        """,
    )
    assert result.codes == [1, 0], result.text
    assert {one.replace("validate-all: ", "").partition("=")[0] for one in told(result)} == {
        *("binlog-ignore-db", "require-secure-transport", "bind-address", "replicate-wild-do-table", "skip-networking"),
        *("innodb-force-recovery", "slave-skip-errors"),
    }, result.text
    assert all(one.endswith("/etc/mysql/set.cnf") or " = *" in one for one in told(result)), result.text


def test_level_10_names_what_hurts_in_a_running_server_and_its_statements_mend_it(chamber: Chamber) -> None:
    result = run(
        chamber,
        f"""
        act start
        mariadb -e "set global replicate_do_db = 'shop', global slave_exec_mode = idempotent"; {CHECK}
        mariadb -e "set global replicate_do_db = '', global slave_exec_mode = strict"
        mariadb -e 'set sql_log_bin = 0; alter table mysql.gtid_slave_pos engine = MyISAM'; {CHECK}
        mariadb -e "$(sed -n 's/^ocf-exit-reason:.*: SET sql/SET sql/p' /tmp/said)"; {CHECK}
        act stop
        """,
    )
    assert result.codes == [0, 1, 1, 0, 0], result.text
    first, second, third = (one.replace("validate-all: ", "") for one in told(result))
    assert {one.partition(":")[0] for one in (first, second)} == {"replicate-do-db=shop", "slave-exec-mode=IDEMPOTENT"}
    assert "restart the server through the cluster" in first
    assert third.startswith("mysql.gtid_slave_pos is MyISAM"), result.text


def test_a_name_of_the_logs_in_a_group_of_one_version_is_the_admins(chamber: Chamber) -> None:
    """Another name begins another history: the agent took the name for unset, and gave its own."""
    result = run(
        chamber,
        """
        named() { mariadb -Ne 'select @@log_bin_basename, @@relay_log_basename'; }
        printf '[mysqld]\nskip-name-resolve\n[mariadb-10.11]\nlog-bin=theirs\nrelay_log=their-relay\n' > /etc/mysql/set.cnf
        act start; echo "own=$(named)"; act stop
        """,
    )
    assert result.codes == [0, 0], result.text
    assert result.values["own"].split() == ["/var/lib/mysql/theirs", "/var/lib/mysql/their-relay"]


def test_the_logs_keep_the_name_under_which_their_history_began(chamber: Chamber) -> None:
    """Whatever the file names later: the server would begin anew, and be taken for one that has nothing."""
    result = run(
        chamber,
        f"""
        position() {{ mariadb -Ne 'select @@log_bin_basename, @@gtid_binlog_pos'; }}
        act start; act promote; mariadb -e 'create database d'; act demote; echo "before=$(position)"; act stop
        printf '[mariadb-10.11]\nlog-bin=theirs\n' >> /etc/mysql/set.cnf
        act start; echo "after=$(position)"; {CHECK}; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0, 1, 0], result.text
    assert result.values["before"] == result.values["after"] and "0-1000-" in result.values["after"], result.text
    assert "log-bin=theirs in /etc/mysql/set.cnf is not used" in told(result)[0], result.text


# n2 is a second server; Pacemaker's tools tell of a cluster of two.
TWO = r"""
mariadb_at() { mariadb --socket=/tmp/n2.sock -Ne "$1"; }
ip addr add 10.77.0.11/24 dev lo; ip addr add 10.77.0.12/24 dev lo
printf '10.77.0.11 n1\n10.77.0.12 n2\n' > /etc/hosts
export OCF_RESKEY_CRM_meta_on_node=n1 CIB_file=/tmp/cib.xml
cibadmin --empty > $CIB_file
cat > /usr/local/sbin/crm_node <<'END'
#!/bin/sh
case $1 in -n) echo n1;; -p) echo n1 n2;; -l) printf '1 n1\n2 n2\n';; esac
END
printf '#!/bin/sh\ncat /tmp/mon.xml\n' > /usr/local/sbin/crm_mon
chmod +x /usr/local/sbin/crm_node /usr/local/sbin/crm_mon
runs() {
    exec 3> /tmp/mon.xml
    echo '<pacemaker-result><nodes><node name="n1" online="true"/><node name="n2" online="true"/></nodes><resources>' >&3
    for node in "$@"; do
        echo "<resource id='db' role='Unpromoted' active='true' managed='true'><node name='$node'/></resource>" >&3
    done
    echo '</resources></pacemaker-result>' >&3
    exec 3>&-
}
mkdir -p /tmp/n2; chown mysql /tmp/n2
mariadb-install-db --no-defaults --user=mysql --datadir=/tmp/n2 --skip-test-db --force > /dev/null
n2() {
    mariadbd --no-defaults --user=mysql --datadir=/tmp/n2 --socket=/tmp/n2.sock --pid-file=/tmp/n2.pid --port=3306 \
        --bind-address=10.77.0.12 --server-id=2 --log-bin=binlog --gtid-strict-mode=ON --log-error=/tmp/n2.log &
    within 30 mariadb_at 'select 1' > /dev/null 2>&1
}
"""


def test_level_10_tries_the_ports_as_the_other_nodes_do(chamber: Chamber) -> None:
    result = run(
        chamber,
        TWO
        + f"""
        n2; mariadb_at "create user backstay_monitor identified by 'm0n'; grant slave monitor, binlog monitor, show databases
            on *.* to backstay_monitor"
        echo 'bind-address=10.77.0.11' >> /etc/mysql/set.cnf; runs n1 n2
        act start; {CHECK}
        mariadb_at "alter user backstay_monitor identified by 'other'"; {CHECK}
        mariadb-admin --socket=/tmp/n2.sock shutdown; wait; {CHECK}
        runs n1; {CHECK}
        act stop; sed -i s/10.77.0.11/10.77.0.12/ /etc/mysql/set.cnf
        act start; {CHECK}; act stop
        """,
    )
    assert result.codes == [0, 0, 1, 1, 0, 0, 0, 1, 0], result.text
    assert "the server on n2 refuses backstay_monitor" in result.reasons[2], result.text
    assert "the server on n2 is not reachable" in result.reasons[3] and "let port 3306 through" in result.reasons[3]
    assert "the server does not listen on n1, port 3306" in result.reasons[7], result.text


def test_a_database_made_without_the_accounts_gets_them_at_its_first_promotion(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        mariadb-install-db --force --user=mysql --datadir=/var/lib/mysql >/dev/null 2>&1
        act start OCF_RESKEY_initialize=false; act promote; act monitor $RECURRING
        act validate-all OCF_CHECK_LEVEL=10
        """,
    )
    assert result.codes[:3] == [0, 0, 191], result.text
    # mariadb-install-db leaves an anonymous account at this host's name, which level 10 names
    assert result.codes[3] == 0 or "anonymous account" in result.reasons[3], result.text


def test_the_binary_log_begins_behind_data_that_is_not_in_it(chamber: Chamber) -> None:
    """At the first promotion, and once: an empty server that came would replicate the log, and lack the data."""
    result = run(
        chamber,
        """
        act start; mariadb -e 'set sql_log_bin=0; create database d; create table d.t (i int) engine=innodb'
        mariadb -e 'create database logged'
        act promote; mariadb -e 'flush binary logs'; echo "first=$(mariadb -Ne 'show binary logs' | head -n 1 | cut -f 1)"
        first=$(mariadb -Ne 'show binary logs' | head -n 1 | cut -f 1)
        echo "begins=$(mariadb -Ne "select binlog_gtid_pos('$first', 4)")"
        echo "kept=$(mariadb-binlog /var/lib/mysql/before-binlog.000001 | grep -c 'create database logged')"
        act demote; act promote; echo "still=$(mariadb -Ne 'show binary logs' | head -n 1 | cut -f 1)"; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert result.values["begins"] == "0-1000-2", result.text
    assert result.values["kept"] == "1"
    assert result.values["first"] == result.values["still"], result.text


def test_a_set_without_data_keeps_its_log_from_the_beginning(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; mkdir /var/lib/mysql/lost+found; act promote
        echo "begins=$(mariadb -Ne "select binlog_gtid_pos('binlog.000001', 4)")x"; act stop
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert result.values["begins"] == "x"


def test_what_a_server_takes_at_its_start_alone_is_told_and_other_accounts_are_made(chamber: Chamber) -> None:
    """Neither restarts anything."""
    result = run(
        chamber,
        r"""
        echo '127.0.0.1 n1' >> /etc/hosts
        act start; act promote; act monitor $RECURRING
        cp /etc/mysql/set.cnf /etc/mysql/other.cnf; pid=$(cat /run/mysqld/mysqld.pid)
        act monitor $RECURRING OCF_RESKEY_config=/etc/mysql/other.cnf OCF_RESKEY_log_error=other.log
        act monitor $RECURRING OCF_RESKEY_replication_user=other
        echo "there=$(mariadb -Ne "select count(*) from mysql.user where user = 'other'")"
        [ "$(cat /run/mysqld/mysqld.pid)" = $pid ] && echo same=yes
        act stop; act start OCF_RESKEY_config=/etc/mysql/other.cnf
        act monitor $RECURRING OCF_RESKEY_config=/etc/mysql/other.cnf; act stop
        """,
    )
    assert result.reasons[3].endswith("config, log_error takes effect at the server's next start"), result.text
    assert result.reasons[4].startswith("runs alone") and "takes effect" not in result.reasons[4], result.text
    assert result.values == {"there": "1", "same": "yes"}, result.text
    assert "takes effect" not in result.reasons[7], result.text


def test_reload_and_unknown_actions(chamber: Chamber) -> None:
    result = run(chamber, "act start; act reload-agent OCF_RESKEY_max_lag=60s; act migrate_to; act notify; act stop")
    assert result.codes == [0, 0, 3, 3, 0], result.text


def test_ocf_tester(chamber: Chamber) -> None:
    parameters = "config=/etc/mysql/set.cnf monitor_password=m0n replication_password=r3p initialize=true server_id=1"
    options = " ".join(f"-o {parameter}" for parameter in parameters.split())
    script = (
        f"unset OCF_RESKEY_CRM_meta_timeout; ocf-tester -n db {options} /usr/lib/ocf/resource.d/backstay/mysql 2>&1"
    )
    done = chamber(PREPARE + script, timeout=180, check=False)
    assert "passed all tests" in done.out, done.out + done.err


def test_a_demotion_that_is_killed_while_it_waits_for_a_transaction_leaves_nothing(chamber: Chamber) -> None:
    """The client goes on, whoever connects is held no longer than the bound, and the next demotion ends what is left."""
    result = run(
        chamber,
        r"""
        ip netns add lan 2>/dev/null || { mount -t tmpfs run /run; ip netns add lan; }
        ip link add eth0 type veth peer name eth0 netns lan; ip link set eth0 up; ip -n lan link set eth0 up
        ip addr add 10.9.0.1/24 dev eth0; ip addr add 10.9.0.50/32 dev eth0; ip -n lan addr add 10.9.0.2/24 dev eth0
        export OCF_RESKEY_writer_address=10.9.0.50 OCF_RESKEY_drain_timeout=20s
        act start; act promote
        mariadb -e "create database d; create table d.t (i int) engine=innodb; create user app@'%' identified by 'x'"
        mariadb -e "grant all on d.* to app@'%'"
        lan() { ip netns exec lan mariadb -h 10.9.0.50 -u app -px -Nn "$@"; }
        mkfifo /tmp/in; lan < /tmp/in > /tmp/out 2>&1 & client=$!; exec 3> /tmp/in
        echo "begin; insert into d.t values (1); select 'begun';" >&3; within 20 grep -q begun /tmp/out
        held() { nft list set inet backstay held4 2>/dev/null | grep -q 10.9.0.50; }
        OCF_RESKEY_hold_for=3s $A demote 2>/dev/null & demotion=$!
        within 20 held; kill -9 $demotion; wait $demotion || true
        let_go() { ! held; }; keeps() { [ $(wc -l < /proc/net/packet) -gt 1 ]; }; none() { ! keeps; }
        within 20 let_go; within 20 none
        echo "commit; select 'committed';" >&3; within 20 grep -q committed /tmp/out; exec 3>&-; wait $client
        echo "new=$(lan -e 'select count(*) from d.t')"
        act demote; echo "closed=$(mariadb -Nne 'select @@read_only')"
        # One whose transaction does not end in time loses its connection. The server lives on.
        act promote; mkfifo /tmp/late; lan < /tmp/late > /tmp/out 2>&1 & exec 4> /tmp/late
        echo "begin; insert into d.t values (2); select 'begun';" >&4; within 20 grep -q begun /tmp/out
        server=$(cat /run/mysqld/mysqld.pid); act demote OCF_RESKEY_drain_timeout=3s; exec 4>&-
        kill -0 $server && echo "late=$(mariadb -Nne 'select @@read_only')"; act stop
        """,
    )
    assert result.codes == [0] * 6, result.text
    assert [result.values[name] for name in ("new", "closed", "late")] == ["1", "1", "1"], result.text
