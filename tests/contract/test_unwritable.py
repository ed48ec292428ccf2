"""The file system with the agents' own files is full, read-only or wiped under a running service: the monitor says so and the
service goes on, nothing is promoted falsely, stop works, no traceback reaches Pacemaker."""

from __future__ import annotations

import re

import acting
import haproxy_box
import mysql_box
import pytest
import rabbitmq_box
from acting import Chamber

FULL = "cannot be written, No space left on device: free space there, or mount it writable"
READ_ONLY = "cannot be written, Read-only file system: free space there, or mount it writable"

# small: a file system of its own for the agents' files. fill, empty, read_only, writable, wipe: what is done to it. left: how
# many files are in it, which must not grow. `clean` ends the script where an agent's words of any action had a traceback.
HOSTILE = r"""
R=/run/backstay
small() { mkdir -p $R; mount -t tmpfs -o size=${1:-256k},mode=755 small $R; }
fill() {
    dd if=/dev/zero of=$R/filled bs=4k 2>/dev/null || true
    if dd if=/dev/zero of=$R/more bs=4k count=1 2>/dev/null; then echo "not full"; exit 1; fi
    rm -f $R/more
}
empty() { rm -f $R/filled; }
read_only() { mount --bind $R $R; mount -o remount,bind,ro $R; }  # a mount of its own, though files are open for writing
writable() { umount $R; }
wipe() { rm -rf $R/*; }
left() { echo "left=$(find $R -type f | wc -l)"; }
clean() { if grep -q Traceback /tmp/said; then cat /tmp/said; exit 1; fi; }
PROMOTED="$RECURRING OCF_RESKEY_CRM_meta_role=Promoted"
UNPROMOTED="$RECURRING OCF_RESKEY_CRM_meta_role=Unpromoted"
"""


def script(text: str) -> str:
    """`act` followed by `clean`, every time."""
    return HOSTILE + re.sub(r"(act [^;\n]*)", r"\1; clean", text)


def same(text: str) -> bool:
    """Whether all counts of files are equal."""
    counts = re.findall(r"^left=(\d+)$", text, re.MULTILINE)
    return len(counts) > 1 and len(set(counts)) == 1


# -- mysql -------------------------------------------------------------------------------------------------------------

CLUSTER = (
    "cibadmin --empty > /tmp/cib.xml; export CIB_file=/tmp/cib.xml CIB_file_user=root\n"  # where facts are recorded
)
READ = "mariadb -Ne 'select concat(\"closed=\", @@read_only)'"  # ON or OFF


@pytest.mark.slow
def test_mysql_goes_on_with_a_full_file_system(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        CLUSTER
        + script(f"""
        small; act start; act promote; act monitor $PROMOTED
        fill; left; act monitor $PROMOTED; left; act monitor $PROMOTED; left; {READ}
        act demote; {READ}; fill; act promote; {READ}
        empty; act promote; {READ}; act monitor $PROMOTED; fill
        act stop; act monitor; fill; act start; empty; act start; act monitor $UNPROMOTED; act stop
        """),
    )
    assert result.codes[:6] == [0, 0, 191, 191, 191, 0], result.text
    assert result.codes[6:] == [4, 0, 191, 0, 7, 4, 0, 0, 0], result.text
    for at in (6, 11):
        assert result.reasons[at].endswith(FULL), result.text
    assert re.findall(r"closed=(\w+)", result.text) == ["OFF", "ON", "ON", "OFF"], result.text
    assert same(result.text), result.text


@pytest.mark.slow
def test_mysql_goes_on_with_a_read_only_file_system(chamber: Chamber) -> None:
    """A demotion that cannot take the mark away has closed the server, and fails: Pacemaker then stops it."""
    result = mysql_box.run(
        chamber,
        CLUSTER
        + script(f"""
        small; act start; act promote; read_only; act monitor $PROMOTED; {READ}
        act demote; {READ}; act stop; act monitor; act start; writable; act start; act monitor $UNPROMOTED; act stop
        """),
    )
    assert result.codes == [0, 0, 191, 4, 0, 7, 4, 0, 0, 0], result.text
    for at in (2, 3, 6):
        assert result.reasons[at].endswith(READ_ONLY), result.text
    assert re.findall(r"closed=(\w+)", result.text) == ["OFF", "ON"], result.text


