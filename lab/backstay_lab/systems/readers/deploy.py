"""Topology `readers`: the MySQL set, two reader addresses, and an HAProxy on every node in front of the replicas. From
crm-templates/mysql.crm, mysql-readers.crm and haproxy.crm, or haproxy-promotable.crm as topology `readers-promotable`; the
balancer's configuration is the one of docs/readers.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.haproxy import deploy as haproxy
from backstay_lab.systems.mysql import deploy as mysql
from backstay_lab.systems.mysql.deploy import WRITER
from backstay_lab.systems.topology import configure

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab

BALANCER, READERS = haproxy.ADDRESS, ("10.77.0.101", "10.77.0.102")
PORT, CHECK_PORT = 3307, 3309
PROXY = "/etc/haproxy/haproxy.cfg"
SERVE_TIMEOUT = 60.0  # seconds from a set that takes writes to a read on every replica; about 15

CONFIG = """\
global
    maxconn 2000
    user haproxy
    group haproxy

defaults
    mode tcp
    timeout connect 500ms
    timeout check 500ms
    timeout client 1h
    timeout server 1h
    retries 3
    option redispatch 1
    load-server-state-from-file global

listen reads
    bind :{port}
    balance roundrobin
    option tcp-check
    tcp-check expect rstring ^up
    default-server inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
    default-server check port {check_port} agent-check agent-port {check_port} agent-inter 500ms
{servers}
    server writer {writer}:3306 backup no-check no-agent-check
"""


def configuration(addresses: dict[str, str]) -> str:
    """HAProxy's configuration for these nodes: name -> address."""
    servers = "\n".join(f"    server {name} {address}:3306" for name, address in addresses.items())
    return CONFIG.format(port=PORT, check_port=CHECK_PORT, servers=servers, writer=WRITER)


def readers(lab: Lab, balancer: str = "haproxy") -> None:
    """Returns when every replica serves reads through the balancer. `balancer`: its template. Raises LabError with what the
    cluster complains about."""
    configure(lab, "mysql", {**mysql.prepare(lab), "reader_check_port": str(CHECK_PORT)})
    mysql.await_writes(lab)
    for template, values in prepare(lab, balancer).items():
        configure(lab, template, values)
    await_reads(lab)


def prepare(lab: Lab, balancer: str = "haproxy") -> dict[str, dict[str, str]]:
    """The balancer's configuration and room for the addresses; template -> its values."""
    machines = lab.status()["nodes"]
    text = configuration({node: machines[node]["address"] for node in lab.nodes})
    for node in lab.nodes:
        lab.put(node, PROXY, text)
        room = ["--utilization", "--node", node, "--name", "reader", "--update", str(len(READERS))]
        lab.run(lab.nodes[0], ["crm_attribute", *room])
    return {
        "mysql-readers": {"reader_ip_1": READERS[0], "reader_ip_2": READERS[1]},
        balancer: {"haproxy_ip": BALANCER},
    }


def await_reads(lab: Lab) -> None:
    """Returns when every replica serves reads through the balancer. Raises LabError with what the cluster complains about."""
    writer = str(lab.endpoints["writer"])
    url = writer.replace(f"{WRITER}:3306", f"{BALANCER}:{PORT}")
    addresses = [writer.replace(WRITER, address) for address in READERS]
    lab.endpoints = {**lab.endpoints, "balancer": url, "reader_addresses": addresses}
    wait_spread(lab, SERVE_TIMEOUT)


def reading(lab: Lab) -> set[str]:
    """The nodes that a dozen reads through the balancer, each on its own connection, came to."""
    urls = [str(lab.endpoints["balancer"])] * 12
    asked = lab.run(CLIENT, ["python3", "-m", "backstay_lab.clients.query", "SELECT @@report_host", *urls], check=False)
    return {node for node in lab.nodes if f'[["{node}"]]' in asked.out}


def wait_spread(lab: Lab, timeout: float) -> None:
    """Until reads come to every replica and to no other, and no two reader addresses are on one node."""

    def spread() -> bool:
        roles = lab.roles()
        replicas = {node for node, held in roles.items() if held.get("mysql") == "Unpromoted"}
        holders = [node for node, held in roles.items() for name in held if name.startswith("mysql-reader-")]
        apart = len(holders) == len(READERS) and set(holders) <= replicas and len(set(holders)) == len(holders)
        return len(replicas) == len(lab.nodes) - 1 and apart and reading(lab) == replicas

    try:
        poll(spread, Deadline(timeout), "reads to be spread over the replicas", interval=0.3)
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late
