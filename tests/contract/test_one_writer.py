"""After a planned move nobody is errant: what the server that was the primary takes from then on, from accounts that may write
through read_only, from events, and from who reads a MEMORY table."""

from __future__ import annotations

import mysql_box
from acting import Chamber
from test_replica import PRIMARY

_HISTORY = r"""
history() { mariadb -Ne 'select @@gtid_binlog_state'; }
app() { mariadb -h 127.0.0.1 -uapp -pa -Ne "$1"; }
all() { mariadb -e "grant all on *.* to app@'%' identified by 'a'"; }
"""


def test_a_demoted_server_takes_no_write_whatever_an_account_may(chamber: Chamber) -> None:
    """Clients with ALL PRIVILEGES that come back at once, as a pool does. They write again where it is promoted anew."""
    result = mysql_box.run(
        chamber,
        _HISTORY
        + r"""
        act start; act promote; all; mariadb -e 'create database d; create table d.t (i int auto_increment primary key)'
        writes() { while :; do app 'insert into d.t values ()' || :; done; }
        for client in 1 2; do writes > /dev/null 2>&1 & writers="$writers $!"; done
        rows() { mariadb -Ne 'select count(*) from d.t'; }
        more() { [ "$(rows)" -gt "$1" ]; }
        within 60 more 4
        act demote; before=$(history)
        refused=0; while [ $refused -lt 2 ]; do app 'insert into d.t values ()' 2>/tmp/why || refused=$((refused + 1)); done
        echo "why=$(grep -o 'READ ONLY transaction' /tmp/why)"
        [ "$(history)" = "$before" ] && echo same=yes
        app 'select sleep(60)' > /dev/null 2>/tmp/ended & pooled=$!
        there() { mariadb -Ne 'select info from information_schema.processlist' | grep -q 'sleep(60)'; }
        within 30 there
        act promote; count=$(rows); within 60 more $((count + 4)); echo again=yes
        wait $pooled || echo "ended=$(grep -c 'Lost connection' /tmp/ended)"
        kill $writers; act stop
        """,
        timeout=240,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert result.values == {"why": "READ ONLY transaction", "same": "yes", "again": "yes", "ended": "1"}, result.text


def test_a_session_that_began_between_two_primaries_is_ended_when_the_server_replicates(chamber: Chamber) -> None:
    """Its transactions would go on to be those that only read, were this server promoted again; and an applier that began
    meanwhile would apply nothing."""
    result = mysql_box.run(
        chamber,
        PRIMARY
        + _HISTORY
        + r"""
        n2 "create database d; create table d.t (i int primary key); insert into d.t values (1)"
        n2 "grant all on *.* to app@'%' identified by 'a'"
        act start; act monitor $RECURRING; within 20 has 1
        mariadb -e 'stop slave; reset slave all; set global read_only = 0'
        act demote
        app 'select sleep(60)' > /dev/null 2>/tmp/ended & reader=$!
        there() { mariadb -Ne 'select info from information_schema.processlist' | grep -q 'sleep(60)'; }
        within 10 there
        act monitor $RECURRING
        wait $reader || echo "ended=$(grep -c 'Lost connection' /tmp/ended)"
        n2 'insert into d.t values (2)'; within 20 has 2
        echo "open=$(mariadb -Ne 'select @@global.tx_read_only')"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert result.values == {"ended": "1", "open": "0"}, result.text


_EVENTS = (
    PRIMARY
    + _HISTORY
    + r"""
    echo event_scheduler=ON >> /etc/mysql/set.cnf
    n2 "create database d; create table d.t (i int auto_increment primary key); create table d.u (i int)"
    n2 "create definer=app@'%' event d.e on schedule every 1 second do insert into d.t values ()"
    n2 "create definer=app@'%' event d.off on schedule every 1 second disable do insert into d.u values (1)"
    n2 "grant all on *.* to app@'%' identified by 'a'"
    LIST
    there() { [ "$(n1 'select count(*) from mysql.event')" = 2 ]; }
    act start; act monitor $RECURRING; within 20 there
    events() { n1 "select concat(event_name, ' ', status, ' ', definer) from information_schema.events" | tr '\n' ' '; }
    echo "replica=$(n1 'select @@event_scheduler')"
    n2 'set global read_only = 1'
    crm_attribute -t crm_config -s backstay -n db-facts -v 'epoch=1 primary=n1 gtid= sync= solo=yes'
    act promote; act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED
    echo "primary=$(n1 'select @@event_scheduler')"; echo "events=$(events)"
    """
)


def test_events_run_on_the_primary_and_nowhere_else(chamber: Chamber) -> None:
    """One that was disabled stays so, though on a replica it looks like any other."""
    result = mysql_box.run(
        chamber,
        _EVENTS.replace(
            "LIST",
            """
    n2 "create database backstay"
    n2 "create table backstay.disabled_events (db varchar(64), name varchar(64), primary key (db, name))"
    n2 "insert into backstay.disabled_events values ('d', 'off')"
            """,
        )
        + r"""
        more() { [ "$(n1 'select count(*) from d.t')" -gt 0 ]; }
        within 20 more
        n1 'set global event_scheduler = off'; act monitor $RECURRING $PROMOTED; echo "hand=$(n1 'select @@event_scheduler')"
        n1 'set global event_scheduler = on'
        act demote; before=$(history); echo "demoted=$(n1 'select @@event_scheduler')"
        n1 'select sleep(1.5)' > /dev/null; [ "$(history)" = "$before" ] && echo same=yes
        act stop
        """,
    )
    assert result.codes[:3] == [0, 0, 0] and result.codes[-2:] == [0, 0], result.text
    assert result.values == {
        "replica": "OFF", "primary": "ON", "events": "e ENABLED app@% off DISABLED app@% ", "hand": "OFF", "demoted": "OFF",
        "same": "yes",
    }, result.text  # fmt: skip


def test_where_nobody_noted_which_events_run_none_is_enabled(chamber: Chamber) -> None:
    """The admin is told, and what the admin decides is noted for the next primary."""
    result = mysql_box.run(
        chamber,
        _EVENTS.replace("LIST", "")
        + r"""
        n1 "alter definer=app@'%' event d.e enable; alter definer=app@'%' event d.off disable"
        again() { rm /run/backstay/db/events; act monitor $RECURRING $PROMOTED; act monitor $RECURRING $PROMOTED; }
        again; echo "list=$(n1 'select name from backstay.disabled_events')"
        n1 "drop event d.off"; again
        echo "count=$(n1 'select count(*) from backstay.disabled_events')"
        act stop
        """,
    )
    assert result.values == {
        "replica": "OFF", "primary": "ON", "list": "off", "count": "0",
        "events": "e SLAVESIDE_DISABLED app@% off SLAVESIDE_DISABLED app@% ",
    }, result.text  # fmt: skip
    assert "ALTER EVENT … ENABLE or DISABLE d.e, d.off" in result.reasons[4], result.text
    assert result.reasons[6].startswith("runs alone"), result.text


def test_who_reads_a_memory_table_after_a_start_writes_nothing(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        _HISTORY
        + r"""
        act start; act promote; mariadb -e 'create database d; create table d.`m``m` (i int) engine=memory'
        mariadb -e 'insert into d.`m``m` values (1)'
        act stop; act start; before=$(history)
        echo "rows=$(mariadb -Ne 'select count(*) from d.`m``m`')"
        [ "$(history)" = "$before" ] && echo same=yes
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0], result.text
    assert result.values == {"rows": "0", "same": "yes"}, result.text


def test_a_demotion_waits_for_no_statement(chamber: Chamber) -> None:
    """A long report, a transaction that keeps a row, a statement that waits for the row, and a backup that begins: with a
    lock of all tables to wait for them, the demotion would take all its time and then kill the server."""
    result = mysql_box.run(
        chamber,
        _HISTORY
        + r"""
        act start; act promote; all; mariadb -e 'create database d; create table d.t (i int primary key, x int)'
        app 'insert into d.t values (1, 1), (2, 2)'
        there() { mariadb -Ne 'select info from information_schema.processlist' | grep -q "$1"; }
        app 'select i, sleep(60) from d.t' > /dev/null 2>&1 &
        app 'begin; update d.t set x = 2 where i = 1; select sleep(61)' > /dev/null 2>&1 &
        within 10 there '(61)'
        app 'update d.t set x = 3 where i = 1' > /dev/null 2>&1 & within 10 there 'x = 3'
        app 'lock tables d.t read; select sleep(62)' > /dev/null 2>&1 & sleep 1
        server=$(cat /run/mysqld/mysqld.pid); before=$(history)
        took act demote
        [ "$(cat /run/mysqld/mysqld.pid)" = $server ] && [ -e /proc/$server ] && echo same=yes
        [ "$(history)" = "$before" ] && echo rows=same
        echo "clients=$(mariadb -Ne "select count(*) from information_schema.processlist where user = 'app'")"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0], result.text
    assert result.values == {"same": "yes", "rows": "same", "clients": "0"}, result.text
    assert result.took[0] < 4_000
