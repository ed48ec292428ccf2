"""HAProxy as agents manage it that are copied from guide to guide, by its pid file. `pidfile_haproxy` stands for those agents;
here is what the guides configure.

Resources are named as in crm-templates/haproxy.crm, so that the same faults apply.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from backstay_lab.systems.haproxy import deploy as haproxy
from backstay_lab.systems.haproxy.workload import RELOAD_TIMEOUT, Balanced

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab

AGENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pidfile_haproxy")
PLACE = "/usr/lib/ocf/resource.d/pidfile/haproxy"

CLUSTER = """
property stonith-enabled=true

primitive haproxy ocf:pidfile:haproxy \\
    params conffile={config} \\
    meta migration-threshold=5 failure-timeout=60s \\
    op start interval=0 timeout=20s \\
    op stop interval=0 timeout=20s \\
    op monitor interval=10s timeout=20s

clone haproxy-clone haproxy meta interleave=true

primitive haproxy-address ocf:heartbeat:IPaddr2 \\
    params ip={address} cidr_netmask=24 \\
    meta resource-stickiness=1 \\
    op monitor interval=10s timeout=20s

colocation haproxy-address-with-haproxy inf: haproxy-address haproxy-clone
order haproxy-then-address Optional: haproxy-clone haproxy-address
"""
NOTES = (
    "No agent of this kind is packaged: what is measured is a rewrite of what they share (systems/haproxy/pidfile_haproxy).",
    "monitors every 10 s, as ours; the guides have 20 s to 1 min, with which the times would be longer.",
    "`daemon` in HAProxy's section global: without it a start never ends.",
    "A changed configuration is loaded by `crm_resource --restart` of the clone: the agents have no reload.",
    "The address and its constraints are as in crm-templates/haproxy.crm, with ocf:heartbeat:IPaddr2.",
)


class PeerBalanced(Balanced):
    options = "    daemon\n"

    def load_changes(self, serial: str) -> None:
        restart = ["crm_resource", "--restart", "--resource", self.clone, f"--timeout={RELOAD_TIMEOUT:.0f}s"]
        self.lab.run(self.lab.nodes[0], restart, timeout=RELOAD_TIMEOUT + 10)


def deploy(lab: Lab) -> None:
    """HAProxy under ocf:pidfile:haproxy, and its address. Raises LabError."""
    with open(AGENT, encoding="utf-8") as source:
        agent = source.read()
    haproxy.prepare(lab, haproxy.configuration(options=PeerBalanced.options))
    for node in lab.nodes:
        lab.put(node, PLACE, agent, mode=0o755)
    text = CLUSTER.format(config=haproxy.CONFIG, address=haproxy.ADDRESS)
    lab.put(lab.nodes[0], "/root/peer.crm", text)
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", "/root/peer.crm"])
    haproxy.await_lines(lab)
