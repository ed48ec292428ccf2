"""ocf:backstay:rabbitmq under the OCF contract, with a real RabbitMQ: its life without a cluster, bad input, ocf-tester.

A boot takes six seconds and more, so each test asks much of one broker.
"""

from __future__ import annotations

import re

import pytest
from acting import Chamber
from rabbitmq_box import PREPARE, run
from watching import WATCHED, of_service


def test_the_life_of_an_instance(chamber: Chamber) -> None:
    """Started, adopted, promoted, with its policy put right again, its alarms told, demoted and stopped."""
    result = run(
        chamber,
        """
        act monitor; act start; act start; act monitor $RECURRING
        act promote; act promote; act monitor $RECURRING; act monitor $DEEP; act validate-all OCF_CHECK_LEVEL=10
        rabbitmqctl -q clear_policy backstay; act monitor $RECURRING; rabbitmqctl -q list_policies
        rabbitmqctl -q set_vm_memory_high_watermark 0.00001; act monitor $RECURRING; act monitor $DEEP
        rabbitmqctl -q set_vm_memory_high_watermark 0.4
        rabbitmqctl -q set_policy theirs ^b '{"ha-mode":"all"}'; act monitor $RECURRING
        act validate-all OCF_CHECK_LEVEL=10; rabbitmqctl -q clear_policy theirs
        act monitor $RECURRING OCF_RESKEY_CRM_meta_role=Unpromoted; act promote; act reload-agent
        act demote; act demote; act monitor $RECURRING; act monitor $DEEP OCF_RESKEY_probe_password=wrong
        act stop; act stop; act monitor
        echo "epmd: $(pgrep -c -x epmd)"
        """,
    )
    expected = [7, 0, 0, 0]  # probe, start, adopted, monitor
    expected += [0, 0, 8, 8, 0]  # promote x2, monitor fast and deep, level 10
    expected += [8, 191, 191, 191, 1]  # policy repaired; memory alarm fast and deep; an unsafe policy; level 10
    expected += [0, 0, 0]  # taken for unpromoted, promoted anew, reloaded
    expected += [0, 0, 0, 190, 0, 0, 7]  # demote x2, monitor, wrong password, stop x2, probe
    assert result.codes == expected, result.text
    assert '"ha-promote-on-failure":"when-synced"' in result.text
    assert "memory" in result.reasons[10] and "memory" in result.reasons[11]
    for reason in (result.reasons[12], result.reasons[13]):
        assert reason == (
            "policy theirs in virtual host / can lose confirmed messages:"
            " ha-sync-mode=manual, ha-promote-on-failure=always"
        )
    assert "the probe's account backstay-probe is refused" in result.reasons[20]
    assert "epmd: 1" in result.text  # it outlives the broker


def test_which_clients_a_broker_has_is_told_to_another(chamber: Chamber) -> None:
    """As the agents ask each other's brokers; here there is only one."""
    result = run(
        chamber,
        """
        act start; act promote
        cat > /tmp/ask.py <<'END'
import os
import pika
from backstay.host.deadline import Deadline
from backstay.ocf.invocation import Invocation
from backstay.services.rabbitmq import broker
from backstay.services.rabbitmq.context import RabbitmqContext

with pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1")) as connection:
    ours = connection._impl._transport._sock.getsockname()[1]
    context = RabbitmqContext(Invocation("monitor", os.environ))
    with context.broker.connect(Deadline(30)) as node:
        print(f"known={broker.dialect_of(node).clients(node, node.node) == [f'127.0.0.1:{ours} -> 127.0.0.1:5672']}")
END
        PYTHONPATH=/usr/lib/ocf/lib python3 /tmp/ask.py
        act monitor $DEEP OCF_RESKEY_note_clients=true; act stop
        """,
    )
    assert result.codes == [0, 0, 8, 0] and result.values["known"] == "True", result.text


