"""Whether the cluster's membership is unchanged, without asking any daemon.

Corosync writes the identity of each ring that it forms to a file, before it announces the new membership (corosync,
exec/main.c, `corosync_ring_id_store`, as totemsrp.c calls it). The file's date shows that the ring is another one. It does
not show how old the ring is, since it is the wall clock's. So the agent notes since when it has seen that ring.
"""

import os

from backstay.host.state_files import StateFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.state_files import Files

RINGS = "/var/lib/corosync"
RING = StateFile(
    "ring",
    "the cluster's membership that was seen last, dated when it was first seen",
    lost="the membership counts as unsettled for 15 s: monitors do not rest, the primary reviews",
)
_SETTLED = 15.0  # seconds after which Pacemaker, too, surely has the membership of the ring


def settled(files: "Files", rings: str = RINGS) -> str:
    """What is another for each membership; "" while it may be changing, or nobody knows."""
    try:
        found = [(ring.name, ring.stat()) for ring in os.scandir(rings) if ring.name.startswith("ringid_")]
    except OSError:
        return ""
    formed = ",".join(sorted(f"{name}:{ring.st_ino}:{ring.st_mtime_ns}" for name, ring in found))
    return formed if formed and files.lasting(RING, formed) > _SETTLED else ""
