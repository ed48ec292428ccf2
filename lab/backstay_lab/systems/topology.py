"""What a lab serves. A topology is a function of a lab whose cluster has quorum and fencing; it returns when it serves.

Each is two functions, so that they can be put together: one prepares the nodes and says what values its template gets, the
other waits with a deadline until it serves, and leaves its URLs in `lab.endpoints`. Between them stands `configure`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from backstay_lab.machines.cluster import Lab


def configure(lab: "Lab", template: str, values: "Mapping[str, str]") -> None:
    """Load a template, of the version that the nodes began with, into the cluster, as an admin does."""
    from backstay.admin.templates import load, render

    path = f"/root/{template}.crm"
    lab.put(lab.nodes[0], path, render(load(template, lab.templates), values), mode=0o600)
    lab.run(lab.nodes[0], ["crm", "configure", "load", "update", path])


def none(lab: "Lab") -> None:
    """Fencing alone."""


def mysql(lab: "Lab") -> None:
    """A MySQL set with a writer address."""
    from backstay_lab.systems.mysql.deploy import mysql as serve

    serve(lab)


def readers(lab: "Lab") -> None:
    """That set, with reader addresses, and HAProxy in front of its replicas."""
    from backstay_lab.systems.readers.deploy import readers as serve

    serve(lab)


def readers_promotable(lab: "Lab") -> None:
    """The same with one HAProxy that serves, and the others warm behind closed frontends."""
    from backstay_lab.systems.readers.deploy import readers as serve

    serve(lab, "haproxy-promotable")


def haproxy(lab: "Lab") -> None:
    """HAProxy on every node in front of a server that gives back lines, and an address for its clients."""
    from backstay_lab.systems.haproxy.deploy import haproxy as serve

    serve(lab)


def rabbitmq(lab: "Lab") -> None:
    """A RabbitMQ broker on every node."""
    from backstay_lab.systems.rabbitmq.deploy import rabbitmq as serve

    serve(lab)


def openstack(lab: "Lab") -> None:
    """All of it on the same nodes."""
    from backstay_lab.systems.openstack.deploy import openstack as serve

    serve(lab)


TOPOLOGIES: "dict[str, Callable[[Lab], None]]" = {
    "none": none,
    "mysql": mysql,
    "readers": readers,
    "readers-promotable": readers_promotable,
    "haproxy": haproxy,
    "rabbitmq": rabbitmq,
    "openstack": openstack,
}
