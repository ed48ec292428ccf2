"""As services/rabbitmq/formation.py planned before its table was executed, and where the data of a member may be elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from backstay.services.rabbitmq.formation import (
    ASIDE,
    BOOT,
    DATA,
    EMPTY,
    JOIN,
    MISPLACED,
    REFUSE,
    SEED,
    UNSAID,
    WAIT,
    Plan,
)
from backstay.services.rabbitmq.record import Record


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
) -> Plan:
    """peers: online nodes other than this one -> EMPTY, DATA or UNSAID. running: Erlang names of members that serve now.
    down: nodes that surely run no broker. patient: peers that have said nothing are still waited for."""
    if has_data:
        if me in record.removed and me not in record.members:
            return Plan(ASIDE, f"{me} had been removed from the cluster")
        return _with_data(me, record, peers, down, patient)
    if me in record.members and (record.members[me] != erlang or elsewhere):
        return Plan(MISPLACED, _misplaced(me, record.members[me], erlang, " and ".join(elsewhere)))
    if me in record.members:
        what = f"{me} is a member of the cluster and its data directory is empty: mount it, or, if the data is lost for good,"
        remedy = "delete the record" if len(record.members) == 1 else f"name {me} in removed and then take it out again"
        return Plan(REFUSE, f"{what} {remedy}")
    if record.members:
        serving = tuple(sorted(running & set(record.members.values())))
        if serving:
            return Plan(JOIN, targets=serving)
        names = " or ".join(sorted(record.members))
        own = f", or, if {' and '.join(elsewhere)} is its own, set node_name" if elsewhere else ""
        return Plan(WAIT, f"{me} has no data and waits for {names}, which hold the cluster's: start one of them{own}")
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


def _misplaced(me: str, recorded: str, erlang: str, elsewhere: str) -> str:
    if recorded != erlang:
        back = (
            "set node_name=rabbit@{node}" if f"@{me}" in recorded else "set node_name, or give the host its name again"
        )
        return f"{me} is on record with {recorded}, and is {erlang} now, which has no data: {back}"
    where = f"{erlang} has no data here, but {elsewhere} has"
    return f"{me} is a member, and {where}: set data_directory and node_name to where its data is"


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
