"""What an admin can set for ocf:backstay:mysql. Meta-data, defaults and the manual page come from here."""

from backstay.ocf.parameters import Choice, Count, Flag, OptionalCount, Parameters, Seconds, Text


class MysqlParameters(Parameters):
    name = "mysql"
    short = "MySQL or MariaDB: one primary, semi-synchronous replicas"
    long = """
    Manages a MySQL 5.7, 8, 9 or MariaDB 10.5+ server as a promotable clone: one writable primary and any number of
    read-only replicas, replicating by GTID and acknowledging semi-synchronously, so that no acknowledged transaction is
    lost when the primary is.

    Promotion catches up from whoever has more and refuses, with the reason, what it cannot prove safe. An old primary
    replicates again only when its history fits the new one's. Settings that this rests on are passed on the server's
    command line. Needs no notifications; set notify=false.
    """

    config = Text(
        "Options file",
        "The server's options file. Unset: /etc/mysql/my.cnf or /etc/my.cnf. Another takes effect at the server's next start.",
        reloadable=True,
    )
    binary = Text(
        "Server program",
        """Path of mariadbd or mysqld. Unset: looked for in the usual places. Another takes effect at the server's next start.""",
        reloadable=True,
    )
    datadir = Text("Data directory", "The server's data directory.", default="/var/lib/mysql", unique_group="data")
    socket = Text("Socket", "The server's local socket.", default="/run/mysqld/mysqld.sock", unique_group="socket")
    pid_file = Text("Pid file", "Where the server writes its pid.", default="/run/mysqld/mysqld.pid")
    log_error = Text(
        "Error log",
        """The server's error log. Unset: as the options file says, else error.log in the data directory. Another takes effect at
        the server's next start.""",
        reloadable=True,
    )
    user = Text("System account", "The account that the server runs as.", default="mysql")
    port = Count("Port", "The server's TCP port, the same on all nodes.", "3306", minimum=1, maximum=65535)
    server_id = OptionalCount(
        "Server id",
        """Number of this node among the servers; the replication id is made of it and the epoch. Unset: the cluster's
        node id, which is different on each node.""",
        minimum=1,
        maximum=3_999_999,
    )
    writer_address = Text(
        "Writer address",
        """The floating address that is colocated with the promoted role. Replicas replicate from it, so that a failover
        changes no replica's configuration. Unset: replicas are pointed at the promoted node by its name. Replicas go to another
        once the primary answers there.""",
        reloadable=True,
    )
    on_loss = Choice(
        "Clients that come while nobody serves",
        """What becomes of new connections to the writer address from the server's death, its silence or its demotion on, while
        the address is still here. hold: they wait, and go on to the new holder. refuse: they fail at once. What arrives after the
        address has left is for its own agent, which has the same parameter.""",
        default="hold",
        choices=("hold", "refuse"),
        reloadable=True,
    )
    hold_for = Seconds(
        "Hold at most",
        """With on_loss=hold, how long new connections may wait; then they are refused. The default is as long as PyMySQL, and so
        most of OpenStack, waits for a connection.""",
        "10s",
        minimum=0.1,
        maximum=60,
        reloadable=True,
    )
    drain_timeout = Seconds(
        "Drain",
        """How long a demotion lets transactions under way end before it ends their sessions; new ones wait so long. Only with
        on_loss=hold and a writer address. 0: not at all.""",
        "3s",
        minimum=0,
        maximum=20,
        reloadable=True,
    )
    agent_user = Text(
        "Administrative account",
        "Local account of the agent, over the socket, with all privileges.",
        default="root",
        reloadable=True,
    )
    agent_password = Text(
        "Its password", "Leave unset with socket authentication, which is best.", secret=True, reloadable=True
    )
    monitor_user = Text("Monitor account", "With it nodes ask each other.", default="backstay_monitor", reloadable=True)
    monitor_password = Text("Its password", "Of monitor_user.", secret=True, required=True, reloadable=True)
    replication_user = Text(
        "Replication account", "With it replicas replicate.", default="backstay_replication", reloadable=True
    )
    replication_password = Text("Its password", "Of replication_user.", secret=True, required=True, reloadable=True)
    tls_ca = Text(
        "Certificate authority",
        """File (PEM) with the authority of the servers' certificates. Set, everything that goes over the network uses TLS, and
        nothing without: replication, copying, and the nodes' questions to each other. A certificate must be valid for the name
        or address that is connected to: the node's name and, for replication, the writer address. The servers' own ssl_cert and
        ssl_key are in their options file.""",
    )
    initialize = Flag(
        "Initialise",
        "Make an empty data directory a database, with the accounts above.",
        "false",
        reloadable=True,
    )
    rebuild = Choice(
        "Rebuild",
        """What to do with a node whose history has transactions that the primary lacks, or that lacks what is in no binary log
        of the primary any more. never: keep it, read-only, for the admin. auto: copy the primary's data anew, the old
        directory kept beside it.""",
        default="never",
        choices=("never", "auto"),
        reloadable=True,
    )
    max_lag = Seconds(
        "Greatest lag",
        "Replicas further behind serve no reads until they are within a third of it, and are promoted last.",
        "30s",
        minimum=1,
        reloadable=True,
    )
    reader_check_port = Count(
        "Port of the reader check",
        """TCP port on which each node tells load balancers whether it should get reads: HAProxy's agent-check, or a check that
        expects the answer to begin with up. 0: off.""",
        "0",
        minimum=0,
        maximum=65535,
        reloadable=True,
    )
    degrade_after = Seconds(
        "Degrade after",
        """How long commits wait when no replica acknowledges though the replicas' nodes are up, until the primary goes on
        alone (recorded first). 0: for ever. A replica that was fenced or stopped is not waited for.""",
        "10s",
        minimum=0,
        reloadable=True,
    )
    allow_loss = Flag(
        "Allow loss",
        "Promote even where it cannot be proven that no acknowledged transaction is lost. For emergencies.",
        "false",
        reloadable=True,
    )
    probe_timeout = Seconds(
        "Probe timeout", "A server that does not answer a monitor for so long has failed.", "3s", minimum=0.5,
        reloadable=True,
    )  # fmt: skip

    def passwords(self) -> str:
        """Tells whether the accounts or their passwords changed. Kept where only root reads, who can read those as well."""
        text = f"{self.monitor_password} {self.replication_password}"
        users, usual = (self.monitor_user, self.replication_user), type(self)
        if users != (usual.monitor_user.default, usual.replication_user.default):
            text += f" {' '.join(users)}"
        return _sum(text)

    def at_start(self) -> str:
        """Tells with which of those parameters a server was started that take effect only then."""
        return " ".join(f"{name}={_sum(getattr(self, name))}" for name in _AT_START)

    def pending(self, started: str) -> str:
        """A sentence on those that are others by now, "" for none. started: `at_start` of then, "" where nobody knows."""
        before = dict(pair.split("=", 1) for pair in started.split())
        others = [name for name in _AT_START if name in before and before[name] != _sum(getattr(self, name))]
        return f"{', '.join(others)} takes effect at the server's next start" if others else ""


_AT_START = ("config", "binary", "log_error")


def _sum(text: str) -> str:
    import zlib

    return f"{zlib.crc32(text.encode('utf-8', 'surrogateescape')):x}"
