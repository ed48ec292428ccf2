"""Connections to an address wait while it is on its way to another host: real kernels and TCP, three hosts on one bridge."""

import os
import signal
import subprocess
import sys

import pytest
from three_hosts import PORT, ThreeHosts, said
from two_hosts import V4, V6

from backstay.host.deadline import Deadline, poll
from backstay.services.mysql.daemon import BACKLOG

# Hundreds in one moment, each of which waits to be greeted, as MySQL's clients do: how many were.
CROWD = f"""
import select, socket, sys, time
waiting, poller = {{}}, select.epoll()
for _ in range(int(sys.argv[2])):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex((sys.argv[1], {PORT}))
    waiting[one.fileno()] = one
    poller.register(one, select.EPOLLIN)
end, greeted = time.monotonic() + float(sys.argv[3]), 0
while waiting and time.monotonic() < end:
    for descriptor, _ in poller.poll(0.5):
        one = waiting.pop(descriptor)
        try:
            greeted += one.recv(5) == b"hello"
        except OSError:
            pass
        poller.unregister(descriptor)
print(greeted, "greeted")
"""


@pytest.fixture
def wire(tmp_path):
    with ThreeHosts(tmp_path) as hosts:
        yield hosts


@pytest.mark.parametrize("address", [V4, V6])
def test_a_client_that_comes_between_two_holders_reaches_the_new_one(wire, address):
    wire.started(address)
    wire.leave(address)
    client = wire.client(address)
    wire.serve(wire.rival)
    wire.take_over(address)
    assert said(client) == "connected"
    wire.logged("1 attempts to connect held, 1 sent on")
    assert wire.first_was_enough()


@pytest.mark.parametrize("address", [V4, V6])
def test_a_client_that_comes_while_the_server_is_dead_and_the_address_here_reaches_the_new_holder(wire, address):
    wire.started(address)
    assert wire.hold(address=address)
    client = wire.client(address)
    wire.leave(address)
    wire.serve(wire.rival)
    wire.take_over(address)
    assert said(client) == "connected"
    wire.logged(f"{address} port {PORT}: 1 attempts to connect held, 1 sent on")
    assert wire.first_was_enough()


def test_a_crowd_that_waited_is_greeted_whole_by_a_new_holder_that_takes_nobody_for_a_while(wire):
    """As a server does on a busy machine. With the queue that MariaDB has by default a hundred and more hang: see BACKLOG."""
    wire.started()
    assert wire.hold()
    crowd = wire.python(wire.lan, CROWD, V4, "500", "40")
    poll(lambda: len(wire.sockets("syn-sent")) == 500, Deadline(20), "500 SYNs", 0.05)
    server = wire.serve(wire.rival, BACKLOG)
    wire.leave()
    server.send_signal(signal.SIGSTOP)
    try:
        wire.take_over()
        wire.logged(f"port {PORT}: 500 attempts to connect held, 500 sent on")
        poll(lambda: len(wire.sockets("established")) == 500, Deadline(20), "500 handshakes", 0.05)
    finally:
        server.send_signal(signal.SIGCONT)
    assert said(crowd) == "500"


def test_what_its_process_reads_late_is_kept(wire):
    """It gets no turn until the address has left, as on a busy machine."""
    wire.started(arp_count="1")
    assert wire.hold()
    [keeper] = wire.keepers()
    os.kill(keeper, signal.SIGSTOP)
    try:
        client = wire.client()
        wire.leave()
    finally:
        os.kill(keeper, signal.SIGCONT)
    wire.serve(wire.rival)
    wire.take_over()
    assert said(client) == "connected"
    wire.logged(f"port {PORT}: 1 attempts to connect held, 1 sent on")


@pytest.mark.parametrize("refuse_for", ["2s", "0"])
def test_nobody_waits_longer_than_the_bound(wire, refuse_for):
    wire.started()
    wire.leave(hold_for="3s", refuse_for=refuse_for)
    assert said(wire.client()) == "ConnectionRefusedError"
    wire.logged("1 refused when nobody had taken it within 3 s")
    poll(lambda: wire.keepers() == [], Deadline(10), "the keeper to end")


def test_a_spared_host_and_one_who_asked_for_refusal_are_refused_at_once(wire):
    wire.started()
    assert wire.hold("10.9.0.2", "fd09::2")
    assert said(wire.client()) == "ConnectionRefusedError"
    assert wire.hold(on_loss="refuse") is False


def test_nothing_is_held_where_the_address_is_not(wire):
    assert wire.hold() is False
    assert wire.keepers() == []


