"""Whether the cluster's membership stands, without asking anyone.

Corosync writes the identity of each ring that it forms to a file, before it tells of the new membership (corosync,
exec/main.c, `corosync_ring_id_store`, as totemsrp.c calls it).
"""

import os
import time

RINGS = "/var/lib/corosync"
_SETTLED = 15.0  # seconds after which Pacemaker, too, surely has the membership of the ring


def settled() -> str:
    """What is another for each membership; "" while it may be changing, or nobody knows."""
    try:
        formed = max(os.stat(ring.path).st_mtime_ns for ring in os.scandir(RINGS) if ring.name.startswith("ringid_"))
    except (OSError, ValueError):
        return ""
    return str(formed) if time.time() - formed / 1e9 > _SETTLED else ""
