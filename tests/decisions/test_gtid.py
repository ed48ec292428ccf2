"""GTID histories: the algebra holds for both families, and nothing malformed is read as something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backstay.services.mysql.gtid import MalformedGtid, MariadbHistory, MysqlHistory

UUID_A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
UUID_B = "4e11fa47-71ca-11e1-9e33-c80aa9429562"

interval = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
numbers = st.dictionaries(
    st.sampled_from([UUID_A, UUID_B, f"{UUID_A}:tag"]), st.lists(interval, min_size=1, max_size=5)
)
histories = numbers.map(
    lambda sets: MysqlHistory.parse(
        ",".join(f"{origin}:{':'.join(f'{a}-{b}' for a, b in intervals)}" for origin, intervals in sets.items())
    )
)


def members(history):
    return {(origin, n) for origin, intervals in history.sets.items() for a, b in intervals for n in range(a, b + 1)}


@given(histories, histories)
def test_the_algebra_is_that_of_sets(left, right):
    assert members(left.union(right)) == members(left) | members(right)
    assert members(left.minus(right)) == members(left) - members(right)
    assert left.includes(right) == (members(left) >= members(right))


@given(histories)
def test_what_is_written_reads_back(history):
    assert MysqlHistory.parse(str(history)) == history


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.integers(1, 10**12)), max_size=6))
def test_mariadb_reads_back(entries):
    history = MariadbHistory.parse(",".join(f"{d}-{s}-{n}" for d, s, n in entries))
    assert MariadbHistory.parse(str(history)) == history


@pytest.mark.parametrize(
    ("mine", "theirs", "errant"),
    [
        ("0-1-100", "0-1-100", ""),
        ("0-1-100", "0-1-100,0-2-150", ""),
        ("0-1-101", "0-1-100,0-2-101", "0-1-101"),  # same place, another server: shell agents cut the last field
        ("0-1-103", "0-1-100", "0-1-101..103"),
        ("0-1-5,1-2-7", "0-1-5", "1-2-7"),
        ("", "0-1-5", ""),
    ],
)
def test_mariadb_errant(mine, theirs, errant):
    assert str(MariadbHistory.parse(mine).minus(MariadbHistory.parse(theirs))) == errant


def test_mysql_with_line_breaks_upper_case_tags_and_empty_intervals():
    history = MysqlHistory.parse(f"{UUID_A.upper()}:1-5:7:tag:1-3,\n {UUID_B}:9-8")
    assert members(history) == {(UUID_A, n) for n in (1, 2, 3, 4, 5, 7)} | {(f"{UUID_A}:tag", n) for n in (1, 2, 3)}


@pytest.mark.parametrize("text", ["x", "0-1", "0-1-", "-0-1-2", "0-1-2-3", "0-1-9..x", "0-1-" + "9" * 40])
def test_malformed_mariadb(text):
    with pytest.raises(MalformedGtid):
        MariadbHistory.parse(text)


@pytest.mark.parametrize("text", ["x", UUID_A, f"{UUID_A}:", f"{UUID_A}:0-3", f"{UUID_A}:1-", f"{UUID_A}:-1", "0-1-5"])
def test_malformed_mysql(text):
    with pytest.raises(MalformedGtid):
        MysqlHistory.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    for family in (MariadbHistory, MysqlHistory):
        try:
            family.parse(text)
        except MalformedGtid:
            continue


def test_what_one_server_wrote():
    mysql = MysqlHistory.parse(f"{UUID_A}:1-5:tag:1-2,{UUID_B}:1-9")
    assert mysql.written_by(UUID_A.upper()) == MysqlHistory.parse(f"{UUID_A}:1-5:tag:1-2")
    mariadb = MariadbHistory.parse("0-1001-5,3-1001-7,0-2001-9,0-11001-12")
    assert mariadb.written_by("1001") == MariadbHistory.parse("0-1001-5,3-1001-7")
