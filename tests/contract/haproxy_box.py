"""HAProxy under its agent in the chamber, for scripts as acting.py has them."""

from __future__ import annotations

import acting
from acting import Chamber, Result

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
PREPARE = (
    acting.prepared("haproxy", "lb", timeout=20)
    + rf"""
mount -t tmpfs run /run
mkdir -p /etc/haproxy
C=/etc/haproxy/haproxy.cfg
original() {{ cat > $C <<'END'
{CONFIG}
END
}}
original
cli() {{ echo "$1" | socat -t5 - UNIX-CONNECT:/run/backstay/lb/master.sock; }}
worker() {{ cli "show proc" | awk '$2 == "worker" {{ print $1; exit }}'; }}
master() {{ cut -d' ' -f1 /run/backstay/lb/master; }}
until_() {{ within 20 eval "$1"; }}
echo_server() {{ socat -T60 TCP-LISTEN:$1,fork,reuseaddr EXEC:cat & until_ "ss -ltn | grep -q :$1"; }}
opened() {{ ss -ltnp | grep haproxy | sed 's/.*:\(80[0-9]*\) .*/\1/' | sort | tr '\n' ' '; }}
dead() {{ until_ "! readlink /proc/$1/exe > /dev/null"; }}
"""
)


def run(chamber: Chamber, script: str, timeout: float = 120) -> Result:
    return acting.run(chamber, PREPARE + script, timeout)
