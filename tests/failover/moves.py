"""Planned moves that tests begin with, as an admin makes them."""

from __future__ import annotations

from backstay.host.command import Finished
from backstay.host.deadline import Deadline, poll
from backstay_lab.machines.cluster import Lab
from backstay_lab.systems.mysql.workload import MysqlSet


def backstay(lab: Lab, node: str, *arguments: str) -> Finished:
    return lab.run(node, ["backstay", *arguments], timeout=120, check=False)


def candidates(lab: Lab) -> list[str]:
    """The replicas of a whole set, none of which is told to lag any more: what its monitor published before it caught up stands
    until the next, and a move is refused as long."""
    mysql = MysqlSet(lab)
    mysql.wait_whole(120)
    primary = mysql.primary()
    poll(lambda: " behind" not in backstay(lab, primary, "status").out, Deadline(60), "no lag to be told", interval=0.5)
    return [node for node in lab.nodes if node != primary]


def lead_from_the_coordinator(lab: Lab) -> str:
    """The primary, which is on the coordinator's node then."""
    mysql = MysqlSet(lab)
    replicas = candidates(lab)
    coordinator = next(node for node in lab.nodes if mysql.is_dc(node))
    if coordinator in replicas:
        moved = backstay(lab, coordinator, "switchover", "--yes", coordinator)
        assert moved.status == 0, moved.out + moved.err
        mysql.wait_whole(120)
    return coordinator
