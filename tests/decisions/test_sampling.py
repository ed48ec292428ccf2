"""Two writable servers are seen however their time meets the samples; what was not looked at is told."""

from __future__ import annotations

from random import Random

import pytest

from backstay_lab.checkers import sampling, writes
from backstay_lab.checkers.history import Sample, parse_samples
from backstay_lab.checkers.sampling import CLOSE, HOLE, Hole, Reached, Span
from backstay_lab.clients.sampler import WRITABLE, Garbled, answer

TOGETHER = 0.1  # seconds in which both are writable
WINDOWS = 60


def asked(
    chance: Random, node: str, begin: float, end: float, every: float = 0.02, length: float = 2.0
) -> list[Sample]:
    """What a sampler finds of a server that is writable from `begin` to `end`: a question each `every` seconds from some moment
    on, an answer a millisecond or two later, true at some instant between."""
    found, at = [], chance.uniform(0.0, every)
    while at < length:
        ended = at + chance.uniform(0.0002, 0.002)
        found.append(Sample(node, at, ended, begin <= chance.uniform(at, ended) < end))
        at += every
    return found


@pytest.mark.parametrize("seed", range(5))
def test_two_servers_that_are_writable_for_100_ms_are_seen_in_60_of_60_windows(seed: int) -> None:
    chance = Random(seed)  # noqa: S311  chance that repeats is the point
    seen = 0
    for _ in range(WINDOWS):
        opened = chance.uniform(0.5, 1.0)
        samples = asked(chance, "n1", 0.0, opened + TOGETHER) + asked(chance, "n2", opened, 2.0)
        seen += len(sampling.both_writable(samples))  # once each
    assert seen == WINDOWS


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.3])
def test_a_handover_however_fast_is_none(gap: float) -> None:
    """The one is read-only before the other is writable, though samples of both lie close together."""
    chance = Random(7)  # noqa: S311  as above
    for _ in range(WINDOWS):
        closed = chance.uniform(0.5, 1.0)
        samples = asked(chance, "n1", 0.0, closed) + asked(chance, "n2", closed + 0.004 + gap, 2.0)
        assert not sampling.both_writable(samples)


def test_holes_just_below_the_bound_hide_no_window() -> None:
    """However they lie: one server is not asked around the beginning of the window, the other around its end."""
    for early in range(0, 100, 5):
        for late in range(0, 100, 5):
            times = [number / 200 for number in range(400)]
            first = [at for at in times if not (1.1 - HOLE + 0.001 < at + early / 1000 <= 1.1)]
            other = [at for at in times if not (1.0 <= at + late / 1000 < 1.0 + HOLE - 0.001)]
            samples = [Sample("n1", at, at + 0.0005, at < 1.1) for at in first]
            samples += [Sample("n2", at, at + 0.0005, at >= 1.0) for at in other]
            if not sampling.holes(samples, ["n1", "n2"]):
                assert sampling.both_writable(samples)


def test_a_server_is_writable_between_two_close_samples_and_not_beyond() -> None:
    def spans(*found: tuple[float, bool | None]) -> list[Span]:
        return sampling.spans([Sample("n1", at, at + 0.001, writable) for at, writable in found])

    assert spans((1.0, True), (1.02, True)) == [Span("n1", 1.0, 1.021)]
    assert spans((1.0, True), (1.02, None), (1.3, True)) == [Span("n1", 1.0, 1.301)]  # not reached, and not ended
    assert len(spans((1.0, True), (1.02, False), (1.04, True))) == 2
    assert len(spans((1.0, True), (1.01 + CLOSE, True))) == 2
    assert spans((1.0, None), (1.02, False)) == []


def test_a_hole_in_the_samples_is_told() -> None:
    every = [Sample("n1", number / 50, number / 50 + 0.001, False) for number in range(100)]
    other = [one._replace(node="n2") for one in every]
    assert not sampling.holes(every + other, ["n1", "n2"])
    missing = [one for one in other if not 1.0 < one.begun < 1.2]
    [hole] = sampling.holes(every + missing, ["n1", "n2"])
    assert (hole.node, hole.begun, hole.ended) == ("n2", 1.001, 1.2)
    assert "nobody asked n2 for 0.199 s" in str(hole)
    assert not sampling.holes(every + missing, ["n1"])
    assert [hole.node for hole in sampling.holes(every, ["n1", "n2"])] == ["n2"]  # never asked
    assert [hole.node for hole in sampling.holes(every + other[:60], ["n1", "n2"])] == ["n2"]  # not until the end
    assert [hole.node for hole in sampling.holes(every + other[40:], ["n1", "n2"])] == ["n2"]  # not from the beginning
    assert [hole.node for hole in sampling.holes([], ["n1"])] == ["n1"]


