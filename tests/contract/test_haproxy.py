"""ocf:backstay:haproxy with a real HAProxy: its life, reloads, what it finds and how it ends."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from acting import Chamber, Result
from haproxy_box import run
from tests.conftest import CHECKOUT  # type: ignore[import-not-found]


def test_the_life_of_an_instance(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001
        act monitor; act start; act start; act monitor; act monitor $RECURRING; act monitor $RECURRING OCF_CHECK_LEVEL=10
        echo ports=$(opened)
        echo said=$(echo hello | socat -t2 - TCP:127.0.0.1:8080)
        act stop; act stop; act monitor; echo left=$(pgrep -c haproxy || true)
        """,
    )
    assert result.codes == [7, 0, 0, 0, 0, 0, 0, 0, 7], result.text
    assert result.values == {"ports": "8080 8081", "said": "hello", "left": "0"}


def test_a_promotable_instance_serves_only_when_promoted(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start $CLONE; act monitor $CLONE; act monitor $CLONE $RECURRING; echo started=$(opened).
        act promote $CLONE; act promote $CLONE; act monitor $CLONE; act monitor $CLONE $RECURRING; echo promoted=$(opened).
        act reload-agent $CLONE; act monitor $CLONE $RECURRING; echo reloaded=$(opened).
        act demote $CLONE; act demote $CLONE; act monitor $CLONE $RECURRING; echo demoted=$(opened).
        act reload-agent $CLONE; act start $CLONE; act monitor $CLONE $RECURRING; echo again=$(opened).
        act stop $CLONE; act demote $CLONE
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0, 8, 8, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0], result.text
    ports = {name: value.rstrip(".").strip() for name, value in result.values.items()}
    both = "8080 8081"
    assert ports == {"started": "", "promoted": both, "reloaded": both, "demoted": "", "again": ""}


def test_a_restarted_master_is_not_promoted_and_an_open_frontend_is_closed_again(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start $CLONE; act promote $CLONE
        M=$(master); kill -9 $M; dead $M; until_ '[ -z "$(opened)" ]'
        act monitor $CLONE $RECURRING; act demote $CLONE; act stop $CLONE; act start $CLONE; act monitor $CLONE $RECURRING
        cli "@1 enable frontend web" > /dev/null; echo leak=$(opened); act monitor $CLONE $RECURRING; echo closed=$(opened).
        """,
    )
    assert result.codes == [0, 0, 7, 0, 0, 0, 0, 0], result.text
    assert result.values == {"leak": "8080", "closed": "."}


def test_demote_ends_the_sessions_that_do_not_end_themselves(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001
        act start $CLONE; act promote $CLONE
        socat TCP:127.0.0.1:8080 PIPE > /dev/null 2>&1 & client=$!
        until_ "ss -tn state established '( sport = :8080 )' | grep -q 8080"
        act demote $CLONE OCF_RESKEY_drain_timeout=300ms
        echo left=$(ss -tn state established '( sport = :8080 )' | grep -c 8080 || true)
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert result.values["left"] == "0"


def test_stop_lets_sessions_finish_and_refuses_new_ones(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001
        act start
        mkfifo /tmp/in; (socat -t3 - TCP:127.0.0.1:8080 < /tmp/in > /tmp/out) & client=$!
        exec 8> /tmp/in; echo one >&8; until_ "grep -q one /tmp/out"
        (act stop > /tmp/stop) &
        stop=$!
        until_ '[ -z "$(opened)" ]'
        echo refused=$(socat - TCP:127.0.0.1:8080 < /dev/null 2>&1 | grep -c refused)
        echo two >&8; until_ "grep -q two /tmp/out"; exec 8>&-
        wait $client; wait $stop; cat /tmp/stop; act monitor
        """,
    )
    assert result.codes == [0, 0, 7], result.text
    assert int(result.values["refused"]) > 0


