"""keepalived: an address by VRRP, between the same nodes without a cluster.

As its documentation has it for equal nodes: every instance begins as BACKUP with a priority of its own, nopreempt, so that a
node that returns takes nothing away; an advertisement a second, by multicast; no authentication, which VRRP has given up.
The nodes run neither Corosync nor Pacemaker, nor is anybody fenced.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from backstay.host.deadline import Deadline, poll
from backstay_lab.bench import costs
from backstay_lab.bench.addresses import Address, holder
from backstay_lab.machines.faults import processes
from backstay_lab.nemesis import harm
from backstay_lab.nemesis.fault import table
from backstay_lab.nemesis.measured import ADDRESS_REMOVED, KILL, MOVE, POWER_OFF
from backstay_lab.run import baseline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from backstay_lab.bench.addresses import Alone
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.nemesis.fault import Inflict, Undo
    from backstay_lab.nemesis.stage import Stage

CONFIG = "/etc/keepalived/keepalived.conf"
LOG = "/var/log/keepalived.log"
PID = "/run/keepalived.pid"
# As Debian's unit, which does not restart it; the log goes to a file, since the lab's nodes have no syslog.
START = f"keepalived --dont-fork --no-syslog --log-console --pid={PID} < /dev/null >> {LOG} 2>&1 &"
STOP_TIMEOUT = 10.0  # seconds to say goodbye, remove the address and end; well under one

INSTANCE = """\
global_defs {{
    router_id {node}
}}
vrrp_instance floor {{
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int 1
    virtual_ipaddress {{
        {address}/24 dev eth0
    }}
}}
"""
NOTES = (
    "No cluster runs beside it: the nodes boot without Corosync and Pacemaker, and nobody is fenced.",
    "state BACKUP, nopreempt and priorities 150, 140, 130: a node that returns does not take the address back.",
    "advert_int 1, the default: a lost holder is noticed after 3 advertisements and a skew, 3.4 to 3.6 s. VRRP version 3 allows "
    "less, in hundredths of a second.",
    "The planned move is a stop of keepalived on the node, as `systemctl stop keepalived`.",
    "A killed keepalived stays dead until the run is over, as under Debian's unit, which has no Restart=.",
)


def started_again(inflict: Inflict) -> Inflict:
    """What ends keepalived is undone by a start of it too, once it is gone."""

    def inflicted(stage: Stage[Alone]) -> Undo:
        undo = inflict(stage)

        def start() -> None:
            if undo:
                undo()
            _gone(stage.lab, stage.node)
            _start(stage.lab, stage.node)

        return start

    return inflicted


def stop(stage: Stage[Alone]) -> None:
    """As `systemctl stop keepalived`."""
    stage.sh(stage.node, f"kill $(cat {PID})")


class Keepalived(Address):
    """keepalived(8) on every node."""

    table = table(
        POWER_OFF._replace(inflict=started_again(POWER_OFF.inflict)),
        MOVE.there("planned move: it is stopped", inflict=started_again(stop)),
        ADDRESS_REMOVED,
        KILL.there(
            "SIGKILL of keepalived", name="keeper-kill", inflict=started_again(partial(harm.kill, daemon="keepalived"))
        ),
    )

    name = "keepalived"
    what = "VRRP between all nodes, an advertisement a second, nopreempt; no cluster"
    notes = NOTES

    def deploy(self, lab: Lab) -> None:
        for node in lab.nodes:  # without the file a node boots as a machine without a cluster
            lab.run(node, ["mv", "/etc/corosync/corosync.conf", "/etc/corosync/corosync.conf.bench"])
        for node in lab.nodes:
            lab.power_off(node)
        for number, node in enumerate(lab.nodes):
            lab.power_on(node)
            text = INSTANCE.format(node=node, priority=150 - 10 * number, address=baseline.ADDRESS)
            lab.put(node, CONFIG, text)
            _start(lab, node)
        holder(lab)

    def rejoined(self, lab: Lab) -> None:
        holder(lab)

    def costs(self, lab: Lab, runs: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """There is no monitor: what it costs is what its processes use."""
        holder(lab)
        base = {"contender": self.name, "service": self.service}
        yield "node", {**base, "what": "as configured", **costs.at_rest(lab)}

    def growth(self, lab: Lab) -> Iterator[dict[str, Any]]:
        """Any number of addresses share an instance and its advertisements: there is no curve to draw."""
        yield from ()


def _running(lab: Lab, node: str) -> bool:
    init = lab.layout.init_of(node)
    return init is not None and any(process.program == "keepalived" for process in processes(init))


def _start(lab: Lab, node: str) -> None:
    lab.run(node, ["sh", "-ec", START])
    poll(lambda: _running(lab, node), Deadline(STOP_TIMEOUT), f"keepalived on {node} to run", interval=0.1)


def _gone(lab: Lab, node: str) -> None:
    poll(lambda: not _running(lab, node), Deadline(STOP_TIMEOUT), f"keepalived on {node} to end", interval=0.1)
