"""ocf:backstay:vip on a real network: what it holds, finds, and refuses to take."""

import subprocess
import sys
import time

import pytest
from two_hosts import V4, V6, TwoHosts, ip


@pytest.fixture
def wire(tmp_path):
    with TwoHosts(tmp_path) as hosts:
        yield hosts


# -- the life of a primitive -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [V4, V6])
def test_life_of_a_primitive(wire, address):
    prefix = "32" if address == V4 else "64"
    assert wire.vip("monitor", address).code == 7
    assert wire.vip("start", address).code == 0
    assert ("eth0", f"{address}/{prefix}") in wire.held()
    assert wire.monitor(address).code == 0
    assert wire.vip("start", address).code == 0  # idempotent
    assert wire.vip("stop", address).code == 0
    assert not wire.has(address)
    assert wire.vip("monitor", address).code == 7
    assert wire.vip("stop", address).code == 0


def test_ipv6_in_any_spelling_is_the_same_address(wire):
    assert wire.vip("start", "FD09:0:0::0050").code == 0
    assert wire.monitor(V6).code == 0


def test_ipv6_is_usable_at_once_and_no_source_of_the_nodes_own_connections(wire):
    assert wire.vip("start", V6).code == 0
    shown = ip("-n", wire.node, "addr", "show", "to", V6)
    assert "tentative" not in shown and "deprecated" in shown
    assert "src fd09::1 " in ip("-n", wire.node, "route", "get", "fd09::2")


def test_given_interface_prefix_and_label(wire):
    assert wire.vip("start", nic="eth0", cidr_netmask="255.255.255.255", label="web").code == 0
    assert ("eth0", f"{V4}/32") in wire.held()
    assert "eth0:web" in ip("-n", wire.node, "addr", "show", "label", "eth0:web")
    assert wire.monitor(nic="eth0", cidr_netmask="32").code == 0


def test_start_gives_a_label_to_an_address_that_is_there_without_or_with_another(wire):
    ip("-n", wire.node, "addr", "add", f"{V4}/32", "dev", "eth0")
    for label in ("web", "db"):
        wire.started(label=label)
        assert V4 in ip("-n", wire.node, "addr", "show", "label", f"eth0:{label}")
        assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth0", f"{V4}/32")}
    wire.started()  # a label that nobody asks for stays
    assert V4 in ip("-n", wire.node, "addr", "show", "label", "eth0:db")


def test_start_repairs_a_wrong_prefix(wire):
    ip("-n", wire.node, "addr", "add", f"{V4}/32", "dev", "eth0")
    assert wire.vip("start", cidr_netmask="24").code == 0
    assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth0", f"{V4}/24")}


def test_without_an_own_address_in_the_network_the_prefix_is_that_of_the_route(wire):
    """As /32 it would have no way to its neighbours."""
    ip("-n", wire.node, "addr", "del", "10.9.0.1/24", "dev", "eth0")
    ip("-n", wire.node, "route", "add", "10.9.0.0/24", "dev", "eth0")
    assert wire.vip("start").code == 0
    assert ("eth0", f"{V4}/24") in wire.held()
    ip("-n", wire.node, "route", "del", "10.9.0.0/24", "dev", "eth0", "proto", "boot")
    assert wire.vip("start").code == 0  # nothing but itself tells of the network
    assert ("eth0", f"{V4}/24") in wire.held()


def test_start_moves_the_address_from_a_wrong_interface(wire):
    ip("-n", wire.node, "addr", "add", f"{V4}/32", "dev", "lo")
    assert wire.vip("start", nic="eth0", cidr_netmask="24").code == 0
    assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth0", f"{V4}/24")}


def test_stop_removes_every_copy(wire):
    assert wire.vip("start").code == 0
    ip("-n", wire.node, "addr", "add", f"{V4}/32", "dev", "lo")
    assert wire.vip("stop").code == 0
    assert not wire.has()


# -- its interface -----------------------------------------------------------------------------------------------------


def second_interface(wire, network="10.9.0.11/24"):
    ip("-n", wire.node, "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", wire.other)
    for namespace in (wire.node, wire.other):
        ip("-n", namespace, "link", "set", "eth1", "up")
    ip("-n", wire.node, "addr", "add", network, "dev", "eth1")


def test_of_two_interfaces_in_one_network_the_one_with_a_link_is_taken(wire):
    second_interface(wire)
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    wire.started()
    assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth1", f"{V4}/32")}
    assert wire.monitor().code == 0
    ip("-n", wire.lan, "link", "set", "eth0", "up")
    wire.started()  # it stays where it is
    assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth1", f"{V4}/32")}
    ip("-n", wire.other, "link", "set", "eth1", "down")
    wire.started()
    assert {entry for entry in wire.held() if V4 in entry[1]} == {("eth0", f"{V4}/32")}


