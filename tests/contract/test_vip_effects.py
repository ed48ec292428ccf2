"""What ocf:backstay:vip does to others: announcements, connections, neighbouring addresses."""

import os
import pathlib
import re
import subprocess
import sys
import time

import pytest
from two_hosts import AGENT, V4, V6, TwoHosts, ip


@pytest.fixture
def wire(tmp_path):
    with TwoHosts(tmp_path) as hosts:
        yield hosts


# -- announcements -----------------------------------------------------------------------------------------------------


def neighbour(wire, address):
    return ip("-n", wire.lan, "neigh", "show", address)


@pytest.mark.parametrize("address", [V4, V6])
def test_the_first_announcement_corrects_the_neighbours_before_start_returns(wire, address):
    # `permanent` would resist; a reachable entry of the old holder is what a failover leaves
    ip("-n", wire.lan, "neigh", "add", address, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")
    assert wire.vip("start", address, arp_count="1").code == 0
    assert wire.mac(wire.node) in neighbour(wire, address)


LISTENER = """
import socket, struct, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0806))
s.bind(("eth0", 0x0806))
s.settimeout(0.1)
want = socket.inet_aton(sys.argv[1])
print("ready", flush=True)
end, wanted = time.monotonic() + float(sys.argv[2]), int(sys.argv[3])
while time.monotonic() < end and wanted:
    try:
        frame = s.recv(2048)
    except socket.timeout:
        continue
    if frame[28:32] == want:
        print(time.monotonic(), struct.unpack("!H", frame[20:22])[0], flush=True)
        wanted -= 1
"""


def listening(wire, seconds, frames):
    """Prints when (CLOCK_MONOTONIC) and what it hears of the address, for so many seconds or frames."""
    child = subprocess.Popen(
        ["ip", "netns", "exec", wire.lan, sys.executable, "-c", LISTENER, V4, str(seconds), str(frames)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    return child


def test_the_other_announcements_follow_from_a_process_of_their_own(wire):
    listener = listening(wire, 20, 6)
    answer = wire.vip("start", arp_count="3", arp_interval="500ms")
    returned = time.monotonic()
    assert answer.code == 0
    heard = [line.split() for line in listener.communicate()[0].splitlines()]
    assert [operation for _, operation in heard] == ["1", "2"] * 3
    first, second, third = (float(at) for at, operation in heard if operation == "1")
    assert first < returned < third
    assert second - first > 0.3 and third - second > 0.7  # a busy machine is later, and hears the one before late


def announcers(wire):
    """Pids of processes of this agent in the node, with their open files."""
    found = {}
    for pid in ip("netns", "pids", wire.node).split():
        try:
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            files = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if AGENT.encode() in command:
            found[int(pid)] = files
    return found


def test_the_announcer_survives_its_group_holds_nothing_and_ends_with_the_address(wire):
    assert wire.vip("start", arp_count="4", arp_interval="500ms").code == 0
    ((pid, files),) = announcers(wire).items()
    assert os.getsid(pid) == pid == os.getpgid(pid)
    assert sorted(re.sub(r"\d+", "", name) for name in files) == ["/dev/null"] * 3 + ["socket:[]"] * len(files[3:])
    assert len(files) <= 5  # the wire and the look-up
    assert wire.vip("stop", refuse_for="0").code == 0  # else a refuser would be among the processes
    listener = listening(wire, 1, 1)
    deadline = time.monotonic() + 10
    while announcers(wire):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert listener.communicate()[0] == ""


# -- connections -------------------------------------------------------------------------------------------------------


SERVER = """
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
if family == socket.AF_INET6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind((sys.argv[1], 3306))
s.listen()
print("ready", flush=True)
kept = []
while True:
    c, _ = s.accept()
    kept.append(c)
    c.send(b"x")
"""

CLIENT = """
import socket, sys, time
s = socket.create_connection((sys.argv[1], 3306), timeout=float((sys.argv + ["5"])[2]))
assert s.recv(1) == b"x"
print("connected", flush=True)
try:
    s.recv(1)
    print("closed", time.time(), flush=True)
except OSError as error:
    print(type(error).__name__, time.time(), flush=True)
"""


def running(namespace, program, *arguments):
    child = subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    )
    return child, child.stdout.readline().strip()


@pytest.mark.parametrize(("address", "bound"), [(V4, "0.0.0.0"), (V4, "::"), (V6, "::"), (V4, V4)])
def test_stop_resets_connections_and_spares_listeners(wire, address, bound):
    wire.started(address)
    server, said = running(wire.node, SERVER, bound)
    assert said == "ready"
    clients = []
    try:
        client, said = running(wire.lan, CLIENT, address)
        clients.append(client)
        assert said == "connected"
        own = "10.9.0.1" if address == V4 else "fd09::1"
        if bound != V4:
            bystander, said = running(wire.lan, CLIENT, own)
            clients.append(bystander)
            assert said == "connected"
        begin = time.time()
        assert wire.vip("stop", address).code == 0
        end = time.time()
        kind, at = client.stdout.readline().split()
        assert kind == "ConnectionResetError"
        assert begin < float(at) < end + 4  # by itself it would have waited five seconds
        assert server.poll() is None
        assert all(other.poll() is None for other in clients[1:])
        assert (
            "3306"
            in subprocess.run(
                ["ip", "netns", "exec", wire.node, "ss", "-tlnH"], capture_output=True, text=True, check=True
            ).stdout
        )
    finally:
        for child in (server, *clients):
            child.kill()
            child.wait()


@pytest.mark.parametrize(("address", "prefix"), [(V4, "24"), (V6, "64")])
def test_the_nodes_own_connections_to_the_holder_before_end_when_it_takes_the_address(wire, address, prefix):
    """A client that waits for an answer hears nothing more: the holder is dead, and the address is here."""
    ip("-n", wire.lan, "addr", "add", f"{address}/{prefix}", "dev", "eth0", *(["nodad"] * (address == V6)))
    own = "10.9.0.2" if address == V4 else "fd09::2"
    server, said = running(wire.lan, SERVER, "0.0.0.0" if address == V4 else "::")
    assert said == "ready"
    client, said = running(wire.node, CLIENT, address, "30")
    bystander, and_said = running(wire.node, CLIENT, own, "30")
    local = []
    try:
        assert said == and_said == "connected"
        wire.started(address)
        assert not wire.has(address) and client.poll() is None  # its holder lives
        ip("-n", wire.lan, "addr", "del", f"{address}/{prefix}", "dev", "eth0")
        begin = time.time()
        wire.started(address)
        kind, at = client.stdout.readline().split()
        assert kind != "TimeoutError" and begin < float(at) < begin + 15, kind  # by itself it would wait longer
        assert bystander.poll() is None
        local = [running(wire.node, SERVER, address)[0], *(running(wire.node, CLIENT, address)[:1])]
        wire.started(address)
        assert local[1].poll() is None
    finally:
        for child in (server, client, bystander, *local):
            child.kill()
            child.wait()


# -- neighbours of the address -----------------------------------------------------------------------------------------


def test_other_addresses_of_the_network_survive(wire):
    """The kernel removes the secondaries of a primary address with it."""
    setting = ["sysctl", "-nq", "net.ipv4.conf.eth0.promote_secondaries"]
    enter = ["ip", "netns", "exec", wire.node]
    subprocess.run([*enter, "sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=0"], check=True)
    subprocess.run([*enter, "sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=0"], check=True)
    wire.started("10.9.7.50", nic="eth0", cidr_netmask="24")
    ip("-n", wire.node, "addr", "add", "10.9.7.7/24", "dev", "eth0")
    assert wire.vip("stop", "10.9.7.50").code == 0
    assert ("eth0", "10.9.7.7/24") in wire.held() and not wire.has("10.9.7.50")
    assert subprocess.run([*enter, *setting], capture_output=True, text=True, check=True).stdout == "0\n"


# -- the node's own connections ----------------------------------------------------------------------------------------

ON_LINK, BY_GATEWAY, WITHOUT_GATEWAY, MULTICAST = "10.9.0.2", "192.0.2.1", "198.51.100.7", "239.1.1.1"


def sources(wire):
    """From which address the node's own connections leave, for each kind of destination."""
    shown = (ip("-n", wire.node, "route", "get", to) for to in (ON_LINK, BY_GATEWAY, WITHOUT_GATEWAY, MULTICAST))
    return [re.search(r" src (\S+)", text).group(1) for text in shown]


def routed(wire):
    ip("-n", wire.node, "route", "replace", "default", "via", ON_LINK)
    ip("-n", wire.node, "route", "replace", "198.51.100.0/24", "dev", "eth0")


@pytest.mark.parametrize("arp_ignore", ["0", "1", "2"])
@pytest.mark.parametrize("promote_secondaries", ["0", "1"])
def test_the_nodes_own_connections_never_leave_from_the_address(wire, promote_secondaries, arp_ignore):
    """The node's own address goes and comes back, as by DHCP or a restart of the network: the one that was there first is then
    the kernel's choice."""
    sysctls = [f"net.ipv4.conf.{where}.promote_secondaries={promote_secondaries}" for where in ("all", "eth0")]
    sysctl = ["sysctl", "-qw", *sysctls, f"net.ipv4.conf.eth0.arp_ignore={arp_ignore}"]
    subprocess.run(["ip", "netns", "exec", wire.node, *sysctl], check=True)
    wire.started()
    routed(wire)
    server, said = running(wire.node, SERVER, V4)
    assert said == "ready"
    client, said = running(wire.lan, CLIENT, V4)
    try:
        assert said == "connected"  # so the neighbours find it
        ip("-n", wire.node, "addr", "del", "10.9.0.1/24", "dev", "eth0")
        assert wire.has()
        ip("-n", wire.node, "addr", "add", "10.9.0.1/24", "dev", "eth0")
        routed(wire)
        assert sources(wire) == ["10.9.0.1"] * 4
        assert wire.monitor().code == 0
        assert client.poll() is None
    finally:
        for child in (server, client):
            child.kill()
            child.wait()


def test_an_address_that_was_put_first_is_put_behind_by_start(wire):
    subprocess.run(
        ["ip", "netns", "exec", wire.node, "sysctl", "-qw", "net.ipv4.conf.all.promote_secondaries=1"], check=True
    )
    wire.started(cidr_netmask="24")
    ip("-n", wire.node, "addr", "del", "10.9.0.1/24", "dev", "eth0")
    ip("-n", wire.node, "addr", "add", "10.9.0.1/24", "dev", "eth0")
    routed(wire)
    assert sources(wire) == [V4] * 4
    wire.started()
    routed(wire)
    assert sources(wire) == ["10.9.0.1"] * 4


def test_where_addresses_of_the_host_get_no_answer_it_is_one_of_the_network(wire):
    subprocess.run(["ip", "netns", "exec", wire.node, "sysctl", "-qw", "net.ipv4.conf.eth0.arp_ignore=3"], check=True)
    wire.started()
    server, said = running(wire.node, SERVER, V4)
    client, said = running(wire.lan, CLIENT, V4)
    for child in (server, client):
        child.kill()
        child.wait()
    assert said == "connected"


# -- the moment between two holders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [V4, V6])
def test_a_client_is_refused_at_once_while_nobody_holds_the_address(wire, address):
    """Ignored, it would wait a second for TCP's first retransmission."""
    wire.started(address)
    connect = ["ip", "netns", "exec", wire.lan, sys.executable, "-c", CONNECT, address]
    assert (
        "refused" in subprocess.run(connect, capture_output=True, text=True, check=True).stdout
    )  # it is here, no server
    assert wire.vip("stop", address).code == 0
    said = subprocess.run(connect, capture_output=True, text=True, check=True).stdout
    assert said.startswith("refused") and float(said.split()[1]) < 0.9, said  # that is a second after the first


def test_refusing_ends_when_the_address_comes_back(wire):
    wire.started()
    assert wire.vip("stop").code == 0
    wire.started()
    server = [
        sys.executable,
        "-c",
        "import socket; s = socket.create_server(('', 33333)); print(1, flush=True); s.accept()",
    ]
    with subprocess.Popen(["ip", "netns", "exec", wire.node, *server], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "1\n"
        connect = ["ip", "netns", "exec", wire.lan, sys.executable, "-c", CONNECT, V4]
        assert "connected" in subprocess.run(connect, capture_output=True, text=True, check=True).stdout


CONNECT = """
import socket, sys, time
begin = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 33333), timeout=3)
    print("connected", time.monotonic() - begin)
except ConnectionRefusedError:
    print("refused", time.monotonic() - begin)
except OSError as error:
    print(error, time.monotonic() - begin)
"""
