"""How a broker begins: it boots with its data, begins a cluster, joins one, or waits. Pure.

A cluster is begun once, by one node, and never again while the record says who has the cluster's data. A node whose disk was
replaced, or not mounted, must not begin a second cluster beside it.

The table PLANS says what a node does. Whatever it does, the members that its broker then has are compared with the record:
`stray`.
"""

from __future__ import annotations

from backstay.ocf.table import Value, always, decide
from backstay.services.rabbitmq.observation import DATA, EMPTY, UNSAID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from backstay.ocf.table import Table
    from backstay.services.rabbitmq.record import Record

BOOT, SEED, JOIN, WAIT, REFUSE, ASIDE = "boot", "seed", "join", "wait", "refuse", "put aside"
MISPLACED = "refuse, the record is right"
DELETE = "delete the record"


class Plan(Value):
    """step: one of the words above. targets: Erlang names to join. reason: of a wait or a refusal."""

    __slots__ = ("reason", "step", "targets")

    def __init__(self, step: str, reason: str = "", targets: tuple[str, ...] = ()) -> None:
        self.step = step
        self.reason = reason
        self.targets = targets


class Inputs(Value):
    """What a plan rests on; as for `plan`. serving, others: Erlang names of recorded members, those that serve now, and those of
    other nodes. may_seed: another node that is recorded as seed and may still be at it. full, unsaid: peers that have data, and
    that said nothing and are waited for. first: by name, of those that have none. recorded: the name of this node's broker on
    record, "" for none. elsewhere: directories of this host with data under other names."""

    __slots__ = (
        *("elsewhere", "erlang", "first", "full", "has_data", "may_seed", "me", "members"),
        *("others", "recorded", "removed", "seed", "serving", "unsaid"),
    )

    def __init__(
        self,
        me: str,
        has_data: bool,
        record: Record,
        peers: Mapping[str, str],
        running: AbstractSet[str],
        down: AbstractSet[str],
        patient: bool,
        erlang: str,
        elsewhere: Sequence[str],
    ) -> None:
        self.me = me
        self.erlang = erlang
        self.recorded = record.members.get(me, "")
        self.elsewhere = " and ".join(elsewhere)
        self.has_data = has_data
        self.members = record.members
        self.removed = me in record.removed and me not in record.members
        self.serving = tuple(sorted(running & set(record.members.values())))
        self.others = tuple(sorted(erlang for node, erlang in record.members.items() if node != me))
        self.seed = record.seed
        self.may_seed = record.seed if record.seed != me and record.seed not in down else ""
        self.full = tuple(sorted(node for node, has in peers.items() if has == DATA))
        self.unsaid = tuple(sorted(node for node, has in peers.items() if has == UNSAID)) if patient else ()
        self.first = min([me, *(node for node, has in peers.items() if has == EMPTY)])


def _lost(i: Inputs) -> str:
    remedy = DELETE if len(i.members) == 1 else f"name {i.me} in removed and then take it out again"
    return (
        f"{i.me} is a member of the cluster and its data directory is empty: mount it, or, if the data is lost for good,"
        f" {remedy}"
    )


def _renamed(i: Inputs) -> str:
    pattern = i.recorded.replace(f"@{i.me}", "@{node}")
    back = f"set node_name={pattern}" if pattern != i.recorded else "set node_name, or give the host its name again"
    return f"{i.me} is on record with {i.recorded}, and is {i.erlang} now, which has no data: {back}"


def _moved(i: Inputs) -> str:
    return (
        f"{i.me} is a member, and {i.erlang} has no data here, but {i.elsewhere} has: set data_directory and node_name"
        " to where its data is"
    )


def _none_runs(i: Inputs) -> str:
    reason = f"{i.me} has no data and waits for {' or '.join(sorted(i.members))}, which hold the cluster's: start one of them"
    return f"{reason}, or, if {i.elsewhere} is its own, set node_name" if i.elsewhere else reason


def _nothing(i: Inputs) -> str:
    return ""


if TYPE_CHECKING:
    _Row = tuple[str, Callable[[Inputs], str]]  # the step, the reason

