"""A step of the wall clock changes nothing that an agent does: real actions and programs, with libfaketime stepping that clock
and no other."""

from __future__ import annotations

import acting
import pytest
from acting import Chamber

# stepped SECONDS COMMAND: with the wall clock so much ahead of what all else sees. The dates of files stay what they are.
STEP = r"""
stepped() {
    by=$1; shift
    export LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1 FAKETIME=$by
    export DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 FAKE_UTIME=0
    "$@"
    unset LD_PRELOAD FAKETIME
}
"""
AHEAD, BACK = "+3600", "-3600"


def test_the_clock_is_stepped(chamber: Chamber) -> None:
    done = chamber(STEP + f"date +%s; stepped {AHEAD} date +%s; cut -d. -f1 /proc/uptime")
    now, then, _ = map(int, done.out.split())
    assert 3600 <= then - now < 3660


@pytest.mark.parametrize("step", [AHEAD, BACK])
def test_the_age_of_a_note_is_what_has_passed(chamber: Chamber, step: str) -> None:
    script = r"""
        cat > note.py <<'END'
import sys
from backstay.host.state_files import Files, StateFile
files, note, long = Files("/work"), StateFile("note", "", lost=""), StateFile("long", "", lost="")
if sys.argv[1] == "write":
    files.write(note, "so it is")
    files.lasting(long, "apart")
else:
    print(files.age(note), files.lasting(long, "apart"), files.lasting(long, "other"))
END
        python3 note.py write; stepped STEP python3 note.py read; stepped STEP python3 note.py write; python3 note.py read
        """
    for line in chamber(STEP + script.replace("STEP", step)).out.splitlines():
        age, lasted, other = map(float, line.split())
        assert 0 < age < 30
        assert 0 < lasted < 30
        assert other == 0


def test_a_date_of_the_wall_clock_is_nobodys(chamber: Chamber) -> None:
    """As an earlier revision left it: the note is as old as can be, and nothing lasts since then."""
    done = chamber(
        r"""
        printf apart > long; touch note
        python3 -c 'from backstay.host.state_files import Files, StateFile
f, note, none, long = Files("/work"), *(StateFile(name, "", lost="") for name in ("note", "none", "long"))
print(f.age(note), f.has(note), f.has(none), f.lasting(long, "apart"), f.lasting(long, "apart") < 30, f.age(long) < 30)'
        """
    )
    assert done.out.split() == ["inf", "True", "False", "0.0", "True", "True"]


# Of a RabbitMQ node that sees another apart: what the coordinator says to that, and how many silences there were for how long.
HEAL = r"""
mkdir -p /run/backstay
cat > heal.py <<'END'
import os
from backstay.ocf.invocation import Invocation
from backstay.host.process import at
from backstay.services.rabbitmq import coordinator, monitor
from backstay.services.rabbitmq.context import RabbitmqContext
from backstay.services.rabbitmq.health import Restart
from backstay.services.rabbitmq.observation import PAUSED, Seen
context = RabbitmqContext(Invocation("monitor", os.environ))
members = frozenset({"rabbit@n1", "rabbit@n2", "rabbit@n3"})
seen = Seen(PAUSED, members=members, partitions=members - {context.broker.erlang_name})
try:
    said = coordinator._heal(context, seen)
except Restart as error:
    said = [str(error)]
count, lasted = monitor.count(context, at(1), PAUSED)
print(len(said), count, int(lasted))
END
"""


@pytest.mark.parametrize("step", [AHEAD, BACK])
def test_a_partition_lasts_as_long_as_it_lasts(chamber: Chamber, step: str) -> None:
    script = f"python3 heal.py; stepped {step} python3 heal.py; python3 heal.py"
    done = chamber(acting.prepared("rabbitmq", "rabbitmq", timeout=60) + STEP + HEAL + script)
    assert [line.split()[:2] for line in done.out.splitlines()] == [["0", "1"], ["0", "2"], ["0", "3"]]
    assert all(0 <= int(line.split()[2]) < 30 for line in done.out.splitlines())


# The watcher's pid, as its lock has it
WATCHER = r"""
ip link add eth0 type veth peer name eth1; ip link set eth1 up; ip link set eth0 up; ip addr add 10.9.0.1/24 dev eth0
export OCF_RESKEY_ip=10.9.0.50
begun() { set -- $(cat /run/backstay/vip/watch.lock); [ $# -ge 4 ] && echo $3 > /tmp/watcher; }
watcher() { within 10 begun; cat /tmp/watcher; }
verdict() { within 10 test -s /run/backstay/vip/verdict; }
export OCF_RESKEY_CRM_meta_on_node=n1
"""


@pytest.mark.parametrize("step", [AHEAD, BACK])
def test_a_watcher_that_looks_is_left_alone(chamber: Chamber, step: str) -> None:
    result = acting.run(
        chamber,
        acting.prepared("vip", "vip", timeout=20)
        + STEP
        + WATCHER
        + f"""
        act start; act monitor $RECURRING; echo first=$(watcher); verdict
        stepped {step} act monitor $RECURRING; echo second=$(watcher); act stop
        """,
        60,
    )
    assert result.codes == [0, 0, 0, 0], result.text
    assert result.values["first"] == result.values["second"]


def test_a_watcher_that_stands_still_is_found_though_the_clock_was_set_back(chamber: Chamber) -> None:
    result = acting.run(
        chamber,
        acting.prepared("vip", "vip", timeout=20)
        + STEP
        + WATCHER
        + f"""
        act start; act monitor $RECURRING; first=$(watcher); verdict; kill -STOP $first
        replaced() {{ stepped {BACK} $A monitor && [ $(watcher) != $first ]; }}
        export $RECURRING; within 30 replaced; act monitor; act stop
        """,
        60,
    )
    assert result.codes == [0, 0, 0, 0], result.text
