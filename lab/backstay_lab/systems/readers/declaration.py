"""What the proving ground knows of the MySQL set with readers behind HAProxy: its topologies. It is loaded and judged by
measurements of its own (workload), and as a part of openstack."""

from __future__ import annotations

from functools import partial

from backstay_lab.systems.declaration import Declaration
from backstay_lab.systems.readers.deploy import readers

SYSTEM = Declaration(
    title="MySQL with readers",
    topologies={
        "readers": readers,
        # One HAProxy serves, and the others are warm behind closed frontends.
        "readers-promotable": partial(readers, balancer="haproxy-promotable"),
    },
)
