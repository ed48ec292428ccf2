"""What doctor says of the host: mounts, clocks, and what the kernel denied."""

from __future__ import annotations

import pytest

from backstay.admin.denials import Denial, lately
from backstay.admin.preflight import Host, host
from backstay.host.clocks import apart
from backstay.host.mounts import kind, missing

MOUNTED = """22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:21 / /run rw,nosuid shared:5 - tmpfs tmpfs rw
24 22 8:2 / /srv/a\\040b rw - xfs /dev/sdb1 rw
"""
TABLE = """# a remark
/dev/sda1 / ext4 defaults 0 1
/dev/sdc1 none swap sw 0 0
UUID=1 /srv/a\\040b xfs nofail 0 2
UUID=2 /srv/db/ xfs rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/db/mysql", "/srv/db"),
        ("/srv/db", "/srv/db"),
        ("/srv/db2", ""),
        ("/srv/a b/mysql", ""),
        ("/var/lib/mysql", ""),
    ],
)
def test_a_disk_that_is_to_be_there_and_is_not_is_named(path: str, expected: str) -> None:
    assert missing(path, TABLE, MOUNTED) == expected


def test_a_table_that_cannot_be_read_names_nothing() -> None:
    assert missing("/srv/db", "", "") == "" == kind("/srv/db", "")


@pytest.mark.parametrize(("path", "expected"), [("/run/mysql", "tmpfs"), ("/runner", "ext4"), ("/srv/a b/x", "xfs")])
def test_the_kind_is_that_of_the_nearest_mount(path: str, expected: str) -> None:
    assert kind(path, MOUNTED) == expected


@pytest.mark.parametrize(
    ("theirs", "part"),
    [
        (100.0, ""),
        (98.5, ""),
        (103.5, ""),
        (160.2, "the clock of n2 is 58 s ahead of"),
        (40.0, "the clock of n2 is 60 s behind"),
    ],
)
def test_a_clock_is_apart_beyond_what_the_answer_took(theirs: float, part: str) -> None:
    said = apart("n2", theirs, 100.0, 102.0)
    assert said.startswith(part) and bool(said) == bool(part)


APPARMOR = (
    '6,12,345,-;audit: type=1400 audit(1700000000.123:45): apparmor="DENIED" operation="open" profile="/usr/sbin/mysqld"'
    ' name="/srv/db/ibdata1" pid=7 comm="mysqld" requested_mask="rw" denied_mask="rw" fsuid=1 ouid=1\n'
)
SELINUX = (
    'type=AVC msg=audit(1700000100.5:46): avc:  denied  { read write } for  pid=8 comm="mariadbd" path="/srv/db" dev="sdb"'
    " ino=2 scontext=system_u:system_r:mysqld_t:s0 tcontext=unconfined_u:object_r:var_t:s0 tclass=dir permissive=0\n"
)
PORT = (
    'type=AVC msg=audit(1700000101.5:47): avc:  denied  { name_bind } for  pid=8 comm="haproxy" src=5000'
    " scontext=system_u:system_r:haproxy_t:s0 tclass=tcp_socket permissive=0\n"
)
PROGRAMS = ("mysqld", "mariadbd", "haproxy")


def test_denials_are_read_from_either_log_and_told_once() -> None:
    found = lately(APPARMOR + SELINUX + SELINUX + PORT, PROGRAMS, 1700000200.0)
    assert found == [
        Denial("AppArmor", "mysqld", "open", "/srv/db/ibdata1"),
        Denial("SELinux", "mariadbd", "read write", "/srv/db"),
        Denial("SELinux", "haproxy", "name_bind", ""),
    ]
    said = list(host(Host("n1", denials=found, remote=True)))
    assert [one.level for one in said] == ["warning"] * 3 and all(one.remedy for one in said)


@pytest.mark.parametrize(
    "text",
    [
        SELINUX.replace("permissive=0", "permissive=1"),
        APPARMOR.replace("DENIED", "ALLOWED"),
        APPARMOR.replace('comm="mysqld"', 'comm="firefox"'),
        APPARMOR.replace("1700000000", "1699990000"),
        APPARMOR.replace("1700000000", "1700009999"),
        "audit(): apparmor=",
        "",
    ],
)
def test_what_was_allowed_is_of_another_or_is_long_ago_is_not_told(text: str) -> None:
    assert lately(text, PROGRAMS, 1700000200.0) == []


def test_a_limit_of_descriptors_is_compared_with_what_the_services_want() -> None:
    def told(allowed: int, wanted: int) -> list[str]:
        return [one.what for one in host(Host("n1", files=(allowed, wanted), remote=True))]

    assert told(1024, 65536) and not told(524288, 65536) and not told(0, 65536) and not told(4096, 0)
