"""The catalogue's faults as a rehearsal takes them: one at a time, on a whole system. Some wait for what is to be measured.

A system's table says what each is there, and what it costs: KILL.there("SIGKILL of the broker", Cost(fails=True)).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.layout import LabError
from backstay_lab.nemesis.catalogue import known

if TYPE_CHECKING:
    from backstay_lab.nemesis.fault import Inflict, Undo
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.nemesis.victim import Victim

LOSS_LASTS = 20.0  # seconds
RENEWED = 90.0  # seconds for all watchers of a node to be renewed by monitors, whose longest interval is 10
NOTICED = 30.0  # seconds for the majority to have dealt with a node that is cut off
# Program and pid of each daemon that a system runs; watchers that live, each as PID:START of its process.
_DAEMONS = "pgrep -lx '{programs}' | tr ' ' : || true"
_WATCHERS = """
for lock in /run/backstay/*/watch.lock; do
    read -r _ _ pid started _ < "$lock" || true
    [ -z "$started" ] || [ ! -e "/proc/$pid" ] || echo "$pid:$started"
done
"""


def until_noticed(inflict: Inflict) -> Inflict:
    """It is undone once the majority has dealt with the node: a cut shorter than Corosync's token is no partition."""

    def inflicted(stage: Stage[Victim]) -> Undo:
        undo = inflict(stage)

        def mend() -> None:
            away = f"the majority to notice {stage.node}"
            poll(lambda: stage.node not in stage.lab.online(), Deadline(NOTICED), away, interval=0.2)
            if undo:
                undo()

        return mend

    return inflicted


def for_a_while(inflict: Inflict) -> Inflict:
    """What it costs while it lasts is measured too."""

    def inflicted(stage: Stage[Victim]) -> Undo | None:
        undo = inflict(stage)
        time.sleep(LOSS_LASTS)
        return undo

    return inflicted


def upgrade(stage: Stage[Victim]) -> None:
    """The agents that run here installed on one node after the other, the leader's last, each once the watchers of the one
    before are of that installation. Daemons that ran must run on, and nothing may be on record as failed."""
    lab, begun = stage.lab, time.monotonic()
    failed = lab.complaints()
    running = _DAEMONS.format(programs="|".join(name for one in lab.daemons.values() for name in one.programs))
    for node in [*stage.others, stage.node]:
        daemons, watchers = (set(lab.run(node, ["sh", "-c", ask]).out.split()) for ask in (running, _WATCHERS))
        lab.upgrade(node)

        def renewed(node: str = node, watchers: set[str] = watchers) -> bool:
            now = set(lab.run(node, ["sh", "-c", _WATCHERS]).out.split())
            return not now & watchers and len(now) >= len(watchers)

        poll(renewed, Deadline(RENEWED), f"new watchers on {node}", interval=0.5)
        ended = daemons - set(lab.run(node, ["sh", "-c", running]).out.split())
        if ended:
            raise LabError(f"{node}: {', '.join(sorted(ended))} did not outlive the upgrade")
    if lab.complaints() != failed:
        raise LabError(f"on record after the upgrade: {lab.complaints()}")
    stage.phases["all upgraded"] = time.monotonic() - begun


def blackout(stage: Stage[Victim]) -> None:
    """All power fails; the nodes come back one by one, the next when the last one's cluster software answers."""
    for node in stage.lab.nodes:
        stage.lab.power_off(node)
    for node in stage.order:
        stage.lab.power_on(node)
        asked = ["crm_mon", "-1"]

        def answers(node: str = node, asked: list[str] = asked) -> bool:
            return stage.lab.run(node, asked, timeout=10, check=False).status == 0

        poll(answers, Deadline(60), f"Pacemaker on {node}", interval=0.2)


KILL, HANG, POWER_OFF, MOVE, STANDBY, ADDRESS_REMOVED = map(
    known, ("kill", "hang", "power-off", "move", "standby", "address-removed")
)
PARTITION = known("partition")._replace(inflict=until_noticed(known("partition").inflict))
LOSS = known("loss")._replace(inflict=for_a_while(known("loss").inflict))
BLACKOUT = known("blackout")._replace(inflict=blackout)
UPGRADE = known("new-agents")._replace(name="upgrade", inflict=upgrade)
