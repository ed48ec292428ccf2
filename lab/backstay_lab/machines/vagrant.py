"""`Vagrant`: a lab whose nodes are machines that Vagrant makes from the checkout's Vagrantfile, with the provider lxc.

The same handle as `cluster.Lab`. The nodes are as an admin's: systemd starts the cluster, vagrant/provision.sh and `make
install` have set it up, and all that is done in them is done over ssh. What differs from a machine in a rack is the
cord: LXC kills the container.
"""

import json
import os
from contextlib import contextmanager

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.machines import box, configuration, enter, launch
from backstay_lab.machines.cluster import Lab
from backstay_lab.machines.containers import OWN_PROC, container
from backstay_lab.machines.layout import CONNECTION, LabError, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

TOOLS = {"vagrant": "vagrant vagrant-lxc", "lxc-start": "lxc", "ssh": "openssh-client", "rsync": "rsync"}
UP_TIMEOUT = 600.0  # seconds for all machines to be made and provisioned; about 20 each
LIBRARY, LAB = (
    "/usr/lib/ocf/lib",
    "/usr/lib/backstay-lab",
)  # of the nodes, where `make install` and `make install-lab` put them
ASK_TIMEOUT = 60.0  # seconds for what is asked of a node over ssh, which takes 30 ms, or as long as it is told to wait
CONNECTION_LOST = 255  # exit status of ssh, when it is not the command's own
PACEMAKER_TIMEOUT = 60.0  # seconds from the end of provisioning until the CIB takes changes
SERVED = ("none", "mysql")
CONNECTION_NAME = 90  # bytes: a socket's name holds 107, and ssh appends 17 to the name of the one that it makes


