"""Who may be promoted, each case a difference from a healthy set of three whose primary n1 died."""

import pytest

from backstay.services.mysql.claims import rival
from backstay.services.mysql.election import (
    Fetch,
    Promote,
    Refuse,
    Report,
    acknowledgers,
    decide,
    own_writes,
    witnesses,
)
from backstay.services.mysql.gtid import MariadbHistory
from backstay.services.mysql.observation import Holding
from backstay.services.mysql.record import Record

RECORD = Record(epoch=4, primary="n1", gtid="0-1-50", sync=["n2", "n3"], solo=False)
NODES = ["n1", "n2", "n3"]


def history(text):
    return MariadbHistory.parse(text)


def verdict(mine="0-1-99", me="n2", record=RECORD, allow_loss=False, **reports):
    answers = {node: text if isinstance(text, Report) else Report(history(text)) for node, text in reports.items()}
    promoted_with = history(record.gtid) if record else None
    return decide(me, history(mine), record, NODES, answers, promoted_with, allow_loss)


def proof(**case):
    found = verdict(**case)
    assert isinstance(found, Promote), getattr(found, "reason", found)
    return found.proof


def refusal(**case):
    found = verdict(**case)
    assert isinstance(found, Refuse), found
    return found.reason


def test_all_witnesses_together_are_proof():
    assert proof(n3="0-1-99") == "witnesses"
    assert proof(n3="0-1-80") == "witnesses"


def test_what_another_witness_has_more_is_fetched_first():
    found = verdict(n3="0-1-101")
    assert isinstance(found, Fetch)
    assert (found.node, found.missing) == ("n3", "0-1-100..101")


def test_a_silent_witness_may_hold_the_only_copy():
    assert "n3 may hold" in refusal()
    assert "n3 may hold" in refusal(n3=Report(None))


def test_the_primary_itself_is_proof_when_a_witness_is_silent():
    assert proof(n1="0-1-99") == "primary"
    assert isinstance(verdict(n1="0-1-120"), Fetch)


def test_of_several_proofs_the_first_in_the_table_counts():
    assert proof(me="n1", n2="0-1-99", n3="0-1-99") == "own record"
    assert proof(n1="0-1-99", n3="0-1-99") == "witnesses"
    assert proof(n1="0-1-99", allow_loss=True) == "primary"


def test_a_node_outside_sync_needs_the_same_proof():
    record = RECORD.changed(["n3"], solo=False)
    assert proof(record=record, n3="0-1-99") == "witnesses"
    assert isinstance(verdict(record=record, n3="0-1-100"), Fetch)
    assert "n3 may hold" in refusal(record=record)


def test_the_only_acknowledger_is_its_own_proof():
    assert proof(record=RECORD.changed(["n2"], solo=False)) == "witnesses"


def test_nobody_else_follows_a_primary_that_ran_alone():
    solo = RECORD.changed([], solo=True)
    assert "n1 ran alone" in refusal(record=solo, n3="0-1-99")
    assert proof(record=solo, n1="0-1-99") == "primary"
    assert proof(record=solo, me="n1", mine="0-1-200") == "own record"


def test_the_recorded_primary_needs_no_one():
    assert proof(me="n1") == "own record"
    assert proof(me="n1", n2="0-1-50", n3=Report(None)) == "own record"


def test_the_recorded_primary_fetches_what_a_replica_kept():
    assert isinstance(verdict(me="n1", mine="0-1-98", n2="0-1-99"), Fetch)


def test_a_recorded_primary_with_another_history_is_a_stranger():
    """Its disk was replaced, or an old backup restored: the name alone proves nothing."""
    assert "may hold" in refusal(me="n1", mine="0-1-49")
    assert "its data is not what it was" in refusal(me="n1", mine="0-1-49")
    assert isinstance(verdict(me="n1", mine="0-1-49", n2="0-1-99", n3="0-1-99"), Fetch)


ONE_OF_TWO = RECORD.changed(["n2"], solo=False)


def test_an_acknowledger_without_what_the_primary_was_promoted_with_waits_for_it():
    """Two promotions in a row: n2 received nothing since, so nothing says whether its disk is the one that acknowledged."""
    assert "lacks 0-1-50" in refusal(record=ONE_OF_TWO, mine="0-1-49")
    assert "start n1" in refusal(record=ONE_OF_TWO, mine="0-1-49", n1=Report(None))
    assert proof(record=ONE_OF_TWO, mine="0-1-50") == "witnesses"
    found = verdict(record=ONE_OF_TWO, mine="0-1-49", n1="0-1-50")  # a promotion that recorded and then failed
    assert isinstance(found, Fetch) and found.node == "n1"


def test_a_witness_that_has_less_than_the_record_is_none():
    assert "n3 lacks what n1 was promoted with" in refusal(n3="0-1-49")
    assert proof(n3="0-1-49", n1="0-1-99") == "primary"
    assert "lacks 0-1-50" in refusal(mine="0-1-49", n3="0-1-99")  # this node acknowledged, and its disk is another
    record = RECORD.changed(["n3"], solo=False)
    assert isinstance(verdict(record=record, mine="0-1-49", n3="0-1-99"), Fetch)  # nobody counted on this node


