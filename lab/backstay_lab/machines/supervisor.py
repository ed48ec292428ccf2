"""The process that a lab hangs from: it owns the bridge, turns nodes on and off, and answers the control socket.

It is the first process of its own PID namespace, so the kernel takes the whole lab down with it. It is started by
`launch.py` as `python3 -m backstay_lab.machines.supervisor DIR FD`, where FD is a pipe from `up`: until a byte comes through
it, its closing means that `up` is gone, and the supervisor ends with it.
"""

import json
import os
import signal
import socketserver
import sys
import threading
from collections import Counter

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import network, volume
from backstay_lab.machines.layout import LabError, Layout, living, started, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

POWER_TIMEOUT = 20.0  # seconds for a node to be set up, or for its processes to die


class Machine:
    """One machine. `plugged` is the cord; `shell` the pid of the `unshare` that waits for the node's init."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.plugged = False
        self.shell: Optional[int] = None
        self.dead = threading.Event()  # set when everything of the last power-on is gone
        self.restart: Optional[threading.Timer] = None  # a reset waits for the machine's firmware
        self.lock = threading.Lock()  # held while power changes


class Supervisor:
    """The lab's state. Every public method is one request and may run in a thread of its own."""

    def __init__(self, layout: Layout, plan: "dict[str, Any]", host_pid: int) -> None:
        self.layout = layout
        self.image: str = plan["image"]
        self.boot_delay: float = plan["boot_delay"]
        self.host_pid = host_pid
        self.machines = {name: Machine(name, address) for name, address in plan["nodes"].items()}
        self.impairments: Counter[tuple[str, str, str, int]] = Counter()

    def machine(self, node: str) -> Machine:
        if node not in self.machines:
            raise LabError(f"the lab has no node {node}; it has {', '.join(self.machines)}")
        return self.machines[node]

    def create(self) -> None:
        """What is there before any machine is on."""
        network.create()

    # The cord, as `backstay lab power-on` and `power-off` pull it.

    def power_on(self, node: str, patience: int = 0) -> None:
        """Plug the cord in and turn the node on."""
        machine = self.machine(node)
        with machine.lock:
            machine.plugged = True
            self._boot(machine, patience)

    def power_off(self, node: str) -> None:
        """Pull the cord. Returns when every process of the node is dead."""
        machine = self.machine(node)
        with machine.lock:
            machine.plugged = False
            self._kill(machine)

    # The management network, as the fence agent uses it. It cannot plug a cord in.

    def off(self, node: str) -> None:
        machine = self.machine(node)
        with machine.lock:
            self._kill(machine)

    def on(self, node: str) -> None:
        machine = self.machine(node)
        with machine.lock:
            if not machine.plugged:
                raise LabError(f"the power cord of {node} is pulled")
            self._boot(machine, 0)

    def reset(self, node: str) -> None:
        """Kill the node, and turn it on again `boot_delay` seconds later unless its cord is pulled."""
        machine = self.machine(node)
        with machine.lock:
            self._kill(machine)
            self._boot_later(machine)

    def status(self) -> "dict[str, Any]":
        nodes = {
            name: {"address": machine.address, "plugged": machine.plugged, "power": self._is_on(machine)}
            for name, machine in self.machines.items()
        }
        cuts = sorted((sender, receiver) for kind, sender, receiver, _ in self.impairments if kind == "cut")
        return {"nodes": nodes, "cuts": cuts}

    # The network.

    def impair(self, kind: str, pairs: "list[list[str]]", number: int = 0) -> None:
        """From the first to the second node of every pair: cut, ports (of TCP, `number`) or lossy (`number` of a hundred)."""
        self._impair(self.impairments + Counter(self._named(kind, pairs, number)))

    def repair(self, kind: str, pairs: "list[list[str]]", number: int = 0) -> None:
        """Undo one such `impair`; what another one wants as well stays."""
        self._impair(self.impairments - Counter(self._named(kind, pairs, number)))

    def slow(self, node: str) -> None:
        network.slow(self.machine(node).name)

    def hasten(self, node: str) -> None:
        network.hasten(self.machine(node).name)

    def heal(self) -> None:
        self._impair(Counter())
        for node in self.machines:
            network.hasten(node)

    def _named(self, kind: str, pairs: "list[list[str]]", number: int) -> "list[tuple[str, str, str, int]]":
        if kind not in network.KINDS or (kind == "lossy" and number not in (0, *network.LOSSES)):
            raise LabError(f"no impairment {kind} {number}; lossy takes {', '.join(map(str, network.LOSSES))}")
        return [(kind, self.machine(sender).name, self.machine(receiver).name, number) for sender, receiver in pairs]

    def _impair(self, wanted: "Counter[tuple[str, str, str, int]]") -> None:
        network.impair(wanted)
        self.impairments = wanted

    # How power works.

    def _is_on(self, machine: Machine) -> bool:
        return machine.shell is not None

    def _boot(self, machine: Machine, patience: int) -> None:
        if self._is_on(machine):
            return
        home = self.layout.node(machine.name)
        record = os.path.join(home, "init")
        write(record, "")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "boot.sh")
        namespaces = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
        addresses = [network.mac(machine.name), machine.address, network.address6(machine.name)]
        machine.shell = command.spawn(
            [*namespaces, "sh", "-eu", script, machine.name, str(self.host_pid), self.image, *addresses, str(patience)],
            log=os.path.join(home, "console.log"),
            cwd=home,
            umask=0o022,
        )
        machine.dead = threading.Event()
        threading.Thread(target=self._wait_for_end, args=(machine, machine.shell, machine.dead), daemon=True).start()

        def settled() -> bool:
            return living(record) is not None or machine.dead.is_set()

        poll(settled, Deadline(POWER_TIMEOUT), f"{machine.name} to be set up", interval=0.01)
        if machine.dead.is_set():
            with open(os.path.join(home, "console.log"), encoding="utf-8", errors="replace") as console:
                last = "; ".join(line.strip() for line in console.read().splitlines()[-3:])
            raise LabError(f"{machine.name} did not come up; its console.log ends: {last}")

    def _wait_for_end(self, machine: Machine, shell: int, dead: threading.Event) -> None:
        """Runs in a thread per power-on: notes the end of the node, and restarts it if it asked for a reboot."""
        _, status = os.waitpid(shell, 0)
        network.unplug(machine.name)
        machine.shell = None
        dead.set()
        # reboot(2) ends a PID namespace's init with SIGHUP, power-off and halt with SIGINT; so a Pacemaker that
        # panics, or an admin's `reboot -f`, restarts the node as it would a machine.
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP:
            with machine.lock:
                self._boot_later(machine)

    def _boot_later(self, machine: Machine) -> None:
        def boot() -> None:
            with machine.lock:
                if machine.plugged and machine.restart is timer:
                    self._boot(machine, 0)

        timer = machine.restart = threading.Timer(self.boot_delay, boot)
        timer.daemon = True
        timer.start()

    def _kill(self, machine: Machine) -> None:
        """End a node as its power does. First the cable: the kernel closes a dead process's connections with a
        goodbye, which a machine without power does not send."""
        machine.restart = None  # whoever wants it on again says so after this
        init = living(self.layout.node(machine.name, "init"))
        if not self._is_on(machine) or init is None:
            return
        network.unplug(machine.name)
        volume.thaw(self.layout, machine.name)  # a machine without power waits for no disk
        os.kill(self._as_we_see(init), signal.SIGKILL)
        if not machine.dead.wait(POWER_TIMEOUT):
            raise LabError(f"{machine.name} was killed, but a process in it did not die within {POWER_TIMEOUT:.0f} s")

    def _as_we_see(self, host_pid: int) -> int:
        """The pid, in this PID namespace, of a node's init that the host knows as `host_pid`."""
        with open(f"/proc/{host_pid}/status", encoding="utf-8") as status:
            pids = next(line for line in status if line.startswith("NSpid:")).split()[1:]
        return int(pids[-2])  # from outer to inner: the last is its own view, 1; the one before is its parent's, ours


