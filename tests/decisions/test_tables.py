"""Tables that are executed: each row decides so many of the cases that can be told apart, and the docs show them.

Where a row is taken out, or changes places with one that applies to the same cases, the numbers are others. What a row answers is
tested by examples: test_election, test_mysql_duties, test_liveness, test_rabbitmq_decisions, test_rabbitmq_copies,
test_vip_findings, test_haproxy_findings.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest
from tables import PAGE, PROTOCOLS, TABLES, page
from transactions import Transactions

from backstay.ocf.table import always, first
from backstay.services.haproxy import health as proxy
from backstay.services.mysql import claims, election, health, next_step, promotion_steps, start_steps
from backstay.services.mysql.gtid import MariadbHistory
from backstay.services.mysql.observation import Acks, Holding, Observed, ReplicaStatus
from backstay.services.mysql.record import Record
from backstay.services.rabbitmq import formation, mirror_policy, observation
from backstay.services.rabbitmq import health as broker
from backstay.services.rabbitmq.record import Record as Members
from backstay.services.vip import health as address
from backstay.watch import liveness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.ocf.table import Table

BOTH = (False, True)
Case = tuple[Any, ...]


def decided(table: Table[Any, Any], inputs: Callable[..., Any], cases: Iterable[Case]) -> list[int]:
    """How many of the cases each row decides. What a row is asked about is a value."""
    shares = [0] * len(table)
    for case in cases:
        seen = inputs(*case)
        row = table.index(first(table, seen))
        if not shares[row]:
            assert {seen} == {inputs(*case)} and type(seen).__name__ in repr(seen)
        shares[row] += 1
    return shares


def observed(replica: ReplicaStatus | None, followers: Iterable[str] = (), **more: Any) -> Observed:
    histories = {name: MariadbHistory.parse(more.pop(name, "0-1-9")) for name in ("applied", "received")}
    acks = {"waits": False, "active": True, "forever": True, "clients": 0, "waiting": 0, "confirmed": 0, "gives": True}
    return Observed(
        "10.11", 1, True, replica=replica, acks=Acks(**{**acks, **more}), followers=frozenset(followers), **histories
    )


def replicas(lags: Iterable[int | None], receiver_errors: Iterable[tuple[int, str]]) -> Iterator[ReplicaStatus | None]:
    yield None
    for host, io, sql, lag, by_gtid, receiver, applier in itertools.product(
        ("vip", "n3"), ("Yes", "No", "Connecting"), BOTH, lags, BOTH, receiver_errors, ((0, ""), (1062, "duplicate"))
    ):
        yield ReplicaStatus(host, 3306, io, sql, lag, by_gtid, receiver, applier)


def records(solo: Iterable[bool] = BOTH, gtids: Iterable[str] = ("0-1-9",)) -> Iterator[Record]:
    syncs = ([], ["n1"], ["n2"], ["n1", "n2"], ["n2", "n3"])
    for primary, sync, alone, gtid in itertools.product(("n1", "n2"), syncs, solo, gtids):
        yield Record(1, primary, gtid, sync, alone)


def steps_of_replicas() -> Iterator[Case]:
    for replica, waits, gives, received in itertools.product(replicas([0], [(0, "")]), BOTH, BOTH, ("0-1-9", "0-1-10")):
        seen = observed(replica, waits=waits, gives=gives, received=received)
        for record, errant, rejoin in itertools.product((None, *records()), BOTH, BOTH):
            yield seen, "n1", record, "vip", errant, rejoin


def steps_of_primaries() -> Iterator[Case]:
    for replica, followers, waits, forever, clients, waiting, applied in itertools.product(
        (None, ReplicaStatus("vip", 3306, "No", False, None, True, (0, ""), (0, ""))),
        ([], ["n1"], ["n2"], ["n1", "n2", "n3"]), BOTH, BOTH, (0, 2), (0, 1), ("", "0-1-9"),
    ):  # fmt: skip
        seen = observed(
            replica, followers, waits=waits, forever=forever, clients=clients, waiting=waiting, applied=applied
        )
        for record, unreviewed, settled in itertools.product(
            records(gtids=("", "0-1-9")), (0.0, 15.0, 15.1, 60.1), BOTH
        ):
            yield seen, record, unreviewed, settled


def test_a_replicas_next_step() -> None:
    shares = [17248, 7680, 960, 5120, 480, 320, 160, 240, 240, 320, 56, 104]
    assert decided(next_step.REPLICA, next_step.ReplicaInputs, steps_of_replicas()) == shares


def test_the_primarys_next_step() -> None:
    shares = [40960, 30720, 1280, 1792, 1792, 2880, 2328, 63, 105]
    assert decided(next_step.PRIMARY, next_step.PrimaryInputs, steps_of_primaries()) == shares


def verdicts_on_replicas() -> Iterator[Case]:
    errors = [(0, ""), (2003, "no route"), (2026, "SSL"), (1, "no certificate")]
    for replica, acknowledges, record, errant, readable, max_lag in itertools.product(
        replicas([None, 10, 11, 30, 31], errors), BOTH, (None, *records()), ("", "0-2-7"), BOTH, (30.0,)
    ):
        yield replica, acknowledges, "n1", record, errant, readable, max_lag


def test_what_a_replica_is_worth() -> None:
    shares = [80724, 40320, 9620, 4, 40, 20, 23040, 1920, 1152, 2304, 2304]
    assert decided(health.REPLICA, health.ReplicaInputs, verdicts_on_replicas()) == shares


def test_what_a_row_of_looks_comes_to() -> None:
    looks = itertools.product(liveness.Heard, (-1.0, 0.0, liveness.LATE, liveness.LATE + 0.01), liveness.Finding)
    shares = [20, 20, 5, 6, 9]
    assert decided(liveness.FINDINGS, liveness.Look, looks) == shares


def subsets(names: Iterable[str]) -> list[tuple[str, ...]]:
    names = tuple(names)
    return [some for count in range(len(names) + 1) for some in itertools.combinations(names, count)]


def beginnings() -> Iterator[Case]:
    """Of n2, between n1 and n3 by name."""
    nodes = ("n1", "n2", "n3")
    said = (None, formation.EMPTY, formation.DATA, formation.UNSAID)
    for members, removed, seed, before, after in itertools.product(
        subsets(nodes), subsets(nodes[:2]), ("", *nodes), said, said
    ):
        record = Members({node: f"rabbit@{node}" for node in members}, dict.fromkeys(removed, "rabbit@old"), seed)
        peers = {node: has for node, has in (("n3", after), ("n1", before)) if has is not None}
        for data, running, down, patient in itertools.product(BOTH, subsets(("n1", "n3")), subsets(nodes[:2]), BOTH):
            case = "n2", data, record, peers, {f"rabbit@{node}" for node in running}, frozenset(down), patient
            yield *case, "rabbit@n2", ()
            if not data and before == after is None:
                yield *case, "rabbit@n2", ("/var/lib/rabbitmq/mnesia/rabbit@old", "/old/rabbit@n2")
                yield *case, "rabbit@new", ()


def test_how_a_broker_begins() -> None:
    shares = [16384, 45056, 1024, 2048, 2048, 32768, 16128, 11520, 4992, 2240, 1136, 1200, 800, 1920]
    assert decided(formation.PLANS, formation.Inputs, beginnings()) == shares


def looks_at_brokers() -> Iterator[Case]:
    answers = (observation.ANSWERS, observation.REFUSES, observation.SILENT, observation.SHUT_OUT)
    states = ("RUNNING", "BOOTING", "PAUSED", "DRAINED", "STOPPED", "ALIVE", "UNKNOWN")
    for amqp, app, partitions, alarms in itertools.product(
        answers, states, ((), ("n2", "n3")), ((), ("disk", "memory"))
    ):
        seen = observation.Seen(amqp, getattr(observation, app), partitions=frozenset(partitions), alarms=alarms)
        for in_a_row, not_serving_for, boot in itertools.product((0, 2, 3, 4), (0, 60, 61), (None, -1, 0, 0.5)):
            yield seen, in_a_row, 3, not_serving_for, 60, boot


def test_what_a_look_at_a_broker_means() -> None:
    shares = [672, 336, 336, 720, 1440, 312, 24, 48, 120, 120, 480, 320, 160, 144, 144]
    assert decided(broker.JUDGEMENTS, broker.Inputs, looks_at_brokers()) == shares


def short_queues() -> Iterator[Case]:
    known = (mirror_policy.SYNCHRONISED, mirror_policy.BEHIND, mirror_policy.GONE, mirror_policy.UNKNOWN)
    leaders = (mirror_policy.IDLE, mirror_policy.WORKING, mirror_policy.SYNCHRONISING)
    states = [some for count in range(4) for some in itertools.product(known, repeat=count)]
    return itertools.product(states, range(4), leaders, range(4))


def test_what_is_done_for_a_queue_that_lacks_copies() -> None:
    shares = [2160, 640, 144, 392, 279, 465]
    assert decided(mirror_policy.REMEDIES, mirror_policy.Inputs, short_queues()) == shares


def interface(number: int, enabled: bool = True, running: bool = True) -> address.Interface:
    return address.Interface(number, f"eth{number}", enabled, running, True, b"123456")


WANTED = [
    address.Wanted("10.0.0.50", nic, prefix, check_link, rival)
    for nic, prefix, check_link, rival in itertools.product(("eth2", ""), (24, None), BOTH, ("", "another host"))
]


def looks_at_an_address() -> Iterator[Case]:
    all_flags = [sum(some) for some in subsets((address.DAD_FAILED, address.TENTATIVE, address.OPTIMISTIC))]
    copies = [
        address.Held(b"1234", prefix, number, flags)
        for prefix, number, flags in itertools.product((24, 32), (2, 3), all_flags)
    ]
    for held in [(), *itertools.product(copies), *itertools.product(copies, copies)]:
        for enabled, running in itertools.product(BOTH, BOTH):
            interfaces = {2: interface(2, enabled, running), 3: interface(3)}
            for wanted in WANTED:
                yield wanted, held, interfaces


def inputs_of_address(wanted: address.Wanted, copies: Sequence[address.Held], interfaces: Any) -> address.Inputs:
    """Of the first copy: flaws of the second are the first's of another case."""
    copy = copies[0] if copies else None
    return address.Inputs(wanted, copies, copy, interfaces[copy.index] if copy else None)


