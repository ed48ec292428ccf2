"""A story of events of brokers, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backstay_lab.explorer.rabbitmq.world import RECORD, Rabbitmq
from backstay_lab.explorer.search import replay
from backstay_lab.explorer.sentence import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

# Events by the beginning of their name; the longest that fits.
_WORDS = {
    "start": "the start of {node} begins: it says what it has, and looks",
    "look": "{node} looks at the record, and at what others say",
    "look-impatient": "{node} looks, and waits no longer for who says nothing",
    "hear": "{node} hears who was up last",
    "record": "{node} writes the record",
    "record-changed": "{node} would write the record, and somebody else has changed it",
    "record-refused": "{node} writes the record: refused",
    "record-unanswered": "{node} writes the record: it is written, and the answer is lost",
    "record-late": "{node} writes the record: no answer, and it is not written yet",
    "record-without-quorum": "{node} cannot write the record, without quorum",
    "late-write": "the write that was late is done",
    "begin": "RabbitMQ on {node} begins a cluster",
    "join": "RabbitMQ on {node} joins",
    "join-refused": "RabbitMQ on {node} may not join: the others have it as a member already",
    "stand-alone": "RabbitMQ on {node} joins nobody, and begins a cluster",
    "boot": "RabbitMQ on {node} boots with its data",
    "boot-refused": "RabbitMQ on {node} does not boot: the others do not have it as a member",
    "let-in": "the broker of {node} lets clients in",
    "end": "{node} ends its broker",
    "put_aside": "{node} puts its data aside",
    "compare": "the monitor of {node} compares its members with the record",
    "tell": "the monitor of {node} says once more what it has",
    "promote": "{node} is promoted",
    "keep": "{node} begins to keep the record of members",
    "forget": "{node} has its cluster forget a member",
    "stop": "the broker of {node} is stopped",
    "kill": "the broker of {node} is killed",
    "abort": "what the agent does on {node} is aborted",
    "lose": "node {node} is cut off",
    "fence": "node {node} is fenced",
    "leave": "the cluster software of {node} is stopped in maintenance: its broker runs on",
    "back": "node {node} is in the cluster again",
    "remove": "the admin names {node} in removed",
    "take-back": "the admin takes {node} out of removed",
    "rename": "the admin renames the data of {node}",
    "clean-up": "the admin has {node} started again",
}


def words(event: str) -> str:
    return sentence(event, _WORDS)


def told(world: Rabbitmq, story: Sequence[str]) -> list[str]:
    """One line an event; with the record where it changes. Raises NoSuchEvent."""
    lines = []
    before = world.begin()
    for number, (event, state) in enumerate(replay(world, story), 1):
        more = f": on record: {world.recorded(state)}" if state[RECORD] != before[RECORD] else ""
        lines.append(f"{number:3}. {words(event)}{more}")
        before = state
    return lines