def test_a_primary_that_was_alone_and_comes_back_with_less_is_none():
    solo = RECORD.changed([], solo=True)
    assert "n1 lacks what it was promoted with" in refusal(record=solo, n1="", n3="")
    assert "n1 lacks what it was promoted with" in refusal(record=solo, n1="0-1-49")
    assert "its data is not what it was" in refusal(record=solo, me="n1", mine="")
    assert "its data is not what it was" in refusal(record=solo, me="n1", mine="", n2="0-1-50", n3="0-1-50")


def counted(mine="0-1-99", me="n2", record=RECORD, **reports):
    return sorted(acknowledgers(me, record, history(mine), reports))


def test_whose_acknowledgements_count_from_a_promotion_on():
    giving = Report(history("0-1-99"), gives=True, receives=True)
    behind = Report(history("0-1-80"), gives=True, receives=True)
    joining = Report(history("0-1-99"))
    silent = Report(None, why="does not answer")
    assert counted(n3=giving) == counted(n3=behind) == counted(n3=joining) == ["n3"]
    assert counted(n3=silent) == counted() == []
    # after a loss of all power: none acknowledges yet, and none has what was not acknowledged any more
    assert counted(me="n1", n2=Report(history("0-1-98")), n3=Report(history("0-1-97"))) == ["n2", "n3"]
    # who received without acknowledging, or would be compared and stopped, is nobody to wait for
    assert counted(n3=Report(history("0-1-99"), receives=True)) == []
    assert counted(n3=Report(history("0-1-99"), parted=True)) == []
    # nobody is dropped who may acknowledge by the record before
    four = Record(4, "n1", "0-1-50", ["n2", "n3", "n4"], solo=False)
    assert counted(record=four, n3=giving, n4=silent) == ["n3", "n4"]


def test_a_new_set_does_not_begin_alone():
    joining = Report(history(""))
    assert counted(mine="", record=None, n1=joining, n3=joining) == ["n1", "n3"]
    assert counted(mine="0-2-1", record=None, n1=joining, n3=Report(history("0-2-1"))) == ["n3"]


def test_a_primary_without_the_accounts_of_its_replicas_begins_alone():
    """A server that was made by hand: its monitor makes them, and nothing waits meanwhile."""
    joining = {"n1": Report(history("")), "n3": Report(history(""))}
    assert acknowledgers("n2", None, history(""), joining, admits=False) == frozenset()


def test_the_old_primary_is_compared_before_it_counts():
    assert counted(n1=Report(history("0-1-99"))) == []


def test_a_primary_that_was_alone_stays_so_for_a_promotion():
    """Anybody may have begun to acknowledge meanwhile: its monitor sees who runs."""
    solo = RECORD.changed([], solo=True)
    assert counted(me="n1", record=solo, n2=Report(history("0-1-99")), n3=Report(history("0-1-99"))) == []


def test_who_acknowledges_and_does_not_count_makes_it_alone():
    joining, giving = Report(history("0-2-1")), Report(history(""), gives=True)
    assert counted(mine="0-2-1", record=None, n1=joining, n3=giving) == []


def test_two_primaries_never():
    assert "n3 is writable" in refusal(n3=Report(history("0-1-1"), writable=True))
    assert "n3 is writable" in refusal(n3=Report(history("0-1-1"), writable=True), allow_loss=True)


def test_histories_that_part_are_not_merged():
    assert "histories part" in refusal(mine="0-1-99,0-2-100", n3="0-1-99,0-3-100")


def test_an_unsettled_witness_is_waited_for():
    found = verdict(n3=Report(None, why="is still applying"))
    assert isinstance(found, Refuse) and found.passing
    found = verdict()
    assert isinstance(found, Refuse) and not found.passing


def test_first_promotion_hears_everyone():
    assert proof(record=None, mine="", n1="", n3="") == "first"
    assert "n3 did not say" in refusal(record=None, mine="", n1="")
    assert isinstance(verdict(record=None, mine="", n1="0-1-9", n3=""), Fetch)  # an admin put the data there
    assert "histories part" in refusal(record=None, mine="0-2-4", n1="0-1-9", n3="")


def test_a_way_that_loses_is_not_shown_while_those_that_are_silent_can_be_mended() -> None:
    """Their nodes are in the cluster, and each says what keeps it from answering."""
    down, gone = Report(None, why="Connection refused"), Report(None)
    said = refusal(record=None, mine="", n1=down, n3=down)
    assert "n1, n3 did not say what it holds: Connection refused" in said and "allow_loss" not in said
    assert "allow_loss" not in refusal(record=None, mine="", n1=gone, n3=down)  # one of them can be
    assert "allow_loss" in refusal(record=None, mine="", n1=gone, n3=gone)
    assert "allow_loss" not in refusal(n1=gone, n3=down)
    assert "allow_loss" in refusal(n1=gone, n3=gone)
    solo = Record(5, "n1", "0-1-50", [], True)
    assert "allow_loss" not in refusal(record=solo, n1=down)
    assert "allow_loss" in refusal(record=solo, n1=gone)