def test_stop_ends_what_does_not_drain_within_its_budget(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001; act start
        (sleep 30 | socat - TCP:127.0.0.1:8080 > /dev/null 2>&1) &
        until_ "ss -tn state established '( sport = :8080 )' | grep -q 8080"
        took act stop OCF_RESKEY_drain_timeout=500ms
        act monitor
        """,
    )
    assert result.codes == [0, 0, 7], result.text
    assert 500 <= result.took[0] < 10_000  # the client stays for thirty seconds


# -- what monitor finds ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["master", "worker"])
def test_a_killed_process_is_found_and_leaves_nothing(chamber: Chamber, who: str) -> None:
    result = run(
        chamber,
        f"""
        act start; K=$({who}); kill -9 $K; dead $K; until_ '! pgrep haproxy > /dev/null'
        act monitor $RECURRING; act stop; act start; act monitor $RECURRING
        """,
    )
    assert result.codes == [0, 7, 0, 0, 0], result.text


@pytest.mark.parametrize("who", ["master", "worker"])
def test_a_hung_process_is_a_finding_and_does_not_hold_up_stop(chamber: Chamber, who: str) -> None:
    result = run(
        chamber,
        f"""
        act start; kill -STOP $({who})
        act monitor; act monitor $RECURRING OCF_RESKEY_probe_timeout=500ms
        took act stop OCF_RESKEY_drain_timeout=10s; act monitor
        """,
    )
    assert result.codes == [0, 0, 1, 0, 7], result.text
    assert result.reasons[2].startswith(f"HAProxy's {who} does not answer in time")
    assert result.took[0] < 10_000  # what hangs is not drained


def test_start_replaces_one_that_hangs(chamber: Chamber) -> None:
    result = run(
        chamber,
        "act start; kill -STOP $(master); act start OCF_RESKEY_probe_timeout=500ms; act monitor $RECURRING",
    )
    assert result.codes == [0, 0, 0], result.text


def test_frontends_backends_and_their_parameters(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; until_ 'cli "@1 show stat" | grep "^pool,BACKEND" | grep -q DOWN'
        act monitor $RECURRING
        act monitor $RECURRING OCF_RESKEY_require_backends=pool
        act monitor $RECURRING OCF_RESKEY_require_backends=nopool:2
        cli "@1 disable frontend web" > /dev/null
        act monitor $RECURRING
        act monitor $RECURRING OCF_RESKEY_frontends=other
        act monitor $RECURRING OCF_RESKEY_frontends=other,none
        act stop; act start OCF_RESKEY_frontends=none
        """,
    )
    assert result.codes == [0, 0, 1, 1, 1, 0, 1, 0, 2], result.text
    assert result.reasons[2] == "backend pool has 0 servers up, require_backends asks for 1"
    assert result.reasons[3].startswith("backend nopool is not in the configuration")
    assert result.reasons[4].startswith("frontend web is PAUSED")
    assert result.reasons[8].startswith("there is no frontend none in /etc/haproxy/haproxy.cfg")


