"""The watcher of a real server, in the chamber: there is no cluster, so it can see and not tell."""

from __future__ import annotations

import mysql_box
import pytest
from acting import Chamber

WATCHED = r"""
export OCF_RESKEY_probe_timeout=1500ms
MONITOR="monitor $RECURRING OCF_RESKEY_CRM_meta_on_node=n1"  # the monitor of a cluster's node is what watches
up() { act start; act $MONITOR; within 20 is ok; }
verdict() { cut -d' ' -f3 /run/backstay/db/verdict 2>/dev/null; }
watcher() { cut -d' ' -f3 /run/backstay/db/watch.lock; }
server() { cat /run/mysqld/mysqld.pid; }
is() { [ "$(verdict)" = "$1" ]; }
replaced() { [ "$(watcher)" != "$1" ] && [ -n "$(watcher)" ] && kill -0 "$(watcher)"; }
gone() { ! kill -0 "$1" 2>/dev/null; }
"""


def run(chamber: Chamber, script: str) -> str:
    return mysql_box.run(chamber, WATCHED + script).text


def test_a_server_that_lives_and_does_not_answer_is_seen(chamber: Chamber) -> None:
    said = run(
        chamber,
        """
        up
        kill -STOP $(server); s=$(date +%s%N); within 20 is silent; echo saw $(( ($(date +%s%N) - s) / 1000000 ))
        kill -CONT $(server); within 30 is ok
        act promote; mariadb -e 'select sleep(60)' & w=$(watcher)
        act demote; within 20 is ok; [ $(watcher) = $w ]
        act stop; within 20 gone $w
        """,
    )
    took = int(said.split("saw ")[1].split()[0])
    assert 900 <= took <= 6000, said  # two looks of 0.5 s each, the first of them begun within a second


def test_what_keeps_us_from_asking_is_not_silence(chamber: Chamber) -> None:
    """No free connection, a changed password, our connection killed, a lock on everything."""
    said = run(
        chamber,
        """
        up; w=$(watcher)
        mariadb -e 'set global max_connections = 10'
        full() { mariadb -e 'select sleep(30)' >/dev/null 2>&1 & ! mariadb -e 'select 1' >/dev/null 2>&1; }
        within 10 full; within 10 full; sleep 3; verdict
        pkill -x mariadb || true; within 10 mariadb -e 'select 1' >/dev/null
        kill_it="select id from information_schema.processlist where command = 'Sleep' and user = 'root'"
        for id in $(mariadb -Ne "$kill_it"); do mariadb -e "kill $id"; done
        within 20 is ok
        echo "flush tables with read lock; select sleep(4);" | mariadb >/dev/null & sleep 3; verdict; wait $!
        mariadb -e "set sql_log_bin=0; alter user root@localhost identified by 'new'"
        for id in $(mariadb -pnew -Ne "$kill_it"); do mariadb -pnew -e "kill $id"; done
        within 20 is unknown; sleep 2; verdict; [ $(watcher) = $w ]
        """,
    ).split()
    assert [word for word in said if word in ("ok", "unknown", "silent", "unsure")] == ["ok", "ok", "unknown"]


def test_what_an_attribute_daemon_knew_is_written_again(chamber: Chamber) -> None:
    """One that was started anew knows nothing of its node, and the node has no promotion score until it is told."""
    run(
        chamber,
        """
        cp /usr/bin/sleep /usr/local/bin/pacemaker-attrd; written=/run/backstay/db/attributes
        for turn in 1 2; do
            pacemaker-attrd 60 & attrd=$!
            [ $turn = 2 ] || up
            seen() { ls -l /proc/$(watcher)/fd | grep -q pidfd; }; within 20 seen
            echo 'an executor 1' > $written; echo 1 > /run/backstay/db/calm
            sleep 1.2; [ -e $written ]; kill -9 $attrd; within 5 eval '[ ! -e $written ] && [ ! -e /run/backstay/db/calm ]'
        done
        act stop
        """,
    )