def test_what_a_look_at_an_address_finds() -> None:
    shares = [32, 32, 16896, 25344, 6336, 3168, 1584, 6156, 8100]
    assert decided(address.ADDRESS, inputs_of_address, looks_at_an_address()) == shares


def test_whether_an_address_could_be_of_use() -> None:
    interfaces = [None, *(interface(2, *flags) for flags in itertools.product(BOTH, BOTH))]
    assert decided(
        address.STANDBY_LINK,
        lambda wanted, where: address.Inputs(wanted, (), None, where),
        itertools.product(WANTED, interfaces),
    ) == [16, 16, 8, 40]


def test_what_the_monitor_of_an_address_answers() -> None:
    findings = (
        "HELD",
        "ABSENT",
        "WRONG_PREFIX",
        "WRONG_INTERFACE",
        "TENTATIVELY",
        "DUPLICATE",
        "LINK_DOWN",
        "STANDBY",
        "CONTESTED",
    )
    cases = itertools.product(
        [*(getattr(address, name) for name in findings), address.INTERFACE_GONE], BOTH, BOTH, BOTH
    )
    shares = [12, 12, 16, 2, 6, 4, 4, 6, 6, 12]
    assert decided(address.EXIT_CODES, address.Asked, cases) == shares


def looks_at_haproxy() -> Iterator[Case]:
    states, ups = (None, "OPEN", "PAUSED", "STOP"), (None, 0, 1, 2)
    stats: list[proxy.Stat | None] = [None]
    for web, db, one, two in itertools.product(states, states, ups, ups):
        frontends, backends = {"web": web, "db": db}, {"one": one, "two": two}
        stats.append(
            proxy.Stat({k: v for k, v in frontends.items() if v}, {k: v for k, v in backends.items() if v is not None})
        )
    required = ({}, {"one": 1}, {"one": 1, "two": 2})
    for stat, worker, names, held, least, stale in itertools.product(
        stats, (0, 7), subsets(("web", "db")), BOTH, required, ("", "line 7")
    ):
        yield proxy.Processes(worker, 0, ()), stat, names, held, least, stale


