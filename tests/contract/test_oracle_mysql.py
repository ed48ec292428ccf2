"""Oracle's MySQL, of today's Debian: that nobody is errant after a planned move, and what becomes of a binary log that was reset.
test_one_writer.py and test_replica.py have the same of MariaDB."""

from __future__ import annotations

import mysql_box
import pytest
from acting import Chamber

pytestmark = pytest.mark.slow  # an image of its own

_WORDS = r"""
export OCF_RESKEY_CRM_meta_timeout=150000
printf '[mysqld]\nskip-name-resolve\nmysqlx=OFF\n' > /etc/mysql/set.cnf
history() { mysql -Ne 'select @@global.gtid_executed'; }
app() { mysql -h 127.0.0.1 -uapp -pa -Ne "$1"; }
n1() { mysql -Ne "$1"; }
all() { n1 "create user app@'%' identified by 'a'; grant all on *.* to app@'%'"; }
"""
_OTHER = r"""
export CIB_file=/tmp/cib.xml OCF_RESKEY_CRM_meta_on_node=n1
cibadmin --empty > $CIB_file
echo '127.0.0.2 n2' >> /etc/hosts
echo 'bind-address=127.0.0.1' >> /etc/mysql/set.cnf
mkdir -p /tmp/n2; chown mysql /tmp/n2
mysqld --no-defaults --user=mysql --datadir=/tmp/n2 --initialize-insecure > /dev/null 2>&1
mysqld --no-defaults --user=mysql --datadir=/tmp/n2 --socket=/tmp/n2.sock --pid-file=/tmp/n2.pid --port=3306 --mysqlx=OFF \
    --bind-address=127.0.0.2 --server-id=2 --report-host=n2 --log-bin=binlog --gtid-mode=ON --enforce-gtid-consistency=ON \
    --log-error=/tmp/n2.log --plugin-load-add=semisync_replica.so &
n2() { mysql --socket=/tmp/n2.sock -Ne "$1"; }
within 60 n2 'select 1' > /dev/null 2>&1
n2 "set sql_log_bin = 0; create user backstay_monitor identified by 'm0n'; create user backstay_replication identified by 'r3p'
    ; grant replication client on *.* to backstay_monitor; grant replication slave on *.* to backstay_replication
    ; grant select on performance_schema.* to backstay_monitor"
crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n2 gtid= sync=n1 solo=no'
has() { [ "$(n1 "select count(*) from d.t" 2>/dev/null)" = "$1" ]; }
"""


@pytest.fixture(scope="session")
def bookworm() -> str:
    from backstay_lab.machines import image

    return image.ensure("sid", print)


def test_a_demoted_server_takes_no_write_of_accounts_events_and_readers(chamber: Chamber) -> None:
    """Of clients with ALL PRIVILEGES, of an event, and of the first look at a MEMORY table after a start."""
    result = mysql_box.run(
        chamber,
        _WORDS
        + r"""
        act start; act promote; all
        n1 'create database d; create table d.t (i int auto_increment primary key); create table d.m (i int) engine=memory'
        n1 "create definer=app@'%' event d.e on schedule every 1 second do insert into d.t values ()"
        n1 'insert into d.m values (1)'
        act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED; echo "runs=$(n1 'select @@event_scheduler')"
        writes() { while :; do app 'insert into d.t values ()' || :; done; }
        writes > /dev/null 2>&1 & writer=$!
        more() { [ "$(n1 'select count(*) from d.t')" -gt "$1" ]; }
        within 60 more 4
        act demote; before=$(history); echo "stands=$(n1 'select @@event_scheduler')"
        app 'insert into d.t values ()' 2>/tmp/why || echo "why=$(grep -o 'super-read-only' /tmp/why)"
        n1 'select sleep(1.5)' > /dev/null; [ "$(history)" = "$before" ] && echo same=yes
        act promote; count=$(n1 'select count(*) from d.t'); within 60 more $((count + 4)); echo again=yes
        kill $writer; act demote; act stop
        act start; before=$(history); echo "rows=$(n1 'select count(*) from d.m')"
        [ "$(history)" = "$before" ] && echo read=same
        act stop
        """,
        timeout=300,
    )
    assert result.codes == [0, 0, 191, 191, 0, 0, 0, 0, 0, 0], result.text  # it runs alone
    assert result.values == {
        "runs": "ON", "stands": "OFF", "why": "super-read-only", "same": "yes", "again": "yes", "rows": "0", "read": "same",
    }, result.text  # fmt: skip


