"""What the proving ground knows of HAProxy alone."""

from __future__ import annotations

from backstay_lab.machines.faults import Daemon
from backstay_lab.systems.declaration import Benched, Declaration, Rehearsed, Way
from backstay_lab.systems.haproxy import peers
from backstay_lab.systems.haproxy.deploy import haproxy
from backstay_lab.systems.haproxy.faults import FAULTS
from backstay_lab.systems.haproxy.workload import Balanced

WAYS = (
    Way(
        "ocf:backstay:haproxy",
        "crm-templates/haproxy.crm, monitors every 10 s, with ocf:backstay:vip",
        haproxy,
        Balanced,
    ),
    Way(
        "ocf:pidfile:haproxy",
        "a plain clone, monitors every 10 s, with ocf:heartbeat:IPaddr2",
        peers.deploy,
        peers.PeerBalanced,
        peers.NOTES,
    ),
)
SYSTEM = Declaration(
    title="HAProxy",
    topologies={"haproxy": haproxy},
    daemons={"haproxy": Daemon(("haproxy",))},
    rehearsed=Rehearsed(
        Balanced,
        "haproxy",
        FAULTS,
        "two hundred new connections a second, each with a line that must come back, and four that are kept; 1 s to connect "
        "and 1 s for the line; the gap is the new ones'",
    ),
    # The reload first: once a failure was cleaned up, Pacemaker restarts that instance instead (docs/agents/haproxy.md).
    benched=Benched(WAYS, ("reload", "kill", "hang")),
)
