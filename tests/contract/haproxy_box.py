"""HAProxy under its agent in the chamber: scripts in which `act ACTION [NAME=VALUE …]` runs the agent as Pacemaker does."""

from __future__ import annotations

import re
from collections.abc import Callable

from backstay import command

Chamber = Callable[..., command.Finished]

CONFIG = """
global
    maxconn 1000
    user haproxy
    group haproxy
    daemon
defaults
    mode tcp
    timeout connect 1s
    timeout client 1min
    timeout server 1min
frontend web
    bind :8080
    default_backend pool
listen other
    bind 127.0.0.1:8081
    server s1 127.0.0.1:9001 check inter 100ms
backend pool
    server s1 127.0.0.1:9001 check inter 100ms
    server s2 127.0.0.1:9001 check inter 100ms
    server s3 127.0.0.1:9003 check inter 100ms
"""
# cli: a command to the master; worker, master: pids; echo_server: one on a port; opened: ports that HAProxy listens on
PREPARE = rf"""
unset CIB_file
mount -t tmpfs run /run
ip link set lo up
mkdir -p /etc/haproxy
C=/etc/haproxy/haproxy.cfg
original() {{ cat > $C <<'END'
{CONFIG}
END
}}
original
export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=lb BACKSTAY_RUN=/run/backstay OCF_RESKEY_CRM_meta_timeout=20000
A=/usr/lib/ocf/resource.d/backstay/haproxy
act() {{
    action=$1; shift
    status=0
    (for setting in "$@"; do export "$setting"; done; exec $A "$action") 2> /tmp/said || status=$?
    echo "$action $status $(sed -n 's/^ocf-exit-reason://p' /tmp/said | tail -n 1)"
}}
RECURRING=OCF_RESKEY_CRM_meta_interval=5000
CLONE=OCF_RESKEY_CRM_meta_promoted_max=1
cli() {{ echo "$1" | socat -t5 - UNIX-CONNECT:/run/backstay/lb/master.sock; }}
worker() {{ cli "show proc" | awk '$2 == "worker" {{ print $1; exit }}'; }}
master() {{ cut -d' ' -f1 /run/backstay/lb/master; }}
until_() {{ for i in $(seq 500); do if eval "$1"; then return 0; fi; sleep 0.01; done; echo "never: $1"; exit 1; }}
echo_server() {{ socat -T60 TCP-LISTEN:$1,fork,reuseaddr EXEC:cat & until_ "ss -ltn | grep -q :$1"; }}
opened() {{ ss -ltnp | grep haproxy | sed 's/.*:\(80[0-9]*\) .*/\1/' | sort | tr '\n' ' '; }}
dead() {{ until_ "! readlink /proc/$1/exe > /dev/null"; }}
"""
ACTIONS = "start|stop|monitor|promote|demote|validate-all|reload-agent|reload|migrate_to"


class Result:
    """What a script printed: the exit statuses and reasons of `act`, and what else it said, as NAME=VALUE."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = re.findall(rf"^({ACTIONS}) (\d+) ?(.*)$", text, re.MULTILINE)
        self.codes = [int(code) for _, code, _ in found]
        self.reasons = [reason for _, _, reason in found]
        self.values = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def run(chamber: Chamber, script: str, timeout: float = 60) -> Result:
    done = chamber(PREPARE + script, timeout=timeout, check=False)
    assert done.status == 0, done.out + done.err
    return Result(done.out)
