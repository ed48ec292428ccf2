"""What the rest of the product must know of a service: one value in its folder, `SERVICE` in service.py.

The folder's name is that of the agent: `mysql` is ocf:backstay:mysql. By their names are found, each when it is wanted:

    agent.py    AGENT, the class of the OCF actions
    admin.py    Admin, what `status`, `doctor` and `switchover` say beyond what Pacemaker knows; it may be missing
    doctor.py   findings(context), all that is wrong with this host; it may be missing, then check_host() tells the first
"""

from __future__ import annotations

from typing import NamedTuple


class Service(NamedTuple):
    """units: names of the systemd units, in any distribution, that must not start at boot what the cluster starts. modules:
    Python modules that the agent needs beyond the standard library; the package of `pymysql` is python3-pymysql. programs: as
    the kernel calls the service's processes. files: how many descriptors the distributions' own units let it have, 0 where the
    agent itself compares them with what the service needs."""

    units: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    files: int = 0