class _Handler(socketserver.StreamRequestHandler):
    timeout = 10  # seconds for the request to arrive

    def handle(self) -> None:
        supervisor: Supervisor = self.server.supervisor  # type: ignore[attr-defined]
        requests: dict[str, Callable[..., Optional[dict[str, Any]]]] = {
            "power-on": supervisor.power_on,
            "power-off": supervisor.power_off,
            "on": supervisor.on,
            "off": supervisor.off,
            "reset": supervisor.reset,
            "status": supervisor.status,
            "impair": supervisor.impair,
            "repair": supervisor.repair,
            "slow": supervisor.slow,
            "hasten": supervisor.hasten,
            "heal": supervisor.heal,
        }
        try:
            details = json.loads(self.rfile.readline())
            reply = requests[details.pop("do")](**details) or {}
        except Exception as failed:  # noqa: BLE001 - whatever went wrong is the answer, and the lab lives on
            reply = {"error": str(failed) or repr(failed)}
            print(f"{self.client_address}: {failed!r}", file=sys.stderr, flush=True)
        self.wfile.write(json.dumps(reply).encode() + b"\n")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def main(directory: str, lifeline: int, kind: "type[Supervisor]" = Supervisor) -> None:
    layout = Layout(directory)
    os.umask(0o022)
    os.chdir(directory)  # sockets are named relative to it: their names hold 107 bytes
    host_pid = int(os.readlink("/proc/self"))  # this is still the host's /proc
    with open("lab.json", encoding="utf-8") as source:
        supervisor = kind(layout, json.load(source), host_pid)
    write(layout.path("supervisor"), f"{host_pid} {started(host_pid)}")
    supervisor.create()
    server = _Server("control", _Handler)
    server.supervisor = supervisor  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if os.read(lifeline, 1) == b"":
        sys.exit("`up` ended before the lab was ready, so the lab ends too")
    threading.Event().wait()  # for ever: `down` kills this process


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
