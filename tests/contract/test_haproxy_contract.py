"""ocf:backstay:haproxy under the OCF contract: bad input, cost, meta-data, ocf-tester."""

from __future__ import annotations

import pytest
from acting import Chamber
from haproxy_box import run
from watching import WATCHED, of_service

C = "/etc/haproxy/haproxy.cfg"

BAD = [
    ("", "OCF_RESKEY_binary=/nowhere/haproxy", 5, "no haproxy at /nowhere/haproxy: install it, or set binary"),
    ("", "OCF_RESKEY_binary=/bin/true", 5, "/bin/true says of itself 'nothing': install HAProxy 2.2 or later"),
    ("rm $C", "", 2, f"{C} cannot be read: No such file or directory; correct config or the file"),
    (
        "mkdir /tmp/d",
        "OCF_RESKEY_config=/tmp/d",
        2,
        "no file *.cfg in the directory /tmp/d: put one there, or correct config",
    ),
    ("sed -i 's/mode tcp/mode tpc/' $C", "", 2, f"{C}:8: unknown proxy mode 'tpc'"),
    ("echo > $C", "", 2, f"{C} is not accepted (status 2): "),
    (
        "mkdir /run/backstay; mount -t tmpfs -o ro x /run/backstay",
        "",
        4,
        "/run/backstay/lb cannot be written",
    ),
    ("touch /run/backstay", "", 4, "/run/backstay/lb cannot be written, Not a directory"),
    ("echo_server 8080", "", 1, "0.0.0.0:8080 is in use by socat (pid "),
    ("sed -i 's/:8080/10.1.2.3:8080/' $C", "", 1, "10.1.2.3:8080 is not an address of this node"),
    ("haproxy -D -f $C", "", 1, " is shared with haproxy (pid "),
    (
        "sed -i 's/maxconn 1000/maxconn 900000000/' $C",
        "",
        2,
        "maxconn 900000000 needs about 1800000100 file descriptors",
    ),
    ("", "OCF_RESOURCE_INSTANCE=" + "x" * 90, 1, "the resource's name is too long for a socket's path"),
    (
        "",
        "OCF_RESKEY_require_backends=pool:none",
        6,
        "parameter require_backends=pool:none: write NAME or NAME:SERVERS",
    ),
    (
        "",
        "OCF_RESKEY_drain_timeout=soon",
        6,
        "parameter drain_timeout=soon: a time such as 3s, 500ms or 2min is needed",
    ),
]


@pytest.mark.parametrize(
    ("breaking", "environ", "code", "reason"), BAD, ids=[f"{code} {reason[:30]}" for _, _, code, reason in BAD]
)
def test_bad_input_gets_one_sentence(chamber: Chamber, breaking: str, environ: str, code: int, reason: str) -> None:
    result = run(
        chamber,
        f"{breaking}\nact start {environ}; act monitor {environ}; act stop {environ}\n"
        f"act monitor {environ}; act validate-all {environ}; act validate-all OCF_CHECK_LEVEL=10 {environ}",
    )
    level_0 = 6 if code == 6 else 0
    level_10 = 0 if code == 1 and "too long" not in reason else code
    assert result.codes == [code, 7, 0, 7, level_0, level_10], result.text
    assert reason in result.reasons[0][:128], result.text


def test_stop_needs_neither_program_nor_configuration_nor_state(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; rm $C; rm -r /run/backstay; mount -t tmpfs -o ro x /run
        act monitor OCF_RESKEY_binary=/nowhere; act stop OCF_RESKEY_binary=/nowhere OCF_RESKEY_drain_timeout=never
        act monitor; echo left=$(pgrep -c haproxy || true)
        """,
    )
    assert result.codes == [0, 0, 0, 7], result.text
    assert result.values["left"] == "0"


def test_another_instance_is_not_ours(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; sed 's/8080/8090/; s/8081/8091/' $C > /tmp/two.cfg
        TWO="OCF_RESOURCE_INSTANCE=two OCF_RESKEY_config=/tmp/two.cfg"
        act monitor $TWO; act start $TWO; act stop; act monitor $TWO $RECURRING; act monitor
        echo $(master 2> /dev/null) > /run/backstay/lb/master; act monitor; act stop $TWO
        """,
    )
    assert result.codes == [0, 7, 0, 0, 0, 7, 7, 0], result.text