def test_its_data_survives_and_a_hung_one_is_killed(chamber: Chamber) -> None:
    """Definitions are read once; a monitor finds silence in a row, stop does not wait for it, start boots with the data."""
    result = run(
        chamber,
        r"""
        echo '{"users":[{"name":"app","password":"x","tags":""}],"vhosts":[{"name":"app"}],"permissions":
            [{"user":"app","vhost":"app","configure":".*","write":".*","read":".*"}]}' > /etc/rabbitmq/definitions.json
        chmod 644 /etc/rabbitmq/definitions.json; export OCF_RESKEY_definitions=/etc/rabbitmq/definitions.json
        act start; act monitor $RECURRING; rabbitmqctl -q delete_vhost app; rabbitmqctl -q add_vhost kept
        kill -STOP $(beam)
        took act monitor $RECURRING OCF_RESKEY_probe_timeout=3s; took act monitor $RECURRING OCF_RESKEY_probe_timeout=3s
        took act monitor $RECURRING; act demote; took act stop; echo "left: $(beam)"; act monitor
        act start; rabbitmqctl -q list_vhosts; rabbitmqctl -q list_users
        kill -9 $(beam); while [ -n "$(beam)" ]; do :; done
        took act monitor $RECURRING; act demote; act stop; act start
        kill -STOP $(beam); took act start OCF_RESKEY_probe_timeout=1s; act monitor $RECURRING; act stop
        """,
    )
    #                       start; silent: not yet, found, known; demote, stop, probe; start; dead, demote, stop; start x2
    assert result.codes == [0, 0, 0, 1, 1, 0, 0, 7, 0, 7, 0, 0, 0, 0, 0, 0], result.text
    assert result.reasons[3] == "the broker does not answer AMQP, 2 monitors in a row"
    assert "left: \n" in result.text
    assert min(result.took[:2]) >= 3000 and max(result.took[:2]) < 6000  # it waited for one probe_timeout, not for two
    assert result.took[2] < min(result.took[:2])  # what was found is not asked again
    assert result.took[3] < 20_000  # and stop does not wait for it to end by itself, which takes 54 s
    assert "\nkept\n" in result.text and "\napp\t" in result.text and "\napp\n" not in result.text


def test_a_cut_off_first_boot_begins_again_and_a_second_cluster_never_serves(chamber: Chamber) -> None:
    """The record is in a file here. Definitions are read by the seed's next boot, and by no later one. A broker whose cluster is
    another than the record's is ended before it listens."""
    result = run(
        chamber,
        r"""
        export CIB_file=/tmp/cib.xml; cibadmin --empty > $CIB_file; directory=/var/lib/rabbitmq/mnesia/rabbit@n1
        facts() { crm_attribute -t crm_config -s backstay -n rabbitmq-facts "$@" -q 2> /dev/null; }
        echo '{"users":[{"name":"app","password":"x","tags":""}]}' > /etc/rabbitmq/definitions.json
        chmod 644 /etc/rabbitmq/definitions.json; export OCF_RESKEY_definitions=/etc/rabbitmq/definitions.json
        act start & within 60 test -e $directory/coordination; kill -9 $(beam); wait
        echo "cut=$(facts -G)"; act stop
        act start; echo "begun=$(facts -G)"; rabbitmqctl -q list_users; act stop
        echo "listened=$(grep -c 'started TCP listener' /var/log/rabbitmq/rabbit@n1.log)"
        facts -v 'members=n2:rabbit@n2 epoch=3'; act start; echo "left=$(beam)"; echo "kept=$(facts -G)"
        echo "still=$(grep -c 'started TCP listener' /var/log/rabbitmq/rabbit@n1.log)"; act stop
        """,
        timeout=240,
    )
    assert result.codes == [1, 0, 0, 0, 2, 0], result.text
    assert result.values["cut"] == "seed=n1 version=1"
    assert result.values["begun"] == "members=n1:rabbit@n1 version=3"  # the seed's second attempt, and its end
    assert "\napp\t" in result.text
    assert result.reasons[4] == (
        "rabbit@n1 has data of another cluster (alone) than n2:"
        " if it is of no worth, rename /var/lib/rabbitmq/mnesia/rabbit@n1"
    )
    assert result.values["left"] == "" and result.values["kept"] == "members=n2:rabbit@n2 epoch=3"
    assert result.values["still"] == result.values["listened"]


