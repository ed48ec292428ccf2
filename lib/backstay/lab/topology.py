"""What a lab serves. A topology is a function of a lab whose cluster has quorum and fencing; it returns when it serves.

It configures through `lab.put` and `lab.run` (the templates stand in /usr/share/backstay/crm-templates of every node),
waits with a deadline, and leaves its URLs in `lab.endpoints`.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from backstay.lab.cluster import Lab


def none(lab: "Lab") -> None:
    """Fencing alone."""


def mysql(lab: "Lab") -> None:
    """A MySQL set with a writer address."""
    from backstay.lab.mysql import mysql as serve

    serve(lab)


def readers(lab: "Lab") -> None:
    """That set, with reader addresses, and HAProxy in front of its replicas."""
    from backstay.lab.readers import readers as serve

    serve(lab)


def readers_promotable(lab: "Lab") -> None:
    """The same with one HAProxy that serves, and the others warm behind closed frontends."""
    from backstay.lab.readers import readers as serve

    serve(lab, "haproxy-promotable")


def rabbitmq(lab: "Lab") -> None:
    """A RabbitMQ broker on every node."""
    from backstay.lab.rabbitmq import rabbitmq as serve

    serve(lab)


TOPOLOGIES: "dict[str, Callable[[Lab], None]]" = {
    "none": none,
    "mysql": mysql,
    "readers": readers,
    "readers-promotable": readers_promotable,
    "rabbitmq": rabbitmq,
}
