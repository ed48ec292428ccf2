"""RabbitMQ under its agent in the chamber, for scripts as acting.py has them."""

from __future__ import annotations

import acting
from acting import Chamber, Result

# beam: pids of the brokers' Erlang machines
PREPARE = (
    acting.prepared("rabbitmq", "rabbitmq", timeout=90)
    + r"""
echo 127.0.0.1 n1 >> /etc/hosts
export HOME=/root
beam() {
    pgrep -x beam.smp | while read -r pid; do
        awk '$1 == "State:" { ended = $2 == "Z" } $1 == "Threads:" && $2 > 1 { ended = 0 } END { exit ended }' \
            /proc/$pid/status && echo $pid
    done
}
DEEP="OCF_RESKEY_CRM_meta_interval=60000 OCF_CHECK_LEVEL=10"
"""
)


def run(chamber: Chamber, script: str, timeout: float = 240) -> Result:
    return acting.run(chamber, PREPARE + script, timeout)
