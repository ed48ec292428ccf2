"""As services/rabbitmq/mirror_policy.py chose a remedy before its table was executed."""

from __future__ import annotations

from collections.abc import Iterable

from backstay.services.rabbitmq.mirror_policy import (
    _RENEW_AFTER,
    ADD,
    BEHIND,
    GONE,
    IDLE,
    RENEW,
    REPLACE,
    SYNCHRONISE,
    SYNCHRONISING,
    WAIT,
)


def remedy(states: Iterable[str], wanted: int, leader: str, tries: int) -> str:
    """The table above. states: of the recorded mirrors. tries: so far."""
    states = list(states)
    if GONE in states:
        return REPLACE
    if leader == SYNCHRONISING:
        return WAIT
    if len(states) < wanted:
        return ADD
    if BEHIND not in states:
        return WAIT
    return RENEW if tries >= _RENEW_AFTER and leader == IDLE else SYNCHRONISE
