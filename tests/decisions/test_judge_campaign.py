"""The rules of a campaign are tried: each planted violation is caught, by one rule, and unseen when that is taken out."""

from __future__ import annotations

import pytest

from backstay_lab.checkers import boots, messages, registers
from backstay_lab.checkers.boots import ACTIVE, BUILDING, ERROR, FAILED
from backstay_lab.checkers.evidence import Evidence, Promotion, Spoil
from backstay_lab.checkers.history import (
    FAIL,
    OK,
    UNKNOWN,
    Attempt,
    Boot,
    Delivery,
    Execution,
    Final,
    Instance,
    Request,
    Sample,
)
from backstay_lab.checkers.registers import Operation, list_flaws, register_flaws, torn
from backstay_lab.checkers.rules import RULES, SHOWN, judge
from backstay_lab.checkers.sampling import Hole
from backstay_lab.systems.mysql.campaign import incarnations


def ack(ident: int, begun: float, server: int, ended: float | None = None, result: str = OK) -> Attempt:
    return Attempt(0, ident, begun, begun + 0.01 if ended is None else ended, result, server)


def swap(old: int, new: int, begun: float, ended: float, result: str = OK) -> Operation:
    return Operation(0, "swap", 1, begun, ended, result, 1, old=old, new=new)


def read(value: int, begun: float, ended: float) -> Operation:
    return Operation(1, "read", 1, begun, ended, OK, 1, value=value)


def append(new: int, begun: float, ended: float, result: str = OK) -> Operation:
    return Operation(0, "append", 1, begun, ended, result, 1, new=new)


def listed(begun: float, ended: float, *values: int) -> Operation:
    return Operation(1, "list", 1, begun, ended, OK, 1, values=values)


OPERATIONS = (
    read(0, 1.0, 1.1),
    swap(0, 11, 1.1, 1.3),
    read(11, 1.25, 1.35),
    read(0, 1.15, 1.2),  # the swap was under way
    swap(11, 12, 2.0, 3.0, UNKNOWN),
    swap(11, 13, 2.1, 2.2, FAIL),  # found 12: it had happened
    read(12, 2.3, 2.4),
    append(21, 1.0, 1.1),
    listed(1.05, 1.2, 21),
    append(22, 2.0, 3.0, UNKNOWN),
    append(23, 2.0, 2.1, FAIL),
    append(24, 3.0, 3.1),
    listed(3.2, 3.3, 21, 22, 24),
)
FINAL = registers.Final({1: 12}, {1: [21, 22, 24]}, {21: 3, 22: 3, 24: 3})
ATTEMPTS = (
    ack(1, 1.0, 101),
    ack(2, 2.0, 101),
    ack(3, 2.5, 101, 3.5, UNKNOWN),
    ack(4, 3.4, 102, None, FAIL),
    ack(5, 4.5, 102),
)
CONFIRMED = (Attempt(0, 1, 1.0, 1.1, OK, 1), Attempt(0, 2, 1.0, 1.1, UNKNOWN, 1))
DELIVERED = (Delivery("q", 1, 1.2, False, "0.1"), Delivery("q", 1, 9.0, True, "0.1"))
ASKED, DONE = (Request(7, "cast", 1.0, 1.1, OK),), (Execution(7, 1.2, "s"),)
MESSAGES = messages.judge(CONFIRMED, DELIVERED, 2.0)._replace(requests=messages.judge_requests(ASKED, DONE))
BOOTED = (Boot(1, 0, 1.0, 1.1, 1.3, ACTIVE), Boot(2, 0, 2.0, None, 2.1, FAILED), Boot(3, 1, 3.0, 3.1, 3.4, ERROR))
ENDED = (Final(1, 1.2, ACTIVE, "compute1"), Final(3, 3.2, ERROR, "scheduler"))
INSTANCES = (Instance(1, ACTIVE, (ACTIVE,)), Instance(3, ERROR, (ERROR,)))
WRITER, READER = "10.77.0.100", "10.77.0.101"
CLEAN = Evidence(
    attempts=ATTEMPTS,
    samples=(Sample("n1", 1.0, 1.1, True), Sample("n2", 1.0, 1.1, False), Sample("n2", 4.2, 4.3, True)),
    rows={"n1": frozenset({1, 2, 3, 5}), "n2": frozenset({1, 2, 3, 5})},
    primary="n2",
    promotions=(Promotion("n1", float("-inf")), Promotion("n2", 4.0)),
    servers={101: "n1", 102: "n2"},
    holdings={
        WRITER: (Sample("n1", 3.0, 3.001, True), Sample("n2", 4.4, 4.401, True)),
        READER: (Sample("n2", 3.0, 3.001, True), Sample("n1", 4.4, 4.401, True)),  # two addresses, two nodes
    },
    operations=OPERATIONS,
    final=FINAL,
    gtids={"n1": "0-1-9", "n2": "0-1-9"},
    fenced=("n1",),
    most_moves=1,
    may_fence=True,
    messages=MESSAGES,
    boots=boots.judge(BOOTED, ENDED, INSTANCES),
)


