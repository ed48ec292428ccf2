"""A replica with a primary, both in the chamber: the agent's server is n1, the other is n2. There is no cluster, but there is
a record."""

from __future__ import annotations

import mysql_box
from acting import Chamber

PRIMARY = r"""
export CIB_file=/tmp/cib.xml OCF_RESKEY_CRM_meta_on_node=n1
cibadmin --empty > $CIB_file
echo '127.0.0.2 n2' >> /etc/hosts
echo 'bind-address=127.0.0.1' >> /etc/mysql/set.cnf
mkdir -p /tmp/n2; chown mysql /tmp/n2
mariadb-install-db --no-defaults --user=mysql --datadir=/tmp/n2 --skip-test-db --force > /dev/null
mariadbd --no-defaults --user=mysql --datadir=/tmp/n2 --socket=/tmp/n2.sock --pid-file=/tmp/n2.pid --port=3306 \
    --bind-address=127.0.0.2 --server-id=2 --log-bin=binlog --gtid-strict-mode=ON --log-error=/tmp/n2.log &
n2() { mariadb --socket=/tmp/n2.sock -Ne "$1"; }
n1() { mariadb -Ne "$1"; }
within 30 n2 'select 1' > /dev/null 2>&1
n2 "set sql_log_bin = 0; create user backstay_monitor identified by 'm0n'; create user backstay_replication identified by 'r3p'
    ; grant slave monitor, binlog monitor on *.* to backstay_monitor; grant replication slave on *.* to backstay_replication"
crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n2 gtid= sync=n1 solo=no'
has() { [ "$(n1 "select count(*) from d.t" 2>/dev/null)" = "$1" ]; }
received() { [ "$(n1 "select @@gtid_slave_pos")" != "$(n1 'show slave status' | grep -o '0-2-[0-9]*' | tail -n 1)" ]; }
"""