def test_a_standby_that_starts_takes_the_interface_with_a_link(wire):
    second_interface(wire)
    assert wire.vip("start", clone=True).code == 0
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    assert wire.monitor(clone=True, role="Unpromoted").code == 1
    assert wire.vip("start", clone=True).code == 0
    assert wire.monitor(clone=True, role="Unpromoted").code == 0


def test_an_interface_of_a_wider_network_is_no_second_one(wire):
    second_interface(wire, "10.0.0.1/8")
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    answer = wire.vip("start")
    assert answer.code == 1 and "eth0 has no link" in answer.reason


def test_under_policy_routing_the_own_address_tells_the_network(wire):
    """A rule sends everything to a table with nothing but a default route."""
    ip("-n", wire.node, "route", "add", "default", "via", "10.9.0.2", "dev", "eth0", "onlink", "table", "100")
    ip("-n", wire.node, "rule", "add", "from", "all", "lookup", "100", "pref", "100")
    wire.started()
    assert ("eth0", f"{V4}/32") in wire.held()
    assert wire.monitor().code == 0


# -- a balancer that routes directly (LVS): the address is on the loopback interface of every node as well --------------


LISTEN = """
import socket, time
s = socket.create_server(("::", 3306), family=socket.AF_INET6, dualstack_ipv6=True)
print(1, flush=True)
while True:
    s.accept()
"""


def direct_routing(wire, address, where="all"):
    ip("-n", wire.node, "addr", "add", f"{address}/{128 if address == V6 else 32}", "dev", "lo")
    subprocess.run(
        ["ip", "netns", "exec", wire.node, "sysctl", "-qw", f"net.ipv4.conf.{where}.arp_ignore=1"], check=True
    )


@pytest.mark.parametrize(("address", "where"), [(V4, "all"), (V4, "eth0"), (V6, "all")])
def test_an_address_on_the_loopback_that_nobody_is_told_of_stays(wire, address, where):
    direct_routing(wire, address, where)
    nic = {"nic": "eth0"} if where == "eth0" else {}
    served = ("lo", f"{address}/{32 if address == V4 else 128}")
    held = ("eth0", f"{address}/{32 if address == V4 else 64}")
    assert wire.vip("monitor", address, **nic).code == 7  # a probe
    wire.started(address, **nic)
    assert {served, held} <= wire.held()
    assert wire.monitor(address, **nic).code == 0 and wire.vip("monitor", address, **nic).code == 0
    wire.started(address, **nic)
    assert wire.vip("stop", address, **nic).code == 0
    assert served in wire.held() and held not in wire.held()
    assert wire.vip("monitor", address, **nic).code == 7
    assert f"local {address} " in ip("-n", wire.node, *(["-6"] * (address == V6)), "route", "get", address)
    # nobody refuses for it meanwhile what a balancer sends here
    connect = "import socket, sys; socket.create_connection((sys.argv[1], 3306), 5); print('through')"
    argv = ["ip", "netns", "exec", wire.node, sys.executable, "-c", LISTEN]
    server = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert server.stdout.readline() == b"1\n"
        wire.started(address, **nic)
        assert wire.vip("stop", address, **nic).code == 0
        ip(
            "-n",
            wire.lan,
            "neigh",
            "replace",
            address,
            "lladdr",
            wire.mac(wire.node),
            "dev",
            "eth0",
            "nud",
            "permanent",
        )
        argv = ["ip", "netns", "exec", wire.lan, sys.executable, "-c", connect, address]
        assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == "through\n"
    finally:
        server.kill()
        server.communicate()


def test_an_address_of_the_loopback_interface_is_one_of_any(wire):
    """As for a routing daemon that tells it to routers."""
    direct_routing(wire, "10.77.0.9")
    given = {"nic": "lo", "cidr_netmask": "32"}
    wire.started("10.77.0.1", **given)
    assert wire.monitor("10.77.0.1", **given).code == 0
    assert wire.vip("stop", "10.77.0.1", **given).code == 0 and not wire.has("10.77.0.1")
    assert wire.has("10.77.0.9")


# -- findings ----------------------------------------------------------------------------------------------------------


def test_finding_absent(wire):
    wire.started()
    ip("-n", wire.node, "addr", "del", f"{V4}/32", "dev", "eth0")
    answer = wire.monitor()
    assert (answer.code, answer.reason) == (7, f"{V4} is gone from eth0: something other than the cluster removed it")


def test_finding_wrong_prefix(wire):
    wire.started()
    ip("-n", wire.node, "addr", "del", f"{V4}/32", "dev", "eth0")
    ip("-n", wire.node, "addr", "add", f"{V4}/24", "dev", "eth0")
    answer = wire.monitor()
    assert answer.code == 1 and "has prefix /24, not /32" in answer.reason
    assert wire.vip("monitor").code == 0  # a probe says only that it is here
    wire.started()
    assert wire.monitor().code == 0


