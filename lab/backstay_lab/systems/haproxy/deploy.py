"""Topology `haproxy`: HAProxy on every node in front of one server, and an address for its clients. From
crm-templates/haproxy.crm. The server gives back every line that it gets, and is on the client, which no fault hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay_lab.machines import network
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.topology import configure

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab

ADDRESS = "10.77.0.110"
PORT, SERVER_PORT = 7000, 7001
CONFIG = "/etc/haproxy/haproxy.cfg"
SERVE_TIMEOUT = 60.0  # seconds until a line comes back through the address; about 5

TEXT = """\
global
    maxconn 4000
    user haproxy
    group haproxy
{options}
defaults
    mode tcp
    timeout connect 1s
    timeout client 1m
    timeout server 1m
    default-server inter 500ms

"""
LISTEN = """\
listen echo-{port}
    bind :{port}
    server client {server}:{server_port} check
"""


def configuration(also: int = 0, options: str = "") -> str:
    """HAProxy's configuration. `also`: a second port that it listens on, 0 for none. `options`: lines for the section global."""
    ports = [PORT, also] if also else [PORT]
    server = {"server": network.address(CLIENT), "server_port": SERVER_PORT}
    return TEXT.format(options=options) + "".join(LISTEN.format(port=port, **server) for port in ports)


def haproxy(lab: Lab) -> None:
    """Returns when a line comes back through the address. Raises LabError with what the cluster complains about."""
    prepare(lab, configuration())
    configure(lab, "haproxy", {"haproxy_ip": ADDRESS})
    await_lines(lab)


def prepare(lab: Lab, text: str) -> None:
    """The server, and the balancer's configuration on every node."""
    echo = f"python3 -m backstay_lab.clients.lineserver {SERVER_PORT} < /dev/null > /dev/null 2>&1 &"
    lab.run(CLIENT, ["sh", "-c", echo])
    for node in lab.nodes:
        lab.put(node, CONFIG, text)


def await_lines(lab: Lab) -> None:
    """Returns when a line comes back. Raises LabError with what the cluster complains about."""
    try:
        poll(lambda: answers(lab, PORT), Deadline(SERVE_TIMEOUT), "a line to come back through HAProxy", interval=0.3)
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late


def answers(lab: Lab, port: int) -> bool:
    """Whether a line comes back through the address on this port."""
    once = ["python3", "-m", "backstay_lab.clients.connections", ADDRESS, str(port), "--once"]
    return lab.run(CLIENT, once, check=False).status == 0
