"""The rules that no schedule may break. Pure: evidence in, findings out. Each rule stands alone in the table, so that a
test can take one out and see that what it catches then goes unseen."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers.history import OK, Attempt
from backstay_lab.checkers.registers import list_flaws, register_flaws, torn
from backstay_lab.checkers.sampling import both_writable as both_writable_of
from backstay_lab.checkers.sampling import holes, pairs
from backstay_lab.checkers.writes import lost as lost_of
from backstay_lab.checkers.writes import phantoms as phantoms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from backstay_lab.checkers.evidence import Evidence
    from backstay_lab.checkers.registers import Operation

SHOWN = 5  # findings of one rule that are told in full


class Finding(NamedTuple):
    """rule: a key of RULES. about: what was found, in one line."""

    rule: str
    about: str


def lost(evidence: Evidence) -> list[str]:
    """An acknowledged write is never lost."""
    there = evidence.rows.get(evidence.primary)
    return [] if there is None else [f"row {one}" for one in lost_of(evidence.attempts, there)]


def phantoms(evidence: Evidence) -> list[str]:
    """A refused write is never there."""
    there = evidence.rows.get(evidence.primary)
    return [] if there is None else [f"row {one}" for one in phantoms_of(evidence.attempts, there)]


def both_writable(evidence: Evidence) -> list[str]:
    """At no time are two servers writable."""
    return [
        f"{one.node} from {one.begun:.3f} to {one.ended:.3f}, {other.node} from {other.begun:.3f} to {other.ended:.3f}"
        for one, other in both_writable_of(evidence.samples)
    ]


def unsampled(evidence: Evidence) -> list[str]:
    """Every server that is to be asked whether it is writable is asked all the time; every node's addresses are looked at."""
    unlooked = [
        f"nobody looked at the addresses of {one.node} for {one.ended - one.begun:.3f} s at {one.begun:.3f}"
        for one in evidence.unlooked
    ]
    return [*(str(hole) for hole in holes(evidence.samples, evidence.sampled)), *unlooked]


def _at_the_time(evidence: Evidence, moment: float) -> str:
    """The primary at a moment."""
    return next((one.node for one in reversed(evidence.promotions) if one.at <= moment), "")


def _meanwhile(evidence: Evidence, begun: float, ended: float) -> list[str]:
    """The primaries from one moment to another, in order."""
    between = [one.node for one in evidence.promotions if begun < one.at <= ended]
    return [_at_the_time(evidence, begun), *between]


def _acknowledged(evidence: Evidence) -> list[tuple[str, Attempt]]:
    """Node and attempt, in the order of acknowledgement. A server that nobody knows is a node of its own."""
    found = sorted((one for one in evidence.attempts if one.result == OK), key=lambda one: one.ended)
    return [(evidence.servers.get(one.server or 0, f"server {one.server}"), one) for one in found]


def deposed(evidence: Evidence) -> list[str]:
    """A server acknowledges in its own terms alone: it was the primary at some time while the write was under way."""
    if not evidence.promotions:
        return []
    return [
        f"row {one.id} by {node}, from {one.begun:.3f} to {one.ended:.3f}, when {' and then '.join(primaries)} was promoted"
        for node, one in _acknowledged(evidence)
        for primaries in [_meanwhile(evidence, one.begun, one.ended)]
        if node not in primaries
    ]


def overlapping(evidence: Evidence) -> list[str]:
    """No two servers acknowledge in overlapping times. A server has one such time for each of its promotions."""
    terms: dict[tuple[str, int], tuple[float, float]] = {}
    for node, one in _acknowledged(evidence):
        turn = sum(promotion.node == node and promotion.at <= one.ended for promotion in evidence.promotions)
        first, last = terms.get((node, turn), (math.inf, -math.inf))
        terms[node, turn] = min(first, one.ended), max(last, one.ended)
    return [
        f"{one} from {begin:.3f} to {end:.3f}, {other} from {since:.3f} to {until:.3f}"
        for ((one, _), (begin, end)), ((other, _), (since, until)) in combinations(terms.items(), 2)
        if one != other and begin <= until and since <= end
    ]


def _by_the_writer(evidence: Evidence) -> list[Operation]:
    """Operations but for reads that another server answered while the run itself had put an address where that is."""

    def strayed(one: Operation) -> bool:
        return (
            one.kind in ("read", "list")
            and any(spoil.begun <= one.ended and one.begun <= spoil.ended for spoil in evidence.spoiled)
            and evidence.servers.get(one.server or 0) != _at_the_time(evidence, one.begun)
        )

    return [one for one in evidence.operations if not strayed(one)]


def stale_registers(evidence: Evidence) -> list[str]:
    """Registers behind the writer address behave as if there were one copy."""
    return [] if evidence.final is None else register_flaws(_by_the_writer(evidence), evidence.final.registers)


def lists(evidence: Evidence) -> list[str]:
    """Lists grow in one order, that every read shows, and keep what was acknowledged."""
    return [] if evidence.final is None else list_flaws(_by_the_writer(evidence), evidence.final.lists)


def transactions(evidence: Evidence) -> list[str]:
    """A transaction is there as a whole or not at all."""
    return [] if evidence.final is None else torn(evidence.operations, evidence.final.parts)


def address_twice(evidence: Evidence) -> list[str]:
    """No address is on two nodes."""
    return [
        f"{address}: {one.node} and {other.node} at {other.begun:.3f}"
        for address, held in evidence.holdings.items()
        for one, other in pairs(held)
        if not any(spoil.address == address and spoil.begun <= other.begun <= spoil.ended for spoil in evidence.spoiled)
    ]


