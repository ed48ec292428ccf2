"""`Lab`: the handle that tests, demos and the command line use."""

from __future__ import annotations

import json
import os
import sys
from typing import NamedTuple

from backstay.cluster import xml
from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError
from backstay_lab.machines import enter, faults, launch, release
from backstay_lab.machines.control import request
from backstay_lab.machines.layout import CLIENT, LabError, Layout, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any

    from lxml.etree import _Element

    from backstay.cluster.model import Cluster

ONLINE_TIMEOUT = 90.0  # seconds for the nodes to form a cluster; about 6 on an idle machine with two cores
CRM_MON_TIMEOUT = 5.0  # seconds; it takes 0.05, unless the node hangs


def _silent(line: str) -> None:
    """For callers that want no progress."""


def _nothing(lab: Lab) -> None:
    """Fencing alone."""


class Topology(NamedTuple):
    """What a lab is to serve. deploy: gets a lab whose cluster has quorum and fencing, and returns when it serves; it raises
    AgentError. daemons: name -> what faults can hit besides the cluster's own daemons. image: what it needs beyond a suite's
    image, as the part behind the dash of an image's name has it; "" for nothing."""

    name: str
    deploy: Callable[[Lab], None]
    daemons: Mapping[str, faults.Daemon] = {}
    image: str = ""

    def image_of(self, suite: str) -> str:
        """The name of the image that it is served from."""
        return f"{suite}-{self.image}" if self.image else suite


NONE = Topology("none", _nothing)


