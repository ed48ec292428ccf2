"""Two of this node's Pacemaker daemons, with whose end the node's transient attributes go: sees when they end.

The controller, which speaks for the node, ends with the executor, with the CIB's daemon, and, where the node is the
coordinator, with the scheduler; pacemakerd starts it again. Its peers take the node's attributes out of the CIB at once
(peer_update_callback, controld_callbacks.c). Nobody tells the attribute daemon, which has them.

The attribute daemon itself knows nothing of its node once it was started again: its peers drop what a lost one had
(attrd_peer_remove, attrd_corosync.c), and it erases its node's attributes from the CIB as it begins (attrd_erase_attrs,
pacemaker-attrd.c).
"""

import os

from backstay.host.process import beside

ABSENT = -1
CONTROLLER = "pacemaker-contr"  # as the kernel has them, 15 characters: pacemaker-controld, pacemaker-attrd
ATTRIBUTES = "pacemaker-attrd"


def find(daemon: str) -> int:
    """A pidfd of it, which is readable once it has ended; ABSENT when it does not run. One of another process namespace, as in
    a container on this host, is another node's."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm", encoding="utf-8", errors="replace") as source:
                    if source.read().rstrip() == daemon and beside(name):
                        return os.pidfd_open(int(name))
            except OSError:
                continue  # it ended meanwhile
    return ABSENT