def changed(**change: object) -> Evidence:
    return CLEAN._replace(**change)  # type: ignore[arg-type]


def booted(
    asked: tuple[Boot, ...] = BOOTED, ended: tuple[Final, ...] = ENDED, there: tuple[Instance, ...] = INSTANCES
) -> Evidence:
    """The violation is planted in the histories: the rule rests on the checker of boots, which must see it too."""
    return changed(boots=boots.judge(asked, ended, there))


PLANTED = {
    "lost": changed(rows={"n1": frozenset({1, 3, 5}), "n2": frozenset({1, 3, 5})}),
    "phantom": changed(rows={"n1": frozenset({1, 2, 3, 4, 5}), "n2": frozenset({1, 2, 3, 4, 5})}),
    "both-writable": changed(samples=(*CLEAN.samples, Sample("n1", 4.25, 4.26, True))),
    "unsampled": changed(sampled=["n1", "n2", "n3"]),  # the third was never asked, and the others seldom
    # Begun after the other was promoted; the other acknowledged nothing before.
    "deposed": changed(attempts=(*ATTEMPTS[:4], ack(5, 4.2, 101))),
    # Both in turns; begun before the promotion, so nobody was deposed yet.
    "overlapping": changed(attempts=(*ATTEMPTS[:4], ack(2, 3.9, 101, 4.9), ack(5, 4.1, 102, 4.2))),
    "stale-register": changed(operations=(*OPERATIONS, read(11, 2.5, 2.6))),
    "list": changed(operations=(*OPERATIONS, listed(3.4, 3.5, 21, 22))),
    "transaction": changed(final=FINAL._replace(parts={21: 3, 22: 2, 24: 3})),
    "address-twice": changed(
        holdings={**CLEAN.holdings, READER: (*CLEAN.holdings[READER], Sample("n3", 4.4, 4.401, True))}
    ),
    "copies-differ": changed(rows={"n1": frozenset({1, 2, 5}), "n2": frozenset({1, 2, 3, 5})}),
    "diverged": changed(gtids={"n1": "0-1-9,0-2-3", "n2": "0-1-9"}),
    "unsettled": changed(unsettled=["mysql on n1 is blocked"]),
    "needless-move": changed(most_moves=0),
    "needless-fencing": changed(may_fence=False),
    "untested": changed(missed=["kill (leader) on n1: mysql does not run on this node"]),
    "unserved": changed(overdue=["lost-when-new (leader) cost 80.0 s, 30 at most"]),
    "message-lost": changed(messages=MESSAGES._replace(lost=[1])),
    "message-duplicated": changed(messages=MESSAGES._replace(duplicates=[DELIVERED[0]])),
    "message-invented": changed(messages=MESSAGES._replace(phantoms=[3])),
    "undelivered": changed(messages=MESSAGES._replace(consumer_gap=float("inf"))),
    "request": changed(messages=MESSAGES._replace(requests=messages.judge_requests(ASKED, ()))),
    "boot-vanished": booted(there=INSTANCES[:1]),
    "boot-twice": booted(ended=(*ENDED, Final(1, 9.0, ACTIVE, "compute2"))),
    "boot-torn": booted(BOOTED[1:], ENDED[1:], (INSTANCES[1], Instance(2, BUILDING, (ACTIVE,)))),
    "boot-unended": booted((*BOOTED, Boot(4, 0, 4.0))),
    "boot-unseen": booted((BOOTED[0]._replace(ended=None, state=""), *BOOTED[1:])),
    "boot-strange": booted(there=(*INSTANCES, Instance(9, ACTIVE, (ACTIVE,)))),
}


def test_a_clean_run_and_an_empty_one_break_no_rule() -> None:
    assert judge(CLEAN) == []
    assert judge(Evidence()) == []


def test_every_rule_has_a_planted_violation() -> None:
    assert set(PLANTED) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_violation_is_caught_by_its_rule_alone(rule: str) -> None:
    assert {finding.rule for finding in judge(PLANTED[rule])} == {rule}
    others = [name for name in RULES if name != rule]
    assert judge(PLANTED[rule], others) == []  # so with the rule taken out, the violation goes unseen


