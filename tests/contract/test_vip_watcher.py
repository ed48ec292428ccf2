"""The watcher of an address, in namespaces: there is no cluster, so it can see and not tell."""

import os
import pathlib
import subprocess
import sys
import time

import pytest
from two_hosts import V4, V6, TwoHosts, ip


@pytest.fixture
def wire(tmp_path):
    with TwoHosts(tmp_path) as hosts:
        yield hosts


def state(wire, name):
    path = pathlib.Path(wire.run_directory, "vip", name)
    return path.read_text().split() if path.exists() else []


def eventually(question, what, seconds=10.0):
    """The seconds that it took."""
    begin = time.monotonic()
    while not question():
        assert time.monotonic() - begin < seconds, what
        time.sleep(0.01)
    return time.monotonic() - begin


def finding(wire, word):
    return lambda: state(wire, "verdict")[2:3] == [word]


def watcher(wire):
    return int(state(wire, "watch.lock")[2])


def gone(pid):
    return lambda: not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize(("address", "prefix"), [(V4, 32), (V6, 64)])
def test_an_address_that_is_removed_is_seen_at_once(wire, address, prefix):
    wire.started(address)
    eventually(finding(wire, "ok"), "the watcher to find it well")
    ip("-n", wire.node, "addr", "del", f"{address}/{prefix}", "dev", "eth0")
    # It has just looked, so without the kernel's word the next look would be in five seconds.
    assert eventually(finding(wire, "silent"), "the removal to be seen") < 3.0
    pid = watcher(wire)
    wire.started(address)  # as the cluster would have it, without a stop
    eventually(gone(pid), "the old watcher to make way")
    eventually(finding(wire, "ok"), "the new one to find it well")


def test_our_own_stop_is_quiet(wire):
    wire.started()
    eventually(finding(wire, "ok"), "the watcher to find it well")
    pid = watcher(wire)
    assert wire.vip("stop").code == 0
    eventually(gone(pid), "the watcher to end with the address")
    assert finding(wire, "ok")()
    wire.started()
    eventually(lambda: finding(wire, "ok")() and state(wire, "watch.lock")[2:3] != [str(pid)], "another watcher")


def test_other_addresses_and_a_flap_of_the_link_are_nothing(wire):
    wire.started()
    eventually(finding(wire, "ok"), "the watcher to find it well")
    ip("-n", wire.node, "addr", "add", "10.9.0.77/24", "dev", "eth0")
    ip("-n", wire.node, "addr", "del", "10.9.0.77/24", "dev", "eth0")
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    eventually(finding(wire, "unknown"), "the flap to be seen")
    ip("-n", wire.lan, "link", "set", "eth0", "up")
    eventually(finding(wire, "ok"), "the watcher to find it well again")


# In the rival's place: claims the address, and prints whether the holder announces it again, of two claims in a row.
RIVAL = """
import sys, time
sys.path[:0] = [sys.argv[1]]
from backstay.host.ip_address import parse_address
from backstay.host.arp_ndp import claimant
from backstay.services.vip.rtnetlink import Link
from backstay.services.vip.packet_socket import Wire
address, interface = parse_address(sys.argv[2]), Link().interface("eth0")
wire = Wire(address, interface)
ear = wire.listener()
for claim in range(2):
    wire.announce()
    end, heard = time.monotonic() + 1, ""
    while time.monotonic() < end:  # an announcement is two frames
        ear.settimeout(max(0.001, end - time.monotonic()))
        try:
            heard = claimant(ear.recv(2048), address, interface.mac) or heard
        except OSError:
            break
    print(heard or "silence")
"""


NEW_MAC = "02:00:00:00:00:77"


def rival_hears(wire, address):
    library = pathlib.Path(__file__).parents[2] / "lib"
    rival = ["ip", "netns", "exec", wire.lan, sys.executable, "-c", RIVAL, str(library), address]
    return subprocess.run(rival, check=True, capture_output=True, text=True, timeout=20).stdout.split()


def neighbours_send_to(wire, address, mac):
    ip("-n", wire.lan, "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "stale")


@pytest.mark.parametrize(
    ("address", "parameters", "answered"),
    [(V4, {}, True), (V6, {}, True), (V4, {"check_duplicate": "false"}, False)],
)
def test_a_rivals_claim_is_answered_once(wire, address, parameters, answered):
    wire.started(address, arp_count="1", **parameters)
    eventually(finding(wire, "ok"), "the watcher to find it well")
    assert rival_hears(wire, address) == [wire.mac(wire.node) if answered else "silence", "silence"]
    assert finding(wire, "ok")()


@pytest.mark.parametrize(("address", "parameters"), [(V4, {}), (V6, {}), (V4, {"check_duplicate": "false"})])
def test_a_new_hardware_address_is_announced_at_once(wire, address, parameters):
    wire.started(address, arp_count="1", **parameters)
    eventually(finding(wire, "ok"), "the watcher to find it well")
    neighbours_send_to(wire, address, wire.mac(wire.node))
    ip("-n", wire.node, "link", "set", "eth0", "address", NEW_MAC)
    # It has just looked, so without the kernel's word the next look would be in five seconds.
    told = eventually(
        lambda: NEW_MAC in ip("-n", wire.lan, "neigh", "show", address), "the neighbours to send to the new one"
    )
    assert told < 3.0


def test_a_late_announcement_has_the_new_hardware_address(wire):
    wire.started(arp_count="2", arp_interval="3s")
    eventually(finding(wire, "ok"), "the watcher to find it well")
    neighbours_send_to(wire, V4, wire.mac(wire.node))
    ip("-n", wire.node, "link", "set", "eth0", "address", NEW_MAC)
    eventually(lambda: NEW_MAC in ip("-n", wire.lan, "neigh", "show", V4), "the watcher's announcement")
    neighbours_send_to(wire, V4, "02:00:00:00:00:99")
    # the next that speaks is the announcer that start left behind
    eventually(lambda: "02:00:00:00:00:99" not in ip("-n", wire.lan, "neigh", "show", V4), "the second announcement")
    assert NEW_MAC in ip("-n", wire.lan, "neigh", "show", V4)


def test_a_link_that_stays_down_is_a_failure(wire):
    wire.started()
    eventually(finding(wire, "ok"), "the watcher to find it well")
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    assert eventually(finding(wire, "silent"), "the loss of the link to be told") > 1.5


def test_a_watcher_that_is_gone_is_replaced_by_the_monitor(wire):
    wire.started()
    eventually(finding(wire, "ok"), "the watcher to find it well")
    pid = watcher(wire)
    assert wire.monitor().code == 0
    assert watcher(wire) == pid
    os.kill(pid, 9)
    eventually(gone(pid), "it to die")
    answer = wire.monitor()
    assert answer.code == 0
    assert "the watcher was gone" in answer.err
    eventually(lambda: state(wire, "watch.lock")[2:3] != [str(pid)], "another watcher")


def test_a_promoted_clone_is_watched_and_a_demoted_one_is_not(wire):
    assert wire.vip("start", clone=True).code == 0
    assert wire.vip("promote", clone=True).code == 0
    eventually(finding(wire, "ok"), "the watcher to find it well")
    pid = watcher(wire)
    assert wire.vip("demote", clone=True).code == 0
    eventually(gone(pid), "the watcher to end with the role")
