"""What stands between the end of a server and its address on another node: the programs that each action of a failover starts,
and what it loads. One more shows here; a process of Pacemaker's tools costs 40 to 65 ms there, `enum` as much as the interpreter.
"""

from __future__ import annotations

from collections import Counter

import acting
import haproxy_box
import mysql_box
import rabbitmq_box
from acting import Chamber

# `traced ACTION` tells the programs that an action has started when it ends; `loaded ACTION` what it has loaded then. The tracer
# is not the action's parent, so that it need not wait for those who stay.
TRACED = r"""
export OCF_RESKEY_CRM_meta_on_node=n1
traced() {
    rm -f /tmp/trace
    strace -D -f -q -e trace=execve -e signal=none -o /tmp/trace sh -c 'echo $$ > /tmp/traced; exec "$@"' sh $A "$1" 2> /tmp/said
    within 20 grep -q "^$(cat /tmp/traced) .*exited" /tmp/trace
    echo "programs of $1: $(sed -n '/= -1 /d; s/.*execve("[^"]*\/\([^"/]*\)".*/\1/p' /tmp/trace | tail -n +3 | xargs)"
}
cat > /tmp/loaded.py <<'END'
import os, sys
path, action = sys.argv[1:]
sys.argv = [path, action]
end = os._exit
def tell(code):
    os.write(1, f"loaded by {action}: {' '.join(name for name, module in sys.modules.items() if module)}\n".encode())
    end(code)
os._exit = tell
exec(compile(open(path).read(), path, "exec"), {"__file__": path, "__name__": "__main__"})
END
loaded() { python3 -IS /tmp/loaded.py $A "$1" 2> /tmp/said; }
"""
HEAVY = {"contextlib", "enum", "json", "logging", "lxml", "pymysql", "re", "signal", "socket", "subprocess", "typing"}
HEAVY |= {"collections", "functools", "hashlib", "traceback"}


def told(text: str, what: str) -> dict[str, set[str]]:
    return {
        action: set(names.split())
        for action, _, names in (
            line.removeprefix(what).partition(": ") for line in text.splitlines() if line.startswith(what)
        )
    }


def judge(text: str, allowed: dict[str, str]) -> None:
    """allowed: action -> the programs that it may start, with repetitions."""
    found = {
        action: Counter(names.split())
        for action, _, names in (
            line.removeprefix("programs of ").partition(":") for line in text.splitlines() if "programs of" in line
        )
    }
    assert set(found) == set(allowed), text
    for action, programs in found.items():
        assert programs <= Counter(allowed[action].split()), f"{action} starts {' '.join(programs.elements())}"
    for action, modules in told(text, "loaded by ").items():
        assert sorted(modules & HEAVY) == [], action


def test_of_a_mysql_whose_server_has_died(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        """
        act start; act promote; act monitor $RECURRING OCF_RESKEY_CRM_meta_role=Promoted
        pkill -9 -x 'mariadbd|mysqld'; within 20 sh -c '! pgrep -x "mariadbd|mysqld"'
        """
        + TRACED
        + """
        cp -r /run/backstay/db /tmp/kept
        again() { rm -rf /run/backstay/db; cp -r /tmp/kept /run/backstay/db; }
        traced demote; again; loaded demote; traced stop; again; loaded stop
        """,
    )
    judge(result.text, {"demote": "", "stop": "attrd_updater"})  # by a child, which the stop may outlive: see below


# Two questions each of which is answered only once the other is asked.
BESIDE = r"""
mkdir -p /run/tools
for each in crm_node:-p crm_attribute:-G; do
    cat > /usr/local/sbin/${each%:*} <<END
#!/bin/sh
case " \$* " in *" ${each#*:} "*)
    : > /run/tools/${each%:*}
    for turn in \$(seq 100); do [ "\$(ls /run/tools | wc -l)" -lt 2 ] || exec /usr/sbin/${each%:*} "\$@"; sleep 0.1; done
    exit 1
esac
exec /usr/sbin/${each%:*} "\$@"
END
    chmod 755 /usr/local/sbin/${each%:*}
done
"""