def copies(evidence: Evidence) -> list[str]:
    """In the end all nodes hold the same rows."""
    there = evidence.rows.get(evidence.primary)
    differ = [node for node, rows in evidence.rows.items() if rows != there]
    return sorted({*differ, *evidence.copies_differ})


def diverged(evidence: Evidence) -> list[str]:
    """In the end all nodes have the same transactions by GTID."""
    wanted = evidence.gtids.get(evidence.primary)
    return [f"{node}: {has}, {evidence.primary}: {wanted}" for node, has in evidence.gtids.items() if has != wanted]


def settled(evidence: Evidence) -> list[str]:
    """In the end nothing is failed, blocked or missing, and writes are acknowledged."""
    return list(evidence.unsettled)


def needless_moves(evidence: Evidence) -> list[str]:
    """The primary moves, or is promoted anew where it is, no more often than the faults justify moves."""
    nodes = [promotion.node for promotion in evidence.promotions]
    return (
        [f"{' -> '.join(nodes)}, justified: {evidence.most_moves} moves"]
        if len(nodes) - 1 > evidence.most_moves
        else []
    )


def needless_fencing(evidence: Evidence) -> list[str]:
    """Nobody is fenced where no fault justifies it."""
    return [] if evidence.may_fence else list(evidence.fenced)


def untested(evidence: Evidence) -> list[str]:
    """What is to be inflicted is. Only what overlaps another fault may come too late, if that one has ended what it would hit."""
    return list(evidence.missed)


def unserved(evidence: Evidence) -> list[str]:
    """What has a bound costs no more seconds without an acknowledgement."""
    return list(evidence.overdue)


def messages_lost(evidence: Evidence) -> list[str]:
    """A confirmed message is never lost."""
    return [] if evidence.messages is None else [f"message {one}" for one in evidence.messages.lost]


def messages_duplicated(evidence: Evidence) -> list[str]:
    """A message comes again only where the broker says so or the consumer's connection had ended."""
    found = () if evidence.messages is None else evidence.messages.duplicates
    return [f"message {one.id} on {one.queue}" for one in found]


def messages_invented(evidence: Evidence) -> list[str]:
    """No message comes that nobody sent, or that was returned."""
    return [] if evidence.messages is None else [f"message {one}" for one in evidence.messages.phantoms]


def undelivered(evidence: Evidence) -> list[str]:
    """Every consumed queue delivers again in the end."""
    endless = evidence.messages is not None and not math.isfinite(evidence.messages.consumer_gap)
    return ["a consumed queue delivers no more"] if endless else []


def requests(evidence: Evidence) -> list[str]:
    """Every call is answered, rightly, or reported failed; no accepted cast vanishes."""
    verdict = None if evidence.messages is None else evidence.messages.requests
    return [] if verdict is None or verdict.clean else [str(verdict)]


def _boots(evidence: Evidence, what: str) -> list[str]:
    """What the verdict over boots has under this name."""
    return [] if evidence.boots is None else [f"boot {number}" for number in getattr(evidence.boots, what)]


def boots_vanished(evidence: Evidence) -> list[str]:
    """An accepted boot comes to a final state, and keeps it."""
    return _boots(evidence, "lost")


def boots_twice(evidence: Evidence) -> list[str]:
    """No boot has two final states."""
    return _boots(evidence, "twice")


def boots_torn(evidence: Evidence) -> list[str]:
    """An instance's row and the log of its final states agree."""
    return _boots(evidence, "torn")


def boots_unended(evidence: Evidence) -> list[str]:
    """Every boot is accepted or reported failed."""
    return _boots(evidence, "unended")


def boots_unseen(evidence: Evidence) -> list[str]:
    """Every caller comes to read the final state."""
    return _boots(evidence, "unseen")


def boots_strange(evidence: Evidence) -> list[str]:
    """No instance is there that nobody asked for."""
    return _boots(evidence, "strange")


RULES: Mapping[str, Callable[[Evidence], list[str]]] = {
    "lost": lost,
    "phantom": phantoms,
    "both-writable": both_writable,
    "unsampled": unsampled,
    "deposed": deposed,
    "overlapping": overlapping,
    "stale-register": stale_registers,
    "list": lists,
    "transaction": transactions,
    "address-twice": address_twice,
    "copies-differ": copies,
    "diverged": diverged,
    "unsettled": settled,
    "needless-move": needless_moves,
    "needless-fencing": needless_fencing,
    "untested": untested,
    "unserved": unserved,
    "message-lost": messages_lost,
    "message-duplicated": messages_duplicated,
    "message-invented": messages_invented,
    "undelivered": undelivered,
    "request": requests,
    "boot-vanished": boots_vanished,
    "boot-twice": boots_twice,
    "boot-torn": boots_torn,
    "boot-unended": boots_unended,
    "boot-unseen": boots_unseen,
    "boot-strange": boots_strange,
}


def judge(evidence: Evidence, rules: Iterable[str] = tuple(RULES)) -> list[Finding]:
    """Everything that is against these rules; of one rule the first few, and how many more."""
    found = []
    for rule in rules:
        broken = RULES[rule](evidence)
        found += [Finding(rule, about) for about in broken[:SHOWN]]
        if len(broken) > SHOWN:
            found.append(Finding(rule, f"and {len(broken) - SHOWN} more"))
    return found