def test_what_a_look_at_haproxy_finds() -> None:
    shares = [12384, 2880, 2304, 1200, 1200, 2304, 1100, 650, 650]
    assert decided(proxy.JUDGEMENTS, proxy.Inputs, looks_at_haproxy()) == shares


HISTORIES = [Transactions(frozenset(some)) for some in subsets((1, 2, 3))]


def reports(histories: Iterable[Any], holdings: Iterable[Holding | None] = (None,)) -> list[election.Report | None]:
    """What a node may say, None for not asked."""
    said = [election.Report(history, holding=held) for history, held in itertools.product(histories, holdings)]
    unsettled = [election.Report(None, why="starts"), election.Report(HISTORIES[1], why="sorts out")]
    return [None, election.Report(None), election.Report(HISTORIES[0], writable=True), *unsettled, *said]


def elections() -> Iterator[Case]:
    """Of n1. Each node asked, and none other, has a report or none."""
    nodes = ("n1", "n2", "n3")
    recorded = [
        Record(3, primary, gtid, sync, solo)
        for primary, gtid, sync, solo in itertools.product(("n1", "n2"), ("", "1"), subsets(nodes), BOTH)
    ]
    for record, mine in itertools.product(recorded, HISTORIES):
        promoted_with = Transactions(frozenset(map(int, record.gtid)))
        asked = election.witnesses("n1", record, nodes)
        for said in itertools.product(reports(HISTORIES), repeat=len(asked)):
            heard = {node: report for node, report in zip(asked, said) if report}
            for allow_loss in BOTH:
                yield "n1", mine, record, nodes, heard, promoted_with, allow_loss