@pytest.mark.slow
def test_mysql_primary_outlives_a_wiped_run_and_no_other_server_becomes_one(chamber: Chamber) -> None:
    """By the cluster's record, and only as Pacemaker has it: a server that was merely made writable is closed."""
    result = mysql_box.run(
        chamber,
        CLUSTER
        + script(f"""
        act start; act promote; act monitor $PROMOTED; wipe; act monitor $PROMOTED; {READ}; act monitor $PROMOTED
        wipe; act stop; act monitor
        act start; mariadb -e 'set global read_only=0'; wipe; act monitor $PROMOTED; {READ}
        act promote; wipe; act demote; {READ}; act monitor $UNPROMOTED; act stop
        """),
    )
    assert result.codes == [0, 0, 191, 191, 191, 0, 7, 0, 0, 0, 0, 0, 0], result.text
    assert re.findall(r"closed=(\w+)", result.text) == ["OFF", "ON", "ON"], result.text


@pytest.mark.slow
def test_one_watcher_watches_after_a_wipe_and_a_full_file_system_ends_none(chamber: Chamber) -> None:
    said = chamber(
        mysql_box.PREPARE
        + script(r"""
        small
        watchers() { ps axo pid,sid,args | awk '$1 == $2 && /watch\(db\)/' | wc -l; }  # without their children
        until_() { for i in $(seq 150); do if eval "$1"; then return 0; fi; sleep 0.1; done; echo "never: $1"; exit 1; }
        M="monitor $RECURRING OCF_RESKEY_CRM_meta_on_node=n1 HA_LOGFILE=/tmp/log"
        act start; act $M; until_ '[ -s $R/db/verdict ]'; echo before=$(watchers)
        wipe; act $M; until_ '[ -s $R/db/verdict ] && [ $(watchers) = 1 ]'; echo wiped=$(watchers)
        fill; sleep 3; act $M; echo full=$(watchers); echo lines=$(grep -c 'cannot be written' /tmp/log || true)
        act stop OCF_RESKEY_CRM_meta_on_node=n1; until_ '[ $(watchers) = 0 ]'
        grep 'telling the cluster' /tmp/log && exit 1; act monitor
        """),
        timeout=90,
    ).out
    assert "before=1" in said and "wiped=1" in said and "full=1" in said, said
    assert int(re.search(r"lines=(\d+)", said)[1]) <= 2, said  # type: ignore[index]


# -- rabbitmq ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_rabbitmq_goes_on(chamber: Chamber) -> None:
    """Full, read-only, wiped; a silent broker is found all the same, though nobody can count."""
    result = rabbitmq_box.run(
        chamber,
        script(r"""
        small; act start; act monitor $RECURRING; fill; left; act monitor $RECURRING; act monitor $RECURRING; left
        act promote; act demote; empty; act promote
        read_only; act monitor $PROMOTED; act demote
        kill -STOP $(beam); act monitor $RECURRING OCF_RESKEY_probe_timeout=1s; kill -CONT $(beam)
        writable; act monitor $PROMOTED; wipe; act monitor $PROMOTED; [ -s $R/rabbitmq/promoted ]
        wipe; act monitor $RECURRING; act promote; act monitor $PROMOTED; wipe
        act stop; act monitor; fill; act start; empty; read_only; act start; writable; act start; read_only; act stop; act monitor
        """),
        timeout=240,
    )
    expected = [0, 0, 0, 0]  # started; full: it needs to write nothing
    expected += [4, 0, 0]  # not promoted while that cannot be noted
    expected += [191, 4, 1]  # read-only: said; demote cannot take the mark away; one silence is enough
    expected += [8, 8, 0, 0, 8]  # wiped: it serves, and is what Pacemaker says it is
    expected += [0, 7, 4, 4, 0, 0, 7]  # stopped; no start without room; stopped where nothing can be written
    assert result.codes == expected, result.text
    for at, words in ((4, FULL), (7, READ_ONLY), (8, READ_ONLY), (17, FULL), (18, READ_ONLY)):
        assert result.reasons[at].endswith(words), result.text
    assert same(result.text), result.text


