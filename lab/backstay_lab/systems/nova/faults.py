"""The faults that OpenStack must survive, as a table: those of the plane's parts that its services notice, each at its leader."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.layout import CLIENT
from backstay_lab.nemesis.fault import Cost, Fault, table
from backstay_lab.systems.haproxy import faults as haproxyfaults
from backstay_lab.systems.mysql import faults as mysqlfaults
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.openstack.faults import within
from backstay_lab.systems.rabbitmq import faults as rabbitfaults

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.mysql.workload import MysqlSet

PATIENCE = (
    120.0  # seconds for boots to end steadily again: nova's services are slow to find their brokers anew on a busy host
)
REFUSED = 1.0  # seconds
REFUSE = f"""
table ip refusing {{
    chain output {{
        type filter hook output priority 0
        ip daddr {WRITER} tcp dport 3306 reject with tcp reset
    }}
}}
"""


def move(stage: Stage[MysqlSet]) -> Undo | None:
    """To its end: boots take seconds, and one that is done just after the order says nothing."""
    undo = mysqlfaults.FAULTS["move"].inflict(stage)
    before = [[], [stage.leader]]
    poll(lambda: stage.system.in_role("Promoted") not in before, Deadline(60), "the role to move", interval=0.2)
    return undo


def refuse(stage: Stage[MysqlSet]) -> None:
    """What nova makes of a second without its database when nothing of ours takes part: connections end, new ones are refused."""
    stage.lab.run(CLIENT, ["nft", "-f", "-"], input=REFUSE)
    time.sleep(REFUSED)
    stage.lab.run(CLIENT, ["nft", "delete", "table", "ip", "refusing"])


PARTS = {
    "mysql": [
        mysqlfaults.FAULTS["kill"],
        mysqlfaults.FAULTS["move"]._replace(inflict=move),
        mysqlfaults.FAULTS["power-off"],
        Fault(
            "refused",
            f"the database refused to all services for {REFUSED:.0f} s, on their own host: nothing fails over",
            refuse,
            Cost(moves=0),
        ),
    ],
    "rabbitmq": [rabbitfaults.FAULTS[name] for name in ("kill", "power-off")],
    "haproxy": [haproxyfaults.FAULTS["kill"]],
}
FAULTS = table(*(within(part, fault)._replace(patience=PATIENCE) for part, faults in PARTS.items() for fault in faults))