def test_a_server_that_was_killed_twice_is_one_server_under_three_ids() -> None:
    """Once the one between, which is neither that of the beginning nor of the end, was taken for a deposed server's."""
    known = {2000: "n2", 2003: "n2", 1000: "n1"}
    assert incarnations(known, {None, 2000, 2001, 1000, 7001}) == {**known, 2001: "n2"}
    back = (Promotion("n2", 0.0), Promotion("n1", 4.0), Promotion("n2", 5.0))
    evidence = Evidence(attempts=(ack(1, 1.0, 2000), ack(2, 5.5, 2001)), promotions=back, most_moves=2)
    assert judge(evidence._replace(servers=incarnations(known, {2000, 2001}))) == []
    assert {one.rule for one in judge(evidence._replace(servers=known))} == {"deposed"}


@pytest.mark.parametrize(
    ("begun", "ended", "server", "guilty"),
    [
        (3.9, 4.1, 101, False),  # under way when the next was promoted
        (3.9, 4.1, 102, False),  # waited for it
        (3.9, 8.1, 102, False),  # waited long, and it had its term meanwhile
        (4.5, 8.1, 101, True),  # begun in the second's term, ended in the third's: its own was over
        (4.5, 4.6, 101, True),
        (4.5, 8.1, 103, False),
        (3.5, 3.6, 103, True),  # before its own
    ],
)
def test_a_server_acknowledges_in_its_own_terms_alone(begun: float, ended: float, server: int, guilty: bool) -> None:
    """Once what was begun in another's term and ended in a third's was nobody's."""
    in_order = (Promotion("n1", 0.0), Promotion("n2", 4.0), Promotion("n3", 8.0))
    evidence = Evidence(
        attempts=(ack(1, begun, server, ended),),
        promotions=in_order,
        servers={101: "n1", 102: "n2", 103: "n3"},
        most_moves=2,
    )
    assert [finding.rule for finding in judge(evidence)] == ["deposed"] * guilty


def test_a_time_in_which_nobody_looked_at_a_nodes_addresses_is_told() -> None:
    [found] = judge(changed(unlooked=[Hole("n2", 3.0, 3.25)]))
    assert (found.rule, found.about) == ("unsampled", "nobody looked at the addresses of n2 for 0.250 s at 3.000")


def test_many_findings_are_counted() -> None:
    found = judge(changed(unsettled=[str(number) for number in range(SHOWN + 3)]))
    assert len(found) == SHOWN + 1
    assert found[-1].about == "and 3 more"


def test_a_second_address_that_the_run_itself_put_there_is_no_finding() -> None:
    assert judge(PLANTED["address-twice"]._replace(spoiled=[Spoil(READER, 4.3, 4.5)])) == []
    for elsewhere in (Spoil(WRITER, 4.3, 4.5), Spoil(READER, 4.45, 4.5)):
        assert {one.rule for one in judge(PLANTED["address-twice"]._replace(spoiled=[elsewhere]))} == {"address-twice"}


@pytest.mark.parametrize(
    ("server", "spoil", "rules"),
    [
        (102, Spoil(WRITER, 2.45, 2.55), set()),
        (101, Spoil(WRITER, 2.45, 2.55), {"stale-register"}),  # the primary itself must not
        (102, Spoil(WRITER, 2.7, 2.9), {"stale-register"}),
    ],
)
def test_a_read_that_the_run_itself_sent_elsewhere_may_be_stale(server: int, spoil: Spoil, rules: set[str]) -> None:
    stale = read(11, 2.5, 2.6)._replace(server=server)
    found = judge(changed(operations=(*OPERATIONS, stale), spoiled=[spoil]))
    assert {one.rule for one in found} == rules


def test_there_and_back_is_no_overlap() -> None:
    there_and_back = (Promotion("n1", 0.0), Promotion("n2", 4.0), Promotion("n1", 5.0))
    attempts = (ack(1, 1.0, 101), ack(2, 4.5, 102), ack(5, 5.5, 101))
    rows = {node: frozenset({1, 2, 5}) for node in ("n1", "n2")}
    assert judge(changed(promotions=there_and_back, attempts=attempts, rows=rows, most_moves=2)) == []
    assert {one.rule for one in judge(changed(promotions=there_and_back[:2], attempts=attempts, rows=rows))} == {
        "deposed",
        "overlapping",
    }


def test_a_server_promoted_anew_in_place_counts_as_a_move() -> None:
    again = (Promotion("n2", 0.0), Promotion("n2", 4.0))
    attempts = (ack(5, 4.5, 102),)
    rows = {"n2": frozenset({5})}
    found = judge(changed(promotions=again, attempts=attempts, rows=rows, most_moves=0))
    assert [one.rule for one in found] == ["needless-move"]
    assert judge(changed(promotions=again, attempts=attempts, rows=rows)) == []
    found = judge(changed(promotions=(*again, Promotion("n2", 4.2)), attempts=attempts, rows=rows, most_moves=1))
    assert [one.rule for one in found] == ["needless-move"]