# -- vip ---------------------------------------------------------------------------------------------------------------

VIP = (
    acting.prepared("vip", "ip", timeout=20)
    + r"""
ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip link set eth0 up; ip addr add 10.9.0.1/24 dev eth0
export OCF_RESKEY_ip=10.9.0.50 OCF_RESKEY_check_duplicate=false
here() { ip -o addr show dev eth0 | grep -c 10.9.0.50 || true; }
"""
)


@pytest.mark.parametrize("clone", ["", "OCF_RESKEY_CRM_meta_promoted_max=1"])
def test_an_address_stays_and_goes_all_the_same(chamber: Chamber, clone: str) -> None:
    said = chamber(
        VIP
        + (f"export {clone}\n" if clone else "")
        + script(f"""
        small 64k; TAKE={"promote" if clone else "start"}; LEAVE={"demote" if clone else "stop"}
        act start; act $TAKE; act monitor $PROMOTED; fill; left; act monitor $PROMOTED; left; echo full=$(here)
        act $LEAVE; echo gone=$(here); act stop; fill; act start; empty; act start; act $TAKE
        read_only; act monitor $PROMOTED; echo ro=$(here); act $LEAVE; act stop; echo gone=$(here)
        writable; act start; act $TAKE; wipe; act monitor $PROMOTED; echo wiped=$(here); act monitor $PROMOTED; [ -s $R/ip/place ]
        wipe; act $LEAVE; act stop; echo gone=$(here); act monitor
        """),
        timeout=60,
        check=False,
    )
    assert said.status == 0, said.out + said.err
    up = 8 if clone else 0
    codes = [int(code) for code in re.findall(r"^(?:start|stop|promote|demote|monitor) (\d+)", said.out, re.MULTILINE)]
    expected = [0, 0, up, up, 0, 0, 4, 0, 0]  # full: it stays, goes, and does not come
    expected += [up, 0, 0]  # read-only: it stays, and goes
    expected += [0, 0, up, up, 0, 0, 7]  # wiped: it stays, and goes
    assert codes == expected, said.out
    assert FULL in said.out and said.out.count("gone=0") == 3, said.out
    assert "full=1" in said.out and "ro=1" in said.out and "wiped=1" in said.out and same(said.out), said.out


# -- haproxy -----------------------------------------------------------------------------------------------------------


def test_haproxy_serves_on_and_stops(chamber: Chamber) -> None:
    """Its master socket goes with the directory: then it has to be restarted, and the monitor says why."""
    result = haproxy_box.run(
        chamber,
        script(r"""
        small; act start; act monitor $RECURRING; fill; left; act monitor $RECURRING; left; echo "open=$(opened)"
        act reload-agent; echo "still=$(opened)"; act stop; act start; empty; act start
        read_only; act monitor $RECURRING; echo "ro=$(opened)"; act stop; act start; writable; act start
        wipe; act monitor $RECURRING OCF_RESKEY_probe_timeout=1s; echo "wiped=$(opened)"
        act stop; echo "gone=$(opened)"; act monitor
        """),
    )
    assert result.codes[:3] == [0, 0, 0], result.text
    assert result.codes[4:7] == [0, 4, 0], result.text
    assert result.codes[7:] == [0, 0, 4, 0, 1, 0, 7], result.text
    assert result.reasons[5].endswith(FULL) and "cannot be written" in result.reasons[9], result.text
    assert result.reasons[11] == "HAProxy's master CLI /run/backstay/lb/master.sock is gone: restart the resource"
    for name in ("open", "still", "ro", "wiped"):
        assert result.values[name] == "8080 8081 ", result.text
    assert result.values["gone"] == "" and same(result.text), result.text
