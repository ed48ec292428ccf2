"""A RabbitMQ that does not come to serve says why, and what is said to be done loses nothing."""

from __future__ import annotations

from acting import Chamber
from rabbitmq_box import run

# facts: the record, in a file here
RECORD = r"""
export CIB_file=/tmp/cib.xml; cibadmin --empty > $CIB_file
facts() { crm_attribute -t crm_config -s backstay -n rabbitmq-facts "$@" -q 2> /dev/null; }
"""


def test_a_broker_that_its_cluster_has_forgotten_says_so(chamber: Chamber) -> None:
    """Whether by the start or, where that does not wait for the boot, by the monitor after it."""
    result = run(
        chamber,
        RECORD
        + r"""
        act start; first=$(beam)
        printf '%s\n' 'cluster_formation.peer_discovery_backend = classic_config' \
            'cluster_formation.classic_config.nodes.1 = rabbit@n1' > /tmp/two.conf
        su rabbitmq -s /bin/sh -c 'cd; RABBITMQ_LOG_BASE=/tmp RABBITMQ_NODENAME=two@n1 RABBITMQ_NODE_PORT=5673 \
            RABBITMQ_CONFIG_FILE=/tmp/two.conf exec /usr/lib/rabbitmq/bin/rabbitmq-server' > /tmp/two 2>&1 &
        joined() { ss -ltn | grep -q :5673; }
        alone() { [ "$(beam)" = $first ]; }
        within 120 joined; kill $(beam | grep -v $first); within 60 alone
        rabbitmqctl -q -n rabbit@n1 forget_cluster_node two@n1; hostname n2
        export BACKSTAY_RUN=/run/two OCF_RESKEY_log_directory=/tmp OCF_RESKEY_node_name=two@n1 OCF_RESKEY_port=5673
        facts -v 'members=n1:rabbit@n1,n2:two@n1'; act start
        within 60 alone; act monitor $RECURRING
        """,
        timeout=240,
    )
    assert result.codes[-1] == 7, result.text
    why = "Node two@n1 thinks it's clustered with node rabbit@n1, but rabbit@n1 disagrees"
    assert f"{why}: name n2 in removed, and take it out again" in result.reasons[1:], result.text


def test_a_proxy_stands_before_the_broker(chamber: Chamber) -> None:
    """It greets only who says for whom it speaks. That the parameter must say it is told, before the start waits in vain."""
    result = run(
        chamber,
        r"""
        echo 'proxy_protocol = true' > /etc/rabbitmq/rabbitmq.conf
        act start; act validate-all OCF_CHECK_LEVEL=10; export OCF_RESKEY_proxy_protocol=true
        act start; act promote; act monitor $RECURRING; act monitor $RECURRING; act monitor $DEEP; act stop
        rm /etc/rabbitmq/rabbitmq.conf; act start
        """,
    )
    assert result.codes == [2, 2, 0, 0, 8, 8, 8, 0, 2], result.text
    where = "in /etc/rabbitmq/rabbitmq.conf and its conf.d: set the parameter proxy_protocol"
    assert result.reasons[:2] == [f"proxy_protocol is true {where}=true"] * 2
    assert result.reasons[-1] == f"proxy_protocol is false {where}=false"


def test_data_under_another_name_is_not_given_up(chamber: Chamber) -> None:
    """The host, node_name, data_directory or MNESIA_DIR was changed: the record stays, and the broker has its data again."""
    result = run(
        chamber,
        RECORD
        + r"""
        act start; rabbitmqctl -q add_vhost kept; act stop
        act start OCF_RESKEY_node_name=rabbit@n9; act start OCF_RESKEY_data_directory=/var/lib/rabbitmq/new
        echo MNESIA_DIR=/var/lib/rabbitmq/there > /etc/rabbitmq/rabbitmq-env.conf; act start
        act validate-all OCF_CHECK_LEVEL=10; rm /etc/rabbitmq/rabbitmq-env.conf; echo "record=$(facts -G)"
        mv /var/lib/rabbitmq/mnesia/rabbit@n1 /tmp/; act start; mv /tmp/rabbit@n1 /var/lib/rabbitmq/mnesia
        act start; rabbitmqctl -q list_vhosts; act stop
        """,
        timeout=180,
    )
    assert result.codes == [0, 0, 2, 2, 2, 2, 1, 0, 0], result.text
    assert result.values["record"] == "members=n1:rabbit@n1 version=2" and "\nkept\n" in result.text
    assert result.reasons[2].endswith("is rabbit@n9 now, which has no data: set node_name=rabbit@{node}")
    assert "has no data here, but /var/lib/rabbitmq/mnesia/rabbit@n1 has: set data_directory" in result.reasons[3]
    mnesia = "/etc/rabbitmq/rabbitmq-env.conf, and not /var/lib/rabbitmq/mnesia/rabbit@n1: rename it to that"
    assert f"MNESIA_DIR is /var/lib/rabbitmq/there in {mnesia}" in result.reasons[4]
    assert "if the data is lost for good, delete the record: crm_attribute" in result.reasons[6]


def test_a_start_that_is_late_tells_no_tool_that_had_no_time(chamber: Chamber) -> None:
    result = run(
        chamber,
        RECORD
        + r"""
        act start; act stop
        act start OCF_RESKEY_CRM_meta_timeout=20000 > /tmp/late & late=$!
        running() { [ -n "$(beam)" ]; }
        within 20 running; kill -STOP $(beam); wait $late; cat /tmp/late; kill -9 $(beam); act stop
        """,
    )
    assert result.codes == [0, 0, 1, 0], result.text
    assert result.reasons[2] == "the broker did not answer AMQP in time: see /var/log/rabbitmq/rabbit@n1.log"
