"""What replica and primary do next, and how a replica's health reads: each case a difference from a healthy one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay.cluster.attributes import NEVER
from backstay.cluster.model import Instance
from backstay.cluster.overview import Ends, Overview
from backstay.services.mysql import strangers
from backstay.services.mysql.gtid import MariadbHistory
from backstay.services.mysql.health import (
    DETACHED,
    HEALTHY,
    LAGGING,
    ROOM,
    UNSYNCED,
    Verdict,
    judge_replica,
    steady,
    summarise,
    with_room,
)
from backstay.services.mysql.next_step import REVIEW_EVERY, REVIEW_SETTLED, Step, primary_step, replica_step, review
from backstay.services.mysql.observation import Acks, Observed, ReplicaStatus
from backstay.services.mysql.record import MalformedRecord, Record

NEW = Record(epoch=1, primary="n1", gtid="", sync=["n2", "n3"], solo=False)
RECORD = Record(epoch=4, primary="n1", gtid="0-1-50", sync=["n2", "n3"], solo=False)
SOLO = RECORD.changed([], solo=True)
VIP = "10.0.0.100"


def replica(**changes):
    base = dict(
        host=VIP, port=3306, io="Yes", sql=True, lag=0, by_gtid=True, receiver_error=(0, ""), applier_error=(0, "")
    )
    return ReplicaStatus(**{**base, **changes})


def seen(replica=None, followers=(), received="0-1-99", applied="0-1-99", **acks):
    base = dict(waits=False, active=False, forever=True, clients=0, waiting=0, confirmed=0, gives=True)
    return Observed(
        version="10.11",
        server_id=1,
        read_only=True,
        applied=MariadbHistory.parse(applied),
        received=MariadbHistory.parse(received),
        replica=replica,
        acks=Acks(**{**base, **acks}),
        followers=frozenset(followers),
    )


@pytest.mark.parametrize(
    ("case", "record", "step"),
    [
        (seen(replica()), RECORD, Step.NOTHING),
        (seen(None), None, Step.NOTHING),
        (seen(None), RECORD, Step.JOIN),
        (seen(replica(host="elsewhere")), RECORD, Step.JOIN),
        (seen(replica(by_gtid=False), received="0-1-120"), RECORD, Step.WAIT),
        (seen(replica(by_gtid=False, io="No", replays=True)), RECORD, Step.WAIT),
        (seen(replica(by_gtid=False)), RECORD, Step.JOIN),
        (seen(replica(sql=False)), RECORD, Step.APPLY),
        (seen(replica(sql=False, io="No")), RECORD, Step.JOIN),
        (seen(replica(sql=False, applier_error=(1062, "duplicate"))), RECORD, Step.EXAMINE),
        (seen(replica(io="No")), RECORD, Step.RECEIVE),
        (seen(replica(io="Connecting")), RECORD, Step.NOTHING),
        (seen(replica(), gives=False), RECORD, Step.ACKNOWLEDGE),
        (seen(replica(), gives=False), RECORD.changed(["n3"], False), Step.NOTHING),
        (seen(replica(), gives=False), SOLO, Step.ACKNOWLEDGE),
        (seen(replica(), waits=True), RECORD, Step.END_WAITING),
        (seen(replica(), waits=True, gives=False), RECORD, Step.END_WAITING),
        (seen(replica(), waits=True), None, Step.NOTHING),
        (seen(None, waits=True), RECORD, Step.JOIN),  # compares histories first: it may have been primary until now
    ],
)
def test_replica_step(case, record, step):
    assert replica_step(case, "n2", record, VIP) is step


def test_a_replica_that_waits_like_a_primary_is_not_smooth():
    """Then nobody would read the record, and its monitors would rest."""
    assert steady(seen(replica())) and not steady(seen(replica(), waits=True))


@pytest.mark.parametrize(
    ("case", "errant", "step"),
    [
        (seen(replica()), False, Step.JOIN),
        (seen(replica(io="Connecting")), False, Step.JOIN),
        (seen(replica(io="No")), False, Step.JOIN),
        (seen(replica()), True, Step.EXAMINE),
        (seen(replica(sql=False, applier_error=(1062, "duplicate"))), False, Step.EXAMINE),
        (seen(replica(by_gtid=False), received="0-1-120"), False, Step.WAIT),
    ],
)
def test_a_replica_joins_anew_with_another_password_once_nothing_is_in_the_way(case, errant, step):
    assert replica_step(case, "n2", RECORD, VIP, errant, rejoin=True) is step


def test_the_recorded_primary_follows_no_one():
    assert replica_step(seen(None), "n1", RECORD, VIP) is Step.NOTHING


def primary(**changes):
    return seen(**{**dict(followers=["n2", "n3"], waits=True, active=True, clients=2), **changes})


@pytest.mark.parametrize(
    ("case", "record", "step"),
    [
        (primary(), RECORD, Step.NOTHING),
        (primary(replica=replica()), RECORD, Step.FORGET),
        (primary(waits=False), RECORD, Step.REPAIR),
        (primary(forever=False), RECORD, Step.REPAIR),
        (primary(), SOLO, Step.REPAIR),
        (primary(forever=False), SOLO, Step.END_SOLO),
        (primary(forever=False, clients=0), SOLO, Step.NOTHING),
        (primary(forever=False, followers=[]), SOLO, Step.NOTHING),
        (primary(), RECORD.changed(["n2"], False), Step.ADMIT),
        (primary(followers=["n2"]), RECORD, Step.REVIEW),
        (primary(clients=0), RECORD, Step.REVIEW),
        (primary(waiting=3), RECORD, Step.REVIEW),
        (primary(), NEW, Step.BEGIN),  # an empty disk has all of an empty record
        (primary(), NEW.changed(["n2"], False), Step.ADMIT),
        (primary(forever=False, followers=[]), NEW.changed([], True), Step.BEGIN),
        (primary(forever=False), NEW.changed([], True), Step.END_SOLO),
        (primary(applied="", received=""), NEW, Step.NOTHING),
        (primary(), NEW.begun("0-1-9"), Step.NOTHING),
    ],
)
def test_primary_step(case, record, step):
    assert primary_step(case, record, unreviewed=0) is step


def test_a_review_comes_round_by_itself():
    assert primary_step(primary(), RECORD, unreviewed=REVIEW_EVERY + 1) is Step.REVIEW
    assert primary_step(primary(), RECORD, unreviewed=REVIEW_EVERY + 1, settled=True) is Step.NOTHING
    assert primary_step(primary(), RECORD, unreviewed=REVIEW_SETTLED + 1, settled=True) is Step.REVIEW
    assert primary_step(primary(waiting=3), RECORD, unreviewed=0, settled=True) is Step.REVIEW


def overview(online=("n1", "n2", "n3"), offline=(), unclean=(), active=("n1", "n2", "n3"), quorum=True, **ends):
    instances = tuple(Instance("db", node, "Unpromoted") for node in active)
    return Overview(quorum, frozenset(online), frozenset(offline), frozenset(unclean), instances, False, ends=ends)


LEFT = dict(online=("n1", "n3"), offline=("n2",), active=("n1", "n3"))
N2_DOWN = dict(LEFT, n2=Ends.FENCED)
BOTH_DOWN = dict(online=("n1",), offline=("n2", "n3"), active=("n1",), n2=Ends.FENCED, n3=Ends.STOPPED)
NOT_SEEN = dict(active=("n1", "n3"))


@pytest.mark.parametrize(
    ("followers", "cluster", "absent_for", "act", "left"),
    [
        ({"n2", "n3"}, overview(), 0, False, {"n2", "n3"}),
        ({"n3"}, overview(**N2_DOWN), 0, True, {"n3"}),
        ({"n2", "n3"}, overview(**N2_DOWN), 0, True, {"n3"}),  # a dead node's connection lingers
        ({"n3"}, overview(**NOT_SEEN, n2=Ends.STOPPED), 0, True, {"n3"}),  # up, but the resource is stopped there
        ({"n3"}, overview(**NOT_SEEN, n2=Ends.REFRESHED), 0, False, {"n2", "n3"}),  # a refresh, just now
        ({"n3"}, overview(**NOT_SEEN, n2=Ends.FENCED), 0, False, {"n2", "n3"}),  # it came back meanwhile
        ({"n3"}, overview(**NOT_SEEN), 0, False, {"n2", "n3"}),
        ({"n3"}, overview(**LEFT), 0, False, {"n2", "n3"}),  # nobody knows more than that it is not there
        ({"n3"}, overview(**LEFT, n2=Ends.STARTED), 0, False, {"n2", "n3"}),  # a clean end in maintenance: it runs on
        ({"n3"}, overview(**LEFT, n2=Ends.STOPPED), 0, True, {"n3"}),  # a clean end: stopped first
        (
            {"n3"},
            overview(online=("n1", "n3"), active=("n1", "n3")),
            0,
            True,
            {"n3"},
        ),  # n2 is no node, or none any more
        ({"n2", "n3"}, overview(online=("n1", "n3"), active=("n1", "n3")), 0, False, {"n2", "n3"}),  # and acknowledges
        (set(), overview(**BOTH_DOWN), 0, True, set()),
        (set(), overview(**BOTH_DOWN, quorum=False), 99, False, {"n2", "n3"}),
        (set(), overview(online=("n1", "n3"), unclean=("n2",)), 99, False, {"n2", "n3"}),
        (set(), overview(), 9, False, {"n2", "n3"}),
        (set(), overview(), 10, True, set()),
        (set(), None, 99, False, {"n2", "n3"}),
    ],
)
def test_review(followers, cluster, absent_for, act, left):
    outcome = review(RECORD, frozenset(followers), cluster, absent_for, degrade_after=10)
    assert (outcome.act, outcome.sync) == (act, frozenset(left)), outcome.reason


def test_who_left_without_stopping_is_told_with_the_remedy():
    outcome = review(RECORD, frozenset(), overview(**LEFT, n2=Ends.STARTED), 0, degrade_after=0)
    assert "n2 left the cluster without stopping the server: start the cluster software there" in outcome.reason


def test_who_may_have_begun_to_acknowledge_while_the_primary_was_alone():
    """Not who is seen: whoever ever ran, since one that is down may be starting."""
    nodes = {"n1", "n2", "n3"}
    assert set(filter(overview(**LEFT, n2=Ends.STARTED).may_have_run, nodes)) == nodes
    assert set(filter(overview(**NOT_SEEN, n2=Ends.NEVER).may_have_run, nodes)) == {"n1", "n3"}
    assert set(filter(overview(**N2_DOWN).may_have_run, nodes)) == nodes


def test_zero_waits_for_ever():
    assert not review(RECORD, frozenset(), overview(), 10**6, degrade_after=0).act


def judged(case, record=None, errant="", was_readable=True, me="n2"):
    verdict = judge_replica(case.replica, case.acks.gives, me, record, errant, was_readable, max_lag=30)
    return verdict.score, verdict.readable


@pytest.mark.parametrize(
    ("case", "more", "expected"),
    [
        (seen(replica()), {}, (HEALTHY, True)),
        (seen(replica(io="Connecting", lag=None)), {}, (HEALTHY, True)),  # its source died: now it is wanted
        (seen(replica(), gives=False), {}, (UNSYNCED, True)),
        (seen(replica(lag=31)), {}, (LAGGING, False)),
        (seen(replica(lag=20)), {}, (HEALTHY, True)),
        (seen(replica(lag=20)), {"was_readable": False}, (HEALTHY, False)),
        (seen(replica(lag=10)), {"was_readable": False}, (HEALTHY, True)),
        (seen(replica(applier_error=(1062, "duplicate"))), {}, (NEVER, False)),
        (seen(replica(sql=False)), {}, (DETACHED, False)),
        (seen(replica(io="No", receiver_error=(1236, "purged"))), {}, (DETACHED, False)),
        (seen(replica()), {"errant": "0-2-7"}, (NEVER, False)),
        (seen(replica()), {"record": SOLO}, (NEVER, False)),
        (seen(None), {"record": RECORD}, (DETACHED, False)),
        (seen(None), {"record": RECORD, "me": "n1"}, (HEALTHY, True)),
        (seen(None), {}, (HEALTHY, False)),
    ],
)
def test_health(case, more, expected):
    assert judged(case, **more) == expected


# As MariaDB 10.11 and MySQL 9.7 have it.
TLS_SAYS = (
    2026,
    "error reconnecting to master 'r@10.0.0.100:3306' - message: SSL connection error: error:00000000:lib(0)",
)
WRONG = "the server on n1 has no certificate that tls_ca ca.pem vouches for: self-signed certificate"


@pytest.mark.parametrize(
    ("case", "more", "cause", "begins"),
    [
        (seen(replica()), {}, "", ""),
        (seen(replica()), {}, WRONG, WRONG),  # the connection that stands goes on, the next would be refused
        (seen(replica(io="Connecting", receiver_error=TLS_SAYS)), {}, "", "receiver distrusts its source: error rec"),
        (seen(replica(io="Connecting", receiver_error=TLS_SAYS)), {}, WRONG, WRONG),
        (
            seen(replica(io="Connecting", receiver_error=TLS_SAYS)),
            {"record": SOLO},
            "",
            "receiver distrusts its source",
        ),
        (seen(replica(sql=False, io="No")), {"record": SOLO}, f"join: {WRONG}", f"join: {WRONG}"),
        (seen(replica(sql=False, io="No")), {"record": SOLO}, "", "n1 ran alone since this node was behind"),
        (seen(replica(io="Connecting", receiver_error=(2003, "no route"))), {"record": SOLO}, "", "n1 ran alone"),
        (seen(replica()), {"errant": "0-2-7"}, WRONG, "errant 0-2-7"),
        (seen(replica(applier_error=(1062, "duplicate"))), {}, WRONG, "applier stopped: duplicate"),
    ],
)
def test_what_is_told_is_the_cause_and_not_what_follows(case, more, cause, begins):
    verdict = judge_replica(
        case.replica, case.acks.gives, "n2", more.get("record"), more.get("errant", ""), True, max_lag=30
    )
    said = summarise(verdict.state, cause)
    assert said.startswith(begins) and bool(said) == bool(begins)


names = st.text("abcdefgh-.0123456789", min_size=1, max_size=12)


@given(st.integers(0, 10**9), names, st.frozensets(names), st.booleans())
def test_a_record_reads_back(epoch, primary_name, sync, solo):
    record = Record(epoch, primary_name, "0-1-5,0-2-9", sync, solo)
    assert Record.parse(str(record)) == record


@pytest.mark.parametrize(
    "text", ["epoch=1", "epoch=x primary=a gtid= sync= solo=no", "epoch=1 primary=a gtid= sync= solo=?"]
)
def test_malformed_record(text):
    with pytest.raises(MalformedRecord):
        Record.parse(text)


def test_fields_of_a_later_version_are_kept():
    """An older agent that is promoted in between must not lose them."""
    record = Record.parse("epoch=4 primary=n1 floor=0-1-7 gtid=0-1-50 sync=n2 solo=no kind=a,b")
    assert str(record.changed(["n3"], solo=False)).endswith("sync=n3 solo=no floor=0-1-7 kind=a,b")
    assert Record.parse(str(record)) == record


def test_no_record():
    assert Record.parse("  ") is None


@pytest.mark.parametrize(
    ("before", "free", "score", "state"),
    [
        (Verdict(HEALTHY, True), ROOM, HEALTHY, ""),
        (Verdict(HEALTHY, True), ROOM - 1, DETACHED, "the file system of /data is full, 1023 KiB are free: make room"),
        (Verdict(LAGGING, False, "behind"), 0, DETACHED, "behind"),
        (Verdict(NEVER, False, "errant"), 0, NEVER, "errant"),
    ],
)
def test_a_full_server_is_the_primary_only_where_all_are_full(before, free, score, state):
    after = with_room(before, free, "/data")
    assert (after.score, after.readable, after.state) == (score, before.readable, state)


@pytest.mark.parametrize(
    ("case", "gives", "counting", "said"),
    [
        ("it does not acknowledge", {"report": False}, {"n2", "n3"}, ""),
        ("it acknowledges", {"report": True}, {"n2", "n3", "report"}, "report acknowledges and is no node"),
        ("it does not say, and none is more than the nodes", {"report": None}, {"n2", "n3"}, ""),
        (
            "one that is on record does not say",
            {"gone": None},
            {"n2", "n3", "gone"},
            "gone acknowledges and is no node",
        ),
    ],
)
def test_who_follows_and_is_no_node_counts_while_it_acknowledges(case, gives, counting, said):
    record = RECORD.changed(["n2", "gone"], solo=False) if "gone" in gives else RECORD
    look, told = strangers.judged(seen(None, {"n2", "n3", *gives}, waits=True, clients=2), record, gives)
    assert look.followers == counting and told.startswith(said) and bool(told) == bool(said), (case, told)


def test_a_stranger_that_does_not_say_and_may_be_an_acknowledger_is_told():
    look, told = strangers.judged(seen(None, {"n2", "report"}, waits=True, clients=2), RECORD, {"report": None})
    assert look.followers == {"n2"} and told.startswith("report is no node of the cluster and may acknowledge")