def test_a_watcher_that_is_gone_or_stands_still_is_replaced_by_the_monitor(chamber: Chamber) -> None:
    said = run(
        chamber,
        """
        up
        w=$(watcher); act $MONITOR; [ $(watcher) = $w ]
        kill -9 $w; within 20 gone $w; act $MONITOR; within 20 replaced $w; within 20 is ok
        w=$(watcher); act reload-agent OCF_RESKEY_CRM_meta_on_node=n1 OCF_RESKEY_probe_timeout=2s; within 20 replaced $w
        tr '\\0' '\\n' < /proc/$(watcher)/environ | grep -x OCF_RESKEY_probe_timeout=2s; within 20 is ok
        w=$(watcher); kill -STOP $w; act $MONITOR; [ $(watcher) = $w ]
        old() { python3 -c "import os, time; exit(time.monotonic() - os.stat('/run/backstay/db/$1').st_mtime < 11)"; }
        stale() { old verdict && old watch.lock; }  # a new watcher's first sign of life is the lock
        within 30 stale; act $MONITOR; within 20 gone $w; within 20 replaced $w; within 20 is ok
        cat /tmp/said; act stop
        """,
    )
    assert "stands still: starting another" in said


def test_a_watcher_of_another_installation_is_replaced_by_the_monitor(chamber: Chamber) -> None:
    """Nor does the monitor of an older version, which knows nothing of it, mind what the lock says."""
    said = run(
        chamber,
        """
        up; w=$(watcher); act $MONITOR; [ $(watcher) = $w ]
        cp -r /usr/lib/ocf/lib/backstay /tmp/next; mount --bind /tmp/next /usr/lib/ocf/lib/backstay
        act $MONITOR; within 20 replaced $w; within 20 gone $w; within 20 is ok
        w=$(watcher); act $MONITOR; [ $(watcher) = $w ]
        cut -d' ' -f1-4 /run/backstay/db/watch.lock > /tmp/old; cat /tmp/old > /run/backstay/db/watch.lock
        act $MONITOR; within 20 replaced $w; within 20 is ok
        cut -d' ' -f5 /run/backstay/db/watch.lock | grep -c , ; act stop
        """,
    )
    assert "not in time" not in said and "\n1\n" in said


def test_a_start_and_the_monitor_right_after_it_start_one_watcher(chamber: Chamber) -> None:
    """A process takes longer to begin than the second look comes after the first. Two watchers would tell the same death,
    the second one's word ending what was started meanwhile."""
    said = run(
        chamber,
        """
        export HA_LOGFILE=/tmp/log OCF_RESKEY_CRM_meta_on_node=n1
        cat > /tmp/twice.py <<'END'
import os
import subprocess
from backstay.host.deadline import Deadline, poll
from backstay.host.process import start_time
from backstay.ocf.invocation import Invocation
from backstay.services.mysql.context import MysqlContext
from backstay.watch import client

def look():
    context = MysqlContext(Invocation("monitor", os.environ))
    client.watch(context, "backstay.services.mysql.watching:MysqlTarget", daemon.pid, start_time(daemon.pid))

def lock():
    return open("/run/backstay/db/watch.lock").read().split()

def session(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[3]
    except OSError:
        return ""  # it has ended

def running():
    # by their sessions: a child that logs in is in that of its watcher
    found = subprocess.run(["pgrep", "-f", "watch[(]db[)]"], capture_output=True, text=True).stdout.split()
    return len({session(pid) for pid in found} - {""})

daemon = subprocess.Popen(["sleep", "600"])
look()
look()
print("started:", running())
poll(lambda: len(lock()) == 5, Deadline(20), "the watcher to begin")
begun = lock()
look()
print("there:", running(), lock() == begun)
daemon.kill()
daemon.wait()
poll(lambda: running() == 0, Deadline(40), "the watchers to end")
END
        python3 /tmp/twice.py
        cat /tmp/log
        """,
    )
    assert "started: 1\n" in said, said
    assert "there: 1 True\n" in said, said
    assert said.count(" died: ") == 1, said


