"""The catalogue: every fault that any system may suffer, and the thirty rows of kinds of failure that they are of. Tables.

A row of KINDS is the fault as a value, what does it and what it may cost when it hits the leader, and how schedules draw it. The
runner adds these costs up and calls more than that needless. What no fault may ever cause is in `checkers.rules`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.nemesis import harm, sequences, surroundings
from backstay_lab.nemesis.fault import (
    ADDRESS,
    ALL,
    ANY,
    DAEMON,
    DATA,
    FOLLOWER,
    LEADER,
    MYSQL,
    NODES,
    ONE,
    ORDERS,
    PEERS,
    RABBITMQ,
    Cost,
    Fault,
    Kind,
)
from backstay_lab.nemesis.surroundings import impair

if TYPE_CHECKING:
    from backstay_lab.nemesis.victim import Drawable

STOPPED = "sshd is stopped with the rest, and nobody can let them go on"
NO_VOLUME = "those machines have no file system of their own for the data"
AIMED = "it waits for moments that ssh is too slow to meet"
NO_LIMIT = "the limit is a control group of the machine below them, and binds sshd too"

LONG = (4.0, 15.0)  # longer than Corosync's token and the fencing: the cluster must act, and does before it is undone
SHORT = (0.3, 15.0)  # sometimes over before anybody noticed

KINDS = {
    kind.name: kind
    for kind in (
        Kind(Fault("kill", "SIGKILL of the daemon", harm.kill), 1, scope=DAEMON),
        Kind(Fault("hang", "SIGSTOP of the daemon, SIGCONT later", harm.hang), 2, ONE, SHORT, scope=DAEMON),
        Kind(Fault("node-hang", "SIGSTOP of every process of the node, SIGCONT later",
            partial(harm.hang, daemon="node"), Cost(fences=True)), 2, ANY, SHORT, barred=STOPPED),
        Kind(Fault("power-off", "the node loses its power, which returns later",
            harm.power_off, Cost(fences=True)), 3, ANY, SHORT),
        Kind(Fault("partition", "the node is cut off from both others, not from clients",
            impair("cut", surroundings.with_others), Cost(fences=True)), 4, ANY, SHORT),
        Kind(Fault("pair-cut", "the node and one other are cut off from each other; both see the third",
            impair("cut", surroundings.with_leader_or_one), Cost(fences=True)), 5, ONE, SHORT, scope=NODES),
        Kind(Fault("one-way", "nothing that the node sends reaches the others",
            impair("cut", surroundings.to_others), Cost(fences=True)), 6, ANY, SHORT),
        Kind(Fault("deaf", "nothing that the others send reaches the node",
            impair("cut", surroundings.from_others), Cost(fences=True)), 6, ANY, SHORT),
        Kind(Fault("port-cut",
            "the others are cut off from the port by which the leader's daemon talks to them, not from the node",
            impair("ports", surroundings.with_others, "peers"), Cost(moves=0)), 7, (LEADER,), LONG, needs=PEERS, scope=DAEMON),
        Kind(Fault("client-cut", "clients are cut off from the service's port on the node",
            impair("ports", surroundings.with_client, "port"), Cost(moves=0)), 7, ONE, SHORT, scope=DAEMON),
        Kind(Fault("loss", "30 % of the packets from and to the node are lost",
            impair("lossy", surroundings.with_all), Cost(fences=True)), 8, ANY, LONG),
        Kind(Fault("slow-link", "the node's link carries 2 Mbit/s and queues the rest up to 400 ms",
            surroundings.slow_link, Cost(moves=0)), 9, ONE, LONG),
        Kind(Fault("disk-full", "the file system with the data is filled to the last block",
            surroundings.fill_disk), 10, ONE, LONG, needs=DATA, barred=NO_VOLUME),
        Kind(Fault("disk-slow", "twenty writes a second to the disk with the data",
            surroundings.slow_disk), 11, ONE, LONG, needs=DATA, barred=NO_VOLUME),
        Kind(Fault("disk-frozen", "who writes to the disk with the data waits, and cannot be killed",
            surroundings.freeze_disk, Cost(fences=True)), 12, ONE, SHORT, needs=DATA, barred=NO_VOLUME),
        Kind(Fault("torn-relay-log", "the server is killed, its newest relay log cut short",
            harm.torn_relay_log, Cost(moves=0)), 13, (FOLLOWER,), needs=MYSQL, scope=DAEMON),
        Kind(Fault("corosync-kill", "SIGKILL of Corosync", partial(harm.kill, daemon="corosync"), Cost(fences=True)), 16, ANY),
        Kind(Fault("corosync-hang", "SIGSTOP of Corosync, SIGCONT later",
            partial(harm.hang, daemon="corosync"), Cost(fences=True)), 16, ANY, SHORT),
        Kind(Fault("attrd-kill", "SIGKILL of pacemaker-attrd",
            partial(harm.kill, daemon="pacemaker-attrd"), Cost(moves=0)), 17, ANY),
        Kind(Fault("based-kill", "SIGKILL of pacemaker-based",
            partial(harm.kill, daemon="pacemaker-based"), Cost(fences=True)), 17, ANY),
        Kind(Fault("controld-kill", "SIGKILL of pacemaker-controld",
            partial(harm.kill, daemon="pacemaker-controld"), Cost(fences=True)), 17, ANY),
        Kind(Fault("execd-kill", "SIGKILL of pacemaker-execd",
            partial(harm.kill, daemon="pacemaker-execd"), Cost(fences=True)), 17, ANY),
        Kind(Fault("fenced-kill", "SIGKILL of pacemaker-fenced",
            partial(harm.kill, daemon="pacemaker-fenced"), Cost(moves=0)), 17, ANY),
        Kind(Fault("schedulerd-kill", "SIGKILL of pacemaker-schedulerd",
            partial(harm.kill, daemon="pacemaker-schedulerd"), Cost(moves=0)), 17, ANY),
        Kind(Fault("pacemakerd-kill", "SIGKILL of pacemakerd, whose children live on",
            partial(harm.kill, daemon="pacemakerd"), Cost(moves=0)), 17, ANY),
        Kind(Fault("tools-fail", "crm_attribute and attrd_updater fail with 1, 102 and 124 in turn",
            partial(surroundings.break_tools, way="fail")), 18, ONE, LONG),
        Kind(Fault("tools-hang", "crm_attribute and attrd_updater take half a minute",
            partial(surroundings.break_tools, way="hang")), 18, ONE, LONG),
        Kind(Fault("memory", "the node gets 16 MiB more and no more: the kernel kills what asks",
            partial(surroundings.limit, controller="memory", memory__limit_in_bytes=str(16 << 20)), Cost(fences=True)),
            19, ONE, (2.0, 5.0), barred=NO_LIMIT),
        Kind(Fault("starvation", "the node gets a tenth of a processor",
            partial(surroundings.limit, controller="cpu", cpu__cfs_quota_us="10000"), Cost(fences=True)),
            20, ANY, (3.0, 10.0), barred=NO_LIMIT),
        Kind(Fault("wrong-cookie", "the broker is killed and its cookie replaced",
            harm.wrong_cookie), 21, ONE, needs=RABBITMQ, scope=DAEMON),
        Kind(Fault("port-taken", "the daemon is killed, another program takes its port for a while",
            harm.take_port), 22, ONE, LONG, scope=DAEMON),
        Kind(Fault("broken-configuration", "a line that is no option in the configuration, and the daemon is killed",
            harm.break_configuration), 24, ONE, LONG, scope=DAEMON),
        Kind(Fault("flapping", "SIGKILL of the daemon whenever it runs again, for a while",
            harm.flap), 25, ONE, LONG, scope=DAEMON),
        Kind(Fault("link-flapping", "five times cut off for half a second, once a second",
            surroundings.flap_link, Cost(fences=True)), 25, ANY),
        Kind(Fault("kill-promoting", "SIGKILL of the primary's server, then of the one that is being promoted",
            harm.kill_promoting, Cost(moves=2)), 26, (LEADER,), needs=MYSQL, scope=DAEMON),
        # The third cannot prove that it has everything: its promotion is refused, which is no move (decision 9).
        Kind(Fault("kill-two", "SIGKILL of the leader's and a follower's daemon",
            harm.kill_two, Cost(all_lost=True)), 26, (LEADER,), scope=DAEMON),
        Kind(Fault("blackout", "all nodes off; power returns one by one, in the order, each later than the one before",
            harm.blackout, Cost(fences=True, all_lost=True)), 27, ORDERS, (0.5, 4.0), scope=NODES),
        Kind(Fault("standby", "standby and back, as planned work", harm.standby), 28, ONE, SHORT),
        Kind(Fault("move", "planned move of the promoted role", harm.move), 28, (LEADER,), SHORT, needs=MYSQL, scope=DAEMON),
        Kind(Fault("new-agents", "agents and library installed anew on one node after the other, as an upgrade does",
            harm.new_agents, Cost(moves=0)), 29, (ALL,), scope=NODES),
        Kind(Fault("duplicate-address", "another node adds the address that clients come to, and announces it",
            surroundings.duplicate_address, Cost(moves=0)), 30, (FOLLOWER,), SHORT, needs=ADDRESS, scope=DAEMON),
        Kind(Fault("address-removed", "the address that clients come to is deleted behind the cluster's back",
            surroundings.remove_address, Cost(moves=0)), 30, (LEADER,), needs=ADDRESS, scope=DAEMON),
        # What follows is in no draw, and schedules of seeds stay what they are.
        Kind(Fault("two-promotions", "one replica receives nothing; SIGKILL of the primary's server, then of the next one's",
            sequences.two_promotions, Cost(moves=3)), 26, (LEADER,), needs=MYSQL, scope=DAEMON, barred=AIMED, aimed=True),
        Kind(Fault("clean-stop",
            "a node in maintenance, Pacemaker and Corosync stopped there; then SIGKILL of the leader's daemon",
            sequences.clean_stop), 28, (FOLLOWER,), needs=DATA, scope=NODES, barred=AIMED, aimed=True),
        Kind(Fault("first-boot", "a node without data loses its power 0.3 s into its daemon's first start",
            sequences.first_boot, Cost(moves=0, fences=True)), 3, (FOLLOWER,), needs=DATA, barred=AIMED, aimed=True),
        Kind(Fault("clock-forward", "the times of the agents' files, as a clock's step of an hour leaves them",
            partial(sequences.step_clock, by=sequences.STEP), Cost(moves=0)),
            15, ONE, needs=DATA, scope=DAEMON, barred=AIMED, aimed=True),
        Kind(Fault("clock-back", "the same of a step back",
            partial(sequences.step_clock, by=-sequences.STEP), Cost(moves=0)),
            15, ONE, needs=DATA, scope=DAEMON, barred=AIMED, aimed=True),
        Kind(Fault("lost-when-new", "the primary of a new set loses its power a second after the first write",
            harm.power_off, Cost(fences=True, worst=30.0)), 3, (LEADER,), needs=MYSQL, barred=AIMED, aimed=True),
        Kind(Fault("lost-after-blackout",
            "all power fails and returns; the primary's node is lost a second after the first write",
            sequences.lose_after_blackout, Cost(moves=2, fences=True, worst=75.0)),
            27, (ALL,), needs=MYSQL, scope=NODES, barred=AIMED, aimed=True),
    )
}  # fmt: skip


def known(name: str) -> Fault:
    """The fault of this name, as any system may suffer it."""
    return KINDS[name].fault


def parts_for(kind: Kind, system: Drawable) -> list[str]:
    """The parts of the system that it can hit, in their order; [""] for a system that has no parts, and that it can hit."""
    return [part for part, traits in system.traits.items() if kind.suits(part or system.name, traits)]


def kinds_of(system: Drawable, over_ssh: bool = False) -> list[Kind]:
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
    return sum(KINDS[kind].cost.moves for kind, leads in hits if leads)


def may_fence(kinds: tuple[str, ...]) -> bool:
    return any(KINDS[kind].cost.fences for kind in kinds)
