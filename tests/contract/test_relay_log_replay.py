"""A replica that ended with events received and not applied, with real servers: its start replays the relay log, whatever is
in it, and nothing else happens to it until that is done."""

from __future__ import annotations

from acting import Chamber
from mysql_box import run
from test_replica import PRIMARY

# What the primary has is received; the replica's monitor is called until it has so many rows.
JOINED = r"""
all() { [ "$(n1 'show slave status' | cut -f 7)" = "$(n2 'show master status' | cut -f 2)" ]; }
slave() { mariadb -e 'show slave status\G' | sed -n "s/^ *$1: //p"; }
joined() { (export $RECURRING; exec $A monitor) > /dev/null 2>&1 || true; has $1; }
"""

# `source` serves on 3401; `follow` has the agent's server replicate from it, received and not applied from then on; `lose`
# kills the agent's server.
TWO = r"""
printf '[mysqld]\nskip-name-resolve\ninnodb_log_file_size=8M\nslave_parallel_threads=4\n' > /etc/mysql/set.cnf
mkdir -p /srv/source; chown mysql /srv/source
mariadb-install-db --no-defaults --user=mysql --datadir=/srv/source --skip-test-db --force \
    --auth-root-authentication-method=normal >/dev/null 2>&1
mariadbd --no-defaults --user=mysql --datadir=/srv/source --port=3401 --socket=/tmp/source.sock --pid-file=/tmp/source.pid \
    --log-bin=binlog --server-id=9 --log-error=/tmp/source.log --binlog-annotate-row-events=0 --binlog-format=ROW &
source() { mariadb -S /tmp/source.sock "$@"; }
within 30 source -e 'select 1' >/dev/null 2>&1
source -e "reset master; create user r@'%' identified by 'r'; grant replication slave on *.* to r@'%'"
source -e "create database d; create table d.t (i int auto_increment primary key, x text)"
follow() {
    mariadb -e "change master to master_host='127.0.0.1', master_port=3401, master_user='r', master_password='r',
        master_use_gtid=slave_pos; start slave"
    there() { [ "$(mariadb -Ne 'show tables in d' 2>/dev/null)" = t ]; }; within 40 there
    mariadb -e 'stop slave sql_thread'
}
slave() { mariadb -e 'show slave status\G' | sed -n "s/^ *$1: //p"; }
# By position: a transaction's GTID is told as received before its end is.
received() { [ "$(slave Read_Master_Log_Pos)" = "$(source -Ne 'show master status' | cut -f 2)" ]; }
lose() {
    lost=$(cat /run/mysqld/mysqld.pid); kill -9 $lost
    gone() { ! [ -e /proc/$lost ] || grep -q '^State:.Z' /proc/$lost/status; }; within 10 gone
}
rows() { mariadb -Ne 'select count(*) from d.t'; }
many() { python3 -c 'print("begin;" + "insert into d.t (x) values (1);" * 200 + "commit;\n" * 1)'; }
"""


def test_it_is_replayed_by_one_thread_and_the_threads_are_given_back(chamber: Chamber) -> None:
    """Several threads crash the server there, at every start."""
    result = run(
        chamber,
        PRIMARY
        + JOINED
        + """
        echo slave_parallel_threads=4 >> /etc/mysql/set.cnf
        act start; act monitor $RECURRING
        n2 'create database d; create table d.t (i int primary key); insert into d.t values (0)'; within 20 has 1
        n1 'stop slave sql_thread'
        for i in 1 2 3 4 5 6; do n2 "insert into d.t values ($i)"; done
        within 20 all
        kill -9 $(cat /run/mysqld/mysqld.pid); act start
        echo "rows=$(n1 'select count(*) from d.t')"; echo "replayed=$(n1 'select @@slave_parallel_threads')"
        n2 'insert into d.t values (7)'; within 30 joined 8
        act monitor $RECURRING
        echo "joined=$(n1 'select @@slave_parallel_threads')"; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert (result.values["rows"], result.values["replayed"], result.values["joined"]) == ("7", "0", "4"), result.text


def test_what_was_received_is_applied_although_an_admin_stopped_both_threads(chamber: Chamber) -> None:
    """Nothing was restarted: what was received is in the log that the server writes now."""
    result = run(
        chamber,
        PRIMARY
        + JOINED
        + """
        act start; act monitor $RECURRING
        n2 'create database d; create table d.t (i int primary key); insert into d.t values (0)'; within 20 has 1
        n1 'stop slave sql_thread'
        for i in 1 2 3 4 5 6; do n2 "insert into d.t values ($i)"; done
        within 20 all; n1 'stop slave io_thread'
        n2 'insert into d.t values (7)'; within 30 joined 8
        act monitor $RECURRING; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0], result.text


