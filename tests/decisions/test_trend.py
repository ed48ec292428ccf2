"""What is flat and what is not: planted leaks are found, each in readings with noise, restarts, spikes and a warm-up; those alone
are none."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from backstay.host.deadline import Deadline, poll
from backstay_lab.campaign.observers import Watch
from backstay_lab.campaign.series import told
from backstay_lab.checkers import leaks
from backstay_lab.checkers.leaks import BOUNDS, DISK, HELPER, RESOURCE, Reading, Trend, trends, unflat

EVERY = 5.0
MEMORY = "memory, MiB"
TEN_MINUTES, TWO_HOURS = 600.0, 7200.0


def readings(
    seconds: float = TEN_MINUTES,
    level: float = 20.0,
    rate: float = 0.0,
    noise: float = 0.0,
    lives: int = 1,
    step: float = 0.0,
    steps_every: float = 120.0,
    since: float = 0.0,
    kind: str = HELPER,
    measure: str = MEMORY,
    name: str = "watch(mysql)",
) -> list[Reading]:
    """Of one series. rate: a leak, in units an hour, from `since` seconds on. step: what each of the steps adds. Each life begins
    at `level` again, ten units above or below."""
    chance = Random(f"{seconds} {rate} {noise} {lives} {step}")  # noqa: S311  the same every time
    found = []
    for number in range(int(seconds / EVERY)):
        at = number * EVERY
        life = int(at * lives / seconds)
        born = life * seconds / lives
        leaked = rate / 3600 * max(0.0, at - max(born, since))
        leaked += step * (int(at / steps_every) - int(born / steps_every))
        value = level + 10 * (life % 3 - 1) * (lives > 1) + leaked + chance.uniform(-noise, noise)
        found.append(Reading("n1", kind, name, measure, str(life), 1000.0 + at, value))
    return found


def only(found: list[Reading]) -> Trend:
    [one] = trends(found)
    return one


FLAT = {
    "nothing changes": readings(),
    "noise": readings(noise=3.0),
    "restarts, each at another level": readings(lives=3, noise=0.5),
    "many restarts in two hours": readings(TWO_HOURS, lives=30, noise=0.5),
    "one step that stays, in the middle": readings(step=15.0, steps_every=300.0),
    "a leak below what is allowed": readings(rate=6.0),  # 1 MiB in ten minutes
    "it shrinks": readings(rate=-60.0),
    "a warm-up of a minute": [
        one._replace(value=one.value - max(0.0, 60.0 - (one.at - 1000.0)) / 4) for one in readings()
    ],
    "spikes, whenever something fails over": [
        one._replace(value=one.value + 100.0 * ((one.at - 1000.0) % 120.0 < 15.0)) for one in readings(noise=0.5)
    ],
}
LEAKS = {
    "steady": readings(rate=30.0),
    "steady, in noise": readings(rate=60.0, noise=3.0),
    "small, in two hours": readings(TWO_HOURS, rate=3.0, noise=1.0),
    "with every fault": readings(step=1.5),
    "a descriptor with every fault": readings(step=1.0, level=12.0, measure="descriptors"),
    "hidden by restarts": readings(rate=60.0, lives=3, noise=0.5),
    "hidden by many restarts": readings(TWO_HOURS, rate=60.0, lives=30, noise=0.5),
    "in the second half alone": readings(rate=60.0, since=240.0),
    "beside a spike": [
        one._replace(value=one.value + 80.0 * (1250.0 <= one.at < 1265.0)) for one in readings(rate=60.0, noise=0.5)
    ],
    "watchers that stay behind": readings(step=1.0, level=1.0, measure="processes"),
    "files in /run": readings(rate=60.0, level=9.0, kind=RESOURCE, measure="state files", name="mysql"),
    "logs that are written ever faster": readings(
        TWO_HOURS, rate=120.0, level=30.0, kind=DISK, measure="logged, KiB/min"
    ),
}


@pytest.mark.parametrize("what", FLAT)
def test_this_is_flat(what: str) -> None:
    one = only(FLAT[what])
    assert one.flat is True, str(one)


@pytest.mark.parametrize("what", LEAKS)
def test_a_planted_leak_is_found(what: str) -> None:
    one = only(LEAKS[what])
    assert one.flat is False, str(one)
    assert str(one) in unflat([one])


@pytest.mark.parametrize("bound", BOUNDS)
def test_every_measure_has_a_bound_that_a_leak_breaks(bound: tuple[str, str]) -> None:
    kind, measure = bound
    enough = 4 * BOUNDS[bound].least / TEN_MINUTES * 3600
    assert only(readings(kind=kind, measure=measure, level=1.0)).flat is True
    assert only(readings(kind=kind, measure=measure, level=1.0, rate=enough)).flat is False


def test_growth_is_told_in_the_measures_unit_over_the_time_that_was_watched() -> None:
    one = only(readings(rate=36.0))
    assert one.seconds == pytest.approx(TEN_MINUTES - leaks.WARM, abs=2 * leaks.PIECE)
    assert one.growth == pytest.approx(0.01 * one.seconds, rel=0.1)  # less the largest rise
    assert one.level == pytest.approx(26.0, abs=0.2)


@pytest.mark.parametrize("found", [readings(150.0), readings(TEN_MINUTES, rate=600.0, lives=8)])
def test_what_was_watched_too_short_is_not_called_flat(found: list[Reading]) -> None:
    assert only(found).flat is None
    assert "memory, MiB of every helper: watched too short" in unflat(trends(found))


def test_a_measure_that_nobody_watched_is_not_called_flat() -> None:
    assert len(unflat([])) == len(BOUNDS)


def test_the_series_of_nodes_and_names_are_told_apart() -> None:
    leak = [one._replace(node="n2") for one in readings(rate=60.0)]
    other = [one._replace(name="watch(mysql-writer)", value=one.value + 50) for one in readings()]
    found = trends([*readings(), *leak, *other])
    assert [(one.node, one.name, one.flat) for one in found] == [
        ("n1", "watch(mysql)", True),
        ("n1", "watch(mysql-writer)", True),
        ("n2", "watch(mysql)", False),
    ]


def test_the_end_of_a_soak_tells_where_it_grew_most_and_what_is_not_flat() -> None:
    leak = [one._replace(node="n2") for one in readings(rate=60.0)]
    lines = told(trends([*readings(), *leak]))
    assert [line for line in lines if line.startswith("watch(mysql), memory, MiB on n2")]
    assert not [line for line in lines if "on n1" in line]
    assert lines[2].startswith("not flat: watch(mysql) on n2, memory, MiB")
    assert len(lines) == 3 + len(BOUNDS) - 1  # nobody watched the other measures


class Counting(Watch):
    seen, ended = 0, -1

    def look(self) -> None:
        self.seen += 1

    def end(self) -> None:
        self.ended = self.seen


class Failing(Counting):
    def look(self) -> None:
        raise OSError("no more room")


def test_what_ends_a_watch_early_is_not_lost(tmp_path: Path) -> None:
    watch = Failing(str(tmp_path), 0.001)
    with pytest.raises(OSError, match="no more room"), watch:
        pass
    assert watch.ended == 0


def test_a_watch_looks_until_the_end_of_the_block(tmp_path: Path) -> None:
    with Counting(str(tmp_path / "new"), 0.001) as watch:
        poll(lambda: watch.seen > 2, Deadline(5), "looks")
        assert watch.ended == -1
    assert watch.ended == watch.seen
    assert (tmp_path / "new").is_dir()
