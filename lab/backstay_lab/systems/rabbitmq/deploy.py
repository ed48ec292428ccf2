"""Topology `rabbitmq`: a broker on every node, from crm-templates/rabbitmq.crm and empty disks. Topology `rabbitmq-addresses`:
the same, and its clients know the brokers by addresses of crm-templates/rabbitmq-addresses.crm."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.topology import configure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backstay_lab.machines.cluster import Lab

CONFIG = "/etc/rabbitmq/rabbitmq.conf"
DEFINITIONS = "/etc/rabbitmq/definitions.json"
VHOST, ACCOUNT = "app", "app"
ADDRESSES = ("10.77.0.121", "10.77.0.122", "10.77.0.123")
SERVE_TIMEOUT = 180.0  # seconds from empty disks to a confirmed publish on every node; about 25 on an idle machine

# What any admin would set. No plugin is enabled: the agent asks for none.
SERVER = """listeners.tcp.default = 5672
log.file.level = info
"""
# The package has left directories of its own; ours begin with nothing.
DATA = "/var/lib/rabbitmq/mnesia"
EMPTY = """
rm -rf /var/lib/rabbitmq /var/log/rabbitmq "$1"
install -d -o rabbitmq -g rabbitmq -m 750 /var/lib/rabbitmq /var/log/rabbitmq
echo '[].' > /etc/rabbitmq/enabled_plugins
chown root:rabbitmq /etc/rabbitmq/*
"""


def rabbitmq(lab: Lab) -> None:
    """Returns when every broker confirms and delivers. Raises LabError with what the cluster complains about."""
    password = secrets.token_hex(12)
    configure(lab, "rabbitmq", prepare(lab, password))
    await_messages(lab, password)


def rabbitmq_addresses(lab: Lab) -> None:
    """The same, of three nodes, with an address for each broker."""
    rabbitmq(lab)
    lab.run(lab.nodes[0], ["crm_resource", "-r", "rabbitmq", "-p", "note_clients", "-v", "true"])
    password = str(lab.endpoints["amqp"][0]).rpartition("@")[0].rpartition(":")[2]
    values = {f"node_{number}": node for number, node in enumerate(lab.nodes, 1)}
    configure(lab, "rabbitmq-addresses", {**values, **{f"broker_ip_{n}": ip for n, ip in enumerate(ADDRESSES, 1)}})
    await_messages(lab, password, ADDRESSES)


def prepare(lab: Lab, password: str) -> dict[str, str]:
    """Empty disks, the brokers' configuration and the application's account; the values of the template."""
    for node in lab.nodes:
        lab.put(node, CONFIG, SERVER)
        lab.put(node, DEFINITIONS, definitions(password), mode=0o640)
        lab.run(node, ["sh", "-ec", EMPTY, "sh", lab.data(DATA)])
    return {
        "nodes": str(len(lab.nodes)),
        "config": CONFIG,
        "data_directory": lab.data(DATA),
        "cookie": secrets.token_hex(16),
        "definitions": DEFINITIONS,
    }


def await_messages(lab: Lab, password: str, addresses: Sequence[str] = ()) -> None:
    """Returns when every broker confirms and delivers. addresses: where clients find them, by default their nodes' own. Raises
    LabError with what the cluster complains about."""
    nodes = lab.status()["nodes"]
    hosts = addresses or [nodes[node]["address"] for node in lab.nodes]
    urls = [f"amqp://{ACCOUNT}:{password}@{host}:5672/{VHOST}" for host in hosts]
    deadline = Deadline(SERVE_TIMEOUT)
    try:
        poll(lambda: _all_serve(lab), deadline, "a promoted broker and the others beside it", interval=0.3)
        for url in urls:
            check = ["python3", "-m", "backstay_lab.clients.queues", "check", url, "up"]
            poll(
                lambda check=check: lab.run(CLIENT, check, check=False).status == 0,  # type: ignore[misc]
                deadline,
                f"a confirmed publish to {url.rpartition('@')[2]}",
                interval=0.3,
            )
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late
    lab.endpoints = {**lab.endpoints, "amqp": urls}


def _all_serve(lab: Lab) -> bool:
    roles = [held.get("rabbitmq") for held in lab.roles().values()]
    return roles.count("Promoted") == 1 and roles.count("Unpromoted") == len(lab.nodes) - 1


def definitions(password: str) -> str:
    """The application's account and virtual host, and nothing beyond, as RabbitMQ's definitions file."""
    account = {
        "name": ACCOUNT,
        "password_hash": hashed(password, secrets.token_bytes(4)),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": [],
        "limits": {},
    }
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    found = {
        "users": [account],
        "vhosts": [{"name": VHOST}],
        "permissions": [{"user": ACCOUNT, "vhost": VHOST, **everything}],
    }
    return json.dumps(found, indent=2) + "\n"


def hashed(password: str, salt: bytes) -> str:
    """A password as RabbitMQ keeps it: salt, then SHA-256 of salt and password, in base 64."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
