"""What a promotable instance publishes when it is not as wanted."""

import pytest

from backstay.agent.degraded import WELL, Standing


def test_each_level_speaks_for_itself_and_the_attribute_for_all() -> None:
    standing = Standing({}).found(0, "an alarm").found(10, "two queues have one copy")
    assert standing.published == "an alarm; two queues have one copy"
    assert standing.found(10, "").published == "an alarm"
    assert standing.found(0, "").found(10, "").published == WELL
    assert standing.found(10, "an alarm").published == "an alarm"  # seen twice, said once


def test_a_reason_that_only_counts_on_is_not_published_again() -> None:
    standing = Standing({}).found(0, "12 s behind")
    assert standing.found(0, "17 s behind").published == "12 s behind"
    assert standing.found(0, "17 s behind n3, stopped").published == "17 s behind n3, stopped"


@pytest.mark.parametrize("reason", ["plain", "two\nlines  and   spaces", "quotes ' \" and = signs", "ü" * 300])
def test_what_is_noted_is_read_again(reason: str) -> None:
    standing = Standing({}).found(10, reason).found(0, "other")
    again = Standing.parse(str(standing))
    assert again.reasons == standing.reasons
    assert "\n" not in again.published and len(again.published) <= 120


@pytest.mark.parametrize("text", ["", "\n", "0", "10 ", "\x00"])
def test_a_note_that_says_nothing_is_no_reason(text: str) -> None:
    assert Standing.parse(text).published == WELL
