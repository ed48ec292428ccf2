"""What a row of looks at a daemon comes to. Pure: the watcher looks, and does what comes out.

| finding | when                                       | then                | why                                             |
|---------|--------------------------------------------|---------------------|-------------------------------------------------|
| OK      | it answered, whatever it said              | look in a second    | what it said is for the monitor to judge        |
| UNSURE  | no answer, for the first time              | look again at once, | a connection may be stuck while the daemon      |
|         |                                            | on a new connection | serves the others                               |
| SILENT  | nor on the new connection                  | tell the cluster,   | it lives and does not serve                     |
|         |                                            | once                |                                                 |
| UNKNOWN | it refuses us, has no room, nothing        | look in a second    | unknown is not dead: the monitor decides        |
|         | listens                                    |                     |                                                 |
| STARVED | no answer, in a look that ended well after | begin anew, at once | who does not get the processor in time (load, a |
|         | its deadline                               |                     | stopped process, a paused machine) cannot say   |
|         |                                            |                     | of another that it should have answered         |
"""

from enum import Enum

LATE = 0.25  # seconds after its deadline from which on a look counts as starved


class Finding(Enum):
    OK = "ok"
    UNSURE = "unsure"
    SILENT = "silent"
    UNKNOWN = "unknown"
    STARVED = "starved"


class Heard(Enum):
    """What one look heard."""

    ANSWER = "answer"
    NOTHING = "nothing"
    UNCLEAR = "unclear"


def judge(heard: Heard, late: float, before: Finding) -> Finding:
    """late: seconds after its deadline at which the look ended, 0 or less when in time. before: the last finding."""
    if heard is Heard.ANSWER:
        return Finding.OK
    if heard is Heard.UNCLEAR:
        return Finding.UNKNOWN
    if late > LATE:
        return Finding.STARVED
    return Finding.SILENT if before in (Finding.UNSURE, Finding.SILENT) else Finding.UNSURE
