"""Every wait has a deadline. A Deadline is made once per action and handed down; nothing waits without one."""

import time

from backstay.ocf.errors import TimedOut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Optional, TypeVar

    T = TypeVar("T")


class Deadline:
    """A point on the monotonic clock, `seconds` from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - time.monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining() <= 0

    def within(self, seconds: float) -> "Deadline":
        """A deadline `seconds` from now, or this one if that is sooner."""
        return Deadline(min(seconds, self.remaining()))


def poll(question: "Callable[[], Optional[T]]", deadline: Deadline, what: str, interval: float = 0.05) -> "T":
    """Ask until the answer is neither None nor False, and return it.

    `what` completes "timed out waiting for …". Raises TimedOut. The question is asked at least once.
    """
    while True:
        answer = question()
        if answer is not None and answer is not False:
            return answer
        if deadline.expired:
            raise TimedOut(f"timed out waiting for {what}")
        time.sleep(min(interval, deadline.remaining()))
