"""Where an address was, from looks at a kernel's table."""

from __future__ import annotations

import pytest

from backstay_lab.checkers.history import Sample
from backstay_lab.checkers.sampling import pairs
from backstay_lab.clients.address_sampler import CLOSE, EVERY, Look, held_between, is_local

TABLE = """\
Local:
        +-- 10.77.0.0/24 2 0 2
           |-- 10.77.0.12
              /32 host LOCAL
           |-- 10.77.0.100
              /32 {how}
           |-- 10.77.0.1
              /32 link UNICAST
"""


@pytest.mark.parametrize(
    ("how", "address", "local"),
    [
        ("host LOCAL", "10.77.0.100", True),
        ("link BROADCAST", "10.77.0.100", False),
        ("host LOCAL", "10.77.0.1", False),
        ("host LOCAL", "10.77.0.10", False),
    ],
)
def test_an_address_is_found_in_the_kernels_table(how: str, address: str, local: bool) -> None:
    assert is_local(TABLE.format(how=how), address) is local


A, B = "10.77.0.100", "10.77.0.101"


@pytest.mark.parametrize(
    ("first", "then", "apart", "held"),
    [
        ({A}, {A}, EVERY, {A}),
        ({A, B}, {B, A}, EVERY, {A, B}),
        ({A}, set(), EVERY, set()),  # when it went is not known: not even at the first look's end
        (set(), {A}, EVERY, set()),
        ({A}, {B}, EVERY, set()),
        ({A}, {A}, CLOSE + 0.1, set()),  # it may have been elsewhere meanwhile
    ],
)
def test_an_address_was_there_between_two_looks_that_found_it(
    first: set[str], then: set[str], apart: float, held: set[str]
) -> None:
    one, other = Look(10.0, 10.001, frozenset(first)), Look(10.001 + apart, 10.002 + apart, frozenset(then))
    assert list(held_between(one, other)) == [(address, 10.001, 10.001 + apart) for address in sorted(held)]


def test_two_nodes_that_have_an_address_in_turn_do_not_have_it_at_once() -> None:
    """However close the turns; and those that have it at once for the time of two looks are found, whoever looks first."""

    def samples(node: str, begin: float, end: float, first: float) -> list[Sample]:
        at = [first + EVERY * turn for turn in range(100)]
        looks = [Look(now, now + 0.001, frozenset({A} if begin <= now < end else ())) for now in at]
        return [
            Sample(node, begun, ended, True)
            for before, now in zip(looks, looks[1:])
            for _, begun, ended in held_between(before, now)
        ]

    for shift in (0.0, 0.013, 0.019):
        left = samples("n1", 0.0, 1.0, 0.0)
        assert not pairs([*left, *samples("n2", 1.0, 2.0, shift)])
        assert pairs([*left, *samples("n2", 1.0 - 4 * EVERY, 2.0, shift)])
