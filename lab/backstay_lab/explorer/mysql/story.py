"""A story of events, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.explorer.mysql.values import Rows
from backstay_lab.explorer.mysql.world import ACKNOWLEDGED, RECORD, Mysql
from backstay_lab.explorer.search import replay
from backstay_lab.explorer.sentence import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

# Events by the beginning of their name; the longest that fits.
_WORDS = {
    "commit": "{node} gets a commit",
    "receive": "{node} receives the next row",
    "apply": "{node} applies what it received",
    "connect": "the receiver of {node} connects to the primary",
    "join": "the agent joins {node} to the primary",
    "acknowledge": "the agent has {node} acknowledge",
    "start": "the server of {node} starts",
    "start-without-": "the server of {node} starts, and rolls back rows",
    "kill": "the server of {node} is killed",
    "empty": "the disk of {node} is replaced by an empty one",
    "cut": "the connection of {node} to the primary is cut",
    "lose": "node {node} is lost",
    "fence": "node {node} is fenced",
    "leave": "the cluster software of {node} is stopped in maintenance: its server runs on",
    "back": "node {node} is in the cluster again",
    "abort": "what the agent does on {node} is aborted",
    "halt": "somebody stops replication on {node}",
    "restart": "somebody stops replication on {node} and starts it",
    "mute-acks": "somebody switches acknowledging off on {node}",
    "close": "somebody makes {node} read-only",
    "closed": "the monitor of {node} finds it read-only, and it is restarted",
    "promote": "promote begins on {node}",
    "deposed": "{node} finds that another was promoted",
    "repair": "{node} waits as recorded again",
    "ask-what-is-recorded": "{node} was in doubt, and asks the cluster what is on record",
    "admit": "{node} begins to admit who follows",
    "begin": "{node} begins the record's history",
    "end_solo": "{node} begins to end running alone",
    "review": "{node} begins a review",
    "read": "{node} reads the record",
    "members": "{node} asks who is in the cluster",
    "absent": "{node} asks again who is in the cluster",
    "end_of": "{node} asks how the recorded primary ended",
    "ask": "{node} asks the witnesses",
    "fetch": "{node} fetches what it lacks",
    "pause": "{node} waits for another round",
    "record": "{node} writes the record",
    "record-refused": "{node} writes the record: refused",
    "record-unanswered": "{node} writes the record: it is written, and the answer is lost",
    "record-without-quorum": "{node} cannot write the record, without quorum",
    "wait_for_acks": "{node} sets how it waits for acknowledgements",
    "stop_waiting": "{node} lets go of all commits that wait",
    "open": "{node} opens for writes",
    "overview": "{node} asks the cluster who runs",
    "which_have": "{node} asks who has everything",
    "any_has": "{node} asks whether a follower has everything",
    "one_keeps_up": "{node} asks whether one of those who stay has everything",
    "look": "{node} looks at itself",
}


def words(event: str) -> str:
    return sentence(event, _WORDS)


def told(world: Mysql, story: Sequence[str]) -> list[str]:
    """One line an event; with the record and what is acknowledged where they change. Raises NoSuchEvent."""
    lines = []
    before = world.begin()
    for number, (event, state) in enumerate(replay(world, story), 1):
        more = []
        if state[ACKNOWLEDGED] != before[ACKNOWLEDGED]:
            more.append(f"row {Rows(state[ACKNOWLEDGED] & ~before[ACKNOWLEDGED])} is acknowledged")
        if state[RECORD] != before[RECORD]:
            more.append(f"on record: {world.recorded(state)}")
        lines.append(f"{number:3}. {words(event)}{': ' if more else ''}{'; '.join(more)}")
        before = state
    return lines
