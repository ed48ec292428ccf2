"""How a broker begins: boot with its data, begin a cluster, join one, or wait. Pure.

A cluster is begun once, by one node, and never again while the record says who has its data: a node whose disk was
replaced, or not mounted, must not begin a second one beside it.

| this node  | the record names       | and                               | it                                        |
|------------|------------------------|-----------------------------------|-------------------------------------------|
| has data   | this node as removed   |                                   | puts the data aside, then as without data |
| has data   | members                |                                   | boots, and joins them where RabbitMQ      |
|            |                        |                                   | takes what it has for nothing             |
| has data   | nobody, this as seed   |                                   | begins the cluster: its first boot did    |
|            |                        |                                   | not come to its end                       |
| has data   | nobody, another seed   | which may still be at it          | waits                                     |
| has data   | nobody                 | a peer has not said what it has   | waits, for a while                        |
| has data   | nobody                 |                                   | boots                                     |
| no data    | this node as a member  |                                   | refuses: its data is gone or not mounted  |
| no data    | other members          | one of them runs                  | joins it                                  |
| no data    | other members          | none runs                         | waits                                     |
| no data    | nobody, another seed   | which may still be at it          | waits                                     |
| no data    | nobody                 | a peer has data                   | waits for it to serve, and be recorded    |
| no data    | nobody                 | a peer has not said what it has   | waits, for a while                        |
| no data    | nobody                 | this is the first by name         | begins the cluster                        |
| no data    | nobody                 | it is not                         | waits for the first                       |

Whatever it does, the members that the broker then has are compared with the record: `stray`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from backstay.services.rabbitmq.record import Record

BOOT, SEED, JOIN, WAIT, REFUSE, ASIDE = "boot", "seed", "join", "wait", "refuse", "put aside"
# What a peer says of itself before it boots.
EMPTY, DATA, UNSAID = "empty", "data", ""


class Plan:
    """step: one of the words above. targets: Erlang names to join. reason: of a wait or a refusal."""

    __slots__ = ("reason", "step", "targets")

    def __init__(self, step: str, reason: str = "", targets: tuple[str, ...] = ()) -> None:
        self.step = step
        self.reason = reason
        self.targets = targets


def plan(
    me: str,
    has_data: bool,
    record: Record,
    peers: Mapping[str, str],
    running: AbstractSet[str],
    down: AbstractSet[str],
    patient: bool,
) -> Plan:
    """peers: online nodes other than this one -> EMPTY, DATA or UNSAID. running: Erlang names of members that serve now.
    down: nodes that surely run no broker. patient: peers that have said nothing are still waited for."""
    if has_data:
        if me in record.removed and me not in record.members:
            return Plan(ASIDE, f"{me} had been removed from the cluster")
        return _with_data(me, record, peers, down, patient)
    if me in record.members:
        what = f"{me} is a member of the cluster and its data directory is empty: mount it, or, if the data is lost for good,"
        remedy = "delete the record" if len(record.members) == 1 else f"name {me} in removed and then take it out again"
        return Plan(REFUSE, f"{what} {remedy}")
    if record.members:
        serving = tuple(sorted(running & set(record.members.values())))
        if serving:
            return Plan(JOIN, targets=serving)
        names = " or ".join(sorted(record.members))
        return Plan(WAIT, f"{me} has no data and waits for {names}, which hold the cluster's: start one of them")
    if record.seed and record.seed != me and record.seed not in down:
        return Plan(WAIT, f"{me} waits for {record.seed}, which begins the cluster")
    full = sorted(node for node, has in peers.items() if has == DATA)
    if full:
        return Plan(WAIT, f"{me} has no data and waits for {full[0]}, which has, to serve")
    unsaid = sorted(node for node, has in peers.items() if has == UNSAID)
    if unsaid and patient:
        return Plan(WAIT, f"{me} waits for {unsaid[0]} to say whether it has data")
    first = min([me, *(node for node, has in peers.items() if has == EMPTY)])
    if first != me:
        return Plan(WAIT, f"{me} has no data and waits for {first} to begin the cluster")
    return Plan(SEED)


def _with_data(me: str, record: Record, peers: Mapping[str, str], down: AbstractSet[str], patient: bool) -> Plan:
    others = tuple(sorted(erlang for node, erlang in record.members.items() if node != me))
    if record.members:
        return Plan(BOOT, targets=others)
    if record.seed == me:
        return Plan(SEED)
    if record.seed and record.seed not in down:
        return Plan(WAIT, f"{me} waits for {record.seed}, which begins the cluster")
    unsaid = sorted(node for node, has in peers.items() if has == UNSAID)
    if unsaid and patient:
        return Plan(WAIT, f"{me} waits for {unsaid[0]} to say whether it has data")
    return Plan(BOOT)


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


class Force:
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
