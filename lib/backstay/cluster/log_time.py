"""The times in the logs of Pacemaker and Corosync. They are wall-clock times to 4 ms (written with the kernel's coarse
clock), and have no year. Pure."""

from __future__ import annotations

import re
import time

_STAMP = re.compile(r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?P<fraction>\.\d+)? ")


def moment(line: str, near: float) -> float | None:
    """The wall-clock time of a log line, None when it has none. The missing year is that of `near`."""
    stamp = _STAMP.match(line)
    if stamp is None:
        return None
    text = line[:15]
    year = time.localtime(near).tm_year
    seconds = time.mktime(time.strptime(f"{year} {text}", "%Y %b %d %H:%M:%S"))
    return seconds + float(stamp["fraction"] or 0)