def test_who_was_asked_and_did_not_answer_leaves_no_hole_but_who_did_not_ask_does() -> None:
    before, after = Sample("n1", 1.0, 1.001, True), Sample("n1", 1.32, 1.321, False)
    assert not sampling.holes([before, Sample("n1", 1.015, 1.315, None), after], ["n1"])
    assert not sampling.holes([before, Sample("n1", 1.015, 1.315, True), after], ["n1"])  # late: told as an interval
    [hole] = sampling.holes([before, Sample("n1", 1.015, 1.315, True, 0.2), after], ["n1"])
    assert (hole.node, round(hole.begun, 3), hole.ended) == ("n1", 1.115, 1.315)


def test_the_interval_that_was_reached_is_that_of_servers_that_answer() -> None:
    times = [number * 0.02 for number in range(100)]
    samples = [Sample("n1", at, at + 0.001, False) for at in times] + [Sample("n2", 0.0, 0.3, None)]
    assert sampling.reached(samples) == Reached(101, pytest.approx(0.02), pytest.approx(0.02))
    slow = sampling.reached([*samples, Sample("n1", 2.2, 2.3, False)])
    assert (slow.usual, slow.longest) == (pytest.approx(0.02), pytest.approx(0.22))
    assert str(slow) == "sampled every 20 ms, at most 220"
    assert str(sampling.reached([])) == "no server was sampled"


def test_holes_and_two_writable_servers_make_a_verdict_unclean() -> None:
    samples = [Sample("n1", number / 50, number / 50 + 0.001, True) for number in range(100)]
    assert writes.judge([], samples, [], 0, ["n1"]).clean
    assert not writes.judge([], samples, [], 0, ["n1", "n2"]).clean
    assert not writes.judge([], samples[:20] + samples[40:], [], 0, ["n1"]).clean
    both = writes.judge([], [*samples, Sample("n2", 0.5, 0.501, True)], [], 0)
    assert len(both.both_writable) == 1 and not both.clean


def packet(content: bytes, number: int = 1) -> bytes:
    return len(content).to_bytes(3, "little") + bytes([number]) + content


def said(value: bytes) -> bytes:
    """A server's answer to the question, as MariaDB 10.11 sends it."""
    column = b"\x03def\x00\x00\x00\x12@@global.read_only\x00\x0c\x3f\x00\x01\x00\x00\x00\x08\x80\x00\x00\x00\x00"
    end = b"\xfe\x00\x00\x02\x00"
    parts = [b"\x01", column, end, bytes([len(value)]) + value, end]
    return b"".join(packet(part, number) for number, part in enumerate(parts, 1))


def test_an_answer_is_read_once_it_is_whole() -> None:
    for value in (b"0", b"OFF", b"1", b"ON", b"NO_LOCK", b"NO_LOCK_NO_ADMIN"):
        whole = said(value)
        assert answer(whole) is (value in WRITABLE)
        assert {answer(whole[:size]) for size in range(len(whole))} == {None}
    with pytest.raises(Garbled):
        answer(packet(b"\xff\x87\x07#70100Connection was killed"))


def test_samples_are_read_with_and_without_what_the_sampler_missed() -> None:
    lines = [
        '{"node": "n1", "begun": 1.0, "ended": 1.1, "writable": true, "blind": 0.09}',
        '{"node": "n1", "begun": 1.2, "ended": 1.3, "writable": null}',
    ]
    assert parse_samples(lines) == [Sample("n1", 1.0, 1.1, True, 0.09), Sample("n1", 1.2, 1.3, None)]
    begun = [one.begun for one in parse_samples(lines)]
    assert begun == sorted(set(begun))
    assert isinstance(Hole("n1", 1.0, 1.1), tuple)
