"""The tail of a binary log that a crashed primary alone has: what is cut off, and above all what is not."""

from __future__ import annotations

import struct

import pytest

from backstay.services.mysql.binlog import own_tail, transactions, unclosed
from backstay.services.mysql.gtid import MysqlHistory

ME = "23c00dde-e756-11f1-bcb1-02000a4d000c"
OTHER = "371c0486-e757-11f1-9225-02000a4d000c"
QUERY, STOP, FORMAT, XID, TABLE_MAP, ROWS, PREVIOUS, PAYLOAD = 2, 3, 15, 16, 19, 30, 35, 40
GTID, ANONYMOUS, TAGGED = 33, 34, 42
INSERT = (QUERY, TABLE_MAP, ROWS, XID)
DDL = (QUERY,)
OUTSIDE_THE_ENGINE = (QUERY, TABLE_MAP, ROWS, QUERY)


def event(kind: int, body: bytes = b"\0" * 8, flags: int = 0) -> bytes:
    return struct.pack("<IBIIIH", 0, kind, 1000, 19 + len(body), 0, flags) + body


def gtid(number: int, source: str = ME, kind: int = GTID) -> bytes:
    return event(kind, b"\0" + bytes.fromhex(source.replace("-", "")) + struct.pack("<q", number) + b"\0" * 40)


def transaction(number: int, source: str = ME, kinds: tuple[int, ...] = INSERT) -> bytes:
    return gtid(number, source) + b"".join(map(event, kinds))


def log(*parts: bytes, in_use: bool = True, magic: bytes = b"\xfebin") -> bytes:
    return magic + event(FORMAT, flags=int(in_use)) + event(PREVIOUS) + b"".join(parts)


SURVIVED = MysqlHistory.parse(f"{ME}:1-10,{OTHER}:1-5")


def test_what_the_new_primary_has_stays() -> None:
    assert own_tail(log(transaction(9), transaction(10)), ME, SURVIVED) is None


def test_the_tail_begins_at_the_first_transaction_it_lacks() -> None:
    kept = log(transaction(9), transaction(10))
    tail = own_tail(kept + transaction(11) + transaction(12, kinds=DDL), ME, SURVIVED)
    assert tail is not None
    assert (tail.begin, tail.gtids) == (len(kept), f"{ME}:11-12")
    assert tail.head == len(log())


def test_one_transaction_is_spelled_alone() -> None:
    tail = own_tail(log(transaction(11)), ME, SURVIVED)
    assert tail is not None
    assert tail.gtids == f"{ME}:11"


def test_a_log_that_was_closed_is_left_alone_since_all_in_it_is_committed() -> None:
    assert own_tail(log(transaction(11), event(STOP), in_use=False), ME, SURVIVED) is None


@pytest.mark.parametrize("magic", [b"\xfdbin", b"", b"PK\x03\x04"])
def test_what_is_no_plain_binary_log_is_left_alone(magic: bytes) -> None:
    assert not unclosed(log(transaction(11), magic=magic))
    assert own_tail(log(transaction(11), magic=magic), ME, SURVIVED) is None


def test_what_was_replicated_is_never_cut_though_the_new_primary_had_less_at_its_promotion() -> None:
    assert own_tail(log(transaction(6, OTHER), transaction(7, OTHER)), ME, SURVIVED) is None


@pytest.mark.parametrize(
    "after",
    [
        transaction(10),  # the new primary has it
        transaction(6, OTHER),
        gtid(1, kind=ANONYMOUS) + event(QUERY),
        gtid(12, kind=TAGGED) + event(QUERY),
    ],
)
def test_a_tail_with_anything_unlike_it_is_left_to_the_comparison_of_histories(after: bytes) -> None:
    assert own_tail(log(transaction(11), after), ME, SURVIVED) is None


def test_a_tail_that_crash_recovery_cannot_roll_back_stays() -> None:
    assert own_tail(log(transaction(11, kinds=OUTSIDE_THE_ENGINE), transaction(12)), ME, SURVIVED) is None
    assert own_tail(log(transaction(11), transaction(12, kinds=OUTSIDE_THE_ENGINE)), ME, SURVIVED) is None


def test_compressed_transactions_are_cut() -> None:
    assert own_tail(log(transaction(11, kinds=(PAYLOAD,))), ME, SURVIVED) is not None


@pytest.mark.parametrize("missing", range(1, len(transaction(12)), 7))
def test_the_crash_may_have_cut_the_last_transaction_off_anywhere(missing: int) -> None:
    kept = log(transaction(10))
    tail = own_tail(kept + transaction(11) + transaction(12)[:-missing], ME, SURVIVED)
    assert tail is not None
    assert tail.begin == len(kept)


def test_a_size_that_cannot_be_ends_the_reading() -> None:
    broken = log(transaction(10)) + b"\0" * 64
    assert [found.gtid for found in transactions(broken)] == [(ME, 10)]
    assert own_tail(broken, ME, SURVIVED) is None