def test_of_a_mysql_that_runs(chamber: Chamber) -> None:
    """Asked outside a cluster, the tools have no answer; that they are asked shows, and that a promotion asks the first two
    questions beside each other."""
    result = mysql_box.run(
        chamber,
        "act start"
        + TRACED
        + """
        export OCF_RESKEY_CRM_meta_on_node=
        traced promote
        export $RECURRING OCF_RESKEY_CRM_meta_role=Promoted; traced monitor || true; unset OCF_RESKEY_CRM_meta_interval
        traced demote
        # One that is not the first.
        export CIB_file=/tmp/cib.xml; cibadmin --empty > $CIB_file; act promote; act demote
        loaded promote; loaded demote
        """
        + BESIDE
        + "act promote; ls /run/tools",
    )
    assert result.codes == [0, 0, 0, 0] and "crm_attribute\ncrm_node" in result.text, result.text
    promote = "crm_attribute crm_attribute crm_node crm_node crm_node attrd_updater"
    # The first monitor of the promoted one runs while the address starts. In a cluster it knows its name and its scores, and a
    # promotion that is not the first asks for no list of all nodes.
    judge(result.text, {"promote": promote, "monitor": "crm_node attrd_updater attrd_updater", "demote": ""})


def test_the_stop_of_a_mysql_does_not_wait_for_the_cluster_to_hear_that_it_is_not_read(chamber: Chamber) -> None:
    result = mysql_box.run(
        chamber,
        r"""
        act start; act promote; act monitor $RECURRING OCF_RESKEY_CRM_meta_role=Promoted
        mkdir /run/tools
        cat > /run/tools/attrd_updater <<'END'
#!/bin/sh
read -r _ < /run/tools/go
printf '%s ' "$@" > /run/tools/said
END
        chmod 755 /run/tools/attrd_updater; mkfifo /run/tools/go
        ln -sf /run/tools/attrd_updater /usr/local/sbin/attrd_updater
        act stop OCF_RESKEY_CRM_meta_on_node=n1
        [ ! -e /run/tools/said ]; echo > /run/tools/go; within 20 test -s /run/tools/said; echo "told=$(cat /run/tools/said)"
        """,
    )
    assert result.codes == [0, 0, 191, 0], result.text  # it runs alone
    assert result.values["told"] == "-n db-readable -N n1 -U 0 "


def test_of_an_address(chamber: Chamber) -> None:
    """The watcher of a started one is a Python of its own, which starts when the address is there."""
    result = acting.run(
        chamber,
        acting.prepared("vip", "va", timeout=20)
        + """
        ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip link set eth0 up; ip addr add 10.9.0.1/24 dev eth0
        export OCF_RESKEY_ip=10.9.0.9 OCF_RESKEY_cidr_netmask=24
        """
        + TRACED
        + "traced start; loaded stop; loaded start; traced stop",
        60,
    )
    judge(result.text, {"start": "python3", "stop": ""})


def test_of_an_haproxy(chamber: Chamber) -> None:
    result = haproxy_box.run(
        chamber,
        """
        echo_server 9001; act start; kill -9 $(master); within 20 sh -c '! pgrep -x haproxy'
        """
        + TRACED
        + "traced demote; loaded demote; traced stop; loaded stop",
    )
    judge(result.text, {"demote": "", "stop": ""})


def test_of_a_rabbitmq_whose_broker_has_died(chamber: Chamber) -> None:
    result = rabbitmq_box.run(
        chamber,
        "act start"
        + TRACED
        + """
        export OCF_RESKEY_CRM_meta_on_node=
        traced promote; traced demote; loaded demote
        pkill -9 -x beam.smp; within 20 eval '[ -z "$(beam)" ]'
        traced stop; loaded stop
        """,
    )
    # No client waits for it: who is promoted keeps the record, which is read, and compared and written by cibadmin.
    promote = "crm_attribute crm_attribute crm_node crm_node cibadmin cibadmin"
    judge(result.text, {"promote": promote, "demote": "", "stop": ""})