def test_finding_wrong_interface(wire):
    wire.started()
    ip("-n", wire.node, "addr", "del", f"{V4}/32", "dev", "eth0")
    ip("-n", wire.node, "addr", "add", f"{V4}/32", "dev", "lo")
    answer = wire.monitor()
    assert answer.code == 1 and "is on lo, not only on eth0" in answer.reason


def test_finding_link_down(wire):
    wire.started()
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    answer = wire.monitor()
    assert answer.code == 1 and "eth0 has no link" in answer.reason
    assert wire.monitor(check_link="false").code == 0
    ip("-n", wire.node, "link", "set", "eth0", "down")
    assert "eth0 is set down" in wire.monitor().reason
    answer = wire.vip("start", nic="eth0", cidr_netmask="24")
    assert answer.code == 1 and "eth0 is set down" in answer.reason


def test_start_without_link_leaves_nothing(wire):
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    answer = wire.vip("start")
    assert answer.code == 1 and "eth0 has no link" in answer.reason
    assert not wire.has()
    assert wire.vip("monitor").code == 7


def test_finding_interface_gone(wire):
    wire.started()
    ip("-n", wire.node, "link", "del", "eth0")
    answer = wire.monitor()
    assert (answer.code, answer.reason) == (7, f"interface eth0 is gone from this node, and with it {V4}")
    assert wire.vip("stop", nic="eth0").code == 0
    assert wire.vip("monitor", nic="eth0").code == 7


def test_finding_tentative_is_no_failure(wire):
    ip("-n", wire.node, "addr", "add", f"{V6}/64", "dev", "eth0")
    answer = wire.monitor(V6)
    assert answer.code == 190 and "is tentative" in answer.reason
    ip("-n", wire.node, "addr", "del", f"{V6}/64", "dev", "eth0")
    ip("-n", wire.node, "addr", "add", f"{V6}/64", "dev", "eth0")
    assert wire.monitor(V6, clone=True, role="Promoted").code == 8  # told by an attribute: decision 28


# -- duplicates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [V4, V6])
def test_a_rival_on_the_wire_is_named_and_waited_for(wire, address):
    """Another node would find the same one: a failed start would send what goes with the address round all of them."""
    ip(
        "-n",
        wire.lan,
        "addr",
        "add",
        f"{address}/{24 if address == V4 else 64}",
        "dev",
        "eth0",
        *(["nodad"] * (address == V6)),
    )
    answer = wire.vip("start", address)
    assert answer.code == 0 and not wire.has(address)
    assert f"{address} is in use on eth0 by {wire.mac(wire.lan)}: stop that host using it" in answer.err
    assert wire.vip("monitor", address).code == 7
    reason = f"{address} is in use by {wire.mac(wire.lan)}: taken once that host leaves it"
    for _ in range(2):
        answer = wire.monitor(address)
        assert (answer.code, answer.reason) == (190, reason)
    assert not wire.has(address)
    ip("-n", wire.lan, "addr", "del", f"{address}/{24 if address == V4 else 64}", "dev", "eth0")
    assert wire.monitor(address).code == 0 and wire.has(address)
    ip("-n", wire.node, "addr", "del", f"{address}/{32 if address == V4 else 64}", "dev", "eth0")
    assert wire.monitor(address).code == 7  # that one is gone: the next is another matter


def test_a_rival_is_forgotten_by_a_stop_and_overruled_where_nobody_asks(wire):
    ip("-n", wire.lan, "addr", "add", f"{V4}/24", "dev", "eth0")
    wire.started()
    assert wire.vip("stop").code == 0
    assert wire.monitor().code == 7
    wire.started(check_duplicate="false")
    assert wire.has()


def test_a_promoted_clone_waits_for_a_rival_to_leave(wire):
    ip("-n", wire.lan, "addr", "add", f"{V4}/24", "dev", "eth0")
    assert wire.vip("start", clone=True).code == 0
    assert wire.vip("promote", clone=True).code == 0
    assert wire.monitor(clone=True, role="Promoted").code == 8 and not wire.has()
    assert wire.vip("demote", clone=True).code == 0
    assert wire.monitor(clone=True, role="Unpromoted").code == 0 and not wire.has()
    assert wire.vip("promote", clone=True).code == 0
    ip("-n", wire.lan, "addr", "del", f"{V4}/24", "dev", "eth0")
    assert wire.monitor(clone=True, role="Promoted").code == 8 and wire.has()


def test_the_kernels_own_detection(wire):
    assert wire.vip("start", V6, nodad="false").code == 0
    assert "tentative" not in ip("-n", wire.node, "addr", "show", "to", V6)