def test_level_10_connects_where_the_worker_listens(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; act monitor $RECURRING OCF_CHECK_LEVEL=10
        ip route add prohibit 127.0.0.1 2> /dev/null; ip rule add prio 0 table 7; ip route add prohibit 127.0.0.1 table 7
        ip rule add prio 1 table local; ip rule del prio 0 table local 2> /dev/null || true
        act monitor $RECURRING; act monitor $RECURRING OCF_CHECK_LEVEL=10
        """,
    )
    assert result.codes == [0, 0, 0, 1], result.text
    assert result.reasons[3].startswith("no connection to ")


def test_level_10_tries_only_what_is_on_this_host(chamber: Chamber) -> None:
    """With `transparent` HAProxy also listens on an address that another node holds."""
    result = run(
        chamber,
        """
        sed -i 's/bind :8080/bind 10.1.2.3:8080 transparent/' $C
        act start; act monitor $RECURRING OCF_CHECK_LEVEL=10
        ip link add v0 type veth peer name v1; ip link set v0 up; ip addr add 10.1.2.9/24 dev v0
        act monitor $RECURRING OCF_CHECK_LEVEL=10
        ip addr add 10.1.2.3/24 dev v0; act monitor $RECURRING OCF_CHECK_LEVEL=10
        """,
    )
    assert result.codes == [0] * 4, result.text


def test_a_full_haproxy_is_told_and_not_dead(chamber: Chamber) -> None:
    """One that has all the connections it may have, and whose queue is full, answers nobody new; its sessions go on."""
    result = run(
        chamber,
        """
        sed -i 's/maxconn 1000/maxconn 2/; s/bind :8080/bind :8080 backlog 1/' $C
        echo_server 9001; act start; first=$(worker)
        for i in 1 2 3 4 5 6; do socat -T60 TCP:127.0.0.1:8080 EXEC:'sleep 60' & done
        until_ 'ss -tn state syn-sent | grep -q :8080'
        act monitor $RECURRING; act monitor $RECURRING OCF_CHECK_LEVEL=10 OCF_RESKEY_probe_timeout=2s
        act monitor $RECURRING OCF_CHECK_LEVEL=10 OCF_RESKEY_probe_timeout=2s OCF_RESKEY_CRM_meta_promoted_max=1
        [ "$(worker)" = $first ] && echo same=1
        """,
    )
    assert result.codes[:3] == [0, 0, 190], result.text
    assert result.reasons[2].startswith("0.0.0.0:8080 is full, "), result.text
    assert result.values["same"] == "1"


# -- reloading ---------------------------------------------------------------------------------------------------------


def test_reload_by_serial_by_hand_and_by_change(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; echo first=$(worker)
        echo "# 1" >> $C; act monitor $RECURRING; echo ignored=$(worker)
        act reload-agent OCF_RESKEY_config_serial=2; echo second=$(worker)
        echo "# 2" >> $C; act monitor $RECURRING OCF_RESKEY_reload_on_change=yes; echo third=$(worker)
        act monitor $RECURRING OCF_RESKEY_reload_on_change=yes; echo same=$(worker)
        act reload; echo fourth=$(worker)
        """,
    )
    assert result.codes == [0] * 6, result.text
    pids = result.values
    assert pids["first"] == pids["ignored"] and pids["third"] == pids["same"]
    assert len({pids[name] for name in ("first", "second", "third", "fourth")}) == 4


def broken_reload(chamber: Chamber, breaking: str, environ: str = "") -> Result:
    """Break the configuration, try every way to load it, mend it."""
    return run(
        chamber,
        f"""
        {environ}
        echo_server 9001; act start; echo first=$(worker)
        {breaking}
        act reload-agent; act reload; act monitor $RECURRING; act monitor $RECURRING OCF_RESKEY_reload_on_change=yes
        W=$(cli "show proc" | awk '$2 == "worker" {{ print $1; exit }}'); echo second=$W
        echo said=$(echo hello | socat -t2 - TCP:127.0.0.1:8080)
        original; act monitor $RECURRING OCF_RESKEY_reload_on_change=yes; act monitor $RECURRING
        act reload-agent; act monitor $RECURRING; echo third=$(worker)
        """,
    )


@pytest.mark.parametrize(
    ("breaking", "reason"),
    [
        ("sed -i 's/mode tcp/mode tpc/' $C", "/etc/haproxy/haproxy.cfg:8: unknown proxy mode 'tpc'"),
        ("sed -i 's/maxconn 1000/maxconn 900000000/' $C", "maxconn 900000000 needs about 1800000100 file descriptors"),
        ("rm $C", "/etc/haproxy/haproxy.cfg cannot be read: No such file or directory"),
        # what -c cannot see: the check passes and the new worker does not start
        ("sed -i 's/:8080/10.1.2.3:8080/' $C", "10.1.2.3:8080 is not an address of this node"),
    ],
    ids=["syntax", "descriptors", "missing", "address"],
)
def test_a_refused_configuration_leaves_the_old_worker_serving(chamber: Chamber, breaking: str, reason: str) -> None:
    result = broken_reload(chamber, breaking)
    assert result.codes == [0, 0, 2, 190, 190, 0, 0, 0, 0], result.text
    for said in result.reasons[1:5]:
        assert said.startswith(reason), result.text
    assert result.values["said"] == "hello"
    assert result.values["first"] == result.values["second"] != result.values["third"]


