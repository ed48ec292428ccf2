"""This node's controller, the Pacemaker daemon that speaks for the node: sees when it ends.

The controller ends with the executor, with the CIB's daemon, and, where the node is the coordinator, with the scheduler;
pacemakerd starts it again. Its peers take the node's transient attributes out of the CIB at once (peer_update_callback,
controld_callbacks.c). Nobody tells the attribute daemon, which has these attributes.
"""

import os

from backstay.host.process import beside

ABSENT = -1
_NAME = "pacemaker-contr"  # as the kernel has it, 15 characters of pacemaker-controld


def find() -> int:
    """A pidfd of it, which is readable once it has ended; ABSENT when it does not run. One of another process namespace, as in
    a container on this host, is another node's."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/comm", encoding="utf-8", errors="replace") as source:
                    if source.read().rstrip() == _NAME and beside(name):
                        return os.pidfd_open(int(name))
            except OSError:
                continue  # it ended meanwhile
    return ABSENT