def test_allowed_loss_still_takes_the_most_there_is():
    assert proof(allow_loss=True) == "allowed"
    solo = RECORD.changed([], solo=True)
    assert proof(record=solo, allow_loss=True) == "allowed"


@pytest.mark.parametrize(
    ("me", "record", "asked"),
    [
        ("n2", RECORD, ["n3", "n1"]),
        ("n1", RECORD, ["n2", "n3"]),
        ("n2", RECORD.changed([], True), ["n1"]),
        ("n1", RECORD.changed([], True), []),
        ("n2", None, ["n1", "n3"]),
    ],
)
def test_whom_to_ask(me, record, asked):
    assert witnesses(me, record, NODES) == asked


def test_what_a_witness_wrote_itself_since_the_promotion_does_not_count():
    assert str(own_writes("n3", history("0-3-60"), RECORD, history("0-1-50,0-3-40"))) == "0-3-41..60"
    assert own_writes("n3", history("0-3-40"), RECORD, history("0-1-50,0-3-40")) is None
    # what it wrote as an earlier primary stands in the record; the recorded primary's is what counts most
    assert own_writes("n1", history("0-1-99"), RECORD, history("0-1-50")) is None
    assert own_writes("n3", history("0-3-9"), None, None) is None


EMPTY, SHOP = Holding((), told=False), Holding(("shop",), told=False)
REPLICA, UNKNOWN = Holding(("shop",), told=True), Holding(None, told=False)


def begun(mine, allow_loss=False, received="", **others):
    reports = {node: Report(history(received), holding=holding) for node, holding in others.items()}
    found = decide("n2", history(received), None, NODES, reports, None, allow_loss, mine)
    return found.proof if isinstance(found, Promote) else found.reason


def test_an_empty_server_never_begins_a_set_in_which_another_holds_data():
    assert begun(EMPTY, n1=EMPTY, n3=EMPTY) == "first"
    assert begun(EMPTY, n1=SHOP, n3=EMPTY).startswith("n1 holds databases (shop) and this node none")
    assert begun(EMPTY, True, n1=SHOP, n3=EMPTY).startswith("n1 holds databases (shop)")
    assert begun(EMPTY, n1=REPLICA, n3=EMPTY).startswith("n1 holds databases (shop)")
    assert begun(EMPTY, n1=EMPTY, n3=UNKNOWN).startswith("n3 does not say whether it holds databases")
    assert begun(EMPTY, n1=SHOP, n3=UNKNOWN).startswith("n1 holds databases (shop)")
    assert rival("n2", None, {"n1": SHOP, "n3": EMPTY}, False) == ""  # it is not the first promotion
    assert begun(SHOP, n1=EMPTY, n3=EMPTY) == "first"
    many = Holding(("a", "b", "c", "d", "e"), told=False)
    assert "(a, b, c and 2 more)" in begun(EMPTY, n1=many, n3=EMPTY)


def test_of_several_with_data_that_no_history_tells_of_none_begins_a_set():
    assert begun(SHOP, n1=SHOP, n3=EMPTY).startswith("n1 (shop), n2 (shop) hold databases of their own")
    assert begun(SHOP, received="0-1-50", n1=SHOP, n3=EMPTY).startswith(
        "n1 (shop), n2 (shop)"
    )  # all have id 1 by default
    assert begun(SHOP, n1=UNKNOWN, n3=EMPTY).startswith("n1 (perhaps), n2 (shop)")
    assert begun(REPLICA, n1=SHOP, n3=SHOP).startswith("n1 (shop), n3 (shop)")
    assert begun(SHOP, True, n1=SHOP, n3=EMPTY) == "first"


def test_an_existing_set_is_taken_over_by_its_histories():
    """With the one that never was a replica, which could not join."""
    assert begun(REPLICA, received="0-1-50", n1=SHOP, n3=REPLICA).startswith(
        "n1 holds databases (shop) that no history tells"
    )
    assert begun(REPLICA, received="0-1-50", n1=REPLICA, n3=REPLICA) == "first"
    assert begun(SHOP, received="0-1-50", n1=REPLICA, n3=REPLICA) == "first"


def test_a_refusal_has_the_reasons_of_those_who_gave_no_answer():
    assert "gives no answer: it runs with log_bin=OFF" in refusal(n3=Report(None, why="it runs with log_bin=OFF"))


FULL = Report(None, why="max_connections is full on n3")


def test_nothing_is_given_up_while_the_node_that_may_hold_it_is_in_the_cluster():
    """Its server can be had; what is in the way is told."""
    assert (
        refusal(n3=FULL) == "n3 may hold acknowledged transactions and gives no answer: max_connections is full on n3"
    )
    assert "allow_loss" in refusal(n3=Report(None))
    first = refusal(record=None, mine="", n1=FULL, n3=FULL)
    assert first == "first promotion, and n1, n3 did not say what it holds: max_connections is full on n3"
    assert "allow_loss" in refusal(record=None, mine="", n1=Report(None), n3=Report(None))