def test_a_duplicate_found_by_the_kernel_undoes_start(wire):
    ip("-n", wire.lan, "addr", "add", f"{V6}/64", "dev", "eth0", "nodad")
    answer = wire.vip("start", V6, nodad="false", check_duplicate="false")
    assert answer.code == 0 and "DAD failed" in answer.err
    assert not wire.has(V6)
    parameters = {"nodad": "false", "check_duplicate": "false"}
    assert wire.monitor(V6, **parameters).code == 190 and not wire.has(V6)
    ip("-n", wire.lan, "addr", "del", f"{V6}/64", "dev", "eth0")
    assert wire.monitor(V6, **parameters).code == 0 and wire.has(V6)


def test_finding_duplicate_and_its_repair(wire):
    ip("-n", wire.lan, "addr", "add", f"{V6}/64", "dev", "eth0", "nodad")
    ip("-n", wire.node, "addr", "add", f"{V6}/64", "dev", "eth0")
    deadline = time.monotonic() + 5
    while "dadfailed" not in ip("-n", wire.node, "addr", "show", "to", V6):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    answer = wire.monitor(V6)
    assert answer.code == 1 and "another host has it" in answer.reason
    assert wire.vip("monitor", V6).code == 7
    ip("-n", wire.lan, "addr", "del", f"{V6}/64", "dev", "eth0")
    assert wire.vip("start", V6).code == 0
    assert wire.monitor(V6).code == 0


# -- other namespaces --------------------------------------------------------------------------------------------------


def test_network_namespace(wire):
    inside = {"inside": wire.other, "network_namespace": wire.node}
    assert wire.vip("start", **inside).code == 0
    assert ("eth0", f"{V4}/32") in wire.held()
    assert not any(V4 in entry for _, entry in wire.held(wire.other))
    assert wire.monitor(**inside).code == 0
    assert wire.monitor().code == 0  # seen from within
    assert wire.vip("stop", **inside).code == 0
    assert not wire.has()


def test_a_network_namespace_that_is_gone(wire):
    missing = {"network_namespace": "bs-no-such"}
    answer = wire.vip("start", **missing)
    assert answer.code == 2 and "no such namespace" in answer.reason
    assert wire.vip("monitor", **missing).code == 7
    assert wire.monitor(**missing).code == 7
    assert wire.vip("stop", **missing).code == 0


# -- promotable clone --------------------------------------------------------------------------------------------------


def test_life_of_a_promotable_clone(wire):
    def look(role):
        return wire.monitor(clone=True, role=role).code

    assert wire.vip("monitor", clone=True).code == 7
    assert wire.vip("start", clone=True).code == 0
    assert not wire.has()
    assert wire.vip("monitor", clone=True).code == 0
    assert look("Unpromoted") == 0
    assert wire.vip("promote", clone=True).code == 0
    assert ("eth0", f"{V4}/32") in wire.held()
    assert wire.vip("monitor", clone=True).code == 8
    assert look("Promoted") == 8
    assert wire.vip("promote", clone=True).code == 0
    assert wire.vip("demote", clone=True).code == 0
    assert not wire.has()
    assert look("Unpromoted") == 0
    assert wire.vip("demote", clone=True).code == 0
    assert wire.vip("stop", clone=True).code == 0
    assert wire.vip("monitor", clone=True).code == 7


def test_a_standby_checks_its_interface(wire):
    assert wire.vip("start", clone=True).code == 0
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    answer = wire.monitor(clone=True, role="Unpromoted")
    assert answer.code == 1 and "has no link" in answer.reason
    ip("-n", wire.node, "link", "del", "eth0")
    assert "is gone from this node" in wire.monitor(clone=True, role="Unpromoted").reason
    assert wire.vip("demote", clone=True).code == 0
    assert wire.vip("stop", clone=True).code == 0


def test_a_promoted_instance_that_lost_its_address_or_link(wire):
    assert wire.vip("start", clone=True).code == 0
    assert wire.vip("promote", clone=True).code == 0
    ip("-n", wire.lan, "link", "set", "eth0", "down")
    assert wire.monitor(clone=True, role="Promoted").code == 9
    ip("-n", wire.lan, "link", "set", "eth0", "up")
    ip("-n", wire.node, "addr", "del", f"{V4}/32", "dev", "eth0")
    answer = wire.monitor(clone=True, role="Promoted")
    assert answer.code == 9 and "is gone from eth0" in answer.reason


def test_start_of_a_standby_gives_the_address_up(wire):
    ip("-n", wire.node, "addr", "add", f"{V4}/24", "dev", "eth0")
    assert wire.vip("start", clone=True).code == 0
    assert not wire.has()