def test_an_instance_that_may_be_promoted_notes_a_refused_configuration_and_is_well(chamber: Chamber) -> None:
    """A degraded result would hold up its promotion (decision 28)."""
    result = run(
        chamber,
        """
        act start $CLONE; act promote $CLONE; sed -i 's/mode tcp/mode tpc/' $C
        act monitor $CLONE $RECURRING OCF_RESKEY_reload_on_change=yes; echo noted=$(cat /run/backstay/*/standing)
        act demote $CLONE; act monitor $CLONE $RECURRING OCF_RESKEY_reload_on_change=yes
        original; act monitor $CLONE $RECURRING OCF_RESKEY_reload_on_change=yes; echo left=$(ls /run/backstay/*/standing).
        """,
    )
    assert result.codes == [0, 0, 8, 0, 0, 0], result.text
    assert result.values["noted"].startswith("0 ") and "unknown proxy mode 'tpc'" in result.values["noted"]
    assert result.values["left"] == "."


def test_a_reload_that_takes_too_long_leaves_the_old_worker_serving(chamber: Chamber) -> None:
    """Names of servers are asked of a name server that answers nothing. A failed reload would have HAProxy restarted, which
    could not start then either."""
    result = run(
        chamber,
        """
        ip link add dns type veth peer name away; ip link set dns up; ip link set away up; ip addr add 10.9.0.1/24 dev dns
        ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev dns nud permanent
        printf 'nameserver 10.9.0.2\noptions timeout:30 attempts:1\n' > /etc/resolv.conf
        echo_server 9001; act start; echo first=$(worker)
        sed -i 's/server s3 127.0.0.1/server s3 nowhere.example/' $C
        act reload-agent OCF_RESKEY_CRM_meta_timeout=4000; act monitor $RECURRING; echo second=$(worker)
        echo said=$(echo hello | socat -t2 - TCP:127.0.0.1:8080)
        original; kill -USR2 $(master); changed() { [ -n "$(worker)" ] && [ "$(worker)" != "$W" ]; }
        W=$(sed 's/ .*//' /run/backstay/lb/loaded); within 20 changed; act monitor $RECURRING
        """,
    )
    assert result.codes == [0, 0, 190, 0], result.text
    assert result.reasons[2].startswith("haproxy did not finish within 3."), result.text
    assert "(not loaded, the old configuration serves)" in result.reasons[2]
    assert result.values["first"] == result.values["second"]
    assert result.values["said"] == "hello"


def test_a_reload_by_someone_else_that_failed_is_told(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; sed -i 's/mode tcp/mode tpc/' $C; kill -USR2 $(master); until_ 'cli "show proc" | grep -q "failed: 1"'
        act monitor $RECURRING; original; kill -USR2 $(master); until_ 'cli "show proc" | grep -q "failed: 0"'
        until_ '[ -n "$(worker)" ]'; act monitor $RECURRING
        """,
    )
    assert result.codes == [0, 190, 0], result.text
    assert "haproxy.cfg:8: unknown proxy mode" in result.reasons[1]


def test_what_was_set_at_the_servers_outlives_reload_and_restart(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        echo_server 9001; act start; until_ 'cli "@1 show servers state" | grep -q "pool 3 s3 127.0.0.1 0"'
        show() { cli "@1 show servers state" | awk -v OFS=, '$2 == "pool" { print $6, $7, $8 }' | tr '\n' ' '; }
        for command in "s1 state drain" "s2 weight 40"; do cli "@1 set server pool/$command"; done
        act reload-agent; echo reloaded=$(show)
        act stop; act start; echo restarted=$(show)
        sed -i 's/s1 127.0.0.1:9001 check inter 100ms/s1 127.0.0.1:9001 check inter 200ms/' $C
        act reload-agent; echo changed=$(show)
        M=$(master); kill -9 $M; dead $M; act stop; act start; echo crashed=$(show)
        """,
    )
    assert result.codes == [0] * 7, result.text
    state = {
        name: [tuple(map(int, server.split(","))) for server in text.split()] for name, text in result.values.items()
    }
    for name in ("reloaded", "restarted"):
        assert [server[1] for server in state[name]] == [8, 0, 0] and state[name][1][2] == 40, result.text
        assert state[name][2][0] == 0, "a server known to be down serves again"
    assert [server[1] for server in state["changed"]] == [0, 0, 0]  # another line is another server
    assert state["changed"][1][2] == 40
    assert state["crashed"][1][2] == 1  # nothing was kept, and nothing older is


