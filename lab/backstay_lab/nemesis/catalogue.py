"""The faults of a campaign and what each may cost, and the thirty rows of the catalogue. Pure tables.

A kind says what is injected and the most that it may cause when it hits the leader; the runner adds these up and calls
more than that needless. What no fault may ever cause is in `judge`.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from backstay_lab.systems.declaration import Campaigned
    from backstay_lab.systems.system import Traits

LEADER, FOLLOWER, COORDINATOR, ALL = "leader", "follower", "coordinator", "all"
ONE = (LEADER, FOLLOWER)
ANY = (LEADER, FOLLOWER, COORDINATOR)
ORDERS = ("order 1 2 3", "order 1 3 2", "order 2 1 3", "order 2 3 1", "order 3 1 2", "order 3 2 1")
# What a kind needs of what it hits: one of Traits' fields that says something, or to be a certain system.
ANYTHING, PEERS, DATA, ADDRESS = "", "peers", "data", "address"
MYSQL, RABBITMQ = "mysql", "rabbitmq"
DAEMON, NODE, NODES = "daemon", "node", "nodes"


class Kind(NamedTuple):
    """row: of the catalogue. lasts: least and most seconds until it is undone; what cannot be undone, or undoes itself,
    has none. moves: how often the leader may change because of it, if it hits the leader. fences: whether a node may be
    fenced because of it. targets: roles, which are resolved when it is inflicted, or orders of power-on. needs: which
    systems, alone or as parts of others, have leaders and followers that it can hit. scope: what it reaches there, the
    part's daemon or address alone, all that is on the node, or more nodes than one. barred: why it is not done to machines
    that are reached over ssh alone (Vagrant's), "" where it is. aimed: no seed draws it, schedules of `aimed` have it.
    bound: seconds without an acknowledgement that it may cost at most."""

    name: str
    row: int
    what: str
    targets: tuple[str, ...] = ONE
    lasts: tuple[float, float] = (0.0, 0.0)
    moves: int = 1
    fences: bool = False
    needs: str = ANYTHING
    scope: str = NODE
    barred: str = ""
    aimed: bool = False
    bound: float = inf

    def suits(self, system: str, traits: Traits) -> bool:
        """Whether it can be done to the system of this name."""
        if self.needs in (PEERS, DATA, ADDRESS):
            return bool(getattr(traits, self.needs))
        return self.needs in (ANYTHING, system)


STOPPED = "sshd is stopped with the rest, and nobody can let them go on"
NO_VOLUME = "those machines have no file system of their own for the data"
AIMED = "it waits for moments that ssh is too slow to meet"
NO_LIMIT = "the limit is a control group of the machine below them, and binds sshd too"

LONG = (4.0, 15.0)  # longer than Corosync's token and the fencing: the cluster must act, and does before it is undone
SHORT = (0.3, 15.0)  # sometimes over before anybody noticed

KINDS = {
    kind.name: kind
    for kind in (
        Kind("kill", 1, "SIGKILL of the daemon", scope=DAEMON),
        Kind("hang", 2, "SIGSTOP of the daemon, SIGCONT later", ONE, SHORT, scope=DAEMON),
        Kind("node-hang", 2, "SIGSTOP of every process of the node, SIGCONT later", ANY, SHORT, fences=True,
            barred=STOPPED),
        Kind("power-off", 3, "the node loses its power, which returns later", ANY, SHORT, fences=True),
        Kind("partition", 4, "the node is cut off from both others, not from clients", ANY, SHORT, fences=True),
        Kind("pair-cut", 5, "the node and one other are cut off from each other; both see the third", ONE, SHORT,
            fences=True, scope=NODES),
        Kind("one-way", 6, "nothing that the node sends reaches the others", ANY, SHORT, fences=True),
        Kind("deaf", 6, "nothing that the others send reaches the node", ANY, SHORT, fences=True),
        Kind("port-cut", 7,
            "the others are cut off from the port by which the leader's daemon talks to them, not from the node",
            (LEADER,), LONG, moves=0, needs=PEERS, scope=DAEMON),
        Kind("client-cut", 7, "clients are cut off from the service's port on the node", ONE, SHORT, moves=0, scope=DAEMON),
        Kind("loss", 8, "30 % of the packets from and to the node are lost", ANY, LONG, fences=True),
        Kind("slow-link", 9, "the node's link carries 2 Mbit/s and queues the rest up to 400 ms", ONE, LONG, moves=0),
        Kind("disk-full", 10, "the file system with the data is filled to the last block", ONE, LONG, needs=DATA,
            barred=NO_VOLUME),
        Kind("disk-slow", 11, "twenty writes a second to the disk with the data", ONE, LONG, needs=DATA,
            barred=NO_VOLUME),
        Kind("disk-frozen", 12, "who writes to the disk with the data waits, and cannot be killed", ONE, SHORT, fences=True,
            needs=DATA, barred=NO_VOLUME),
        Kind("torn-relay-log", 13, "the server is killed, its newest relay log cut short", (FOLLOWER,), moves=0,
            needs=MYSQL, scope=DAEMON),
        Kind("corosync-kill", 16, "SIGKILL of Corosync", ANY, fences=True),
        Kind("corosync-hang", 16, "SIGSTOP of Corosync, SIGCONT later", ANY, SHORT, fences=True),
        Kind("attrd-kill", 17, "SIGKILL of pacemaker-attrd", ANY, moves=0),
        Kind("based-kill", 17, "SIGKILL of pacemaker-based", ANY, fences=True),
        Kind("controld-kill", 17, "SIGKILL of pacemaker-controld", ANY, fences=True),
        Kind("execd-kill", 17, "SIGKILL of pacemaker-execd", ANY, fences=True),
        Kind("fenced-kill", 17, "SIGKILL of pacemaker-fenced", ANY, moves=0),
        Kind("schedulerd-kill", 17, "SIGKILL of pacemaker-schedulerd", ANY, moves=0),
        Kind("pacemakerd-kill", 17, "SIGKILL of pacemakerd, whose children live on", ANY, moves=0),
        Kind("tools-fail", 18, "crm_attribute and attrd_updater fail with 1, 102 and 124 in turn", ONE, LONG),
        Kind("tools-hang", 18, "crm_attribute and attrd_updater take half a minute", ONE, LONG),
        Kind("memory", 19, "the node gets 16 MiB more and no more: the kernel kills what asks", ONE,
            (2.0, 5.0), fences=True, barred=NO_LIMIT),
        Kind("starvation", 20, "the node gets a tenth of a processor", ANY, (3.0, 10.0), fences=True, barred=NO_LIMIT),
        Kind("wrong-cookie", 21, "the broker is killed and its cookie replaced", ONE, needs=RABBITMQ, scope=DAEMON),
        Kind("port-taken", 22, "the daemon is killed, another program takes its port for a while", ONE, LONG, scope=DAEMON),
        Kind("broken-configuration", 24, "a line that is no option in the configuration, and the daemon is killed",
            ONE, LONG, scope=DAEMON),
        Kind("flapping", 25, "SIGKILL of the daemon whenever it runs again, for a while", ONE, LONG, scope=DAEMON),
        Kind("link-flapping", 25, "five times cut off for half a second, once a second", ANY, fences=True),
        Kind("kill-promoting", 26, "SIGKILL of the primary's server, then of the one that is being promoted",
            (LEADER,), moves=2, needs=MYSQL, scope=DAEMON),
        # The third cannot prove that it has everything: its promotion is refused, which is no move (decision 9).
        Kind("kill-two", 26, "SIGKILL of the leader's and a follower's daemon", (LEADER,), scope=DAEMON),
        Kind("blackout", 27, "all nodes off; power returns one by one, in the order, each later than the one before",
            ORDERS, (0.5, 4.0), fences=True, scope=NODES),
        Kind("standby", 28, "standby and back, as planned work", ONE, SHORT),
        Kind("move", 28, "planned move of the promoted role", (LEADER,), SHORT, needs=MYSQL, scope=DAEMON),
        Kind("new-agents", 29, "agents and library installed anew on one node after the other, as an upgrade does", (ALL,),
            moves=0, scope=NODES),
        Kind("duplicate-address", 30, "another node adds the address that clients come to, and announces it", (FOLLOWER,),
            SHORT, moves=0, needs=ADDRESS, scope=DAEMON),
        Kind("address-removed", 30, "the address that clients come to is deleted behind the cluster's back", (LEADER,), moves=0,
            needs=ADDRESS, scope=DAEMON),
        # What follows is in no draw, and schedules of seeds stay what they are.
        Kind("two-promotions", 26, "one replica receives nothing; SIGKILL of the primary's server, then of the next one's",
            (LEADER,), moves=3, needs=MYSQL, scope=DAEMON, barred=AIMED, aimed=True),
        Kind("clean-stop", 28, "a node in maintenance, Pacemaker and Corosync stopped there; then SIGKILL of the leader's daemon",
            (FOLLOWER,), needs=DATA, scope=NODES, barred=AIMED, aimed=True),
        Kind("first-boot", 3, "a node without data loses its power 0.3 s into its daemon's first start", (FOLLOWER,), moves=0,
            fences=True, needs=DATA, barred=AIMED, aimed=True),
        Kind("clock-forward", 15, "the times of the agents' files, as a clock's step of an hour leaves them", ONE, moves=0,
            needs=DATA, scope=DAEMON, barred=AIMED, aimed=True),
        Kind("clock-back", 15, "the same of a step back", ONE, moves=0, needs=DATA, scope=DAEMON, barred=AIMED, aimed=True),
        Kind("lost-when-new", 3, "the primary of a new set loses its power a second after the first write", (LEADER,),
            fences=True, needs=MYSQL, barred=AIMED, aimed=True, bound=30.0),
        Kind("lost-after-blackout", 27, "all power fails and returns; the primary's node is lost a second after the first write",
            (ALL,), moves=2, fences=True, needs=MYSQL, scope=NODES, barred=AIMED, aimed=True, bound=75.0),
    )
}  # fmt: skip


def parts_for(kind: Kind, system: Campaigned) -> list[str]:
    """The parts of the system that it can hit, in their order; [""] for a system that has no parts, and that it can hit."""
    return [part for part, traits in system.traits.items() if kind.suits(part or system.name, traits)]


def kinds_of(system: Campaigned, over_ssh: bool = False) -> list[Kind]:
    """What a campaign draws from. over_ssh: on machines that are reached over ssh alone."""
    own = [kind for kind in KINDS.values() if parts_for(kind, system) and not kind.aimed]
    return [kind for kind in own if not (over_ssh and kind.barred)]


class Row(NamedTuple):
    """number, fault: as the catalogue has them. expected: the outcome that the rules hold a run to. elsewhere: faults of
    `backstay rehearse` and tests that have the rest of the row. reason: why it has no kind, or what of it has none."""

    number: int
    fault: str
    expected: str
    elsewhere: tuple[str, ...] = ()
    reason: str = ""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Those of a campaign."""
        return tuple(kind.name for kind in KINDS.values() if kind.row == self.number)


ROWS = (
    Row(1, "kill -9 of a daemon", "promotion elsewhere, or restart in place; nothing lost",
        ("mysql kill", "rabbitmq kill")),
    Row(2, "hang", "told within seconds, ended, replaced; the old one acknowledges nothing when it goes on",
        ("mysql hang", "mysql pause", "rabbitmq hang")),
    Row(3, "power-off of a node", "fenced, then promotion", ("mysql power-off", "rabbitmq power-off")),
    Row(4, "symmetric partition", "the minority stops or is fenced, the majority serves",
        ("mysql partition-primary", "rabbitmq partition-leader")),
    Row(5, "asymmetric partition", "one membership; no flapping once it is over"),
    Row(6, "one-way partition", "as the loss of the node; never two primaries"),
    Row(7, "replication or clients alone cut off",
        "commits wait or clients cannot connect; nobody is promoted for it"),
    Row(8, "packet loss",
        "at 30 % a node may be lost to Corosync, which fences it; nothing is lost, and it is over when the loss is"),
    Row(9, "delay, jitter, reordering", "slower, no timeouts",
        reason="not every kernel has netem: a narrow link that queues stands for delay; nothing is reordered"),
    Row(10, "disk full", "demoted or failed cleanly, no loop"),
    Row(11, "slow disk", "promotion waits for what was received"),
    Row(12, "hung disk", "stop fails, the node is fenced"),
    Row(13, "torn relay log, binary log, Mnesia", "fetched anew; never skipped in silence", ("mysql relay-log",),
        "binary log and Mnesia are torn by power-off alone"),
    Row(14, "replicas restart with unapplied relay logs, then the primary is lost", "nothing acknowledged is lost",
        ("mysql relay-log",), "prepared over tens of seconds: a rehearsal, not an injection"),
    Row(15, "clock jump", "no effect on the election",
        reason="the nodes share this machine's clock, which stays: aimed schedules shift the times of files instead"),
    Row(16, "Corosync killed or stopped", "the node is fenced, its resources move"),
    Row(17, "a Pacemaker daemon killed",
        "started again by pacemakerd; a lost controller or executor may cost the node"),
    Row(18, "attribute tools fail or hang", "a promotion stays safe; what cannot be recorded is not done"),
    Row(19, "out of memory", "as a kill of whatever the kernel chooses"),
    Row(20, "processor starvation",
        "time-outs honoured; with a tenth of a processor Corosync itself may lose the node"),
    Row(21, "wrong cookie", "the agent puts its own back; others unaffected"),
    Row(22, "port taken", "a start fails with the reason; the others serve"),
    Row(23, "wrong credentials or permissions", "not promotable, with the reason",
        ("tests/contract/test_mysql_contract.py", "tests/contract/test_rabbitmq_contract.py"),
        "agents refuse to start: nothing to observe under load"),
    Row(24, "broken configuration", "a start fails with the reason; the others serve",
        ("tests/contract/test_haproxy.py",)),
    Row(25, "flapping", "bounded moves; whole when it ends"),
    Row(26, "double failure", "a consistent stop rather than loss"),
    Row(27, "loss of all power", "most advanced node promoted; nothing lost, in every order",
        ("mysql blackout", "rabbitmq blackout", "rabbitmq cold-start")),
    Row(28, "planned standby and move", "nothing lost, seconds without a write", ("mysql move", "rabbitmq standby")),
    Row(29, "upgrade under load", "no move, no failure",
        ("mysql upgrade", "rabbitmq upgrade", "tests/failover/test_upgrade.py"), "daemons are not upgraded"),
    Row(30, "duplicate or removed address", "one owner again, no move", ("mysql address-removed",)),
)  # fmt: skip


def most_moves(hits: tuple[tuple[str, bool], ...]) -> int:
    """How often the leader may change. hits: kind and whether its target could have been the leader then."""
    return sum(KINDS[kind].moves for kind, leads in hits if leads)


def may_fence(kinds: tuple[str, ...]) -> bool:
    return any(KINDS[kind].fences for kind in kinds)
