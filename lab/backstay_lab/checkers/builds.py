"""What the histories of real nova prove: the checker of the boot flow, over what nova's databases hold. Pure.

What is legitimate beyond checkers.boots
- A boot may end in error, with a reason that its caller can read.
- A server whose boot was reported as failed may be there.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from backstay_lab.checkers import boots
from backstay_lab.checkers.boots import BUILDING, ERROR, FINAL
from backstay_lab.checkers.history import Instance, Operation, parse_operations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from backstay_lab.checkers.history import Boot

NAME = "boot-"  # of a server: its number follows


class Server(NamedTuple):
    """A row of one of nova's databases. cell: cell0, where those are that found no host, cell1, or "" for a request that is
    stored and in no cell yet. state: nova's vm_state. reason: that of its last fault. task, host: "" for none."""

    id: int
    cell: str
    state: str
    host: str = ""
    task: str = ""
    reason: str = ""

    @property
    def place(self) -> str:
        """Where a boot is that has not ended."""
        if not self.cell:
            return "in no cell"
        return f"in a cell, {f'on {self.host}' if self.host else 'no host'}{f', {self.task}' if self.task else ''}"


class Builds(NamedTuple):
    """The verdict over one run. Counts and the slowest boot in seconds; then numbers of boots, of which there must be none.

    lost: accepted, and neither active nor in error. twice, unended, strange: as in boots.Boots. unexplained: in error without a
    reason. late: ended, but after its caller had given up; that is no fault. stuck: where the lost ones are, with how many.
    """

    accepted: int
    failed: int
    in_error: int
    slowest: float
    lost: Sequence[int]
    twice: Sequence[int]
    unended: Sequence[int]
    strange: Sequence[int]
    unexplained: Sequence[int]
    late: Sequence[int] = ()
    stuck: Sequence[str] = ()
    copies_differ: Sequence[str] = ()

    @property
    def clean(self) -> bool:
        return not any((self.lost, self.twice, self.unended, self.strange, self.unexplained, self.copies_differ))

    def __str__(self) -> str:
        stuck = f" ({'; '.join(self.stuck)})" if self.stuck else ""
        copies = f"; rows differ on {', '.join(self.copies_differ)}" if self.copies_differ else ""
        return (
            f"{self.accepted} boots accepted, {len(self.lost)} stay in BUILD{stuck}, {self.in_error} ended in error, "
            f"{len(self.unexplained)} of them without a reason, {len(self.late)} late, {self.failed} reported failed, "
            f"{len(self.twice)} in two final states, {len(self.unended)} without an answer, {len(self.strange)} strange, "
            f"slowest {self.slowest:.2f} s{copies}"
        )


def number_of(name: str) -> int:
    """The number of a boot by its server's name; -1 for a server that is none of ours."""
    number = name[len(NAME) :]
    return int(number) if name.startswith(NAME) and number.isdigit() else -1


def judge(asked: Sequence[Boot], servers: Sequence[Server]) -> Builds:
    """All checks over one run. servers: all rows, of all of nova's databases."""
    rows: dict[int, Server] = {}
    states: dict[int, list[str]] = {}
    for server in sorted(servers, key=lambda one: one.cell):  # a request's copy may outlive it for a moment
        rows[server.id] = server
        states.setdefault(server.id, []).extend([server.state] if server.state in FINAL else [])
    instances = [Instance(one.id, one.state if one.cell else BUILDING, tuple(states[one.id])) for one in rows.values()]
    found = boots.judge(asked, [], instances)
    accepted = {boot.id for boot in asked if boot.accepted is not None}
    explained = {boot.id for boot in asked if boot.state == ERROR and boot.error}
    explained |= {one.id for one in servers if one.reason}
    places = Counter(rows[number].place if number in rows else "nowhere" for number in found.lost)
    return Builds(
        accepted=found.accepted,
        failed=found.failed,
        in_error=sum(one.state == ERROR for one in rows.values() if one.id in accepted),
        slowest=found.slowest,
        lost=found.lost,
        twice=found.twice,
        unended=found.unended,
        strange=found.strange,
        unexplained=sorted(one.id for one in rows.values() if one.state == ERROR and one.id not in explained),
        late=sorted({*found.unseen} - {*found.lost}),
        stuck=[f"{count} {place}" for place, count in places.most_common()],
    )


def open_still(asked: Sequence[Boot], servers: Sequence[Server]) -> list[int]:
    """The accepted boots that nova has not ended."""
    ended = {one.id for one in servers if one.cell and one.state in FINAL}
    return sorted({boot.id for boot in asked if boot.accepted is not None} - ended)


def operations_of(asked: Sequence[Boot]) -> list[Operation]:
    """Requests for a boot, as operations: until nova's answer."""
    return [
        Operation(one.id, one.begun, one.accepted or one.ended, "" if one.accepted is not None else one.error)
        for one in asked
    ]


def reads_of(service: str, lines: Iterable[str]) -> list[Operation]:
    """One service's of the lines of clients.apireads."""
    records = [json.loads(line) for line in lines]
    return parse_operations(
        json.dumps({name: value for name, value in one.items() if name != "service"})
        for one in records
        if one["service"] == service
    )