def test_a_new_password_while_the_applier_is_behind_fails_no_monitor(chamber: Chamber) -> None:
    """What was received is applied before a replica logs in anew. That may take longer than a look at the server, and a
    failed monitor would have a good replica stopped: all of them, where all are behind."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + """
        act start; act monitor $RECURRING
        n2 'create database d; create table d.t (i int primary key); insert into d.t values (1)'; within 20 has 1
        n1 'lock tables d.t read; select sleep(10)' > /dev/null &
        held() { n1 'show processlist' | grep -q 'select sleep'; }
        within 10 held
        n2 'insert into d.t values (2)'; within 10 received
        n2 "set sql_log_bin = 0; alter user backstay_replication identified by 'new'"
        export OCF_RESKEY_replication_password=new
        act monitor $RECURRING
        wait $!; within 20 has 2
        again() { act monitor $RECURRING | grep '^monitor 0'; }
        within 20 again
        n2 'insert into d.t values (3)'; within 20 has 3
        act stop
        """,
    )
    assert result.codes == [0, 0, 190, 0, 0], result.text
    assert result.reasons[2].startswith("applying what was received before joining"), result.text


def test_a_replica_that_follows_another_server_is_moved_back(chamber: Chamber) -> None:
    """Somebody had it follow another host; all runs well there, so nothing else shows it."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + r"""
        act start; act monitor $RECURRING; act monitor $RECURRING
        source() { n1 'show slave status' | cut -f 2; }
        runs() { mariadb -e 'show slave status\G' | grep -q 'Slave_IO_Running: Yes'; }
        within 20 runs; act monitor $RECURRING; echo "before=$(source)"
        n1 "stop slave; change master to master_host='127.0.0.2'; start slave"; within 20 runs
        echo "elsewhere=$(source)"
        act monitor $RECURRING OCF_RESKEY_writer_address=127.0.0.3; echo "mistyped=$(source)"
        moved() { act monitor $RECURRING > /dev/null; [ "$(source)" = n2 ]; }
        within 30 moved; echo "after=$(source)"
        act stop
        """,
    )
    assert result.values == {"before": "n2", "elsewhere": "127.0.0.2", "mistyped": "127.0.0.2", "after": "n2"}, (
        result.text
    )
    assert "127.0.0.3" in result.reasons[3], result.text


def test_a_copy_that_tells_its_position_alone_has_what_earlier_primaries_wrote(chamber: Chamber) -> None:
    """As mariadb-backup makes it of a replica. What it does not have of theirs it never seems to have, and is not admitted."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + r"""
        n2 "reset master; set global gtid_binlog_state='0-7-5,0-8-9,1-7-3,0-2-20'"
        n2 'create database d; create table d.t (i int)'
        act start; n1 "create database d; create table d.t (i int); reset master; set global gtid_slave_pos='0-2-22,1-7-3'"
        act monitor $RECURRING
        n2 'insert into d.t values (1)'; within 20 has 1
        echo "history=$(n1 'select @@gtid_binlog_state')"
        act stop; act start; act monitor $RECURRING; echo "later=$(n1 'select @@gtid_binlog_state')"; act stop
        """,
    )
    assert set(result.values["history"].split(",")) == {"0-7-5", "0-8-9", "1-7-3", "0-2-23"}, result.text
    assert result.values["later"] == result.values["history"], result.text


def test_a_primary_whose_binary_log_was_reset_gives_its_role_up_and_is_no_replica(chamber: Chamber) -> None:
    """Its numbers begin anew: it would seem to have what others have, and they what it has."""
    result = mysql_box.run(
        chamber,
        PRIMARY.replace("--server-id=2", "--server-id=2 --report-host=n2")
        + r"""
        n2 'set global read_only = 1; set global rpl_semi_sync_slave_enabled = 1'
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n1 gtid= sync= solo=yes'
        act start; act promote
        # There is no cluster that a promotion could ask who is there, so this is set afterwards.
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=2 primary=n1 gtid= sync=n2 solo=no'
        sed -i 's/sync= solo=yes/sync=n2 solo=no/' /run/backstay/db/promoted; act monitor $RECURRING $PROMOTED
        n2 "change master to master_host='127.0.0.1', master_user='backstay_replication', master_password='r3p'"
        n2 'start slave'
        n1 'create database d; create table d.t (i int primary key); insert into d.t values (1)'
        act monitor $RECURRING $PROMOTED
        n1 'reset master'
        { n1 'insert into d.t values (2)' || :; } > /dev/null 2>&1 &
        act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED
        act demote; act stop
        n2 'stop slave; reset slave all; set global read_only = 0'
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=3 primary=n2 gtid= sync=n1 solo=no'
        act start; act monitor $RECURRING
        echo "follows=$(n1 'show slave status' | wc -l)"
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=3 primary=n1 gtid= sync= solo=yes'
        n2 'set global read_only = 1'; act promote; echo "closed=$(n1 'select @@read_only')"
        act stop
        """,
    )
    assert result.codes[4:6] == [9, 9], result.text
    assert "RESET MASTER was run here" in result.reasons[4] and "RESET MASTER" in result.reasons[5], result.text
    assert result.codes[6:9] == [0, 0, 0] and result.reasons[9].startswith("RESET MASTER was run here"), result.text
    assert (result.values["follows"], result.values["closed"]) == ("0", "1"), result.text


def test_the_address_is_followed_only_to_a_server_that_is_open_for_writes(chamber: Chamber) -> None:
    """Another host that claims it has the address for a moment. A replica that went there would be missing to the primary."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + r"""
        export OCF_RESKEY_writer_address=127.0.0.2
        act start; act monitor $RECURRING
        sent() { n2 "select id from information_schema.processlist where command like 'Binlog Dump%'"; }
        sends() { sent | grep -q .; }; within 10 sends
        moved() { python3 -c 'import os
from backstay.ocf.invocation import Invocation
from backstay.services.mysql.watching import MysqlTarget as Target
Target(Target.context_class(Invocation("watch", dict(os.environ)))).address_moved()' 2>&1 | grep -o 'the connection stays' || :; }
        n2 'set global read_only = 1'; before=$(sent)
        echo "rival=$(moved)"; [ "$(sent)" = "$before" ] && echo kept=yes
        n2 'set global read_only = 0'
        echo "open=$(moved)"
        # Where the source's heartbeat comes just then, it looks like one that the receiver has found by itself.
        anew() { [ "$(sent | tail -n 1)" != "$before" ] || { moved; false; }; }
        within 20 anew && echo anew=yes
        n2 'create database d; create table d.t (i int auto_increment primary key)'
        { while n2 'insert into d.t values ()'; do :; done; } > /dev/null 2>&1 &
        within 10 received; before=$(sent | tail -n 1)
        echo "live=$(moved)"; n2 'select sleep(1)' > /dev/null; [ "$(sent | tail -n 1)" = "$before" ] && echo left=yes
        kill $!; act stop
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert result.values == {
        "rival": "the connection stays",
        "kept": "yes",
        "open": "",
        "anew": "yes",
        "live": "",  # the receiver was quicker
        "left": "yes",
    }, result.text


def test_a_connection_that_was_lost_is_said_to_be(chamber: Chamber) -> None:
    """The driver calls it (0, ''), which names nothing."""
    result = mysql_box.run(
        chamber,
        r"""
        act start
        cat > /tmp/lost.py <<'END'
from backstay.host.deadline import Deadline
from backstay.services.mysql.server import Server, ServerDown, ServerSilent

server = Server("the local server", Deadline(0.5), "root", "", socket="/run/mysqld/mysqld.sock")
try:
    server.query("SELECT SLEEP(5)")
except ServerSilent as error:
    print(f"first={error}")
try:
    server.within(Deadline(5)).query("SELECT 1")
except ServerDown as error:
    print(f"second={error}")
END
        python3 /tmp/lost.py; act stop
        """,
    )
    assert result.values["first"] == "the local server does not answer"
    assert result.values["second"] == "the local server is not connected any more"


HANG = r"""
import random, sys, time
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.dialects.mariadb import Mariadb
from backstay.services.mysql.server import Server

def connect(deadline=60.0):
    source = Server("n2", Deadline(deadline), "backstay_replication", "r3p", host="127.0.0.2", port=3306)
    source.query("SET @rpl_semi_sync_slave = 1, @mariadb_slave_capability = 4")
    source.query("SET @master_binlog_checksum = @@global.binlog_checksum")
    return source

watch = connect()
def states():
    return [row["State"] for row in watch.query("SHOW PROCESSLIST") if row["Command"] in ("Binlog Dump", "Killed")]

def stuck():
    ended = connect()
    number = ended.one("SELECT CONNECTION_ID() AS id")["id"]
    ended.dump(7)
    time.sleep(random.uniform(0, 0.003))  # to meet the moment between its registration and its being noticed
    watch.kill([number])
    ended.close()
    try:
        poll(lambda: not states(), Deadline(1.0), "it to end", 0.02)
    except TimedOut:
        return "Waiting to finalize termination" in states()
    return False
poll(stuck, Deadline(50), "a thread that does not end", 0.0)
again = connect()
again.dump(7)
def both():
    return len([state for state in states() if state.startswith("Master has sent")]) == 2
poll(lambda: "starting" in states(), Deadline(5), "the next one")
try:
    poll(both, Deadline(2), "never")
except TimedOut:
    print("before", sorted(states()))
woken = connect()
print("woken", Mariadb((10, 11, 0)).wake_ack_receiver(woken))
poll(lambda: "Waiting to finalize termination" not in states(), Deadline(5), "it to end")
poll(both, Deadline(5), "both")
print("after", sorted(set(states())))
"""


def test_a_source_that_lets_no_replica_in_is_woken(chamber: Chamber) -> None:
    """MariaDB: the only replica registers and ends at once, and the source waits for another. docs/decisions/0033."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + f"""
        n2 'set global rpl_semi_sync_master_enabled = ON'
        cat > /tmp/hang.py <<'END'
{HANG}
END
        python3 /tmp/hang.py
        """,
    )
    assert "before ['Waiting to finalize termination', 'starting']" in result.text, result.text
    assert "woken True" in result.text and "after ['Master has sent all binlog to slave; " in result.text, result.text
