"""Schedules that are aimed at an order of events which chance meets seldom: a list of their own, which no seed draws. Pure."""

from __future__ import annotations

from backstay_lab.nemesis.fault import ALL, FOLLOWER, LEADER
from backstay_lab.nemesis.schedule import Injection, Schedule

CUT = 3.0  # seconds of a partition that is over before anybody needs to act
AWAY = 75.0  # seconds that a lost node stays away: whoever waits for it is seen to
DARK = 150.0  # the same, and a loss of all power before it


def _after(kind: str, target: str, lasts: float = 0.0) -> Injection:
    """At once after the one before."""
    return Injection(kind, target, 0.0, lasts, overlaps=True, after=0.5)


def _of(service: str, name: str, *injections: Injection, fresh: bool = False) -> Schedule:
    return Schedule(service, 0, injections, name, fresh)


_SCHEDULES = (
    _of("mysql", "lost-when-new", Injection("lost-when-new", LEADER, 0.0, AWAY), fresh=True),
    _of("mysql", "lost-after-blackout", Injection("lost-after-blackout", ALL, 0.0, DARK)),
    _of("mysql", "two-promotions", Injection("two-promotions", LEADER, 0.5, 0.0)),
    _of("mysql", "clean-stop", Injection("clean-stop", FOLLOWER, 0.5, 40.0)),
    _of("mysql", "first-boot", Injection("first-boot", FOLLOWER, 0.5, 0.0)),
    _of("mysql", "clock-forward", Injection("clock-forward", LEADER, 0.5, 0.0), _after("kill", LEADER)),
    _of("mysql", "clock-back", Injection("clock-back", LEADER, 0.5, 0.0), _after("kill", LEADER)),
    _of("rabbitmq", "first-boot", Injection("first-boot", FOLLOWER, 0.5, 0.0)),
    _of("rabbitmq", "clean-stop", Injection("clean-stop", FOLLOWER, 0.5, 40.0)),
    _of("rabbitmq", "blackout", Injection("blackout", "order 2 3 1", 0.5, 0.5)),
    _of("rabbitmq", "clock-forward", Injection("clock-forward", LEADER, 0.5, 0.0), _after("partition", FOLLOWER, CUT)),
    _of("rabbitmq", "clock-back", Injection("clock-back", LEADER, 0.5, 0.0), _after("partition", FOLLOWER, CUT)),
)


def aimed(service: str) -> dict[str, Schedule]:
    """Name -> schedule."""
    return {one.name: one for one in _SCHEDULES if one.service == service}
