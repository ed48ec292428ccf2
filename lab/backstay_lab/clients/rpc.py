"""oslo.messaging as nova sets it up, for the programs on the lab's client. Needs oslo.messaging (machines/packages.py)."""

from __future__ import annotations

from typing import Any

import oslo_messaging
from oslo_config import cfg

TOPIC = "compute"
SERVERS = ("compute1", "compute2")
SCHEDULER = "scheduler"  # of the boot flow: its topic, and the one server that listens to it
# What the OpenStack guides set for a control plane that must survive: reconnect soon, find dead connections soon.
COMMON = {
    "amqp_durable_queues": True,
    "rabbit_retry_interval": 1,
    "rabbit_retry_backoff": 1,
    "rabbit_interval_max": 2,
    "heartbeat_timeout_threshold": 6,
    "heartbeat_rate": 3,
    "kombu_reconnect_delay": 0.1,
    "kombu_failover_strategy": "round-robin",
}
# rabbit_ha_queues sends x-ha-policy, which brokers have ignored since 3.0; the policy mirrors. It is what nova's
# configuration says all the same.
MIRRORED = {"rabbit_ha_queues": True}
QUORUM = {"rabbit_quorum_queue": True, "rabbit_transient_quorum_queue": True}


class Oslo:
    """A transport. `url` names all brokers: rabbit://USER:PASSWORD@HOST:PORT,USER:PASSWORD@HOST:PORT/VHOST."""

    def __init__(self, url: str, quorum: bool) -> None:
        conf = cfg.CONF  # the driver registers some options on this one only
        conf([], project="backstay")
        self._transport = oslo_messaging.get_rpc_transport(conf, url=url)
        for name, value in {**COMMON, **(QUORUM if quorum else MIRRORED)}.items():
            conf.set_override(name, value, group="oslo_messaging_rabbit")

    def target(self, **where: str) -> Any:
        return oslo_messaging.Target(**where)

    def server(self, target: Any, endpoint: object) -> Any:
        return oslo_messaging.get_rpc_server(self._transport, target, [endpoint], executor="threading")

    def client(self, target: Any, timeout: float) -> Any:
        return oslo_messaging.get_rpc_client(self._transport, target, timeout=timeout)
