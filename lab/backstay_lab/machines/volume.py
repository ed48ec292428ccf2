"""A file system of a node's own for its data: an image file on this machine, so that it can be full, slow or frozen by itself.

Only a lab that was asked for it has one. It outlives the node's power, as the rest of the disk does.
"""

import os

from backstay.host import command
from backstay_lab.machines.layout import LabError, Layout

PLACE = "/var/lib/volume"  # in the nodes; boot.sh mounts it
TOOL_TIMEOUT = 30.0  # seconds for mkfs or fsfreeze, which take milliseconds


def create(layout: Layout, node: str, mebibytes: int) -> None:
    """An empty one, before the node first boots."""
    path = layout.node(node, "disk")
    with open(path, "wb") as image:
        image.truncate(mebibytes << 20)
    # Nothing is kept for root: full is full for the agents too.
    command.run(["mkfs.ext4", "-q", "-F", "-m", "0", path], TOOL_TIMEOUT)


def path_of(layout: Layout, node: str) -> str:
    """Where this machine sees it. Raises LabError when the node is off or has none."""
    init = layout.init_of(node)
    if init is None:
        raise LabError(f"{node} is off")
    path = f"/proc/{init}/root{PLACE}"
    if not os.path.ismount(path):
        raise LabError(f"{node} has no volume; `backstay lab up --volume` gives each node one")
    return path


def device(layout: Layout, node: str) -> str:
    """Its device, as control groups name it. Raises as path_of does."""
    number = os.stat(path_of(layout, node)).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


def freeze(layout: Layout, node: str) -> None:
    """From now on whoever writes there waits, and cannot even be killed. Raises LabError, CommandFailed."""
    command.run(["fsfreeze", "--freeze", path_of(layout, node)], TOOL_TIMEOUT)


def thaw(layout: Layout, node: str) -> None:
    """Writers go on. Where nothing is frozen it does nothing."""
    init = layout.init_of(node)
    if init is not None and os.path.exists(layout.node(node, "disk")):
        command.run(["fsfreeze", "--unfreeze", f"/proc/{init}/root{PLACE}"], TOOL_TIMEOUT, check=False)
