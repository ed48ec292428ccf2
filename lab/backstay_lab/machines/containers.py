"""The supervisor of a lab whose nodes are containers that Vagrant made; its client is a lab's own.

It is started as supervisor.py is, and as there everything of the lab is in its namespaces: the bridge, LXC's directory, the
containers. Nodes are entered over ssh (enter.py), by a connection that is kept here. They reach the fence agent's socket by
a bind mount, which is the power management network: it works during partitions.

    python3 -m backstay_lab.machines.containers DIR FD
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay_lab.machines import network
from backstay_lab.machines.layout import CLIENT, CONNECTION, LabError, Layout
from backstay_lab.machines.supervisor import POWER_TIMEOUT, Machine, Supervisor, main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HOST = "10.77.0.1"  # this host's own address on the bridge, for ssh
LXC_TIMEOUT = 20.0  # seconds for a container to be started or killed, which take less than one
RETRY = 0.2  # seconds between attempts to connect
# LXC's directory and locks are the lab's, its defaults name no bridge of the host's, and /sys is that of our network
# namespace: LXC looks the bridge up there.
PREPARE = """
mkdir -p lxc /run/lxc
echo 'lxc.net.0.type = empty' > lxc.conf
mount --bind lxc /var/lib/lxc
mount --bind lxc.conf /etc/lxc/default.conf
mount -t tmpfs lxc /run/lxc
mount --rbind /sys/fs/cgroup /mnt
mount -t sysfs sysfs /sys
mount --rbind /mnt /sys/fs/cgroup
umount --lazy /mnt
"""
# LXC and Vagrant want a /proc of our PID namespace; the supervisor itself knows processes as the host does.
OWN_PROC = ["unshare", "--mount", "sh", "-euc", 'mount -t proc proc /proc; exec "$@"', "sh"]


def container(node: str) -> str:
    """The container of a node, as the Vagrantfile names it."""
    return f"backstay-{node}"


class Containers(Supervisor):
    """Vagrant has made the containers before the first `power_on`."""

    def __init__(self, layout: Layout, plan: "dict[str, Any]", host_pid: int) -> None:
        super().__init__(layout, plan, host_pid)
        self.connecting: set[str] = set()  # nodes that a thread keeps a connection to

    def create(self) -> None:
        super().create()
        command.run(["ip", "address", "add", f"{HOST}/24", "dev", network.BRIDGE], LXC_TIMEOUT)
        command.run(["sh", "-euc", PREPARE], LXC_TIMEOUT)

    def power_on(self, node: str, patience: int = 0) -> None:
        """Returns when commands can run in the node."""
        super().power_on(node, patience)
        if node != CLIENT:
            control = self.layout.node(node, CONNECTION)
            poll(lambda: os.path.exists(control), Deadline(POWER_TIMEOUT), f"sshd on {node}")

    def _is_on(self, machine: Machine) -> bool:
        if machine.name == CLIENT:
            return super()._is_on(machine)
        if not os.path.exists(self.layout.path("lxc", container(machine.name), "config")):
            return False  # Vagrant has not made it yet
        return self._lxc(machine, "info", "--state", "--no-humanize").out.strip() == "RUNNING"

    def _boot(self, machine: Machine, patience: int) -> None:
        if machine.name == CLIENT:
            super()._boot(machine, patience)
            return
        if not self._is_on(machine):
            # A container that lost its power leaves connections that keep its network namespace, and so the old cable.
            command.run(["ip", "link", "delete", network.port(machine.name)], LXC_TIMEOUT, check=False)
            self._lxc(machine, "start", "--daemon")
        if machine.name not in self.connecting:
            self.connecting.add(machine.name)
            threading.Thread(target=self._keep_connection, args=(machine,), daemon=True).start()

    def _kill(self, machine: Machine) -> None:
        if machine.name == CLIENT:
            raise LabError("the client of Vagrant's nodes stays on")
        machine.restart = None
        if not self._is_on(machine):
            return
        network.unplug(machine.name)  # first, as the base class says why
        self._lxc(machine, "stop", "--kill")
        self._disconnect(machine)

    def _lxc(self, machine: Machine, verb: str, *options: str) -> command.Finished:
        return command.run([*OWN_PROC, f"lxc-{verb}", "--name", container(machine.name), *options], LXC_TIMEOUT)

    # The connection.

    def _disconnect(self, machine: Machine) -> None:
        shell = machine.shell
        if shell is not None:
            with suppress(ProcessLookupError):
                os.kill(shell, signal.SIGKILL)
        with suppress(FileNotFoundError):
            os.unlink(self.layout.node(machine.name, CONNECTION))

    def _keep_connection(self, machine: Machine) -> None:
        """Runs in a thread per node: connects, and again whenever the connection is lost."""
        control = self.layout.node(machine.name, CONNECTION)
        options = ["ControlMaster=yes", "ServerAliveInterval=2", "ServerAliveCountMax=3", "ConnectTimeout=2"]
        ssh = ["ssh", "-F", self.layout.path("vagrant", "ssh_config"), "-N", "-S", control]
        ssh += [word for option in options for word in ("-o", option)]
        while True:
            machine.shell = command.spawn([*ssh, machine.name], log=self.layout.node(machine.name, "ssh.log"))
            os.waitpid(machine.shell, 0)
            machine.shell = None
            with suppress(FileNotFoundError):
                os.unlink(control)
            time.sleep(RETRY)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Containers)