def first_elections() -> Iterator[Case]:
    holdings = [None, Holding((), False), Holding(("db",), False), Holding(("db",), True), Holding(None, False)]
    heard = reports([HISTORIES[at] for at in (0, 1, 2)], holdings)
    for mine, second, third, holding, allow_loss in itertools.product(HISTORIES[:4], heard, heard, holdings, BOTH):
        said = {node: report for node, report in (("n2", second), ("n3", third)) if report}
        yield "n1", mine, None, ("n1", "n2", "n3"), said, None, allow_loss, holding


def test_who_may_become_primary() -> None:
    assert decided(
        election.PROOFS, lambda *case: election.Inputs(*case[:7]), itertools.chain(elections(), first_elections())
    ) == [11560, 9600, 12344, 7360, 7280, 7280]


def holdings() -> Iterator[Case]:
    many = tuple("abcd")
    held = [None, *(Holding(databases, told) for databases, told in itertools.product((None, (), ("db",), many), BOTH))]
    for mine, second, third, allow_loss in itertools.product(held, held, held, BOTH):
        yield "n2", mine, {"n3": third, "n1": second}, allow_loss


def test_whose_data_a_set_begins_with() -> None:
    shares = [162, 448, 128, 72, 324, 144, 72, 108]
    assert decided(claims.CLAIMS, claims.Inputs, holdings()) == shares


@pytest.mark.parametrize("shown", TABLES, ids=lambda shown: shown.title)
def test_the_last_row_applies_always_and_no_other(shown: Any) -> None:
    assert [row[1] is always for row in shown.table] == [False] * (len(shown.table) - 1) + [True]


@pytest.mark.parametrize("shown", PROTOCOLS, ids=lambda shown: shown.title)
def test_whatever_carries_a_protocol_out_has_its_verbs(shown: Any) -> None:
    from backstay.services.mysql import primary, promotion, starting
    from backstay.services.rabbitmq import boot, boot_steps, coordinator, membership_steps

    others = {
        id(promotion_steps.PROMOTION): promotion._Verbs,
        id(start_steps.START): starting._Verbs,
        id(boot_steps.BEGINNING): boot._Verbs,
        id(membership_steps.KEEPING): coordinator._Keeping,
        id(membership_steps.HEALING): coordinator._Healing,
    }
    does = others.get(id(shown.table), primary._Verbs)
    assert {verb for _, verb, *_ in shown.table} <= set(dir(does))


def test_the_docs_show_what_the_code_does() -> None:
    assert PAGE.read_text() == page(), "write it anew: make tables"
