"""When a node's data may be replaced by a copy of the primary's, and what a copy must be."""

import os

import pytest

from backstay.ocf.invocation import Invocation
from backstay.services.mysql import rebuild
from backstay.services.mysql.context import MysqlContext
from backstay.services.mysql.dialects.mariadb_copy import misplaced
from backstay.services.mysql.gtid import MariadbHistory, MysqlHistory, binlog_state
from backstay.services.mysql.rebuild_policy import KEPT, Job, behind, flaw, job_step, refusal, relay_log_kept, shortage
from backstay.services.mysql.record import Record
from backstay.services.mysql.state import ERRANT, read_mark, write_mark

RECORD = Record(epoch=4, primary="n2", gtid="0-1-50", sync=["n3"], solo=False)
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"


def verdict(me="n1", received="0-1-53", theirs="0-1-50,0-2-90", record=RECORD, marked=3, allow_loss=False, kept=0):
    parse = MariadbHistory.parse
    promoted_with = parse(record.gtid) if record else None
    return refusal(me, parse(received), parse(theirs), record, promoted_with, marked, allow_loss, kept)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({}, ""),
        ({"record": RECORD.changed([], solo=True)}, ""),
        ({"me": "n3"}, "counts on this node"),
        ({"writable": False}, "not open"),
        ({"theirs": "0-1-40"}, "lacks 0-1-41..50"),
        ({"marked": 0}, "never seen"),
        ({"marked": 5}, "the record was reset"),
        ({"record": Record(4, "n2", "0-1-50", ["n3"], False, loss=4)}, "allow_loss"),
        ({"record": Record(4, "n2", "0-1-50", ["n3"], False, loss=3)}, ""),  # it joined since
    ],
)
def test_a_damaged_relay_log_is_given_up_only_when_it_is_not_the_only_copy(case, words):
    wanted = {"me": "n1", "writable": True, "theirs": "0-1-50,0-2-90", "record": RECORD, "marked": 3, **case}
    parse = MariadbHistory.parse
    said = relay_log_kept(
        **{**wanted, "theirs": parse(wanted["theirs"]), "promoted_with": parse(wanted["record"].gtid)}
    )
    assert words in said and bool(words) == bool(said)


def test_what_an_old_primary_wrote_alone_was_never_acknowledged():
    assert verdict() == ""


def test_a_primary_that_runs_alone_is_a_good_donor():
    assert verdict(record=RECORD.changed([], solo=True)) == ""


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({"record": None}, "no primary is recorded"),
        ({"me": "n2"}, "recorded primary"),
        ({"received": "0-1-50,0-2-80"}, "nothing here is unknown"),
        ({"theirs": "0-1-40,0-2-90"}, "no safe donor"),
        ({"allow_loss": True}, "allow_loss is set"),
        ({"marked": 0}, "never seen as part of the set"),
        ({"marked": 5}, "the record was reset"),
        ({"kept": KEPT}, "kept already"),
    ],
)
def test_when_unsure_it_refuses_and_says_why(case, words):
    assert words in verdict(**case)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ({}, ""),
        ({"databases": ("shop",)}, ""),  # the set's, by its mark
        ({"marked": 0}, ""),  # initialised, and never joined
        ({"marked": 0, "databases": ("shop",)}, "never seen as part of the set, and holds shop"),
        ({"me": "n2"}, "recorded primary"),
        ({"theirs": "0-1-40"}, "no safe donor"),
        ({"marked": 5}, "the record was reset"),
        ({"kept": KEPT}, "kept already"),
        ({"record": Record(4, "n2", "0-1-50", ["n3"], False, loss=4)}, ""),  # the primary has all of it
    ],
)
def test_who_is_behind_the_primarys_logs_is_copied_unless_its_data_may_be_someones(case, words):
    wanted = {"me": "n1", "theirs": "0-1-50,0-2-90", "record": RECORD, "marked": 3, "databases": (), "kept": 0, **case}
    parse = MariadbHistory.parse
    said = behind(**{**wanted, "theirs": parse(wanted["theirs"]), "promoted_with": parse(wanted["record"].gtid)})
    assert words in said and bool(words) == bool(said)


def test_after_an_allowed_loss_only_who_was_part_of_the_set_since_is_rebuilt():
    lossy = Record(epoch=4, primary="n2", gtid="0-1-50", sync=[], solo=False, loss=3)
    assert "epoch 3 began by allow_loss" in verdict(record=lossy, marked=2)
    assert verdict(record=lossy, marked=3) == ""
    assert verdict(record=lossy, marked=4) == ""


def test_the_record_keeps_the_loss():
    text = "epoch=4 primary=n2 gtid=0-1-50 sync=n3 solo=no loss=3"
    record = Record.parse(text)
    assert record is not None
    assert str(record.changed(["n3"], False)) == text
    assert "loss" not in str(RECORD)


