"""The HAProxy clone of a lab, seen from outside: it runs everywhere, and where its address is, readers come to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.ocf.errors import AgentError
from backstay_lab.machines.cluster import roles_of
from backstay_lab.nemesis.victim import Traits
from backstay_lab.systems.readers import deploy
from backstay_lab.systems.readers.deploy import READERS, reading
from backstay_lab.systems.system import System

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay.cluster.model import Cluster
    from backstay_lab.clients.workload import Load
    from backstay_lab.nemesis.fault import Inflicted
    from backstay_lab.systems.system import Verdict

ADDRESS = "haproxy-address"  # as in crm-templates/haproxy.crm
READER = "mysql-reader-"  # as in crm-templates/mysql-readers.crm


class Balancer(System):
    """A plain clone; its leader is the node that has its address. In front of replicas it is loaded and judged only as a part
    of others: see openstack. Alone: see Balanced."""

    name, clone = "haproxy", "haproxy-clone"  # as in crm-templates/haproxy.crm
    traits = Traits(
        port=deploy.PORT,
        peers=0,
        configuration=deploy.PROXY,
        nonsense="no such keyword",
        interval=10.0,
        address=deploy.BALANCER,
    )

    def leader(self) -> str:
        for node, held in self.lab.roles().items():
            if ADDRESS in held:
                return node
        raise AgentError("no node has the balancer's address")

    def misplaced(self, seen: Cluster) -> str:
        missing = sorted(set(self.lab.nodes) - set(self.in_role("Started", seen)))
        return f"HAProxy does not run on {', '.join(missing)}" if missing else ""

    def incomplete(self, seen: Cluster) -> str:
        """Reads come to every replica and to no other; no two reader addresses are on one node."""
        roles = roles_of(seen)
        replicas = {node for node, held in roles.items() if held.get("mysql") == "Unpromoted"}
        holders = [node for node, held in roles.items() for name in held if name.startswith(READER)]
        if len(holders) != len(READERS) or set(holders) != replicas:
            return f"reader addresses are on {', '.join(sorted(holders)) or 'no node'}"
        found = reading(self.lab)
        return "" if found == replicas else f"reads come to {', '.join(sorted(found)) or 'no server'}"

    def load(self, directory: str) -> Load:
        raise AgentError("HAProxy has no workload of its own")

    def judge(self, histories: Sequence[Sequence[str]], fault: Inflicted) -> Verdict:
        raise AgentError("HAProxy has no workload of its own")