def test_a_used_again_pid_is_not_ours(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; M=$(master); kill -9 $M; dead $M; until_ '! pgrep haproxy > /dev/null'
        sleep 100 & echo "$! 1 /usr/sbin/haproxy" > /run/backstay/lb/master
        act monitor; act stop; kill $!
        """,
    )
    assert result.codes == [0, 7, 0], result.text


def test_unknown_action(chamber: Chamber) -> None:
    assert run(chamber, "act migrate_to").codes == [3]


def test_old_sessions_end_and_the_admins_setting_wins(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001; act start OCF_RESKEY_hard_stop_after=1s
        (sleep 30 | socat - TCP:127.0.0.1:8080 > /dev/null 2>&1) &
        until_ "ss -tn state established '( sport = :8080 )' | grep -q 8080"
        W=$(worker); act reload-agent OCF_RESKEY_hard_stop_after=1s; dead $W; echo gone=1
        sed -i 's/maxconn 1000/maxconn 1000\\n    hard-stop-after 1h/' $C; act reload-agent OCF_RESKEY_hard_stop_after=1s
        (sleep 30 | socat - TCP:127.0.0.1:8080 > /dev/null 2>&1) &
        until_ "ss -tn state established '( sport = :8080 )' | grep -q 8080"
        W=$(worker); act reload-agent OCF_RESKEY_hard_stop_after=1s; sleep 2; readlink /proc/$W/exe > /dev/null && echo there=1
        """,
    )
    assert result.values == {"gone": "1", "there": "1"}, result.text


# -- cost and conformance ----------------------------------------------------------------------------------------------


def test_what_a_monitor_loads(chamber: Chamber) -> None:
    """Start-up is most of a monitor's cost; each of these would add 2 to 20 ms to it."""
    result = run(
        chamber,
        """
        act start; export $RECURRING
        cat > /tmp/loaded.py <<'END'
import os, sys
sys.argv = ["haproxy", "monitor"]
os._exit = lambda code: print(code, *sys.modules)
agent = "/usr/lib/ocf/resource.d/backstay/haproxy"
exec(open(agent).read(), {"__file__": agent})
END
        echo loaded=$(python3 -IS /tmp/loaded.py)
        echo forks=$(strace -f -qq -e trace=process -e signal=none $A monitor 2>&1 | grep -cE '(clone3?|v?fork)[(]' || true)
        """,
    )
    code, *loaded = result.values["loaded"].split()
    assert code == "0" and "backstay.services.haproxy.master_cli" in loaded
    unwanted = {"socket", "selectors", "subprocess", "ctypes", "enum", "re", "json", "typing", "signal"}
    ours = {
        "backstay.cluster.pacemaker",
        "backstay.ocf.metadata",
        "backstay.services.haproxy.server_state",
        "backstay.services.haproxy.listeners",
    }
    assert set(loaded) & (unwanted | ours) == set()
    assert result.values["forks"] == "0"


def test_what_a_watcher_loads(chamber: Chamber) -> None:
    """It lives as long as HAProxy does: neither the actions nor what loads configurations stays in memory."""
    result = run(
        chamber,
        WATCHED
        + """
        act start
        watched backstay.services.haproxy.watching:HaproxyTarget $(cut -d' ' -f1,2 /run/backstay/lb/master) > /tmp/watcher 2>&1 &
        within 20 grep -qs " ok" /run/backstay/lb/verdict
        act stop; wait $!; cat /tmp/watcher
        """,
    )
    assert result.codes == [0, 0], result.text
    known = {"context", "daemon", "health", "holding", "master_cli", "parameters", "prober", "watching"}
    assert of_service(result.values["loaded"], "haproxy") == known


@pytest.mark.parametrize("clone", ["", "-o CRM_meta_promoted_max=1"])
def test_ocf_tester(chamber: Chamber, clone: str) -> None:
    result = run(chamber, f"ocf-tester -n lb -o config=$C {clone} $A 2>&1", timeout=120)
    assert "passed all tests" in result.text, result.text
