"""A daemon in a container beside the cluster: its data has the same path there, its node the same name, its socket the same
place. /proc shows it, and it is no agent's."""

from __future__ import annotations

import haproxy_box
import mysql_box
import rabbitmq_box
from acting import Chamber

ALIVE = 'alive() { kill -0 "$1" 2>/dev/null && echo yes || echo no; }\n'
# `own_root SCRIPT` has a mount namespace whose root is the chamber: seen from here, its paths have the same text as ours.
SERVER = r"""
cat > /tmp/own_root.py <<'END'
import ctypes, os, sys
os.makedirs("/tmp/out", exist_ok=True)
os.chroot("/tmp/out")
for _ in range(9):
    os.chdir("..")
os.chroot(".")
os.chdir("/mnt/root")
libc = ctypes.CDLL(None, use_errno=True)
assert libc.pivot_root(b".", b"mnt") == 0, os.strerror(ctypes.get_errno())
os.chroot(".")
os.execv("/bin/sh", ["sh", "-ec", sys.argv[1]])
END
mkdir -p /srv/data
unshare --mount python3 /tmp/own_root.py '
    mkdir -p /var/lib/mysql
    mount --bind /srv/data /var/lib/mysql
    chown mysql /var/lib/mysql
    mariadb-install-db --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-test-db --force >/dev/null 2>&1
    exec mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql --skip-networking --socket=/tmp/other.sock
' >/tmp/other 2>&1 &
other=$!
within 30 mariadb -S /tmp/other.sock -e 'select 1' >/dev/null 2>&1
"""


def test_a_server_on_another_directory_of_the_same_path_is_left_alone(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        ALIVE
        + SERVER
        + """
        act monitor; act stop; act start; act monitor
        echo "path=$(readlink /proc/$other/cwd)"; echo "started=$(alive $other)"
        act stop; echo "stopped=$(alive $other)"; kill -9 $other
        """,
    )
    assert result.codes == [7, 0, 0, 0, 0], result.text
    assert result.values["path"] == "/var/lib/mysql"  # what its text says
    assert result.values["started"] == result.values["stopped"] == "yes", result.text


def test_a_balancer_with_a_master_socket_of_the_same_path_is_left_alone(chamber: Chamber) -> None:
    result = haproxy_box.run(
        chamber,
        ALIVE
        + r"""
        act start
        socket=$(tr '\0' '\n' < /proc/$(pgrep -o -x haproxy)/cmdline | grep -A1 -x -- -S | tail -n 1); echo "socket=$socket"
        printf 'defaults\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n' > /tmp/o.cfg
        printf 'listen l\n bind 127.0.0.1:9199\n' >> /tmp/o.cfg
        unshare --mount --net --pid --fork --kill-child sh -ec '
            ip link set lo up; mount -t tmpfs tmpfs '$(dirname $socket)'; exec haproxy -W -f /tmp/o.cfg -S '$socket &
        other=$!
        there() { [ "$(pgrep -c -f 'haproxy -W -f /tmp/o.cfg')" -ge 2 ]; }; within 10 there
        act monitor; act stop; echo "stopped=$(alive $other)"; act monitor; act stop; echo "again=$(alive $other)"; kill -9 $other
        """,
    )
    assert result.values["socket"].startswith("/"), result.text
    assert result.codes == [0, 0, 0, 7, 0], result.text
    assert result.values["stopped"] == result.values["again"] == "yes", result.text


def test_a_broker_of_the_same_name_is_another_s(chamber: Chamber) -> None:
    result = rabbitmq_box.run(
        chamber,
        r"""
        unshare --mount --net --pid --fork --kill-child sh -ec '
            ip link set lo up; mount -t tmpfs tmpfs /var/lib/rabbitmq; chown rabbitmq /var/lib/rabbitmq
            RABBITMQ_NODENAME=rabbit@n1 exec rabbitmq-server' >/tmp/other 2>&1 &
        other=$!
        there() { pgrep -x beam.smp > /tmp/beam && [ -n "$(beam)" ]; }; within 30 there
        cat > /tmp/find.py <<'END'
        import sys
        from backstay.services.rabbitmq import process
        found = process.find("", "rabbit@n1", "/var/lib/rabbitmq/mnesia/rabbit@n1")
        print(f"{sys.argv[1]}={found.pid if found else 'none'}")
END
        sed -i 's/^        //' /tmp/find.py
        named() { tr '\0' '\n' < /proc/$(beam | head -n 1)/environ | grep -x RABBITMQ_NODENAME=rabbit@n1 >/dev/null; }
        within 30 named
        python3 /tmp/find.py here; act monitor; act stop
        echo "left=$(beam | grep -c .)"; kill -9 $other
        """,
    )
    assert result.values["here"] == "none", result.text
    assert result.codes == [7, 0], result.text
    assert result.values["left"] == "1", result.text