def test_events_that_came_by_replication_run_where_it_is_promoted(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        _WORDS
        + _OTHER
        + r"""
        n2 "create database d; create table d.t (i int auto_increment primary key); create table d.u (i int)"
        n2 "create user app@'%' identified by 'a'; grant all on *.* to app@'%'"
        n2 "create definer=app@'%' event d.e on schedule every 1 second do insert into d.t values ()"
        n2 "create definer=app@'%' event d.off on schedule every 1 second disable do insert into d.u values (1)"
        n2 "create database backstay"
        n2 "create table backstay.disabled_events (db varchar(64), name varchar(64), primary key (db, name))"
        n2 "insert into backstay.disabled_events values ('d', 'off'); set global event_scheduler = off"
        _events="select concat(event_name, ' ', status, ' ', definer) from information_schema.events order by 1"
        events() { n1 "$_events" | tr '\n' ' '; }
        there() { events | grep -q 'off .*e \|e .*off '; }
        joined() { act monitor $RECURRING; there; }
        act start; within 90 joined; echo "replica=$(n1 'select @@event_scheduler')"
        n2 'set global super_read_only = 1'
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n1 gtid= sync= solo=yes'
        act promote; act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED
        echo "primary=$(n1 'select @@event_scheduler')"; echo "events=$(events)"
        more() { [ "$(n1 'select count(*) from d.t')" -gt 0 ]; }
        within 30 more; act demote; echo "demoted=$(n1 'select @@event_scheduler')"; act stop
        """,
        timeout=300,
    )
    assert result.values == {
        "replica": "OFF", "primary": "ON", "events": "e ENABLED app@% off DISABLED app@% ", "demoted": "OFF",
    }, result.text  # fmt: skip


def test_a_primary_whose_binary_log_was_reset_gives_its_role_up_and_is_no_replica(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        _WORDS
        + _OTHER
        + r"""
        n2 'set global super_read_only = 1; set global rpl_semi_sync_replica_enabled = 1'
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n1 gtid= sync= solo=yes'
        act start; act promote
        # There is no cluster that a promotion could ask who is there, so this is set afterwards.
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=2 primary=n1 gtid= sync=n2 solo=no'
        sed -i 's/sync= solo=yes/sync=n2 solo=no/' /run/backstay/db/promoted; act monitor $RECURRING $PROMOTED
        n2 "change replication source to source_host='127.0.0.1', source_user='backstay_replication', source_password='r3p',
            source_auto_position=1, get_source_public_key=1; start replica"
        n1 'create database d; create table d.t (i int primary key); insert into d.t values (1)'
        act monitor $RECURRING $PROMOTED
        n1 'reset binary logs and gtids'
        { n1 'insert into d.t values (2)' || :; } > /dev/null 2>&1 &
        act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED
        act demote; act stop
        n2 'stop replica; reset replica all; set global super_read_only = 0; set global read_only = 0'
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=3 primary=n2 gtid= sync=n1 solo=no'
        act start; act monitor $RECURRING
        echo "follows=$(n1 'show replica status' | wc -l)"
        crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=3 primary=n1 gtid= sync= solo=yes'
        n2 'set global super_read_only = 1'; act promote; echo "closed=$(n1 'select @@super_read_only')"
        act stop
        """,
        timeout=300,
    )
    assert result.codes[4:6] == [9, 9], result.text
    assert "RESET MASTER was run here" in result.reasons[4] and "RESET MASTER" in result.reasons[5], result.text
    assert result.codes[6:9] == [0, 0, 0] and result.reasons[9].startswith("RESET MASTER was run here"), result.text
    assert (result.values["follows"], result.values["closed"]) == ("0", "1"), result.text
