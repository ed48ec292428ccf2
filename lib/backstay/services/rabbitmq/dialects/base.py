"""What differs between RabbitMQ's families. One class each, in mnesia.py (3.x) and khepri.py (4.x); here what they share.

Every question is a call over Erlang's distribution protocol. What a broker does not know raises CallFailed: the caller
takes it as unknown, never as a failure of the broker.
"""

from __future__ import annotations

from backstay.ocf.errors import AgentError
from backstay.services.rabbitmq.distribution import CallFailed
from backstay.services.rabbitmq.etf import Atom, Opaque, function, text
from backstay.services.rabbitmq.observation import BOOTING, PAUSED, RUNNING, STOPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from typing import Any

    from backstay.services.rabbitmq.amqp import Account
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.mirror_policy import Short

_ACCOUNTS = "rabbit_auth_backend_internal"
ACTOR = b"ocf:backstay:rabbitmq"  # who did it, in the broker's events and logs


class Mirroring:
    """How classic queues shall be mirrored. mode: all, exactly or none; count: for exactly. vhosts: empty for all but
    `without`, where the probe's queues tell of their own node."""

    __slots__ = ("count", "mode", "pattern", "vhosts", "without")

    def __init__(self, mode: str, count: int, pattern: str, vhosts: tuple[str, ...], without: str) -> None:
        self.mode = mode
        self.count = count
        self.pattern = pattern
        self.vhosts = vhosts
        self.without = without