def test_what_recovery_would_undo_is_kept(chamber: Chamber) -> None:
    """The last transaction that a replica applied is not yet durable in the engine, and the relay log that had it is purged, as
    it is when the receiver connected anew. The source is gone, and this replica may be the only one that acknowledged it:
    recovery may not cut it off its binary log, as it did in one run of three."""
    result = run(
        chamber,
        PRIMARY
        + JOINED
        + """
        echo innodb_flush_log_at_timeout=2700 >> /etc/mysql/set.cnf
        act start; act monitor $RECURRING
        n2 'create database d; create table d.t (i int primary key)
            ; insert into d.t values (0)'; within 20 has 1
        n1 'stop slave io_thread; start slave io_thread'
        n2 'insert into d.t values (1)'; within 20 has 2
        held=$(slave Relay_Log_File)
        onwards() { [ "$(slave Relay_Log_File)" != $1 ]; }
        n1 'stop slave io_thread; start slave io_thread'; within 20 onwards $held; second=$(slave Relay_Log_File)
        n1 'stop slave io_thread; start slave io_thread'; within 20 onwards $second
        purged() { ! [ -e /var/lib/mysql/$held ]; }; within 20 purged
        kill -9 $(cat /run/mysqld/mysqld.pid); n2 'set global read_only = 1'; kill -9 $(cat /tmp/n2.pid)
        act start; echo "rows=$(n1 'select count(*) from d.t')"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0], result.text
    assert result.values["rows"] == "2", result.text


def test_one_that_is_cut_off_in_a_transaction_ends_there(chamber: Chamber) -> None:
    """Nobody acknowledged that one. The applier would wait for its rest for ever."""
    result = run(
        chamber,
        TWO
        + """
        act start; follow
        for i in 1 2 3; do source -e 'insert into d.t (x) values (1)'; done
        source -e 'begin; insert into d.t (x) values (4); insert into d.t (x) values (5); commit'; within 20 received
        lose
        log=/var/lib/mysql/$(sed -n 's/^\\.\\///; $p' /var/lib/mysql/relay.index)
        truncate -s $(mariadb-binlog $log | sed -n 's/^# at //p' | tail -n 1) $log
        took act start; echo "rows=$(rows)"; echo "sql=$(slave Slave_SQL_Running)"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert (result.values["rows"], result.values["sql"]) == ("3", "No"), result.text
    assert result.took[0] < 30_000


def test_a_long_one_takes_little_memory(chamber: Chamber) -> None:
    result = run(
        chamber,
        TWO
        + """
        act start; follow
        many > /tmp/many; for i in $(seq 300); do cat /tmp/many; done | source
        within 90 received
        lose
        python3 - <<'END' > /tmp/used
import os, resource, subprocess
subprocess.run([os.environ.get("A", "/usr/lib/ocf/resource.d/backstay/mysql"), "start"], check=True)
print(f"memory={resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}")
END
        cat /tmp/used; echo "rows=$(rows)"; act stop
        """,
        timeout=180,
    )
    assert result.values["rows"] == "60000", result.text
    assert int(result.values["memory"]) < 60, result.text


def test_its_word_is_none_before_its_relay_log_is_read(chamber: Chamber) -> None:
    """It does not tell of what is there: whoever asked just then would not hear of the only copy of an acknowledged row. Here its
    start was cut short, and the next one finds it running."""
    result = run(
        chamber,
        TWO
        + """
        cat > /tmp/peer.py <<'END'
import os, sys
sys.path.insert(0, "/usr/lib/backstay")
from backstay.ocf.invocation import Invocation
from backstay.services.mysql import daemon
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.layout import layout_of
context = MysqlContext(Invocation("start", os.environ))
context.settle_parameters(strict=False)
layout = layout_of(context.parameters, context.servers.me, context.servers.number)
dialect = daemon.dialect_of(layout.binary)
if sys.argv[1] == "launched":
    daemon.launch(layout, dialect, 0, False, context.deadline)
with context.servers.here(context.deadline) as server:
    said = dialect.peer(server)
print(f"{sys.argv[1]}={said.why or said.received}")
END
        act start; follow
        for i in 1 2; do source -e 'insert into d.t (x) values (1)'; within 20 received; done
        lose
        python3 -I /tmp/peer.py launched; act start; python3 -I /tmp/peer.py started; echo "rows=$(rows)"; act stop
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert result.values["launched"] == "has yet to read the relay log it had before its restart", result.text
    assert "relay log" not in result.values["started"] and result.values["rows"] == "2", result.text
