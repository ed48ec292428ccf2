"""What the proving ground knows of the RabbitMQ cluster."""

from __future__ import annotations

from backstay_lab.machines.faults import Daemon
from backstay_lab.systems.declaration import Benched, Campaigned, Declaration, Rehearsed, Way
from backstay_lab.systems.rabbitmq import peers
from backstay_lab.systems.rabbitmq.campaign import RabbitSubject
from backstay_lab.systems.rabbitmq.deploy import rabbitmq, rabbitmq_addresses
from backstay_lab.systems.rabbitmq.faults import FAULTS
from backstay_lab.systems.rabbitmq.workload import RabbitSet

WAYS = (
    Way("ocf:backstay:rabbitmq", "crm-templates/rabbitmq.crm, monitors every 3 s and 4 s", rabbitmq, RabbitSet),
    Way(
        "ocf:heartbeat:rabbitmq-cluster",
        "a plain clone with notify, monitors every 10 s",
        peers.cluster,
        peers.PeerCluster,
        peers.CLUSTER_NOTES,
    ),
    Way(
        "ocf:heartbeat:rabbitmq-server-ha",
        "promotable with notify, monitors every 27 s and 30 s",
        peers.server_ha,
        peers.PeerSet,
        peers.SERVER_HA_NOTES,
    ),
)
SYSTEM = Declaration(
    title="RabbitMQ",
    topologies={"rabbitmq": rabbitmq, "rabbitmq-addresses": rabbitmq_addresses},
    # The broker's own Erlang machine, not that of a rabbitmqctl that happens to run: it is started by itself, or as an empty
    # machine that loads the broker later.
    daemons={"rabbitmq": Daemon(("beam.smp",), ("-s rabbit boot", "-sname rabbit@"))},
    rehearsed=Rehearsed(
        RabbitSet,
        "rabbitmq",
        FAULTS,
        "four publishers, an attempt every 20 ms each, 1 s to connect, 2 s for a confirm, the next node after an error; the "
        "gap is that of the publisher that waited longest; failed operations are those of ten calls and ten casts a second on "
        "oslo.messaging",
    ),
    campaigned=Campaigned("rabbitmq", {"": RabbitSet.traits}, RabbitSubject),
    benched=Benched(WAYS, ("kill", "power-off", "hang")),  # the hang last: what it leaves may need a new lab
)
