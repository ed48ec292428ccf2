"""What the agents publish in Pacemaker, declared once: attributes, promotion scores, the durable record. Pure."""

from __future__ import annotations

NEVER = "-INFINITY"  # the promotion score that forbids; an absent score does not
RECORDS = "backstay"  # id of the cluster property set that holds the durable records


class Attribute:
    """What an instance publishes in Pacemaker, declared once. name: with {resource}, and {part} where there are several.
    public: the scheduler hears of it, and rules can use it; a private one only the attribute daemon has. lost: as when the
    node leaves the cluster."""

    __slots__ = ("lost", "meaning", "name", "public")

    def __init__(self, name: str, meaning: str, *, lost: str, public: bool = True) -> None:
        self.name = name
        self.meaning = meaning
        self.lost = lost
        self.public = public

    def of(self, resource: str, part: str = "") -> str:
        """Its name for this resource."""
        return self.name.format(resource=resource, part=part)

    def __repr__(self) -> str:
        return f"Attribute({self.name!r})"


class Property(Attribute):
    """The same of the cluster's configuration: it survives every node's loss of power."""

    __slots__ = ()


RECORD = Property(
    "{resource}-facts",
    "the durable record: of MySQL who was promoted last and who acknowledges, of RabbitMQ the members",
    lost="the service counts as one that was never promoted, or never formed: restore it from a backup of the configuration",
)
# What several services publish, or an agent publishes and the admin's commands read.
SCORE = Attribute(
    "master-{resource}",
    "how much this instance is wanted as the promoted one, up to 1,000,000; -INFINITY forbids it",
    lost="it is not promoted until its next monitor; a promoted one may be demoted",
)
STATE = Attribute(
    "{resource}-state",
    "why the instance is not as wanted, ok once that is over; absent if it was always as wanted",
    lost="status says nothing of it until a monitor finds it again",
)
READABLE = Attribute(
    "{resource}-readable",
    "MySQL: 1 where readers may be sent, else 0",
    lost="addresses for readers go elsewhere until the next monitor",
)
LAG = Attribute(
    "{resource}-lag",
    "MySQL: seconds that a replica is behind at least, in steps",
    lost="status and switchover do not know the lag until the next monitor",
    public=False,
)
HELD = Attribute(
    "{resource}-held",
    "what became of the clients that came when the writer address, or this one, last moved away from the node",
    lost="status does not tell it",
    public=False,
)
UP = Attribute(
    "{resource}-up-{part}",
    "HAProxy: 1 while a server of the backend is up, else 0",
    lost="rules that use it see no value until the next monitor",
)