def test_a_connection_without_the_driver_answers_as_with_it(chamber: Chamber) -> None:
    said = run(
        chamber,
        """
        act start; act promote
        cat > /tmp/compare.py <<'END'
import os
from backstay.host.deadline import Deadline
from backstay.services.mysql.server import Server, ServerDown, ServerSilent, StatementFailed
from backstay.services.mysql.text_protocol import Wire

def connect():
    return Server("it", Deadline(10), "root", "", socket="/run/mysqld/mysqld.sock")

driver, lent = connect(), connect()
wire = Wire("it", Deadline(10), os.dup(lent.fileno()))
for sql in (
    "SELECT 1 AS a, NULL AS b, 'x' AS c, REPEAT('y', 300) AS d, REPEAT('z', 70000) AS e, -7 AS f, '' AS g",
    "SHOW GLOBAL VARIABLES", "SELECT * FROM information_schema.PROCESSLIST WHERE 0", "SHOW SLAVE STATUS",
    "SHOW GLOBAL STATUS LIKE 'Rpl_semi%'", "SET SESSION sql_log_bin = 1", "SELECT @@version AS v, @@read_only AS r",
):
    expected = driver.query(sql)
    assert wire.query(sql) == expected, (sql, expected)
    wire.ping()
for ask, error in (("SELECT nonsense", StatementFailed), ("SELECT SLEEP(5)", ServerSilent)):
    lent = connect()
    wire = Wire("it", Deadline(1), os.dup(lent.fileno()))
    try:
        print(wire.query(ask))
    except error as why:
        print("raised", type(why).__name__)
lent = connect()
wire = Wire("it", Deadline(5), os.dup(lent.fileno()))
driver.kill([int(wire.one("SELECT CONNECTION_ID() AS id")["id"])])
try:
    wire.ping(); wire.ping()
except ServerDown as why:
    print("raised", type(why).__name__)
END
        python3 /tmp/compare.py
        act stop
        """,
    )
    assert [line for line in said.splitlines() if line.startswith("raised")] == [
        "raised StatementFailed",
        "raised ServerSilent",
        "raised ServerDown",
    ], said


def test_a_watcher_is_small(chamber: Chamber) -> None:
    """Its own memory, in KiB, and what it must not hold on to."""
    said = run(
        chamber,
        """
        python3 -m compileall -q /usr/lib/ocf/lib/backstay || true
        up; sleep 2
        awk '/^Private_Dirty/ {print "private", $2}' /proc/$(watcher)/smaps_rollup
        grep -c 'etree\\|_ssl\\|_hashlib' /proc/$(watcher)/maps || true
        act stop
        """,
    )
    assert int(said.split("private ")[1].split()[0]) < 7000, said
    assert "\n0\n" in said


def test_what_a_watcher_has_loaded(chamber: Chamber) -> None:
    """As long as the server lives it keeps what it imported: no action, no promotion, no driver, no XML. What a replica is to do
    when the writer address moved, or while it follows nobody, a child does, which loads that for itself."""
    said = run(
        chamber,
        """
        up; w=$(watcher); read _ started _ < /run/backstay/db/watch.lock
        cat > /tmp/telling.py <<'END'
import sys
from backstay.services.mysql.watching import MysqlTarget
from backstay.watch.daemon import main

class Telling:
    def __init__(self, prober):
        self._prober = prober

    def probe(self, deadline):
        found = self._prober.probe(deadline)
        with open("/tmp/loaded", "a") as sink:
            print("found", found, *(name for name, module in sys.modules.items() if module), file=sink)
        return found

class Target(MysqlTarget):
    def prober(self):
        return Telling(super().prober())

main(Target, sys.argv)
END
        kill -9 $w; within 20 gone $w
        OCF_RESKEY_CRM_meta_on_node=n1 python3 /tmp/telling.py watch $(server) $started &
        looked() { [ "$(cat /tmp/loaded 2>/dev/null | grep -c "^found adrift")" -ge 3 ]; }  # each time a child goes to join it
        within 30 looked; tail -n 1 /tmp/loaded; act stop; wait $!
        """,
    )
    loaded = set(said.partition("found adrift ")[2].splitlines()[0].split())
    assert {"backstay.services.mysql.prober", "backstay.watch.daemon"} <= loaded
    acting = {"agent", "promotion", "primary", "replica", "repoint", "daemon", "rebuild", "doctor"}
    acting = {f"backstay.services.mysql.{name}" for name in acting}
    assert loaded & (acting | {"backstay.agent.dispatch", "pymysql", "ssl", "lxml"}) == set()


@pytest.mark.slow
def test_it_leaves_no_core_and_the_server_may(chamber: Chamber) -> None:
    said = run(
        chamber,
        r"""
        ulimit -c unlimited
        limit() { awk '/core file/ { print $5 }' /proc/$1/limits; }
        up; w=$(watcher); echo "watcher $(limit $w) server $(limit $(server))"
        kill -SEGV $w; within 20 gone $w; act $MONITOR; within 20 replaced $w
        sh -c 'cd /tmp; kill -SEGV $$' || true; ls /tmp | grep -c '^core' || true; act stop
        echo "left: $(find / /run /tmp/none -maxdepth 1 -name 'core*' 2>/dev/null)"
        """,
    )
    assert "watcher 1 server unlimited\n" in said, said
    assert said.rstrip().endswith("left:"), said
    assert "\n1\n" in said, f"nothing dumps core here, so this proves nothing: {said}"