class Lab:
    """One lab. Make it with `Lab.up` or `Lab.attach`; nodes are named n1, n2, … and `client`.

    Its nodes are namespaces; `vagrant.Vagrant` is the same over Vagrant's machines.
    """

    driver = "namespaces"
    over_ssh = False  # whether ssh is the only way to a node's processes, and its disk is as its maker made it

    def __init__(self, directory: str) -> None:
        self.layout = Layout(directory)

    @classmethod
    def up(
        cls,
        directory: str,
        nodes: int = 3,
        image: str = "bookworm",
        topology: Topology = NONE,
        token: int = 1000,
        boot_delay: float = 5.0,
        fence_action: str = "reboot",
        keep: bool = False,
        volume: int = 0,
        revision: str = "",
        say: Callable[[str], None] = _silent,
    ) -> Lab:
        """Boot a lab and return when its topology serves.

        `token` is Corosync's, in milliseconds; `boot_delay` the seconds between the death of a fenced node and its
        start; `fence_action` is reboot or off. Raises LabError, and leaves nothing then; `keep` leaves
        the lab up when only its topology failed, to be looked at. `volume`: MiB of a file system of its own that each node
        gets for its data, 0 for none. `revision`: of this checkout's history, whose agents and templates the nodes begin
        with; "" for those that run here.
        """
        if not 1 <= nodes <= 16:
            raise LabError(f"a lab has 1 to 16 nodes, not {nodes}")
        lab = cls(directory)
        plan: dict[str, object] = {
            "nodes": nodes,
            "image": topology.image_of(image),
            "topology": topology.name,
            "daemons": dict(topology.daemons),
            "token": token,
            "boot_delay": boot_delay,
            "fence_action": fence_action,
            "volume": volume,
            "revision": revision,
            "driver": cls.driver,
        }
        with lab._boot(plan, say):
            lab.wait_online(lab.nodes, ONLINE_TIMEOUT)
            say("the cluster has quorum")
            failure: Exception | None = None
            try:
                topology.deploy(lab)
            except AgentError as failed:
                if not keep:
                    raise
                failure = failed
        if failure is not None:
            raise failure
        return lab

    @classmethod
    def attach(cls, directory: str) -> Lab:
        """The lab of this kind that runs in the directory; of any kind: `drivers.attach`. Raises LabError when there is none."""
        lab = cls(directory)
        if lab.layout.supervisor is None:
            raise LabError(f"no lab is up in {lab.layout.directory}; `backstay lab up` starts one")
        if lab.kind != cls.driver:
            raise LabError(f"the nodes of the lab in {lab.layout.directory} are {lab.kind}, not {cls.driver}")
        return lab

    def _boot(self, plan: dict[str, object], say: Callable[[str], None]) -> AbstractContextManager[None]:
        """All nodes on, as `launch.supervisor` has it."""
        return launch.supervisor(self.layout, plan, say)

    def down(self) -> None:
        """End the lab and delete its directory's contents."""
        launch.remove(self.layout)

    @property
    def nodes(self) -> list[str]:
        """The cluster's nodes, in order; `client` is not among them."""
        return [name for name in self._machines() if name != CLIENT]

    # Commands and files.

    def run(
        self, node: str, argv: Sequence[str], timeout: float = 60.0, input: str = "", check: bool = True
    ) -> command.Finished:
        """Run a program in a node to its end. Raises as `command.run` does, and LabError when the node is off."""
        return command.run(enter.argv_for(self.layout, node, argv), timeout, input=input, check=check)

    def put(self, node: str, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file in a node, and its directory where that is missing."""
        script = 'mkdir -p "$(dirname "$1")" && cat > "$1" && chmod "$2" "$1"'
        self.run(node, ["sh", "-c", script, "sh", path, f"{mode:o}"], input=text)

    def upgrade(self, node: str, back: bool = False) -> None:
        """Install the agents that run here on the node, under its hands, as an admin does; it may be off. back: those of the
        revision that the lab began with."""
        source = self.layout.path("earlier" if back else "code")
        release.put(self.layout, node, source)
        if self.layout.init_of(node) is not None:
            with open(os.path.join(source, "bin", "backstay"), encoding="utf-8") as program:
                self.put(node, "/usr/bin/backstay", program.read(), 0o755)

    @property
    def templates(self) -> str:
        """The directory of the templates that go with the nodes' agents, "" for those that go with what runs here."""
        own = self.layout.node(self.nodes[0], "code", "crm-templates")
        return own if os.path.isdir(own) else ""

    def disk(self, node: str, path: str) -> str:
        """Where a file of a node's disk, as the node wrote it, is on this host, whether the node is on or off."""
        return self.layout.node(node, "upper", path)

    def init_of(self, node: str) -> int:
        """The pid of a node's init as this host sees it. Raises LabError when it is off."""
        init = self.layout.init_of(node)
        if init is None:
            raise LabError(f"{node} is off")
        return init

    # Faults.

    def power_off(self, node: str) -> None:
        """Pull the node's power cord. It stays off, fenced or not, until `power_on`; its disk keeps what it has."""
        self._ask("power-off", node=node)

    def power_on(self, node: str) -> None:
        """Plug the cord in. Returns when commands can run in the node; the cluster takes it back later."""
        self._ask("power-on", node=node)

    def cut(self, one: str, other: str, one_way: bool = False) -> None:
        """Drop all traffic between two nodes, floating addresses included; `one_way`: only from `one` to `other`."""
        self.impair("cut", [(one, other)] if one_way else [(one, other), (other, one)])

    def isolate(self, node: str) -> None:
        """Cut a node from all others, `client` too."""
        self.impair("cut", self.between(node, [name for name in self._machines() if name != node]))

    def impair(self, kind: str, pairs: Sequence[tuple[str, str]], number: int = 0) -> None:
        """What the first of each pair sends to the second: all of it is dropped (`cut`), the TCP segments to and from the
        port `number` (`ports`), or `number` of a hundred packets, by default 30 (`lossy`: one of `network.LOSSES`)."""
        self._ask("impair", kind=kind, pairs=pairs, number=number)

    def repair(self, kind: str, pairs: Sequence[tuple[str, str]], number: int = 0) -> None:
        """Undo one such `impair`; what another one wants as well stays."""
        self._ask("repair", kind=kind, pairs=pairs, number=number)

    @staticmethod
    def between(one: str, others: Sequence[str]) -> list[tuple[str, str]]:
        """Both ways between a node and others."""
        return [pair for other in others for pair in ((one, other), (other, one))]

    def slow(self, node: str) -> None:
        """Narrow a node's link: 2 Mbit/s, and what does not fit waits up to 400 ms."""
        self._ask("slow", node=node)

    def hasten(self, node: str) -> None:
        """A slow link is as fast as before."""
        self._ask("hasten", node=node)

    def heal(self) -> None:
        """Undo every cut, loss and slowness."""
        self._ask("heal")

    def fault(self, kind: str, node: str, service: str) -> int:
        """kill (SIGKILL), hang (SIGSTOP) or resume (SIGCONT) a daemon; return how many processes it reached.

        Services: the keys of `daemons` and of `faults.CLUSTER`. Raises LabError when the node is off or the service does not run.
        """
        known = {**self.daemons, **faults.CLUSTER}
        if kind not in faults.SIGNALS or service not in known:
            signals, services = ", ".join(faults.SIGNALS), ", ".join(known)
            raise LabError(f"no fault {kind} {service}; faults: {signals}; services: {services}")
        return int(self._ask_node(node, "inflict", kind, service, *known[service]))

    def wait_for_action(self, node: str, agent: str, action: str, seconds: float) -> bool:
        """Until the agent of ocf:backstay is called for the action in the node; False when it is not within so many seconds.
        Raises LabError when the node is off."""
        return bool(self._ask_node(node, "wait_for_action", agent, action, seconds))

    def observer(self, node: str, module: str, arguments: Sequence[str]) -> list[str]:
        """The argument list that runs one of our modules where it sees the node's processes: here, where it goes on while the
        node stands still. Its first argument is the pid of the node's init. Raises LabError when the node is off."""
        library = f"PYTHONPATH={self.layout.path('code', 'lab')}"  # the copy: edits do not reach a running lab
        return ["env", library, sys.executable, "-m", module, str(self.init_of(node)), *arguments]

    # What is so.

    def status(self) -> dict[str, Any]:
        """{"dir", "nodes": {name: {"address", "power", "plugged", "online"}}, "roles": {node: {resource: role}},
        "cuts": [[from, to]], "endpoints": {name: URL or URLs}}.

        `power` is "on" or "off"; `online` is Pacemaker's word, false for `client`.
        """
        machines = self._ask("status")
        seen = self.cluster()
        online = seen.online if seen else []
        nodes = {
            name: {
                "address": machine["address"],
                "power": "on" if machine["power"] else "off",
                "plugged": machine["plugged"],
                "online": name in online,
            }
            for name, machine in machines["nodes"].items()
        }
        return {
            "dir": self.layout.directory,
            "nodes": nodes,
            "roles": roles_of(seen) if seen else {},
            "cuts": machines["cuts"],
            "endpoints": self.endpoints,
        }

    @property
    def endpoints(self) -> dict[str, Any]:
        """What the topology serves, with the credentials of an unprivileged account; empty for `none`."""
        try:
            with open(self.layout.path("endpoints.json"), encoding="utf-8") as source:
                found: dict[str, Any] = json.load(source)
                return found
        except FileNotFoundError:
            return {}

    @endpoints.setter
    def endpoints(self, urls: dict[str, Any]) -> None:
        write(self.layout.path("endpoints.json"), json.dumps(urls))

    def roles(self) -> dict[str, dict[str, str]]:
        """Node -> resource -> Started, Promoted or Unpromoted, as the quorate partition sees it."""
        seen = self.cluster()
        return roles_of(seen) if seen else {}

    def online(self) -> set[str]:
        """The nodes that Pacemaker, in the quorate partition, has as full members."""
        seen = self.cluster()
        return set(seen.online) if seen and seen.quorum else set()

    def cluster(self, node: str | None = None) -> Cluster | None:
        """What crm_mon shows, as values: without what is configured. From whom: as `cluster_status`."""
        crm = self.cluster_status(node)
        return xml.seen(crm) if crm is not None else None

    def cluster_status(self, node: str | None = None) -> _Element | None:
        """crm_mon's XML from `node`, else from the quorate partition, else from any node that answers; None if none."""
        answer: _Element | None = None
        for name in [node] if node else self.nodes:
            try:
                text = self.run(name, ["crm_mon", "-1", "--output-as=xml"], timeout=CRM_MON_TIMEOUT).out
                found = xml.parse(text, "crm_mon")
            except AgentError:
                continue  # off, still starting, or hung: the others may know
            answer = found
            if xml.seen(found).quorum:
                break
        return answer

    def complaints(self) -> str:
        """What failed, in the agents' own words."""
        seen = self.cluster()
        told = [one.told for one in (*seen.failures, *seen.degraded)] if seen else []
        return "; ".join(told) or "no failure is on record"

    def wait_online(self, nodes: Sequence[str], timeout: float) -> None:
        """Until each of these nodes sees all of them as members of the quorate partition, and fencing armed.

        Each is asked itself: the others take a node that lost its power for a member until Corosync's token is lost,
        and that may be after it is on again.
        """

        def whole(node: str) -> bool:
            seen = self.cluster(node)
            return seen is not None and seen.quorum and {*nodes} <= {*seen.online} and bool(seen.active("fencing"))

        def settled() -> bool:
            return all(whole(node) for node in nodes)

        poll(settled, Deadline(timeout), f"{', '.join(nodes)} to be online", interval=0.2)

    @property
    def topology(self) -> str:
        """The name of what `up` was asked to serve."""
        return str(self._plan()["topology"])

    @property
    def kind(self) -> str:
        """The driver that made its nodes."""
        return str(self._plan().get("driver"))

    @property
    def daemons(self) -> dict[str, faults.Daemon]:
        """Name -> what faults can hit besides the cluster's own daemons."""
        return {name: faults.Daemon(*how) for name, how in self._plan().get("daemons", {}).items()}

    def data(self, usual: str) -> str:
        """Where a service keeps its data: the usual directory, or one on the node's volume in a lab that has volumes."""
        from backstay_lab.machines.volume import PLACE

        return f"{PLACE}/{os.path.basename(usual)}" if self._plan().get("volume") else usual

    def _machines(self) -> dict[str, str]:
        addresses: dict[str, str] = self._plan()["nodes"]
        return addresses

    def _plan(self) -> dict[str, Any]:
        try:
            with open(self.layout.path("lab.json"), encoding="utf-8") as source:
                plan: dict[str, Any] = json.load(source)
                return plan
        except FileNotFoundError:
            raise LabError(f"there is no lab in {self.layout.directory}; `backstay lab up` starts one") from None

    def _ask_node(self, node: str, function: str, *arguments: Any) -> Any:
        """Call one of `faults.ON_A_NODE` for the node. Raises as that does, and LabError when the node is off."""
        return faults.ON_A_NODE[function](self.init_of(node), *arguments)

    def _ask(self, do: str, **details: Any) -> dict[str, Any]:
        self._machines()
        return request(os.path.join(self.layout.directory, "control"), do, **details)


def roles_of(seen: Cluster) -> dict[str, dict[str, str]]:
    """Node -> resource -> role, as `Lab.roles` has it."""
    roles: dict[str, dict[str, str]] = {}
    for one in seen.instances:
        if one.node:
            roles.setdefault(one.node, {})[one.resource] = one.role
    return roles