@pytest.mark.parametrize("killed", [False, True], ids=["in its time", "when its process is killed"])
def test_a_hold_ends_and_leaves_nothing(wire, killed):
    wire.started(arp_count="1")
    assert wire.hold(hold_for="700ms")
    if killed:
        for pid in wire.keepers():
            os.kill(pid, signal.SIGKILL)
    # TCP's next SYN meets the kernel, which refuses it.
    assert said(wire.client()) == "ConnectionRefusedError"
    poll(lambda: not wire.filtered(), Deadline(30), "no element")
    poll(lambda: wire.keepers() == [], Deadline(30), "nothing to be left")


def test_a_killed_keeper_after_the_release_costs_a_second_and_no_error(wire):
    wire.started(arp_count="1")
    wire.leave()
    client = wire.client()
    for pid in wire.keepers():
        os.kill(pid, signal.SIGKILL)
    wire.serve(wire.rival)
    wire.take_over()
    assert said(client) == "connected"


@pytest.mark.parametrize("killed", ["the server's", "the address's", "both", "the stop"])
def test_whichever_process_is_killed_in_a_hold_everybody_is_greeted_or_told(wire, killed):
    """Nobody hangs with a connection of which no host knows. Who is not sent on comes with TCP's next SYN."""
    wire.started(arp_count="1")
    assert wire.hold()
    crowd = wire.python(wire.lan, CROWD, V4, "50", "40")
    poll(lambda: len(wire.sockets("syn-sent")) == 50, Deadline(20), "50 SYNs", 0.05)
    if killed in ("the server's", "both"):
        kill(wire.keepers())
    before = wire.keepers()
    if killed == "the stop":
        with wire.begun("stop", on_loss="hold", hold_for="60s") as stop:
            poll(lambda: not wire.has(), Deadline(20), "the address to be gone", 0.0)
            stop.kill()
    wire.leave()  # as Pacemaker does after an action that ended badly
    if killed in ("the address's", "both"):
        kill(set(wire.keepers()) - set(before))
    wire.serve(wire.rival, BACKLOG)
    wire.take_over()
    assert said(crowd) == "50"
    assert wire.sockets("established") == []  # all that there were have ended with the crowd


def kill(pids):
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    poll(lambda: not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids), Deadline(20), "them to be gone", 0.02)


def test_who_waits_when_the_firewall_is_flushed_is_refused_as_without_a_hold(wire):
    wire.started(arp_count="1")
    assert wire.hold()
    client = wire.client()
    subprocess.run(["ip", "netns", "exec", wire.node, "nft", "flush", "ruleset"], check=True)
    assert said(client) == "ConnectionRefusedError"
    wire.leave()  # and the next one waits again
    client = wire.client()
    wire.serve(wire.rival)
    wire.take_over()
    assert said(client) == "connected"


def test_a_firewall_that_was_flushed_holds_again(wire):
    wire.started()
    assert wire.hold()
    subprocess.run(["ip", "netns", "exec", wire.node, "nft", "flush", "ruleset"], check=True)
    assert said(wire.client()) == "ConnectionRefusedError"
    assert wire.hold()
    assert wire.filtered()


def test_no_frame_is_sent_on_while_the_address_is_here(wire):
    """The rival claims what the node still has."""
    wire.started()
    assert wire.hold(hold_for="5s")
    client = wire.client()
    wire.take_over(check_duplicate="false")
    wire.logged(f"port {PORT}: 1 attempts to connect held, 0 sent on")
    client.kill()


def test_what_belongs_to_no_connection_any_more_is_reset_while_others_wait(wire):
    """A client whose handshake or request was half done would wait for an answer for ever."""
    talk = f"""
import socket, sys
one = socket.create_connection(("{V4}", {PORT}), timeout=20)
print(one.recv(5), flush=True)
sys.stdin.readline()
try:
    one.send(b"x")
    one.recv(1)
except OSError as error:
    print(type(error).__name__)
"""
    wire.started()
    wire.serve(wire.node)
    environ = {"PATH": os.environ["PATH"]}
    deaf = ["ip", "netns", "exec", wire.lan, "nft", "-f", "-"]
    rule = "table ip deaf { chain in { type filter hook input priority 0; tcp flags & rst == rst drop; }; }"
    with subprocess.Popen(
        ["ip", "netns", "exec", wire.lan, sys.executable, "-c", talk],
        env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as client:  # fmt: skip
        assert client.stdout.readline() == "b'hello'\n"
        subprocess.run(deaf, input=rule, text=True, check=True)
        wire.leave()
        subprocess.run(deaf, input="delete table ip deaf", text=True, check=True)
        waiting = wire.client()
        assert client.communicate("\n", timeout=20)[0] == "ConnectionResetError\n"
        assert waiting.poll() is None