class Dialect:
    """version: as numbers."""

    def __init__(self, version: tuple[int, ...]) -> None:
        self.version = version

    def clients(self, node: Node, other: str) -> list[str]:
        """The connections of another broker, each "ADDRESS:PORT -> ADDRESS:PORT". By their names: records differ by version."""
        answer = node.call("rabbit_connection_tracking", "list_on_node", Atom(other))
        records = answer if isinstance(answer, list) else []
        words = [
            text(word) for record in records if isinstance(record, tuple) for word in record if isinstance(word, bytes)
        ]
        return [word for word in words if " -> " in word]

    # -- questions ----------------------------------------------------------------------------------------------------

    def application(self, node: Node) -> str:
        """RUNNING, BOOTING, PAUSED or STOPPED."""
        if node.call("rabbit", "is_running") is True:
            return RUNNING
        if node.call("rabbit", "is_booting") is True:
            return BOOTING
        # The process that waits, with the application stopped, for a majority or for the end of a partition.
        waits = node.call("erlang", "whereis", Atom("rabbit_outside_app_process"))
        return PAUSED if isinstance(waits, Opaque) else STOPPED

    def drained(self, node: Node) -> bool:
        """Whether it is in maintenance mode, its listeners closed."""
        return node.call("rabbit_maintenance", "is_being_drained_local_read", Atom(node.node)) is True

    def members(self, node: Node) -> frozenset[str]:
        raise NotImplementedError

    def running(self, node: Node) -> frozenset[str]:
        raise NotImplementedError

    def partitions(self, node: Node) -> frozenset[str]:
        """The nodes that this one is partitioned from, though it may see them again."""
        raise NotImplementedError

    def alarms(self, node: Node) -> tuple[str, ...]:
        """Of this node: `memory`, `disk`, or what else it says."""
        return tuple(sorted({_alarm(alarm) for alarm in node.call("rabbit_alarm", "get_local_alarms")}))

    def connected(self, node: Node) -> frozenset[str]:
        """The nodes with an open connection to this one."""
        return names(node.call("erlang", "nodes"))

    def irreplaceable(self, node: Node) -> dict[str, int]:
        """How many queues would lose something, or their majority, with this node, by the kind of reason."""
        raise NotImplementedError

    def vhosts(self, node: Node) -> list[str]:
        return sorted(map(text, node.call("rabbit_vhost", "list_names")))

    def partition_handling(self, node: Node) -> str:
        """The setting in force; "" where there is none."""
        answer = node.call("application", "get_env", Atom("rabbit"), Atom("cluster_partition_handling"))
        return str(answer[1]) if isinstance(answer, tuple) and isinstance(answer[1], Atom) else ""

    def ticktime(self, node: Node) -> int:
        """Seconds; 0 while it changes."""
        answer = node.call("net_kernel", "get_net_ticktime")
        return answer if isinstance(answer, int) else 0

    def unsafe_policies(self, node: Node) -> list[str]:
        """Policies that can lose confirmed messages, each as a sentence."""
        return []

    def any_alarm(self, node: Node) -> bool:
        """Whether there is an alarm on any node."""
        return bool(node.call("rabbit_alarm", "get_alarms"))

    def short_of_mirrors(self, node: Node, running: AbstractSet[str], most: int) -> list[Short]:
        """Mirrored queues that have fewer synchronised mirrors than their policy wants while these nodes run; of all nodes,
        so many at most."""
        return []

    def stack(self, node: Node, pid: Opaque) -> list[tuple[str, str]]:
        """Module and function of a process of any node, the innermost first."""
        raise NotImplementedError

    def mirror_state(self, node: Node, pid: Opaque) -> str:
        """BEHIND, GONE or UNKNOWN of a mirror that is not recorded as synchronised."""
        raise NotImplementedError

    # -- effects ------------------------------------------------------------------------------------------------------

    def disconnect(self, node: Node, other: str) -> None:
        """Have this node take the other for dead, now."""
        node.call("erlang", "disconnect_node", Atom(other))

    def elect(self, node: Node, lost: str) -> int:
        """Have the quorum queues that were led on a lost node choose another leader now; how many. Ra takes three seconds
        before it believes in a lost connection, since it may come back; this one will not. Raises AgentError."""
        board = node.call("ets", "tab2list", Atom("ra_leaderboard"))  # (cluster, leader, members) each
        here = Atom(node.node)
        led = [row[0] for row in board if isinstance(row[1], tuple) and row[1][1] == lost and (row[0], here) in row[2]]
        if led:
            node.call("lists", "foreach", function("ra", "trigger_election", 1), [(name, here) for name in led])
        return len(led)

    def forget(self, node: Node, other: str) -> None:
        """Remove a member that does not run, its copies of queues first. Raises AgentError."""
        raise NotImplementedError

    def ensure_mirroring(self, node: Node, wanted: Mirroring) -> list[str]:
        """Make it so, where it is not; what was done or is wrong. Raises AgentError."""
        raise NotImplementedError

    def update_mirrors(self, node: Node, short: Short) -> None:
        """Have the broker add the mirrors that the policy wants, and synchronise them. Does not wait for that."""
        raise NotImplementedError

    def add_mirrors(self, node: Node, short: Short, places: list[str]) -> None:
        """Add mirrors on these nodes; one that lives there already stays as it is. Does not wait for them."""
        raise NotImplementedError

    def drop_mirror(self, node: Node, pid: Opaque) -> None:
        """Remove a mirror, with its messages. Does not wait until it has ended."""
        raise NotImplementedError

    def ensure_probe(self, node: Node, account: Account) -> None:
        """The probe's virtual host and its account, which may do everything there and nothing elsewhere. Compares first.
        Raises AgentError."""
        user, vhost = account.user.encode(), account.vhost.encode()
        if account.vhost not in self.vhosts(node):
            checked(node.call("rabbit_vhost", "add", vhost, ACTOR), f"virtual host {account.vhost}")
        if not self.lets_in(node, account):
            known = node.call(_ACCOUNTS, "exists", user) is True
            act = "change_password" if known else "add_user"
            checked(node.call(_ACCOUNTS, act, user, account.password.encode(), ACTOR), f"account {account.user}")
        granted = node.call(_ACCOUNTS, "list_user_permissions", user)
        if not any((Atom("vhost"), vhost) in permissions for permissions in granted):
            answer = node.call(_ACCOUNTS, "set_permissions", user, vhost, b".*", b".*", b".*", ACTOR)
            checked(answer, f"permissions of {account.user}")

    def lets_in(self, node: Node, account: Account) -> bool:
        """Whether the broker has the account with this password. Asked so because it logs every refused login."""
        proof = [(Atom("password"), account.password.encode())]
        answer = node.call(_ACCOUNTS, "user_login_authentication", account.user.encode(), proof)
        return isinstance(answer, tuple) and answer[:1] == ("ok",)

    # -- before it serves ---------------------------------------------------------------------------------------------

    def has_data(self, names: AbstractSet[str]) -> bool:
        """Whether RabbitMQ takes a directory with these names in it for a node's data. What it does not, it joins to others,
        or begins a cluster with."""
        raise NotImplementedError

    def members_on_disk(self, directory: str) -> frozenset[str]:
        """The members as a node's data has them, empty where it does not tell."""
        return frozenset()

    def settled(self, node: Node) -> frozenset[str]:
        """The members as a booting broker knows them once it has found its own data or its peers, before it lets clients in;
        empty before that. Raises CallFailed."""
        raise NotImplementedError

    @property
    def joins_the_oldest(self) -> bool:
        """Whether it is the oldest of the nodes that a broker joins, itself among them."""
        return self.version >= (3, 13)

    def began_after(self, peer: Node, now: float) -> float:
        """Seconds from `now`, by this node's wall clock, to when a peer seems to have begun; 0 for the past, and for
        one that is in a cluster with others, which is joined whatever its age."""
        if self.members(peer) - {peer.node}:
            return 0.0
        try:
            begun = peer.call("rabbit_boot_state", "get_start_time")
        except CallFailed:  # before 4.1, which takes the machine's
            native = peer.call("erlang", "system_info", Atom("start_time")) + peer.call("erlang", "time_offset")
            begun = peer.call("erlang", "convert_time_unit", native, Atom("native"), Atom("microsecond"))
        return max(0.0, int(begun) / 1e6 - now)

    def settings(self, partition_handling: str, queue_type: str) -> list[str]:
        """Lines of rabbitmq.conf that only this family knows."""
        raise NotImplementedError

    def default_mirroring(self, mode: str) -> str:
        """The mode for an unset parameter. Raises Misconfigured for a mode that this family cannot do."""
        raise NotImplementedError

    def can_force(self, directory: str) -> bool:
        """Whether the broker with this data can boot without a node that was up last."""
        raise NotImplementedError


