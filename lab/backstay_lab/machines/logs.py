"""The logs of a lab's nodes. They are read from the disks, which a node without power still has."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from backstay_lab.machines.timeline import actions, phases

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab
    from backstay_lab.machines.timeline import Action

LOGS = ("var/log/pacemaker/pacemaker.log", "var/log/corosync/corosync.log")


def marks(lab: Lab) -> dict[str, int]:
    """Where the logs end now: path -> size."""
    paths = [lab.disk(node, log) for node in lab.nodes for log in LOGS]
    return {path: os.path.getsize(path) if os.path.exists(path) else 0 for path in paths}


def since(marked: dict[str, int]) -> dict[str, list[str]]:
    """What was logged since: path -> lines."""
    found = {}
    for path, size in marked.items():
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as source:
                source.seek(size)
                found[path] = source.read().splitlines()
    return found


def lines_since(marked: dict[str, int]) -> list[str]:
    """What all nodes logged since, node by node."""
    return [line for lines in since(marked).values() for line in lines]


def phases_since(marked: dict[str, int], fault: float, resource: str) -> dict[str, float]:
    """Phase -> seconds after the fault, which is a time since the epoch."""
    return phases(lines_since(marked), fault, resource)


def actions_since(marked: dict[str, int], fault: float) -> list[Action]:
    """The agents' actions that began after the fault, a time since the epoch, and have ended."""
    return actions(lines_since(marked), fault)