class Vagrant(Lab):
    """Its directory holds the containers too. One that is up needs no `vagrant` command, and `down` destroys all."""

    driver = "vagrant"
    over_ssh = True

    @contextmanager
    def _boot(self, plan: "dict[str, object]", say: "Callable[[str], None]") -> "Iterator[None]":
        self._check(plan)
        nodes = int(str(plan["nodes"]))
        path = box.ensure(say)
        with launch.supervisor(
            self.layout, plan, say, "backstay_lab.machines.containers", lambda: self._make(path, nodes, say)
        ):
            self._arm(str(plan["fence_action"]))
            say("fencing is configured")
            yield

    def down(self) -> None:
        """End the machines and delete the directory's contents."""
        if self.layout.supervisor is not None:
            for node in self.nodes:
                self.power_off(node)  # killed with the supervisor they would leave their control groups
        super().down()

    def upgrade(self, node: str, back: bool = False) -> None:
        """What the checkout was when the machines were made: Vagrant copies it once. Raises LabError for `back`."""
        if back:
            raise LabError("these machines have one version of the agents")
        self.run(node, ["make", "--silent", "-C", "/vagrant", "install"], timeout=120)

    @property
    def templates(self) -> str:
        return ""

    def disk(self, node: str, path: str) -> str:
        return self.layout.path("lxc", container(node), "rootfs", path)

    def fault(self, kind: str, node: str, service: str) -> int:
        """As a lab's, but for service `node`: who is stopped cannot stop the rest."""
        if service == "node":
            raise LabError("the nodes are reached over ssh, which would hang with the rest of the node")
        return super().fault(kind, node, service)

    def observer(self, node: str, module: str, arguments: "Sequence[str]") -> "list[str]":
        """In the node, where init is process 1: it ends with the node, and stands still with it."""
        return enter.argv_for(self.layout, node, self._python(module, "1", *arguments))

    def _ask_node(self, node: str, function: str, *arguments: "Any") -> "Any":
        """By the same module, run in the node. Raises AgentError besides when the connection is lost meanwhile."""
        asked = self._python("backstay_lab.machines.faults", function, json.dumps(arguments))
        done = self.run(node, asked, ASK_TIMEOUT, check=False)
        if done.status == CONNECTION_LOST:
            raise AgentError(f"the connection to {node} is lost: {done.err.strip()}")
        if done.status != 0:
            raise LabError(done.err.strip() or f"{function} failed on {node} with status {done.status}")
        return json.loads(done.out)

    def _python(self, module: str, *arguments: str) -> "list[str]":
        """One of our modules, as the node has it installed."""
        return ["env", f"PYTHONPATH={LAB}:{LIBRARY}", "python3", "-m", module, *arguments]

    # How it comes up.

    def _check(self, plan: "dict[str, object]") -> None:
        missing = [packages for tool, packages in TOOLS.items() if not command.available(tool)]
        if missing:
            raise LabError(f"Vagrant's nodes need more tools here: apt-get install {' '.join(missing)}")
        if not os.path.exists(os.path.join(_checkout(), "Vagrantfile")):
            raise LabError("Vagrant's nodes are provisioned from a checkout, and this is none")
        if plan["image"] != "bookworm" or plan["token"] != 1000:
            raise LabError("Vagrant's nodes are of Debian bookworm, and Corosync's token is 1000 ms")
        if plan["topology"] not in SERVED:
            raise LabError(f"the box of Vagrant's nodes holds MySQL alone: topologies {', '.join(SERVED)}")
        if plan["revision"]:
            raise LabError("Vagrant's machines begin with the agents of this checkout: leave --revision out")
        if plan["volume"]:
            raise LabError("Vagrant's machines get no volumes: leave --volume out")
        directory = self.layout.directory
        if len(self.layout.node("n16", CONNECTION)) > CONNECTION_NAME or len(directory.split()) > 1:
            raise LabError(f"{directory} has a blank or is too long for a socket's name; give another --dir")

    def _make(self, path: str, nodes: int, say: "Callable[[str], None]") -> None:
        """`vagrant up`, in the supervisor's namespaces."""
        os.makedirs(self.layout.path("vagrant", "home"))
        say("vagrant up")
        self._vagrant(nodes, "box", "add", "--name", box.NAME, "--provider", "lxc", path)
        self._vagrant(nodes, "up", "--provider", "lxc")
        write(self.layout.path("vagrant", "ssh_config"), self._vagrant(nodes, "ssh-config"), mode=0o600)

    def _vagrant(self, nodes: int, *arguments: str) -> str:
        """Run a command of Vagrant's and return what it prints. Raises CommandFailed; all of it is in vagrant/log."""
        supervisor = self.layout.supervisor
        if supervisor is None:
            raise LabError("the lab's supervisor is gone; its supervisor.log says why")
        enter = ["nsenter", "-t", str(supervisor), "-m", "-n", "-i", "-p", "setpriv", "--pdeathsig", "KILL", *OWN_PROC]
        home = self.layout.path("vagrant")
        settings = {
            "HOME": home,
            "VAGRANT_HOME": os.path.join(home, "home"),
            "VAGRANT_DOTFILE_PATH": os.path.join(home, "state"),
            "VAGRANT_CWD": _checkout(),
            "VAGRANT_CHECKPOINT_DISABLE": "1",
            "VAGRANT_BOX_UPDATE_CHECK_DISABLE": "1",
            "BACKSTAY_BOX": box.NAME,
            "BACKSTAY_NODES": str(nodes),
            "BACKSTAY_NETWORK": "10.77.0",
            "BACKSTAY_BRIDGE": "lab",
            "BACKSTAY_POWER": self.layout.path("control"),
        }
        done = command.run([*enter, "vagrant", *arguments], UP_TIMEOUT, check=False, env=settings)
        with open(os.path.join(home, "log"), "a", encoding="utf-8") as log:
            log.write(f"# vagrant {' '.join(arguments)}\n{done.out}{done.err}")
        if done.status != 0:
            last = "; ".join((done.err.strip() or done.out.strip()).splitlines()[-5:])
            raise LabError(f"vagrant {arguments[0]} failed: {last}")
        return done.out

    def _arm(self, fence_action: str) -> None:
        """Give the cluster its fence device: from now on it is a lab."""
        agent = "backstay_lab/machines/fence_backstay_lab"
        for node in self.nodes:
            self.run(node, ["ln", "-sf", f"{LAB}/{agent}", "/usr/sbin/"])
        first = self.nodes[0]
        sections = {"crm_config": configuration.options(fence_action), "resources": configuration.fencing(self.nodes)}
        for section, text in sections.items():
            asked = ["cibadmin", "--modify", "--allow-create", "--scope", section, "--xml-pipe"]

            def taken(asked: "list[str]" = asked, text: str = text) -> bool:
                return self.run(first, asked, input=text, check=False).status == 0

            poll(taken, Deadline(PACEMAKER_TIMEOUT), f"the cluster on {first} to take its {section}", interval=0.5)


def _checkout() -> str:
    return os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
