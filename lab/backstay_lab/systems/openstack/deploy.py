"""Topology `openstack`: the MySQL set, readers with HAProxy, and the RabbitMQ cluster on the same nodes, from
crm-templates/openstack.crm. All of it starts at once."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from backstay_lab.systems.mysql import deploy as mysql
from backstay_lab.systems.rabbitmq import deploy as rabbitmq
from backstay_lab.systems.readers import deploy as readers
from backstay_lab.systems.topology import configure

if TYPE_CHECKING:
    from backstay_lab.machines.cluster import Lab


def openstack(lab: Lab) -> None:
    """Returns when all of them serve. Raises LabError with what the cluster complains about."""
    password = secrets.token_hex(12)
    parts = {"mysql": mysql.prepare(lab), **readers.prepare(lab), "rabbitmq": rabbitmq.prepare(lab, password)}
    values: dict[str, str] = {}
    for part, given in parts.items():
        # The parts have one name for the files of their servers, the template one for each.
        values.update({f"{part}_config" if name == "config" else name: value for name, value in given.items()})
    configure(lab, "openstack", values)
    mysql.await_writes(lab)
    readers.await_reads(lab)
    rabbitmq.await_messages(lab, password)
