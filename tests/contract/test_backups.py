"""Backups of every common kind, of the primary and of a replica, while clients write: no monitor fails, whatever they lock, and a
lock that stops the writes is told."""

from __future__ import annotations

import re
from pathlib import Path

import mysql_box
from acting import Chamber
from test_replica import PRIMARY

from backstay.host import command

# `during NAME COMMAND`: two monitors while the backup is under way. It says that it is by /tmp/held, and goes on for /tmp/go.
_BACKUPS = r"""
slowly() { head -c 1 > /tmp/held; until [ -e /tmp/go ]; do sleep 0.1; done; cat > /dev/null; }
locked() {
    printf '%s;\n' "$@" "select 'held'" 'select sleep(120)' | mariadb -N --unbuffered > /tmp/held 2> /tmp/end ||
        grep -q interrupted /tmp/end
}
dump() { mariadb-dump --all-databases "$@" | slowly; }
copy() {
    mariadb-backup --backup --stream=xbstream --target-dir=/tmp 2> /tmp/copied | slowly; grep -q "completed OK" /tmp/copied
}
behind() { mariadb -e 'select sleep(2) from d.bulk limit 1' > /dev/null & sleep 0.3; locked 'flush tables with read lock'; }
frozen() { fsfreeze --freeze /var/lib/mysql; echo yes > /tmp/held; sleep 1; fsfreeze --unfreeze /var/lib/mysql; }
held() { [ -s /tmp/held ]; }
sleeping() { mariadb -Ne "select id from information_schema.processlist where info like 'select sleep(120)'"; }
during() {
    name=$1; shift; rm -f /tmp/held /tmp/go /tmp/well
    { "$@" && touch /tmp/well; } & backup=$!
    within 60 held; echo "== $name"; act monitor $RECURRING $ROLE; act monitor $RECURRING $ROLE
    touch /tmp/go; for id in $(sleeping); do mariadb -e "kill query $id"; done
    wait $backup || :; [ -e /tmp/well ] || { echo "no backup: $name"; exit 1; }
}
backups() {
    during 'in one transaction' dump --single-transaction --master-data=2
    during 'without locks' dump --skip-lock-tables
    during 'one database after the other' dump
    during 'of the files' copy
    during 'of the disk' frozen
    during 'locked, all tables' dump --lock-all-tables
    during 'locked, by hand' locked 'flush tables with read lock'
    during 'locked, behind a report' behind
    during 'locked, the last stage' locked 'backup stage start' 'backup stage flush' 'backup stage block_ddl' \
        'backup stage block_commit'
    echo "== end"
}
bulk='create database d; use d; create table bulk (i int primary key, s varchar(1000))
    ; create table t (i int auto_increment primary key)
    ; insert into bulk select seq, repeat("x", 1000) from seq_1_to_6000'
mkdir -p /var/lib/mysql; mount -o loop /work/disk /var/lib/mysql; rmdir /var/lib/mysql/lost+found
export OCF_RESKEY_probe_timeout=10s OCF_RESKEY_CRM_meta_timeout=180000
"""
_KINDS = 9


def _disk(tmp_path: Path) -> None:
    """/work/disk there; the tool that makes it is not in every image."""
    with open(tmp_path / "disk", "wb") as file:
        file.truncate(400 << 20)
    command.run(["mkfs.ext4", "-q", "-F", str(tmp_path / "disk")], 60)


def _told(text: str) -> dict[str, list[tuple[int, str]]]:
    """Of each backup what the monitors said meanwhile: exit status and reason."""
    parts = re.findall(r"^== (.*)\n((?:(?!== ).*\n)*)", text, re.MULTILINE)
    return {
        name: [(int(code), reason) for code, reason in re.findall(r"^monitor (\d+) ?(.*)$", lines, re.MULTILINE)]
        for name, lines in parts
        if name != "end"
    }


def test_a_backup_of_the_primary_fails_no_monitor_and_what_stops_the_writes_is_told(
    chamber: Chamber, tmp_path: Path
) -> None:
    _disk(tmp_path)
    result = mysql_box.run(
        chamber,
        _BACKUPS
        + r"""
        act start; act promote; mariadb -e "$bulk"; ROLE=$PROMOTED
        writes() { while :; do mariadb -e 'insert into d.t values ()' || :; done; }
        writes > /dev/null 2>&1 & writer=$!
        server=$(cat /run/mysqld/mysqld.pid); backups; [ "$(cat /run/mysqld/mysqld.pid)" = $server ] && echo same=yes
        kill $writer; act stop; umount /var/lib/mysql
        """,
        timeout=560,
    )
    told = _told(result.text)
    assert len(told) == _KINDS and result.values["same"] == "yes", result.text
    for name, said in told.items():
        assert [code for code, _ in said] == [191, 191], (name, result.text)  # degraded, for it runs alone
        locked = ["writes wait for a lock, such as a backup takes" in reason for _, reason in said]
        assert locked == [name.startswith("locked")] * 2, (name, result.text)


def test_a_backup_of_a_replica_fails_no_monitor(chamber: Chamber, tmp_path: Path) -> None:
    """Its applier waits for locks, its receiver for none."""
    _disk(tmp_path)
    result = mysql_box.run(
        chamber,
        _BACKUPS
        + PRIMARY
        + r"""
        n2 "$bulk"; act start; ROLE=
        there() { act monitor $RECURRING > /dev/null; [ "$(n1 'select count(*) from d.bulk' 2> /dev/null)" = 6000 ]; }
        within 60 there
        writes() { while :; do n2 'insert into d.t values ()' || :; done; }
        writes > /dev/null 2>&1 & writer=$!
        server=$(cat /run/mysqld/mysqld.pid); backups; [ "$(cat /run/mysqld/mysqld.pid)" = $server ] && echo same=yes
        kill $writer; act stop; umount /var/lib/mysql
        """,
        timeout=560,
    )
    told = _told(result.text)
    assert len(told) == _KINDS and result.values["same"] == "yes", result.text
    for name, said in told.items():
        assert len(said) == 2 and {code for code, _ in said} <= {0, 190}, (name, result.text)