def test_a_server_that_moved_by_a_variable_or_a_name_is_found_where_it_is(chamber: Chamber) -> None:
    """The server's line is the same text, and HAProxy loads the state itself. Weights and a drained server stay."""
    result = run(
        chamber,
        r"""
        answer() { socat -T60 TCP-LISTEN:$2,bind=$1,fork,reuseaddr SYSTEM:"read l; echo $3" & until_ "ss -ltn | grep -q $1:$2"; }
        answer 127.0.0.1 9001 old; answer 127.0.0.1 9002 new; answer 127.0.0.2 9001 moved
        echo 127.0.0.1 db >> /etc/hosts
        sed -i 's/mode tcp/mode tcp\n    load-server-state-from-file global/' $C
        sed -i 's/maxconn 1000/maxconn 1000\n    setenv DBPORT 9001/' $C
        sed -i '/server s3/d; s/server s1 127.0.0.1:9001 check.*/server s1 "127.0.0.1:${DBPORT}" check inter 1h/' $C
        sed -i 's/server s2 127.0.0.1:9001.*/server s2 db:9001/' $C
        ask() { echo hello | socat -t2 - TCP:127.0.0.1:$1 | head -n 1; }
        act start; cli "@1 set server pool/s1 weight 40" ; echo first=$(ask 8081)
        cli "@1 set server pool/s1 state drain"; echo named=$(ask 8080)
        sed -i 's/DBPORT 9001/DBPORT 9002/' $C; sed 's/127.0.0.1 db/127.0.0.2 db/' /etc/hosts > /tmp/h; cat /tmp/h > /etc/hosts
        act reload-agent; echo second=$(ask 8081); echo renamed=$(ask 8080)
        echo state=$(cli "@1 show servers state" | awk '$2 == "pool" && $4 == "s1" { print $7, $8, $19 }')
        act stop; act start; echo third=$(ask 8081); echo again=$(ask 8080)
        """,
    )
    assert result.codes == [0] * 4, result.text
    assert (result.values["first"], result.values["named"]) == ("old", "old")
    assert (result.values["second"], result.values["renamed"]) == ("new", "moved"), result.text
    assert result.values["state"] == "8 40 9002", result.text
    assert (result.values["third"], result.values["again"]) == ("new", "moved"), result.text


def test_no_gap_where_the_configuration_loads_the_state_itself(chamber: Chamber) -> None:
    """Then HAProxy's own log shows the state before it serves, and the agent has nothing to set."""
    result = run(
        chamber,
        """
        echo_server 9001; sed -i 's/mode tcp/mode tcp\\n    load-server-state-from-file global/' $C; act start
        cli "@1 set server pool/s1 state drain"; act reload-agent
        echo state=$(cli "@1 show servers state" | awk '$2 == "pool" && $4 == "s1" { print $7 }')
        echo set=$(tail -n 3 /run/backstay/lb/haproxy.log | grep -c 'enters drain state' || true)
        """,
    )
    assert result.values == {"state": "8", "set": "0"}, result.text


@pytest.mark.parametrize("broken", ["", "--broken"])
def test_reloads_lose_no_connection(chamber: Chamber, broken: str) -> None:
    image = os.environ.get("BACKSTAY_TEST_IMAGE", "bookworm")
    bench = [str(CHECKOUT / "bench/haproxy_reload.py"), "--seconds", "3", "--reloads", "8", "--image", image]
    done = subprocess.run([*bench, *broken.split()], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["failed"], found["broken"], found["long_broken"]) == (0, 0, 0), found
    assert found["attempts"] > 500 and found["refused"] == (4 if broken else 0)