def test_what_messages_find_is_what_the_rules_tell() -> None:
    """The rules over messages rest on findings of rehearse.messages, which are planted in the histories there."""
    twice = messages.judge(CONFIRMED, [*DELIVERED, Delivery("q", 1, 9.1, False, "0.1")], 2.0)
    gone = messages.judge(CONFIRMED, [], 2.0)
    assert [one.rule for one in judge(Evidence(messages=twice))] == ["message-duplicated"]
    assert [one.rule for one in judge(Evidence(messages=gone))] == ["message-lost"]


@pytest.mark.parametrize(
    ("operations", "final", "flaws"),
    [
        ([swap(0, 1, 1, 2), read(1, 1.5, 3), read(0, 1.1, 1.9)], {1: 1}, 0),  # all at once
        ([swap(0, 1, 1, 2), read(0, 2.1, 2.2)], {1: 1}, 1),  # stale
        ([swap(0, 1, 1, 2), read(1, 1.2, 1.3), read(0, 1.4, 1.5)], {1: 1}, 1),  # new, then old again
        ([swap(0, 1, 1, 2), swap(0, 2, 3, 4)], {1: 2}, 2),  # 0 replaced twice: an update was lost
        ([swap(0, 1, 1, 2)], {1: 0}, 1),  # acknowledged and gone
        ([swap(0, 1, 1, 2, UNKNOWN)], {1: 0}, 0),
        ([swap(0, 1, 1, 2, UNKNOWN)], {1: 1}, 0),
        ([swap(0, 1, 1, 2, UNKNOWN), read(1, 9, 9.1)], {1: 1}, 0),  # an unknown one may take effect late
        ([swap(0, 1, 1, 2, UNKNOWN), read(1, 3, 3.1), read(0, 4, 4.1)], {1: 1}, 1),
        ([swap(0, 1, 1, 2, FAIL), read(1, 3, 4)], {}, 1),  # refused and read
        ([read(7, 1, 2)], {}, 1),  # out of nowhere
        ([swap(0, 1, 3, 4), read(1, 1, 2)], {}, 2),  # before it was written: out of turn as well
        ([swap(0, 1, 1, 2), swap(1, 2, 3, 4), read(1, 5, 6)], {1: 2}, 1),
        ([swap(0, 1, 1, 2), swap(1, 2, 2.5, 4), read(1, 3, 6)], {1: 2}, 0),
    ],
)
def test_registers(operations: list[Operation], final: dict[int, int], flaws: int) -> None:
    assert len(register_flaws(operations, final)) == flaws


@pytest.mark.parametrize(
    ("operations", "final", "flaws"),
    [
        ([append(1, 1, 2), listed(1.5, 1.6), listed(3, 4, 1)], [1], 0),
        ([append(1, 1, 2)], [], 1),  # lost
        ([append(1, 1, 2)], [1, 1], 1),  # twice
        ([append(1, 1, 2, FAIL)], [1], 1),  # refused and there
        ([append(1, 1, 2, UNKNOWN)], [], 0),
        ([], [5], 1),  # nobody's
        ([append(1, 1, 2), append(2, 3, 4), listed(5, 6, 2, 1)], [1, 2], 1),  # another order
        ([append(1, 1, 2), listed(3, 4)], [1], 1),  # stale
        ([append(1, 3, 4), listed(1, 2, 1)], [1], 1),  # from the future
        ([append(1, 1, 2, UNKNOWN), append(2, 1, 2), listed(3, 4, 1, 2), listed(3.5, 5, 1, 2)], [1, 2], 0),
    ],
)
def test_lists(operations: list[Operation], final: list[int], flaws: int) -> None:
    assert len(list_flaws(operations, {1: final})) == flaws


@pytest.mark.parametrize(
    ("result", "parts", "flaws"),
    [
        (OK, {1: 3}, 0),
        (OK, {}, 1),
        (OK, {1: 1}, 1),
        (FAIL, {}, 0),
        (FAIL, {1: 3}, 1),
        (UNKNOWN, {}, 0),
        (UNKNOWN, {1: 3}, 0),
        (UNKNOWN, {1: 2}, 1),
    ],
)
def test_transactions(result: str, parts: dict[int, int], flaws: int) -> None:
    assert len(torn([append(1, 1, 2, result)], parts)) == flaws