# fmt: off
PLANS: Table[_Row, Inputs] = (
    ((ASIDE, lambda i: f"{i.me} had been removed from the cluster"), lambda i: i.has_data and i.removed,
     "it has data, and is recorded as removed", "what it has is of no worth; then it begins as without data"),
    ((BOOT, _nothing), lambda i: i.has_data and i.members,
     "it has data, and members are recorded", "where RabbitMQ takes what it has for nothing, it joins the others"),
    ((SEED, _nothing), lambda i: i.has_data and i.seed == i.me,
     "it has data, and is recorded as the seed", "its first boot did not come to its end"),
    ((MISPLACED, _renamed), lambda i: i.recorded and i.recorded != i.erlang,
     "it has no data, and is recorded with a broker of another name", "the host or node_name was renamed, and its data was not"),
    ((MISPLACED, _moved), lambda i: i.recorded and i.elsewhere,
     "it has no data, is recorded as a member, and this host has data under another name", "that may be its own"),
    ((REFUSE, _lost), lambda i: i.recorded,
     "it has no data, and is recorded as a member", "its data is gone or not mounted"),
    ((JOIN, _nothing), lambda i: i.serving,
     "it has no data, and one of the recorded members serves", "it gets the data from there"),
    ((WAIT, _none_runs), lambda i: i.members,
     "it has no data, and none of the recorded members serves", "they hold the cluster's data"),
    ((WAIT, lambda i: f"{i.me} waits for {i.may_seed}, which begins the cluster"), lambda i: i.may_seed,
     "another node is recorded as the seed, and is not surely down", "that one may still be at it"),
    ((WAIT, lambda i: f"{i.me} has no data and waits for {i.full[0]}, which has, to serve"),
     lambda i: not i.has_data and i.full,
     "it has no data, and a peer has", "once that serves, it is recorded, and can be joined"),
    ((WAIT, lambda i: f"{i.me} waits for {i.unsaid[0]} to say whether it has data"), lambda i: i.unsaid,
     "a peer has not said what it has, and is waited for", "it may have data of another cluster"),
    ((BOOT, _nothing), lambda i: i.has_data,
     "it has data", "nobody is recorded, and nobody else can have begun"),
    ((WAIT, lambda i: f"{i.me} has no data and waits for {i.first} to begin the cluster"), lambda i: i.first != i.me,
     "it is not the first by name of those without data", "only one may begin"),
    ((SEED, _nothing), always,
     "otherwise", "nobody has data, and this is the first by name"),
)
# fmt: on


def plan(
    me: str,
    has_data: bool,
    record: Record,
    peers: Mapping[str, str],
    running: AbstractSet[str],
    down: AbstractSet[str],
    patient: bool,
    erlang: str,
    elsewhere: Sequence[str],
    plans: Table[_Row, Inputs] = PLANS,
) -> Plan:
    """peers: online nodes other than this one -> EMPTY, DATA or UNSAID. running: Erlang names of members that serve now.
    down: nodes that surely run no broker. patient: peers that have said nothing are still waited for. erlang: the name of this
    node's broker. elsewhere: directories of this host with data under other names. plans: the table."""
    inputs = Inputs(me, has_data, record, peers, running, down, patient, erlang, elsewhere)
    step, reason = decide(plans, inputs)
    targets = {JOIN: inputs.serving, BOOT: inputs.others}
    return Plan(step, reason(inputs), targets.get(step, ()))


def stray(
    me: str,
    erlang: str,
    members: AbstractSet[str],
    record: Record,
    leaving: Container[str],
    full: Mapping[str, str],
) -> str:
    """Why the broker `erlang` of the node `me` may not serve: its cluster is another than the record's; "" when it may.

    members: as the broker has them, empty when unknown. leaving: nodes that the admin gave up. full: Erlang names of other
    nodes that have data, asked for only where the record names no member.
    """
    if not members:
        return ""
    recorded = {node: name for node, name in record.members.items() if node != me and node not in leaving}
    alone = "alone" if members == {erlang} else f"with {', '.join(sorted(members - {erlang}))}"
    if recorded:
        if members & set(recorded.values()):
            return ""
        return f"{erlang} has data of another cluster ({alone}) than {_several(recorded)}"
    strangers = sorted(node for node, name in full.items() if name not in members)
    if record.members or record.seed == me or not strangers:
        return ""
    return f"{_several([me, *strangers])} have data of different clusters"


def _several(names: Iterable[str]) -> str:
    *some, last = sorted(names)
    return f"{', '.join(some)} and {last}" if some else last


class Force(Value):
    """force: boot without waiting. missing: nodes that were up when the others went down and have not come back."""

    __slots__ = ("force", "missing", "reason")

    def __init__(self, force: bool, missing: tuple[str, ...] = (), reason: str = "") -> None:
        self.force = force
        self.missing = missing
        self.reason = reason


def force_boot(
    me: str,
    up_at_shutdown: Mapping[str, AbstractSet[str]],
    erlang_names: Mapping[str, str],
    down: AbstractSet[str],
    allowed: bool,
) -> Force:
    """Whether this node may boot without a node that went down last.

    up_at_shutdown: online node that has data, this one included -> the Erlang names that were up when it went down.
    Who is in everybody's set was up last. erlang_names: of all members, by node. down: nodes known to be fenced or shut
    down. Only one node forces, the one that went down last of those here: two that did would each go on with their own.
    """
    sets = list(up_at_shutdown.values())
    last = frozenset.intersection(*map(frozenset, sets)) if sets else frozenset()
    present = {erlang_names.get(node, "") for node in up_at_shutdown}
    node_of = {erlang: node for node, erlang in erlang_names.items()}
    missing = tuple(sorted(node_of.get(erlang, erlang) for erlang in last - present))
    if not missing:
        return Force(False)
    names = ", ".join(missing)
    reason = f"{names} went down last and has not come back: start it, or, if it is lost for good, set allow_force_boot"
    if not allowed or any(node not in down for node in missing):
        return Force(False, missing, reason)
    # Who saw the fewest others up went down after those that saw more.
    forces = min(up_at_shutdown, key=lambda node: (len(up_at_shutdown[node]), node))
    return Force(me == forces, missing, f"boots without {names}, which went down last: allow_force_boot")