def test_a_copy_must_hold_what_this_node_acknowledged():
    parse = MariadbHistory.parse
    received, theirs, promoted_with = parse("0-1-53,0-2-80"), parse("0-1-50,0-2-90"), parse("0-1-50")
    assert flaw(parse("0-1-50,0-2-85"), received, theirs, promoted_with) == ""
    assert "0-2-80" in flaw(parse("0-1-50,0-2-79"), received, theirs, promoted_with)
    assert "0-1-50" in flaw(parse("0-1-49,0-2-90"), parse("0-2-80"), theirs, promoted_with)
    mysql = MysqlHistory.parse
    assert flaw(mysql(f"{UUID}:1-9"), mysql(f"{UUID}:1-7:12"), mysql(f"{UUID}:1-10"), mysql(f"{UUID}:1-5")) == ""


def test_room_is_wanted_for_more_than_the_bare_rows():
    gib = 1 << 30
    assert shortage(gib, 2 * gib) == ""
    assert (
        shortage(gib, gib + 1)
        == "the copy takes about 1.7 GiB beside the data directory, and 1.0 GiB are free: make room"
    )


@pytest.mark.parametrize(
    ("complete", "running", "failures", "since", "step"),
    [
        (False, False, 0, float("inf"), Job.START),
        (False, True, 0, float("inf"), Job.WAIT),
        (True, True, 0, float("inf"), Job.WAIT),
        (True, False, 0, float("inf"), Job.SWAP),
        (False, False, 1, 299, Job.REST),
        (False, False, 1, 301, Job.START),
        (False, False, 2, 301, Job.REST),
        (False, False, 99, 3601, Job.START),
    ],
)
def test_one_job_at_a_time_and_rarer_after_failures(complete, running, failures, since, step):
    assert job_step(complete, running, failures, since) is step


@pytest.mark.parametrize(
    ("before", "position", "state"),
    [
        ("0-1-50,0-2-88", "0-2-90", "0-1-50,0-2-90"),
        ("0-2-88,0-10-70,0-1-50", "0-2-90", "0-1-50,0-10-70,0-2-90"),  # the newest comes last, whatever its name
        ("0-1-50,0-2-91", "0-2-90", "0-1-50,0-2-90"),
        ("0-1-91,0-2-80", "0-2-90", "0-2-90"),  # rather claim less
        ("0-1-5,1-1-7,0-1-5", "0-2-9,1-1-8", "0-1-5,0-2-9,1-1-8"),
        ("2-1-5", "0-2-9", "0-2-9"),
        (",", "", ""),
    ],
)
def test_the_copy_starts_with_the_donors_gtid_state(before, position, state):
    assert binlog_state(before, position) == state


def test_data_outside_the_data_directory_is_found():
    assert misplaced({"log-bin": "/var/log/mysql/binlog"}) == "log-bin=/var/log/mysql/binlog"
    assert misplaced({"log-bin": "binlog", "innodb-data-file-path": "ibdata1:12M:autoextend"}) == ""


# -- the moves of a start, on real directories -------------------------------------------------------------------------


@pytest.fixture
def node(tmp_path):
    """A node whose copy is complete, and its place."""
    place = rebuild.Place(str(tmp_path / "mysql"))
    for path, content in ((place.data, "errant"), (place.copy, "copied")):
        os.makedirs(path, mode=0o755)
        (tmp_path / path / "row").write_text(content)
    os.chmod(place.data, 0o700)
    (tmp_path / place.complete).write_text(f"{place.replaces()} of n2's data in epoch 4 up to 0-2-90\n")
    environ = {
        "OCF_RESKEY_datadir": place.data,
        "BACKSTAY_RUN": str(tmp_path / "run"),
        "HA_LOGFILE": str(tmp_path / "log"),
    }
    context = MysqlContext(Invocation("start", environ))
    context.state.write(ERRANT, "0-1-51..53")
    return context, place, tmp_path


def row(directory):
    with open(os.path.join(directory, "row"), encoding="ascii") as source:
        return source.read()


def test_start_keeps_the_old_data_and_takes_the_copy(node):
    context, place, parent = node
    rebuild.install(context)
    (old,) = parent.glob("mysql.errant-*Z")
    assert (row(old), row(place.data)) == ("errant", "copied")
    assert os.stat(place.data).st_mode & 0o777 == 0o700
    assert not os.path.exists(place.around)
    assert context.state.read(ERRANT) == ""
    assert str(old) in (parent / "log").read_text()
    assert place.kept() == 1


def test_a_start_that_was_cut_short_between_the_moves_is_finished(node):
    context, place, _ = node
    os.rename(place.data, f"{place.data}.errant-20260101T000000Z")
    rebuild.install(context)
    assert row(place.data) == "copied"


def test_a_copy_made_for_another_directory_is_not_used(node):
    context, place, parent = node
    os.rename(place.data, f"{place.data}.by-hand")
    os.makedirs(place.data)
    (parent / place.data / "row").write_text("restored by the admin")
    rebuild.install(context)
    assert row(place.data) == "restored by the admin"


def test_an_incomplete_copy_is_not_used(node):
    context, place, _ = node
    os.unlink(place.complete)
    rebuild.install(context)
    assert row(place.data) == "errant"


def test_a_node_that_is_errant_no_more_loses_its_copy(node):
    context, place, _ = node
    rebuild.discard(context)
    assert not os.path.exists(place.around)
    assert row(place.data) == "errant"


def test_the_mark_lies_with_the_data(tmp_path):
    assert read_mark(str(tmp_path)) == 0
    write_mark(str(tmp_path), 7)
    assert read_mark(str(tmp_path)) == 7