# -- clients that come while it is dead ---------------------------------------------------------------------------------

# A client on another host, the address here, and the watcher. held: ports of the address at which the filter drops SYNs;
# waits: whether the client's SYN is unanswered. The rest as in haproxy_box.
ADDRESSED = r"""
ip link set lo up; ip netns add lan; ip link add eth0 type veth peer name eth0 netns lan
for part in "" "-n lan"; do ip $part link set eth0 up; done
ip addr add 10.9.0.1/24 dev eth0; ip addr add 10.9.0.50/32 dev eth0; ip -n lan addr add 10.9.0.2/24 dev eth0
export OCF_RESKEY_CRM_meta_on_node=n1 OCF_RESKEY_address=10.9.0.50 OCF_RESKEY_hold_for=30s OCF_RESKEY_probe_timeout=1500ms
held() { nft list set inet backstay held4 2>/dev/null | grep -o '10.9.0.50 . [0-9a-z-]*' | tr '\n' ' '; }
client() { ip netns exec lan socat -T60 -u OPEN:/dev/null TCP:10.9.0.50:8080,connect-timeout=40 & }
waits() { ip netns exec lan ss -Htn state syn-sent | grep -q 10.9.0.50; }
watched_() { within 20 grep -qs ' ok' /run/backstay/lb/verdict; within 20 nft list set inet backstay held4 > /dev/null; }
echo_server 9001
"""


@pytest.mark.parametrize(
    "fault",
    ["kill -9 $(master)", "kill -STOP $(master) $(worker)"],
    ids=["killed", "hangs"],
)
def test_who_connects_while_it_is_dead_waits_until_it_serves_again(chamber: Chamber, fault: str) -> None:
    result = run(
        chamber,
        ADDRESSED
        + f"""
        act start; watched_; echo before="$(held)"
        {fault}; within 20 eval '[ -n "$(held)" ]'; echo meanwhile="$(held)"
        client; within 20 waits
        act stop; act start; echo after="$(held)"
        wait $!; echo client=$?; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0], result.text
    # Not at 8081, where it listens on another address.
    assert (result.values["before"], result.values["meanwhile"].strip()) == ("", "10.9.0.50 . 8080"), result.text
    assert (result.values["after"], result.values["client"]) == ("", "0"), result.text


def test_who_asked_for_refusal_is_refused_and_a_reload_changes_that(chamber: Chamber) -> None:
    result = run(
        chamber,
        ADDRESSED
        + """
        gone() { ! kill -0 $1 2> /dev/null; }
        watcher() { cut -d' ' -f3 /run/backstay/lb/watch.lock; }
        act start; watched_; w=$(watcher)
        export OCF_RESKEY_on_loss=refuse
        act reload-agent; within 20 gone $w; within 20 grep -qs ' ok' /run/backstay/lb/verdict
        within 20 eval '[ -n "$(watcher)" ]'; w=$(watcher); kill -9 $(master); within 20 gone $w; echo meanwhile="$(held)"
        act stop
        """,
    )
    assert result.codes == [0, 0, 0], result.text
    assert result.values["meanwhile"] == "", result.text


def test_a_warm_standby_that_dies_holds_nobody_and_a_demotion_does(chamber: Chamber) -> None:
    result = run(
        chamber,
        ADDRESSED
        + """
        gone() { ! kill -0 $1 2> /dev/null; }
        watcher() { cut -d' ' -f3 /run/backstay/lb/watch.lock; }
        export $CLONE
        act start; watched_; w=$(watcher); kill -9 $(master); within 20 gone $w; echo standby="$(held)"
        act stop; act start; act promote; act demote; echo demoted="$(held)"
        client; within 20 waits; act promote; echo promoted="$(held)"
        wait $!; echo client=$?; act demote; act stop
        """,
    )
    assert result.codes == [0] * 8, result.text
    assert [result.values[name].strip() for name in ("standby", "demoted", "promoted")] == ["", "10.9.0.50 . 8080", ""]
    assert result.values["client"] == "0", result.text