def test_an_account_that_the_broker_does_not_let_in_any_more_costs_no_broker(chamber: Chamber) -> None:
    """A refused login is answered after three seconds, which is as long as a monitor waits by default."""
    result = run(
        chamber,
        r"""
        lose() { rabbitmqctl -q change_password backstay-probe another; }
        noted() { [ -s /run/backstay/rabbitmq/account ] && echo noted; }
        export OCF_RESKEY_probe_timeout=2s
        act start; act promote; act demote; act monitor $RECURRING; noted
        lose; took act monitor $RECURRING; took act monitor $RECURRING; act monitor $RECURRING; noted || echo forgotten
        act promote; act monitor $RECURRING; noted
        lose; act monitor $RECURRING; act monitor $RECURRING; act monitor $RECURRING; noted
        rabbitmqctl -q delete_user backstay-probe; act monitor $RECURRING; act monitor $RECURRING; noted
        act monitor $DEEP
        rabbitmqctl -q set_policy -p backstay-probe full . '{"max-length":0,"overflow":"reject-publish"}'
        act monitor $DEEP; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 0, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 191, 0], result.text
    assert result.reasons[-2] == "a confirmed publish failed: what was published was not confirmed"
    assert result.text.count("noted") == 4 and "forgotten" in result.text
    assert result.took[1] < 2000  # it does not try again what was refused


def test_a_slow_login_and_used_up_sockets_are_no_hang(chamber: Chamber) -> None:
    """A web server that answers nothing stands behind auth_backends. Then the broker offers AMQPLAIN alone, later no password at
    all; and it greets nobody while its sockets are used up."""
    result = run(
        chamber,
        r"""
        export OCF_RESKEY_probe_timeout=1s
        conf() { printf '%s\n' "$@" > /etc/rabbitmq/rabbitmq.conf; }
        act start; act promote; act monitor $RECURRING; act stop
        python3 -c 'import signal, socket; s = socket.create_server(("127.0.0.1", 8099)); signal.pause()' &
        mute=$!
        echo '[rabbitmq_auth_backend_http].' > /etc/rabbitmq/enabled_plugins
        conf 'auth_backends.1 = http' 'auth_http.user_path = http://127.0.0.1:8099/user'             'auth_http.vhost_path = http://127.0.0.1:8099/vhost'
        act start; echo "$(beam)" > /tmp/first
        act promote; act monitor $RECURRING; act monitor $RECURRING; act monitor $RECURRING; act monitor $DEEP
        [ "$(beam)" = "$(cat /tmp/first)" ] && echo same=1
        act stop; kill $mute
        rm /etc/rabbitmq/enabled_plugins; conf 'auth_mechanisms.1 = AMQPLAIN'
        act start; act promote; act monitor $RECURRING; act monitor $RECURRING; act monitor $DEEP; act stop
        conf 'auth_mechanisms.1 = EXTERNAL'
        act start; act promote; act monitor $RECURRING; act monitor $RECURRING; act monitor $DEEP; act stop
        conf ''
        act start; act promote; act monitor $RECURRING; echo "$(beam)" > /tmp/first
        rabbitmqctl -q eval 'file_handle_cache:set_limit(3).'
        act demote; act monitor $RECURRING; act monitor $RECURRING; act monitor $RECURRING; act promote; act start
        [ "$(beam)" = "$(cat /tmp/first)" ] && echo kept=1
        kill -STOP $(beam); act monitor $RECURRING; act stop
        """,
        timeout=300,
    )
    slow = "a login takes over 1 s: look at what auth_backends asks"
    short = "it greets no new client, and Erlang answers: look at its limits of sockets and connections"
    expected = [0, 0, 8, 0]  # start, promote, monitor, stop
    expected += [0, 0, 8, 191, 191, 191, 0]  # the account is not known yet; slow logins, at level 10 as well; stop
    expected += [0, 0, 8, 8, 8, 0]  # AMQPLAIN
    expected += [0, 0, 8, 8, 191, 0]  # no password: level 10 says it
    expected += [
        0,
        0,
        8,
        0,
        0,
        190,
        190,
        0,
        0,
        0,
        0,
    ]  # sockets used up: promoted, adopted, then hung
    assert result.codes == expected, result.text
    assert result.reasons[7:10] == [slow] * 3 and result.reasons[28:30] == [short] * 2
    assert "auth_mechanisms are none: add PLAIN" in result.reasons[21]
    assert result.values["same"] == result.values["kept"] == "1"


def test_a_start_that_does_not_wait_leaves_the_boot_to_the_monitors(chamber: Chamber) -> None:
    """The first start begins a cluster and waits all the same; so does one after a boot that never came to serve."""
    result = run(
        chamber,
        r"""
        export OCF_RESKEY_start_wait=1s
        took act start; act monitor $RECURRING; act stop
        took act start; act monitor $RECURRING; act promote
        serves() { act monitor $RECURRING | grep -q "monitor 0"; }; within 60 serves; act promote; act demote; act stop
        took act start; kill -9 $(beam); while [ -n "$(beam)" ]; do :; done
        act monitor $RECURRING; act stop; act start; act monitor $RECURRING; act stop
        took act start; sed -i 's/ .*/ 0/' /run/backstay/*/booting 2>/dev/null || true; act monitor $RECURRING; act stop
        """,
    )
    expected = [0, 0, 0]  # the cluster is begun
    expected += [0, 190, 1, 0, 0, 0]  # it boots: degraded, may not be promoted; it serves, and may; demote, stop
    expected += [0, 7, 0, 0, 0, 0]  # it dies while it boots; the next start waits
    expected += [0, 1, 0]  # its time is over
    assert result.codes == expected, result.text
    assert result.reasons[4] == "the broker is booting"
    assert result.reasons[-2] == "the broker did not answer AMQP within the timeout of its start"
    assert max(result.took[1:]) < result.took[0], result.text  # than the one that waited


def test_stop_and_probe_work_without_anything(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; cookie=/var/lib/rabbitmq/.erlang.cookie
        cp -p $cookie /tmp; chmod 600 $cookie; echo other > $cookie; act monitor $RECURRING
        rm $cookie; broken="OCF_RESKEY_port=abc OCF_RESKEY_config=/nonexistent"
        broken="$broken OCF_RESKEY_server=/nonexistent OCF_RESKEY_drain=x OCF_RESKEY_user=nobody-here"
        act monitor $broken; act monitor $RECURRING; act validate-all OCF_CHECK_LEVEL=10; act stop $broken
        act monitor $broken; act start
        """,
    )
    assert result.codes == [0, 190, 0, 190, 2, 0, 7, 2], result.text
    assert "unknown: the Erlang cookie here differs from that of rabbit@n1: make" in result.reasons[1]
    assert "membership and alarms are unknown: there is no Erlang cookie in" in result.reasons[3]
    assert "there is no Erlang cookie in /var/lib/rabbitmq/.erlang.cookie: set cookie" in result.reasons[7]


def test_another_node_of_nearly_the_same_name_is_left_alone(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start OCF_RESKEY_node_name=rabbit@n1; echo 127.0.0.1 n10 >> /etc/hosts
        other="OCF_RESKEY_node_name=rabbit@n10 OCF_RESOURCE_INSTANCE=other"
        act monitor $other; act stop $other; act demote $other; act monitor
        act start $other
        """,
    )
    assert result.codes == [0, 7, 0, 0, 0, 1], result.text
    assert re.match(r"port 5672 is taken by beam\.smp \(pid \d+\): end that, or set port", result.reasons[5])


BAD = [
    ("OCF_RESKEY_port=0", 6, "parameter port=0: at least 1 is needed"),
    ("OCF_RESKEY_ha_mode=nodes", 6, "parameter ha_mode=nodes: one of all, exactly, none is needed"),
    ("OCF_RESKEY_net_ticktime=4s", 6, "parameter net_ticktime=4s: at least 8 is needed"),
    ("OCF_RESKEY_config=/nonexistent.conf", 2, "the configuration /nonexistent.conf is not readable: set config to it"),
    ("OCF_RESKEY_definitions=/nonexistent", 2, "the definitions /nonexistent are not readable"),
    ("OCF_RESKEY_definitions=/etc/hosts", 2, "the definitions /etc/hosts are no JSON"),
    ("OCF_RESKEY_server=/nonexistent", 5, "no rabbitmq-server at /nonexistent: install RabbitMQ, or set server"),
    ("OCF_RESKEY_user=nobody-here", 2, "there is no system account nobody-here"),
    ("OCF_RESKEY_cookie_file=/etc/cookie", 2, "cookie_file=/etc/cookie: Erlang reads only a file named .erlang.cookie"),
    ("OCF_RESKEY_data_directory=/proc/data", 4, "/proc/data cannot be made the broker's"),
    ("OCF_RESKEY_log_directory=/tmp/locked", 4, "/tmp/locked cannot be written by rabbitmq"),
    (
        "OCF_RESKEY_config=/tmp/broken.conf",
        2,
        "/tmp/broken.conf is not accepted: Conf file attempted to set unknown variable",
    ),
    (
        "OCF_RESKEY_config=/tmp/unread.conf",
        2,
        "/tmp/unread.conf is not accepted: Syntax error in /tmp/unread.conf after line",
    ),
    ("OCF_RESKEY_port=7777", 1, "port 7777 is taken by socat"),
    ("OCF_RESKEY_removed=n1", 2, "n1 is named in removed"),
]


def test_bad_input_gets_one_sentence(chamber: Chamber) -> None:
    prepare = """
        echo no_such_key = 1 > /tmp/broken.conf; echo 'this is [ not' > /tmp/unread.conf
        mkdir -m 700 /tmp/locked; chown nobody /tmp/locked
        socat TCP-LISTEN:7777,fork EXEC:/bin/true & until grep -q :1E61 /proc/net/tcp; do :; done
    """
    cases = "\n".join(f"act start {given}; act monitor {given}; act stop {given}" for given, _, _ in BAD)
    result = run(chamber, prepare + cases)
    for number, (given, code, reason) in enumerate(BAD):
        codes, said = result.codes[3 * number : 3 * number + 3], result.reasons[3 * number]
        assert codes == [code, 7, 0] and said.startswith(reason), (given, said, result.text)


def test_level_10_names_each_mistake_with_its_remedy(chamber: Chamber) -> None:
    check = "act validate-all OCF_CHECK_LEVEL=10"
    result = run(
        chamber,
        f"""
        {check}
        chmod 644 /var/lib/rabbitmq/.erlang.cookie; {check}; chmod 400 /var/lib/rabbitmq/.erlang.cookie
        {check} OCF_RESKEY_cookie=another
        echo cluster_partition_handling = autoheal > /etc/rabbitmq/rabbitmq.conf; {check}
        echo nonsense > /etc/rabbitmq/rabbitmq.conf; {check}; rm /etc/rabbitmq/rabbitmq.conf
        echo '[{{rabbit,[{{cluster_partition_handling,ignore}}]}}].' > /etc/rabbitmq/advanced.config; {check}
        rm /etc/rabbitmq/advanced.config
        echo NODENAME=other >> /etc/rabbitmq/rabbitmq-env.conf; {check}; sed -i /other/d /etc/rabbitmq/rabbitmq-env.conf
        {check} OCF_RESKEY_node_name=rabbit@no-such-host
        echo cluster_formation.classic_config.nodes.1 = rabbit@n2 > /etc/rabbitmq/rabbitmq.conf; {check}
        rm /etc/rabbitmq/rabbitmq.conf; install -d /var/lib/rabbitmq/mnesia/rabbit@n1
        touch /var/lib/rabbitmq/mnesia/rabbit@n1/schema.DAT; {check}; rm -r /var/lib/rabbitmq/mnesia/rabbit@n1
        chown root /var/lib/rabbitmq/mnesia; chmod 700 /var/lib/rabbitmq/mnesia; {check}
        """,
    )
    assert result.codes == [0, 1, 1, 1, 2, *[1] * 6], result.text
    expected = [
        "must be rabbitmq's and nobody else's: chown rabbitmq, chmod 400",
        "is not what the parameter cookie says",
        "autoheal throws confirmed messages away",
        "rabbitmq.conf is not accepted: Syntax error in /etc/rabbitmq/rabbitmq.conf after line 1",
        "advanced.config sets cluster_partition_handling and wins",
        "rabbitmq-env.conf sets NODENAME, which is a parameter",
        "the name no-such-host does not resolve",
        "cluster_formation.classic_config.nodes.1 is the agent's to say",
        "this broker has data: if only the package's first start made it, rename /var/lib/rabbitmq/mnesia/rabbit@n1",
        "/var/lib/rabbitmq/mnesia cannot be written by rabbitmq",
    ]
    for reason, words in zip(result.reasons[1:], expected):
        assert words in reason


def test_no_monitor_starts_an_erlang_machine(chamber: Chamber) -> None:
    result = run(
        chamber,
        """
        act start; act promote; export HOME=/root
        for level in 0 10; do
            strace -f -qq -e trace=execve -o /tmp/trace.$level env OCF_CHECK_LEVEL=$level $RECURRING \
                /usr/lib/ocf/resource.d/backstay/rabbitmq monitor || echo "traced $?"
            echo "programs: $(sed -n 's/.*execve("[^"]*\\/\\([^"/]*\\)".*= 0$/\\1/p' /tmp/trace.$level | sort | uniq -c | xargs)"
        done
        act stop
        """,
    )
    assert result.codes == [0, 0, 0] and result.text.count("traced 8") == 2, result.text
    for programs in re.findall(r"^programs: (.*)$", result.text, re.MULTILINE):
        assert set(programs.split()) <= {"1", "2", "3", "env", "python3", "rabbitmq", "attrd_updater", "crm_node"}, (
            programs
        )


def test_what_a_watcher_loads(chamber: Chamber) -> None:
    """It lives as long as the broker does: neither the actions nor what boots, leads or forms a cluster stays in memory."""
    result = run(
        chamber,
        WATCHED
        + """
        act start; act promote; act monitor $RECURRING
        watched backstay.services.rabbitmq.watching:RabbitmqTarget $(tr : ' ' < /run/backstay/rabbitmq/process) > /tmp/watcher &
        within 20 grep -qs ' ok calm' /run/backstay/rabbitmq/verdict
        act stop; wait $!; cat /tmp/watcher
        """,
    )
    assert result.codes == [0, 0, 8, 0], result.text
    known = {"context", "health", "local_broker", "observation", "parameters", "prober", "process", "watching"}
    known |= {"amqp", "broker", "cookie", "distribution", "etf", "probe_account", "tcp"}  # to ask it
    known |= {"dialects", "dialects.base", "dialects.mnesia"}
    assert of_service(result.values["loaded"], "rabbitmq") == known


def test_mirroring_is_refused_in_one_sentence_where_it_is_gone(chamber: Chamber) -> None:
    """With the name of the installed version's main application changed: the broker itself is not started."""
    result = run(
        chamber,
        """
        cp -r /usr/lib/rabbitmq /tmp/rabbitmq; home=$(echo /tmp/rabbitmq/lib/*)
        mv $home/plugins/rabbit-[0-9]* $home/plugins/rabbit-4.2.1
        act start OCF_RESKEY_server=/tmp/rabbitmq/bin/rabbitmq-server OCF_RESKEY_ha_mode=all
        """,
    )
    assert result.codes == [6], result.text
    assert result.reasons[0].startswith("ha_mode=all: RabbitMQ 4.2.1 has no mirrored queues: unset ha_mode")


@pytest.mark.parametrize("agent", ["rabbitmq"])
def test_ocf_tester(chamber: Chamber, agent: str) -> None:
    script = f"unset OCF_RESKEY_CRM_meta_timeout; ocf-tester -n {agent} /usr/lib/ocf/resource.d/backstay/{agent} 2>&1"
    done = chamber(PREPARE + script, timeout=180, check=False)
    assert "passed all tests" in done.out, done.out + done.err


def test_a_cluster_that_answers_nothing_for_a_moment_costs_no_broker(chamber: Chamber) -> None:
    """A failed monitor or promotion has the broker restarted. The node is one of a cluster whose daemons do not answer, and
    the tool for scores is not there."""
    result = run(
        chamber,
        """
        act start; export OCF_RESKEY_CRM_meta_on_node=n1; mv /usr/sbin/attrd_updater /tmp/
        act monitor $RECURRING; grep -o 'promotion score not set' /tmp/said
        rm /run/backstay/rabbitmq/facts  # our copy of the record: it is asked for anew
        act promote; grep -o 'left to the first monitor' /tmp/said
        act monitor $RECURRING; act demote; act stop
        """,
    )
    assert result.codes == [0, 0, 0, 8, 0, 0], result.text
