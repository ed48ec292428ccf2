"""MariaDB under its agent in the chamber, for scripts as acting.py has them. There is no cluster, so the first promotion has
no other node to ask."""

from __future__ import annotations

import acting
from acting import Chamber, Result

PREPARE = (
    acting.prepared("mysql", "db", timeout=60)
    + r"""
rm -rf /var/lib/mysql /run/mysqld
printf '[mysqld]\nskip-name-resolve\ninnodb_log_file_size=8M\n' > /etc/mysql/set.cnf
export OCF_RESKEY_config=/etc/mysql/set.cnf OCF_RESKEY_monitor_password=m0n OCF_RESKEY_replication_password=r3p
export OCF_RESKEY_initialize=true OCF_RESKEY_server_id=1
"""
)


def run(chamber: Chamber, script: str, timeout: float = 180) -> Result:
    return acting.run(chamber, PREPARE + script, timeout)
