"""ocf:heartbeat:rabbitmq-cluster (TripleO's) and ocf:heartbeat:rabbitmq-server-ha (Fuel's), as their documentation has them.

Resources are named as in crm-templates/rabbitmq.crm, so that the same faults and the same reading of the logs apply.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.rabbitmq.deploy import ACCOUNT, CONFIG, DATA, DEFINITIONS, EMPTY, SERVER, VHOST, definitions
from backstay_lab.systems.rabbitmq.workload import RabbitSet

if TYPE_CHECKING:
    from backstay.cluster.model import Cluster
    from backstay_lab.machines.cluster import Lab

SERVE_TIMEOUT = 300.0  # seconds from empty disks to a confirmed publish on every node; about 60 on an idle machine
COOKIE = "/var/lib/rabbitmq/.erlang.cookie"
# Mirrored as ours are. The agents leave that to the admin.
POLICY = {
    "vhost": VHOST,
    "name": "ha-all",
    "pattern": ".*",
    "apply-to": "queues",
    "priority": 0,
    "definition": {"ha-mode": "all", "ha-sync-mode": "automatic", "ha-promote-on-failure": "when-synced"},
}
SETTINGS = f"""cluster_partition_handling = pause_minority
net_ticktime = 15
load_definitions = {DEFINITIONS}
"""

PROPERTIES = "property stonith-enabled=true no-quorum-policy=stop load-threshold=400%\n"
CLUSTER = """
primitive rabbitmq ocf:heartbeat:rabbitmq-cluster \\
    meta failure-timeout=60s notify=true \\
    op start interval=0 timeout=200s \\
    op stop interval=0 timeout=200s \\
    op notify interval=0 timeout=60s \\
    op monitor interval=10s timeout=40s

clone rabbitmq-clone rabbitmq meta clone-max={nodes} clone-node-max=1 notify=true ordered=true interleave=true
"""
SERVER_HA = """
primitive rabbitmq ocf:heartbeat:rabbitmq-server-ha \\
    params erlang_cookie={cookie} node_port=5672 avoid_using_iptables=true default_vhost={vhost} \\
    meta failure-timeout=60s migration-threshold=10 \\
    op start interval=0 timeout=180s \\
    op stop interval=0 timeout=120s \\
    op promote interval=0 timeout=120s \\
    op demote interval=0 timeout=120s \\
    op notify interval=0 timeout=180s \\
    op monitor interval=27s timeout=60s role=Promoted \\
    op monitor interval=30s timeout=60s role=Unpromoted

clone rabbitmq-clone rabbitmq \\
    meta promotable=true promoted-max=1 promoted-node-max=1 clone-max={nodes} clone-node-max=1 \\
        notify=true ordered=false interleave=false
"""

COMMON_NOTES = (
    "Queues are mirrored on all nodes and synchronized by themselves, ha-promote-on-failure=when-synced, as ours are.",
    "cluster_partition_handling=pause_minority, net_ticktime=15, as TripleO sets them.",
    "Accounts, virtual host and policy come from load_definitions: both agents wipe a broker's data at will.",
)
CLUSTER_NOTES = (
    *COMMON_NOTES,
    "monitors every 10 s, timeout 40 s, start and stop 200 s, ordered, with notifications: TripleO's.",
)
SERVER_HA_NOTES = (
    *COMMON_NOTES,
    "monitors every 27 s and 30 s, as RabbitMQ's guide has it. The agent advises 3 s and 5 s; one of its monitors takes "
    "seconds, so on two cores it would leave nothing for the broker.",
    "avoid_using_iptables=true: the nodes have nftables.",
    "start, promote and notify get 120 s and more; with the advised 20 and 30 s a start on a busy machine is fenced.",
)


class PeerSet(RabbitSet):
    """Whole as ours are. How long a broker may take to come back is the bench's patience."""

    return_timeout = 60.0


class PeerCluster(PeerSet):
    """Brokers as a plain clone: nobody is promoted."""

    def misplaced(self, seen: Cluster) -> str:
        started = self.in_role("Started", seen)
        return "" if len(started) == len(self.lab.nodes) else f"started: {', '.join(started) or 'none'}"

    def returned(self, node: str) -> bool:
        return node in self.in_role("Started") and self.serves(node)


def cluster(lab: Lab) -> None:
    """Brokers under ocf:heartbeat:rabbitmq-cluster. Raises LabError."""
    _serve(lab, CLUSTER)


def server_ha(lab: Lab) -> None:
    """Brokers under ocf:heartbeat:rabbitmq-server-ha. Raises LabError."""
    _serve(lab, SERVER_HA)


def _serve(lab: Lab, text: str) -> None:
    password, cookie = secrets.token_hex(12), secrets.token_hex(16)
    defined = {**json.loads(definitions(password)), "policies": [POLICY]}
    for node in lab.nodes:
        lab.put(node, CONFIG, SERVER + SETTINGS)
        lab.put(node, DEFINITIONS, json.dumps(defined), mode=0o640)
        lab.run(node, ["sh", "-ec", EMPTY, "sh", DATA])
        lab.put(node, COOKIE, cookie, mode=0o400)
        lab.run(node, ["chown", "rabbitmq:rabbitmq", COOKIE])
    configuration = PROPERTIES + text.format(nodes=len(lab.nodes), cookie=cookie, vhost=VHOST)
    lab.put(lab.nodes[0], "/root/peer.crm", configuration, mode=0o600)
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/peer.crm"])
    addresses = lab.status()["nodes"]
    urls = [f"amqp://{ACCOUNT}:{password}@{addresses[node]['address']}:5672/{VHOST}" for node in lab.nodes]

    def serve() -> bool:
        for url in urls:
            argv = ["python3", "-m", "backstay_lab.clients.queues", "check", url, "up"]
            if lab.run(CLIENT, argv, timeout=60, check=False).status != 0:
                return False
        with suppress(AgentError):  # a broker that is about to join
            found = lab.run(
                lab.nodes[0], ["rabbitmqctl", "--silent", "--formatter", "json", "cluster_status"], timeout=60
            )
            return len(json.loads(found.out)["running_nodes"]) == len(lab.nodes)
        return False

    try:
        poll(serve, Deadline(SERVE_TIMEOUT), "one cluster of all brokers", interval=1)
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late
    lab.endpoints = {"amqp": urls}
