"""The explorer's model and real servers, in a chamber. It prints how each ended, and fails where it should not have.

python3 explorer_lies.py FIRST COUNT EVENTS    schedules of so many events by their seeds: both must agree
python3 explorer_lies.py LIE                   a story, in which a model that lies must be found out
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from backstay.services.mysql.agent import Mysql as MysqlAgent
from backstay_lab.explorer.mysql import real
from backstay_lab.explorer.mysql.real import Disagreement, Real
from backstay_lab.explorer.mysql.story import told
from backstay_lab.explorer.mysql.world import (
    ACKNOWLEDGED,
    APPLIED,
    FOLLOWS,
    GIVES,
    OPEN,
    RECEIVED,
    SERVERS,
    SOURCE,
    WRITERS,
    Bounds,
    Mysql,
    bits,
)


class Unwatched(MysqlAgent):
    """The agent without its watcher."""

    def _watch(self, running: Any, anew: bool = False) -> None:
        return


KINDS = frozenset(("kill", "cut", "abort", "leave", "record", "halt", "restart", "mute-acks", "close"))


def bounds(seed: int) -> Bounds:
    return Bounds(
        commits=5, faults=5, promotions=3, kinds=KINDS, hands=seed % 2 == 0, degrade=seed % 3 == 0, alone=seed % 5 == 4
    )


class SentIsAcknowledged(Mysql):
    """A commit is acknowledged once it is sent to one that acknowledges, before that has it on disk."""

    @staticmethod
    def _with(servers: Any, state: Any, record: int = -1, promoted: int = -2, fault: int = 0) -> Any:
        after = list(Mysql._with(servers, state, record, promoted, fault))
        for number, server in enumerate(servers):
            if server[OPEN] and any(one[SOURCE] == number + 1 and one[GIVES] for one in servers):
                after[ACKNOWLEDGED] |= server[APPLIED]
        return tuple(after)


class RelayLogLost(Mysql):
    """What is in a relay log alone dies with the server, so a replica acknowledges what is not durable."""

    def _die(self, state: Any, number: int, node: int = -1, fault: int = 0) -> Any:
        after = super()._die(state, number, node, fault)
        return self._put(after, number, {RECEIVED: after[SERVERS][number][APPLIED]})


class RelayLogKept(Mysql):
    """Both threads are stopped and started, and the relay log is kept."""

    def _restarted(self, state: Any, number: int) -> Any:
        return self._put(state, number, {}, fault=1)


class OnlyItsOwnRows(Mysql):
    """A crash undoes only what a server wrote itself."""

    def _roll_back(self, state: Any, number: int, found: list[tuple[str, Any]]) -> None:
        own = sum(1 << row for row in bits(state[SERVERS][number][APPLIED]) if state[WRITERS][row] == number)
        if own and not state[SERVERS][number][FOLLOWS]:
            super()._roll_back(state, number, found)


class Lie(NamedTuple):
    """With a story that is true in the model as it is, and in which the other is found out."""

    world: type[Mysql]
    story: str


PROMOTED = "promote:{0} read:{0} members:{0} ask:{0} record:{0} open:{0}"
# Two groups of commits wait when a replica joins: docs/decisions/0024.
FAILOVER = (
    "commit:n1 receive:n2 kill:n1 " + PROMOTED.format("n2") + " commit:n2 commit:n2 start:n1 join:n1"
    " connect:n3 receive:n3 receive:n3 receive:n3"
)
LIES = {
    "sent is acknowledged": Lie(SentIsAcknowledged, "commit:n1 receive:n2"),
    "a relay log is lost": Lie(RelayLogLost, "commit:n1 receive:n2 kill:n2 start:n2"),
    "a relay log is kept": Lie(RelayLogKept, "commit:n1 receive:n2 restart:n2 receive:n2"),
    "only its own rows": Lie(
        OnlyItsOwnRows,
        "commit:n1 receive:n2 receive:n3 kill:n1 " + PROMOTED.format("n2") + " kill:n2 "
        "promote:n3 read:n3 members:n3 ask:n3 record:n3 start:n2",
    ),
}


def schedule(seed: int, events: int) -> bool:
    world = Mysql(bounds=bounds(seed))
    done: list[str] = []
    servers = Real(world, seed, Unwatched)
    try:
        servers.begin()
        for name in servers.run(events):
            done.append(name)  # before it is done: the story ends with the one after which they disagree
    except Disagreement as found:
        print(f"seed {seed} disagrees: {found}", *told(world, done), sep="\n", flush=True)
        return False
    finally:
        servers.end()
    print(f"seed {seed} agrees: {' '.join(done)}", flush=True)
    return True


def tell(name: str, world: Mysql, story: str) -> bool:
    """Whether the servers agree to the end."""
    servers = Real(world, 1, Unwatched)
    try:
        servers.begin()
        for event in story.split():
            servers.do(event)
    except Disagreement as found:
        print(f"{name}: {found}", flush=True)
        return False
    finally:
        servers.end()
    print(f"{name}: agrees", flush=True)
    return True


def main(arguments: list[str]) -> None:
    if len(arguments) == 3:
        first, count, events = map(int, arguments)
        raise SystemExit(sum(not schedule(seed, events) for seed in range(first, first + count)))
    real.FORGETS = 1.0
    name = arguments[0]
    if name == "failover":
        raise SystemExit(not tell(name, Mysql(bounds=Bounds(faults=1, commits=3)), FAILOVER))
    lie = LIES[name]
    limits = Bounds(faults=5, promotions=3, hands=True)
    true = tell("as it is", Mysql(bounds=limits), lie.story)
    found = not tell(name, lie.world(bounds=limits), lie.story)
    raise SystemExit(0 if true and found else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
