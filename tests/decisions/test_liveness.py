"""What a row of looks at a daemon comes to."""

from __future__ import annotations

import pytest

from backstay.watch.liveness import LATE, Finding, Heard, judge

ANSWER, NOTHING, UNCLEAR = Heard.ANSWER, Heard.NOTHING, Heard.UNCLEAR


def row(*looks: tuple[Heard, float]) -> list[str]:
    finding, found = Finding.OK, []
    for heard, late in looks:
        finding = judge(heard, late, finding)
        found.append(finding.value)
    return found


@pytest.mark.parametrize(
    ("looks", "findings"),
    [
        ([(ANSWER, -1.0)], ["ok"]),
        ([(NOTHING, 0.0), (NOTHING, 0.0), (NOTHING, 0.0)], ["unsure", "silent", "silent"]),
        # the second look is on a new connection: one that is answered clears the daemon
        ([(NOTHING, 0.0), (ANSWER, -0.5), (NOTHING, 0.0)], ["unsure", "ok", "unsure"]),
        # whoever was itself stopped or starved begins anew
        ([(NOTHING, LATE * 2), (NOTHING, 0.0), (NOTHING, 0.0)], ["starved", "unsure", "silent"]),
        ([(NOTHING, 0.0), (NOTHING, LATE * 2), (NOTHING, 0.0)], ["unsure", "starved", "unsure"]),
        ([(NOTHING, LATE * 2)] * 50, ["starved"] * 50),
        # a late answer is an answer
        ([(NOTHING, 0.0), (ANSWER, LATE * 9)], ["unsure", "ok"]),
        # unknown is not dead, and no step towards it
        ([(UNCLEAR, 0.0)] * 5, ["unknown"] * 5),
        ([(NOTHING, 0.0), (UNCLEAR, 0.0), (NOTHING, 0.0)], ["unsure", "unknown", "unsure"]),
        ([(NOTHING, 0.0), (NOTHING, 0.0), (ANSWER, -1.0), (NOTHING, 0.0)], ["unsure", "silent", "ok", "unsure"]),
    ],
)
def test_silence_takes_two_looks_in_time(looks: list[tuple[Heard, float]], findings: list[str]) -> None:
    assert row(*looks) == findings
