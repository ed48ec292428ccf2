"""What an admin can set for ocf:backstay:rabbitmq. Meta-data, defaults and the manual page come from here."""

from __future__ import annotations

from backstay.ocf.errors import Misconfigured
from backstay.ocf.parameters import Choice, Count, Flag, OptionalCount, Parameters, Seconds, Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.rabbitmq.dialects.base import Dialect, Mirroring


class RabbitmqParameters(Parameters):
    name = "rabbitmq"
    short = "RabbitMQ: one broker of a cluster that loses no confirmed message"
    long = """
    Manages a RabbitMQ 3.8 to 4.x broker as one instance of a promotable clone. Every instance serves clients. The
    promoted one is a coordinator: it alone applies the mirroring policy, keeps the record of the cluster's members, and
    has the smaller side of a lasting partition restarted. Losing it is nothing that a client could notice.

    Brokers boot with their data and are never reset. A node without data joins the others by itself. A monitor starts
    no Erlang machine: it asks the broker over AMQP and over Erlang's distribution protocol. Set notify=true, so that
    the others let go of a fenced node at once, interleave=true and ordered=false.
    """

    node_name = Text(
        "Erlang node name",
        """The broker's name, NAME@HOST; {node} stands for the cluster's name of the node, for example
        rabbit@{node}.example.com. A host with dots makes it a long name. Every other node must resolve the host.
        Unset: rabbit@ and the short host name.""",
        unique_group="name",
    )
    server = Text(
        "Server program", "Path of rabbitmq-server, not of its wrapper. Unset: looked for in the usual places."
    )
    config = Text(
        "Configuration",
        """The broker's rabbitmq.conf. What the agent's promises rest on is given in a file of the agent's own that
        comes after this one and after the files of conf.d beside it.""",
        default="/etc/rabbitmq/rabbitmq.conf",
    )
    data_directory = Text(
        "Data directory",
        "Where the broker keeps its data, in a directory named after the node.",
        default="/var/lib/rabbitmq/mnesia",
        unique_group="data",
    )
    log_directory = Text("Log directory", "Where the broker writes its logs.", default="/var/log/rabbitmq")
    user = Text("System account", "The account that the broker runs as.", default="rabbitmq")
    cookie = Text(
        "Erlang cookie",
        """The secret that all brokers of the cluster share. Set, it is written to cookie_file at start; unset, that file
        must hold it on every node.""",
        secret=True,
    )
    cookie_file = Text(
        "Cookie file",
        "File .erlang.cookie in the home of the account above.",
        default="/var/lib/rabbitmq/.erlang.cookie",
    )
    port = Count(
        "Port",
        "The port for AMQP without TLS. The agent's own questions use it.",
        "5672",
        minimum=1,
        maximum=65535,
    )
    tls_port = OptionalCount(
        "Port with TLS",
        """The port for AMQP with TLS. Set, the agent's own questions go there and not to `port`, which may be closed
        (listeners.tcp = none): what the broker listens on, and its certificate, are in its configuration.""",
        minimum=1,
        maximum=65535,
    )
    tls_ca = Text(
        "Certificate authority",
        """With tls_port: file (PEM) with the authority of the broker's certificate, which must be valid for the host of the
        Erlang node name.""",
    )
    proxy_protocol = Flag(
        "PROXY protocol",
        """Whether the broker's settings have proxy_protocol = true, so that its clients come through a proxy that says for whom
        it speaks. The agent's own questions then say it too.""",
        "false",
    )
    definitions = Text(
        "Definitions",
        "A file with users, vhosts, permissions and policies (JSON) for a cluster that has no data yet. Read once.",
    )
    ha_mode = Choice(
        "Mirroring",
        """RabbitMQ 3: how many nodes hold each classic queue. all: every node. exactly: ha_params of them. none: the agent
        sets no policy. Unset: all. RabbitMQ 4 has no mirrored queues and refuses this parameter.""",
        choices=("all", "exactly", "none"),
        reloadable=True,
    )
    ha_params = Count(
        "Number of mirrors", "RabbitMQ 3, ha_mode=exactly: on how many nodes.", "2", minimum=2,
        reloadable=True,
    )  # fmt: skip
    ha_pattern = Text(
        "Mirrored queues",
        """RabbitMQ 3: a regular expression of the names of the queues that are mirrored. Leave out what may be lost for
        less load, such as the reply queues of remote procedure calls.""",
        default=r"^(?!amq\.).*",
        reloadable=True,
    )
    ha_vhosts = Text(
        "Virtual hosts with mirroring", "RabbitMQ 3: names with commas between. Unset: all.", reloadable=True
    )
    default_queue_type = Choice(
        "Default queue type",
        "RabbitMQ 4: the type of a queue that is declared without one.",
        default="quorum",
        choices=("quorum", "classic", "stream"),
    )
    net_ticktime = Seconds(
        "Tick time",
        """After about so long (75 to 125 %) a broker that fell silent is taken for dead. Three quarters of it must be
        longer than fencing a node takes at worst, or both sides of a split confirm what only one of them will keep.""",
        "60s",
        minimum=8,
    )
    allow_force_boot = Flag(
        "Allow a forced boot",
        """Boot although a node that was up last has not come back, once that node is known to be fenced or down. What
        only that node holds is lost. For emergencies. Not with RabbitMQ 4's own metadata store.""",
        "false",
        reloadable=True,
    )
    removed = Text(
        "Removed nodes",
        """The cluster's names, with commas between, of nodes that leave the RabbitMQ cluster for good. The broker there
        is stopped and the others forget it.""",
        reloadable=True,
    )
    probe_vhost = Text(
        "Probe's virtual host",
        "A virtual host of the agent's own, for monitors with OCF_CHECK_LEVEL=10.",
        default="backstay-probe",
        reloadable=True,
    )
    probe_user = Text(
        "Probe's account", "An account of the agent's own, for the same.", default="backstay-probe", reloadable=True
    )
    probe_password = Text(
        "Its password", "Unset: derived from the Erlang cookie.", secret=True, reloadable=True
    )  # fmt: skip
    probe_timeout = Seconds(
        "Probe timeout", "A broker that does not answer a monitor for so long was silent.", "3s", minimum=0.5,
        reloadable=True,
    )  # fmt: skip
    silences = Count(
        "Silences that make a failure", "A broker that is silent in so many monitors in a row has failed.",
        "2", minimum=1, reloadable=True,
    )  # fmt: skip
    partition_grace = Seconds(
        "Partition grace",
        "How long a partition between brokers may last until the smaller side is restarted with its data.",
        "30s",
        minimum=1,
        reloadable=True,
    )
    start_wait = Seconds(
        "Wait of a start",
        """How long a start waits for a broker that boots with its own data. After that it returns; the monitors call the broker
        degraded until it serves, and failed when it does not within the start's timeout. For a cluster with other services:
        it plans anew only when what it has begun is done, so a long boot would hold up their failovers. 0: until it
        serves. A broker that did not come to serve is waited for all the same the next time. One that may be waiting for
        others itself, since none of its cluster serves, is never waited for longer than 10 s: no other starts meanwhile.""",
        "0s",
        minimum=0,
        reloadable=True,
    )
    drain = Seconds(
        "Drain",
        """How long a stop waits while this node holds the only synchronised copy of a queue, or a member that a queue's
        majority needs. Within a third of the stop's timeout.""",
        "30s",
        minimum=0,
        reloadable=True,
    )

    note_clients = Flag(
        "Note the other brokers' clients",
        """Ask every minute (OCF_CHECK_LEVEL=10) which clients the other brokers have. For addresses of ocf:backstay:vip with
        clients_of: when a node is lost, who takes its address has its clients answer, and resets them at once.""",
        "false",
        reloadable=True,
    )

    def mirroring(self, dialect: Dialect) -> Mirroring:
        """Raises Misconfigured where this RabbitMQ cannot do what is asked for."""
        from backstay.services.rabbitmq.dialects.base import Mirroring

        mode = dialect.default_mirroring(self.ha_mode or "")
        return Mirroring(mode, self.ha_params, self.ha_pattern, _names(self.ha_vhosts), self.probe_vhost)

    def removed_nodes(self) -> tuple[str, ...]:
        return _names(self.removed)

    def check(self) -> None:
        super().check()
        if bool(self.tls_port) != bool(self.tls_ca):
            missing, given = ("tls_port", "tls_ca") if self.tls_ca else ("tls_ca", "tls_port")
            raise Misconfigured(f"parameter {missing} is not set: {given} needs it")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
