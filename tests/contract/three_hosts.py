"""Three hosts on one bridge, in network namespaces of their own: one that has the address, one that takes it over, a client."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

from two_hosts import V4, TwoHosts, ip

from backstay.host.deadline import Deadline, poll

LIBRARY = str(pathlib.Path(__file__).resolve().parents[2] / "lib")
PORT = 3306
CONNECT = f"""
import socket, sys
try:
    socket.create_connection((sys.argv[1], {PORT}), timeout=60)
    print("connected")
except OSError as error:
    print(type(error).__name__, error)
"""
# Greets, so that whoever is connected hears something.
SERVE = f"""
import socket, sys
family = socket.AF_INET6
server = socket.create_server(("::", {PORT}), family=family, dualstack_ipv6=True, backlog=int(sys.argv[1]))
print("serves", flush=True)
clients = []
while True:
    clients.append(server.accept()[0])
    clients[-1].send(b"hello")
"""
# As MySQL's watcher does at its server's death.
HOLD = """
import os, sys
from backstay.ocf.invocation import Invocation
from backstay.host.ip_address import parse_address
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql import holding
context = MysqlContext(Invocation("watch", os.environ))
print(holding.hold(context, [parse_address(one) for one in sys.argv[1:]]))
"""


class ThreeHosts(TwoHosts):
    """`lan` is the client, `rival` the host that takes the address over; `other` has the bridge."""

    def __init__(self, run_directory):
        super().__init__(run_directory)
        self.rival = f"bs{os.getpid()}rival"
        self.children = []
        self.log = f"{run_directory}/log"

    def __enter__(self):
        for name in (self.other, self.node, self.lan, self.rival):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.other, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        ip("-n", self.other, "link", "set", "br0", "up")
        for host, name in enumerate((self.node, self.lan, self.rival), 1):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"to{host}", "netns", self.other)
            ip("-n", self.other, "link", "set", f"to{host}", "master", "br0", "up")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "addr", "add", f"10.9.0.{host}/24", "dev", "eth0")
            ip("-n", name, "addr", "add", f"fd09::{host}/64", "dev", "eth0", "nodad")
        return self

    def __exit__(self, *error):
        super().__exit__(*error)
        for child in self.children:
            child.kill()
            child.communicate()
        for pid in ip("netns", "pids", self.rival, check=False).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        ip("netns", "del", self.rival, check=False)

    CONNECT = CONNECT

    def started(self, address=V4, **parameters):
        """With a client that knows its hardware address, as in a cluster that serves."""
        super().started(address, **parameters)
        assert said(self.python(self.lan, CONNECT, address)) == "ConnectionRefusedError"

    def python(self, namespace, program, *arguments, **environ):
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": LIBRARY, "HA_LOGFILE": self.log, **environ}
        child = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-c", program, *arguments],
            env=environ, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.children.append(child)
        return child

    def client(self, address=V4):
        """One that has sent its SYN."""
        child = self.python(self.lan, CONNECT, address)
        poll(lambda: child.poll() is not None or self.sockets("syn-sent"), Deadline(20), "a SYN", 0.02)
        return child

    def sockets(self, state):
        listing = ["ip", "netns", "exec", self.lan, "ss", "-Htn", "state", state]
        return subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]

    def serve(self, namespace, backlog=80):
        child = self.python(namespace, SERVE, str(backlog))
        assert child.stdout.readline() == "serves\n"
        return child

    def hold(self, *spared, address=V4, hold_for="60s", on_loss="hold"):
        """Whether it is held."""
        given = {"writer_address": address, "hold_for": hold_for, "on_loss": on_loss}
        environ = {f"OCF_RESKEY_{name}": value for name, value in given.items()}
        run = {"BACKSTAY_RUN": self.run_directory, "OCF_RESOURCE_INSTANCE": "db"}
        return self.python(self.node, HOLD, *spared, **environ, **run).communicate(timeout=20)[0] == "True\n"

    def leave(self, address=V4, **parameters):
        given = {"on_loss": "hold", "hold_for": "60s", "refuse_for": "1s", **parameters}
        assert self.vip("stop", address, **given).code == 0

    def take_over(self, address=V4, **parameters):
        answer = self.vip("start", address, inside=self.rival, arp_count="1", **parameters)
        assert answer.code == 0, answer.reason

    def first_was_enough(self):
        """Whether what was sent on reached the new holder whole, and no client's TCP had to send again what it had not lost."""
        shown = ["ip", "netns", "exec", self.rival, "nstat", "-asz", "TcpInCsumErrors"]
        return subprocess.run(shown, capture_output=True, text=True, check=True).stdout.split()[-2] == "0"

    def logged(self, *words):
        def found():
            text = pathlib.Path(self.log).read_text()
            return any(all(word in line for word in words) for line in text.splitlines())

        poll(found, Deadline(60), f"{words} in the log", 0.05)

    def filtered(self):
        """Whether the packet filter of the node holds anything."""
        done = subprocess.run(
            ["ip", "netns", "exec", self.node, "nft", "list", "table", "inet", "backstay"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        return "elements" in done.stdout

    def keepers(self):
        """Processes that keep SYNs on the node."""
        pids = ip("netns", "pids", self.node, check=False).split()
        return [int(pid) for pid in pids if "watch(" not in self.named(pid)]  # of the address

    def named(self, pid):
        with contextlib.suppress(OSError):
            return pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        return "watch("  # it has ended


def said(client):
    return client.communicate(timeout=60)[0].partition(" ")[0].strip()
