"""An address that serves clients on one node only: another host that holds it resets whatever comes, whoever listens there."""

import os
import subprocess
import sys

import pytest
from three_hosts import PORT, ThreeHosts, said
from two_hosts import V4, V6, ip

from backstay.agent import clients
from backstay.host.state_files import Files

# Hears nothing, and says nothing: how it ended.
LISTEN = f"""
import socket, sys
one = socket.create_connection((sys.argv[1], {PORT}), timeout=60)
print(one.recv(5), *one.getsockname()[:2], flush=True)
try:
    one.recv(1)
except OSError as error:
    print(type(error).__name__)
"""
TALK = f"""
import socket, sys
one = socket.create_connection((sys.argv[1], {PORT}), timeout=60)
print(one.recv(5), flush=True)
sys.stdin.readline()
try:
    one.send(b"x")
    one.recv(1)
except OSError as error:
    print(type(error).__name__)
"""


@pytest.fixture
def wire(tmp_path):
    with ThreeHosts(tmp_path) as hosts:
        yield hosts


def closed(wire, host):
    """Addresses that the packet filter of a host closes."""
    shown = ["ip", "netns", "exec", host, "nft", "list", "ruleset"]
    return "elements" in subprocess.run(shown, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("address", [V4, V6])
def test_a_client_of_a_host_that_lost_its_power_is_reset_and_not_served_elsewhere(wire, address):
    wire.started(address, home="n1")
    wire.serve(wire.node)
    wire.serve(wire.rival)
    with subprocess.Popen(
        ["ip", "netns", "exec", wire.lan, sys.executable, "-c", TALK, address],
        env={"PATH": os.environ["PATH"]}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert client.stdout.readline() == "b'hello'\n"
        ip("-n", wire.node, "link", "set", "eth0", "down")
        wire.take_over(address, home="n2")  # it calls itself n1
        assert client.communicate("\n", timeout=60)[0] == "ConnectionResetError\n"
    assert said(wire.python(wire.lan, wire.CONNECT, address)) == "ConnectionRefusedError"
    assert wire.vip("stop", address, inside=wire.rival, home="n2").code == 0
    assert not closed(wire, wire.rival)


@pytest.mark.parametrize("address", [V4, V6])
def test_a_client_that_only_listens_is_told_by_who_knows_of_it(wire, address, tmp_path):
    """And not by its own TCP, which would never send."""
    wire.started(address, home="n1")
    wire.serve(wire.node)
    client = wire.python(wire.lan, LISTEN, address)
    _, host, port = client.stdout.readline().split()
    shown = (f"[{host}]", f"[{address}]") if address == V6 else (host, address)
    gone = f"{shown[0]}:9 -> {shown[1]}:{PORT}"  # one that ended since
    (tmp_path / "broker").mkdir()
    clients.note(Files(str(tmp_path / "broker")), {"rabbit@n1": [gone, f"{shown[0]}:{port} -> {shown[1]}:{PORT}"]})
    ip("-n", wire.node, "link", "set", "eth0", "down")
    wire.take_over(address, home="n2", clients_of="broker")
    assert client.communicate(timeout=60)[0] == "ConnectionResetError\n"
    wire.logged("2 clients of n2 are told that it is lost")


def test_at_home_clients_are_served_whatever_was_before(wire):
    """The host has stood in for the node that it is called now."""
    wire.serve(wire.node)
    assert wire.vip("start", home="n2").code == 0
    assert closed(wire, wire.node)
    assert said(wire.python(wire.lan, wire.CONNECT, V4)) == "ConnectionRefusedError"
    assert wire.vip("start", home="n1").code == 0
    assert not closed(wire, wire.node)
    assert said(wire.python(wire.lan, wire.CONNECT, V4)) == "connected"


def test_where_the_packet_filter_refuses_the_address_is_taken_and_serves(wire):
    """Its clients learn of the loss all the same."""
    wire.serve(wire.node)
    unfit = "table inet backstay { set closed4 { type inet_service; }; }"
    subprocess.run(["ip", "netns", "exec", wire.node, "nft", "-f", "-"], input=unfit, text=True, check=True)
    answer = wire.vip("start", home="n2")
    assert answer.code == 0, answer.reason
    wire.logged("may be served here until n2 is back")
    assert said(wire.python(wire.lan, wire.CONNECT, V4)) == "connected"
    assert wire.vip("stop", home="n2").code == 0
