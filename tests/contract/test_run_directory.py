"""What every agent does where /run is full, or cannot be written at all: it may not start, and it always stops. A stop that
fails has its node fenced."""

from __future__ import annotations

import acting
import haproxy_box
import mysql_box
import pytest
import rabbitmq_box
from acting import Chamber
from tests.rules import state_page  # type: ignore[import-not-found]

WIRE = """
ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip link set eth0 up; ip addr add 10.9.0.1/24 dev eth0
export OCF_RESKEY_ip=10.9.0.50
"""
PREPARE = {
    "haproxy": haproxy_box.PREPARE,
    "mysql": mysql_box.PREPARE,
    "rabbitmq": rabbitmq_box.PREPARE,
    "vip": acting.prepared("vip", "vip", timeout=20) + WIRE,
}
MOUNT = "mkdir -p /run/backstay; mount -t tmpfs -o {} state /run/backstay\n"
AGENTS = sorted(PREPARE)
DECLARED = {one.name for name in state_page.declaring() for one in state_page.declared(name)}


@pytest.mark.parametrize("agent", AGENTS)
def test_a_stop_ends_what_runs_though_run_is_full(chamber: Chamber, agent: str) -> None:
    result = acting.run(
        chamber,
        PREPARE[agent]
        + MOUNT.format("size=1m")
        + """
        act start; export OCF_RESKEY_CRM_meta_on_node=n1  # a cluster's node: what runs there is watched
        export CIB_file=/tmp/cib.xml; cibadmin --empty > $CIB_file
        act monitor $RECURRING
        echo "kept=$(find /run/backstay -mindepth 2 -not -type d -printf '%P ')"
        dd if=/dev/zero of=/run/backstay/rest bs=4k 2>&1 | grep -o 'No space left'
        act stop; act monitor
        """,
        120,
    )
    assert "No space left" in result.text
    assert result.codes == [0, 0, 0, 7], result.text
    kept = {path.partition("/")[2] for path in result.values["kept"].split() if ".conf.d/" not in path}
    assert kept and kept <= DECLARED, "each file is declared, with what its loss costs"


@pytest.mark.parametrize("agent", AGENTS)
def test_where_run_cannot_be_written_it_does_not_start_and_stops(chamber: Chamber, agent: str) -> None:
    result = acting.run(
        chamber, PREPARE[agent] + MOUNT.format("ro") + "act monitor; act start; act stop; act monitor", 120
    )
    assert result.codes == [7, 4, 0, 7], result.text
    assert "/run/backstay/" in result.reasons[1]


def test_what_is_not_there_is_removed_also_where_nothing_can_be(chamber: Chamber) -> None:
    result = acting.run(
        chamber,
        MOUNT.format("size=1m")
        + """
        mkdir /run/backstay/db; echo x > /run/backstay/db/kept; mount -o remount,ro /run/backstay
        cat > /tmp/remove.py <<'END'
from backstay.host.state_files import Files, StateFile, Unwritable
files = Files("/run/backstay/db")
files.remove(StateFile("missing", "", lost=""))
print("missing=gone")
try:
    files.remove(StateFile("kept", "", lost=""))
except Unwritable as error:
    print(f"kept={error}")
END
        python3 /tmp/remove.py
        """,
        30,
    )
    kept = "/run/backstay/db cannot be written, Read-only file system: free space there, or mount it writable"
    assert result.values == {"missing": "gone", "kept": kept}