def names(term: Any) -> frozenset[str]:
    """Node names of an answer. Raises CallFailed when it is something else."""
    if not isinstance(term, list) or not all(isinstance(name, Atom) for name in term):
        raise CallFailed(f"expected node names, not {term!r:.80}", term)
    return frozenset(str(name) for name in term)


def checked(answer: Any, what: str) -> Any:
    """The answer of a call that says how it went. Raises AgentError when not well."""
    if isinstance(answer, tuple) and answer and str(answer[0]).startswith("error"):
        raise AgentError(f"{what}: the broker refuses: {answer[1]!r:.160}")
    return answer


def beside_flags(found: AbstractSet[str]) -> set[str]:
    """Names in a node's directory without the list of feature flags, which an admin may keep there."""
    return {name for name in found if not name.endswith("feature_flags")}


def initialised(dialect: Dialect, node: Node) -> frozenset[str]:
    """As Dialect.settled, from RabbitMQ 3.13."""
    return dialect.members(node) if node.call("rabbit_db", "is_init_finished") is True else frozenset()


def _alarm(term: Any) -> str:
    """{{resource_limit, disk, Node}, []} and the like, as one word."""
    while isinstance(term, tuple) and term and isinstance(term[0], tuple):
        term = term[0]
    if isinstance(term, tuple) and len(term) > 1 and term[0] == "resource_limit":
        return text(term[1])
    return str(term)
