"""An agent in the chamber as Pacemaker runs it: shell scripts in which `act ACTION [NAME=VALUE …]` is one action."""

from __future__ import annotations

import re
from collections.abc import Callable

from backstay.host import command

Chamber = Callable[..., command.Finished]

ACTIONS = "start|stop|monitor|promote|demote|validate-all|reload-agent|reload|migrate_to|notify"


def prepared(agent: str, resource: str, timeout: int) -> str:
    """The beginning of a script for one agent, with `timeout` seconds for each action.

    `act` prints action, exit status and exit reason; the agent's standard error is in /tmp/said. `took COMMAND` prints
    its milliseconds as well. `within SECONDS COMMAND` runs it until it succeeds, and ends the script when it does not.
    RECURRING makes a monitor of a probe, CLONE a promotable instance of a primitive.
    """
    return rf"""
unset CIB_file
ip link set lo up
hostname n1 2>/dev/null || true
export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE={resource} BACKSTAY_RUN=/run/backstay
export OCF_RESKEY_CRM_meta_timeout={timeout * 1000}
A=/usr/lib/ocf/resource.d/backstay/{agent}
act() {{
    action=$1; shift
    status=0
    (for setting in "$@"; do export "$setting"; done; exec $A "$action") 2> /tmp/said || status=$?
    echo "$action $status $(sed -n 's/^ocf-exit-reason://p' /tmp/said | tail -n 1)"
}}
took() {{ begun=$(date +%s%N); "$@"; echo "took $(( ($(date +%s%N) - begun) / 1000000 ))"; }}
within() {{
    end=$(($(date +%s) + $1)); shift
    until "$@"; do
        [ $(date +%s) -lt $end ] && sleep 0.05 && continue
        echo "not in time: $*"; ps axo pid,ppid,stat,etime,args; exit 1
    done
}}
PROMOTED=OCF_RESKEY_CRM_meta_role=Promoted
RECURRING=OCF_RESKEY_CRM_meta_interval=5000
CLONE=OCF_RESKEY_CRM_meta_promoted_max=1
"""


class Result:
    """What a script printed: exit statuses and reasons of `act` in order, milliseconds of `took`, and lines NAME=VALUE."""

    def __init__(self, text: str) -> None:
        self.text = text
        found = re.findall(rf"^({ACTIONS}) (\d+) ?(.*)$", text, re.MULTILINE)
        self.codes = [int(code) for _, code, _ in found]
        self.reasons = [reason for _, _, reason in found]
        self.took = [int(number) for number in re.findall(r"^took (\d+)$", text, re.MULTILINE)]
        self.values = dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def run(chamber: Chamber, script: str, timeout: float) -> Result:
    """A whole script, beginning included; every command in it succeeds."""
    done = chamber(script, timeout=timeout, check=False)
    assert done.status == 0, done.out + done.err
    return Result(done.out)
