"""Topology `mysql`: a set with a writer address, from crm-templates/mysql.crm and empty disks."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import TimedOut
from backstay.services.mysql.dialects import dialect_for
from backstay_lab.machines.layout import CLIENT, LabError
from backstay_lab.systems.topology import configure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay_lab.machines.cluster import Lab

WRITER = "10.77.0.100"
CONFIG = "/etc/mysql/backstay.cnf"
SERVE_TIMEOUT = 120.0  # seconds from an empty disk to a write through the writer address; about 15

# What any admin would set. `required` of the dialect comes on top: the agent refuses to run without it.
SERVER = """[mysqld]
datadir = {datadir}
socket = /run/mysqld/mysqld.sock
pid-file = /run/mysqld/mysqld.pid
log-error = /var/log/mysql/error.log
bind-address = *
skip-name-resolve
log-bin = binlog
relay-log = relay
binlog-format = ROW
loose-expire-logs-days = 1
loose-binlog-expire-logs-seconds = 86400
innodb-buffer-pool-size = 32M
loose-innodb-log-file-size = 16M
loose-innodb-redo-log-capacity = 32M
performance-schema = OFF
max-connections = 1000
[client]
socket = /run/mysqld/mysqld.sock
"""
# The package has left a data directory of its own; ours begins with nothing.
DATA = "/var/lib/mysql"
EMPTY = """
rm -rf "$1" /var/log/mysql /run/mysqld
install -d -o mysql -g mysql "$1" /var/log/mysql /run/mysqld
"""


def mysql(lab: Lab) -> None:
    """Returns when a write through the writer address succeeds. Raises LabError with what the cluster complains about."""
    configure(lab, "mysql", prepare(lab))
    await_writes(lab)


def prepare(lab: Lab) -> dict[str, str]:
    """Empty disks and the server's configuration; the values of the template."""
    banner = lab.run(lab.nodes[0], ["mysqld", "--version"]).out
    required = dialect_for(banner).required()
    data = lab.data(DATA)
    for node in lab.nodes:
        empty(lab, node, data, required)
    return {
        "writer_ip": WRITER,
        "nodes": str(len(lab.nodes)),
        "config": CONFIG,
        "datadir": data,
        "monitor_password": secrets.token_hex(12),
        "replication_password": secrets.token_hex(12),
        "initialize": "true",
    }


def empty(lab: Lab, node: str, datadir: str, more: Mapping[str, str]) -> None:
    """The server's configuration, with more options, and an empty data directory. Raises CommandFailed."""
    options = "".join(f"{name} = {value}\n" for name, value in more.items())
    lab.put(node, CONFIG, SERVER.replace("{datadir}", datadir).replace("[client]", f"{options}[client]"))
    lab.run(node, ["sh", "-ec", EMPTY, "sh", datadir])


def await_writes(lab: Lab) -> None:
    """Returns when a write through the writer address succeeds. Raises LabError with what the cluster complains about."""
    deadline = Deadline(SERVE_TIMEOUT)
    try:
        primary = poll(lambda: _primary(lab), deadline, "a primary with the writer address", interval=0.2)
        _account(lab, primary, secrets.token_hex(8), deadline)
    except TimedOut as late:
        raise LabError(f"{late}; {lab.complaints()}") from late


def _primary(lab: Lab) -> str | None:
    """The promoted node, once the writer address is there too."""
    for node, roles in lab.roles().items():
        if roles.get("mysql") == "Promoted" and roles.get("mysql-writer") == "Started":
            return node
    return None


def _account(lab: Lab, primary: str, password: str, deadline: Deadline) -> None:
    """The application's account: everything in its own schema, nothing beyond."""
    statements = (
        "CREATE DATABASE IF NOT EXISTS app;"
        f"CREATE USER IF NOT EXISTS 'app'@'%' IDENTIFIED BY '{password}';"
        "GRANT ALL ON app.* TO 'app'@'%';"
    )
    lab.run(primary, ["mysql", f"--defaults-file={CONFIG}", "--user=root"], input=statements)

    def url(address: str) -> str:
        return f"mysql://app:{password}@{address}:3306/app"

    writer = url(WRITER)
    write = "CREATE TABLE IF NOT EXISTS marker (id INT PRIMARY KEY, value BIGINT NOT NULL)"

    def writes() -> bool:
        asked = lab.run(CLIENT, ["python3", "-m", "backstay_lab.clients.query", write, writer], check=False)
        return '"rows"' in asked.out

    poll(writes, deadline, "a write through the writer address", interval=0.2)
    addresses = lab.status()["nodes"]
    readers = [url(addresses[node]["address"]) for node in lab.nodes]
    lab.endpoints = {**lab.endpoints, "writer": writer, "readers": readers}
