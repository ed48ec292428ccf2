"""Mirrored queues that stay short of synchronised copies: the promoted node's monitor at level 10 finds them and puts them
right.

The metadata are on every node. So one scan of the local table finds the queues of all nodes, and asks no other node. A
monitor looks only at queues that are short, and only at a limited number: a thousand queues must not make it late.
"""

from __future__ import annotations

import time

from backstay.host.deadline import poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.rabbitmq import mirror_policy
from backstay.services.rabbitmq.context import SHORT
from backstay.services.rabbitmq.distribution import CallFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.rabbitmq.context import RabbitmqContext
    from backstay.services.rabbitmq.dialects.base import Dialect
    from backstay.services.rabbitmq.distribution import Node
    from backstay.services.rabbitmq.mirror_policy import Mirror, Short
    from backstay.services.rabbitmq.observation import Seen

_LOOKED_AT = 1000  # queues in one monitor
_TREATED = 100
_NAMED = 3  # in a line of the log
_DROPPED = 1.0  # seconds for a mirror that is dropped to end
_DONE = {
    mirror_policy.REPLACE: "a recorded mirror was gone, another is added",
    mirror_policy.ADD: "a mirror was missing, RabbitMQ is told to add it",
    mirror_policy.SYNCHRONISE: "a mirror was not synchronised, RabbitMQ is told to",
    mirror_policy.RENEW: "a mirror was not to be synchronised, it is dropped and added anew",
}


def attend(context: RabbitmqContext, node: Node, dialect: Dialect, seen: Seen) -> list[str]:
    """What an admin should know. What the broker cannot say is left for the next monitor."""
    if seen.partitions or not seen.running:
        return []
    node.deadline = context.deadline.within(context.parameters.probe_timeout)
    try:
        return _attend(context, node, dialect, seen)
    except AgentError as error:
        context.log.info(f"not looked for queues that are short of copies: {error}")
        return []


def _attend(context: RabbitmqContext, node: Node, dialect: Dialect, seen: Seen) -> list[str]:
    found = dialect.short_of_mirrors(node, seen.running, _LOOKED_AT)
    if not found:
        context.state.remove(SHORT)
        return []
    now = time.monotonic()
    notes = mirror_policy.Notes.parse(context.state.read(SHORT)).after(
        seen.running, (short.key for short in found), now
    )
    # A leader that synchronises takes nothing until the last alarm is over: no consumer could bring that about.
    held = "not synchronised during an alarm" if dialect.any_alarm(node) else ""
    due = [] if held else notes.due(now)[:_TREATED]
    by_key = {short.key: short for short in found}
    done: dict[str, list[str]] = {}
    for key in due:
        if node.deadline.expired:
            break
        try:
            what = _treat(context, node, dialect, by_key[key], notes.queues[key].tries)
        except CallFailed as error:
            what = mirror_policy.WAIT  # deleted meanwhile, or without a leader; else it has its turn again
            context.log.info(f"queue {by_key[key].queue} in {by_key[key].vhost}: {error}")
        except AgentError as error:
            context.log.info(f"the next monitor goes on with queues that are short of copies: {error}")
            break
        notes = notes.tried(key, what, now)
        done.setdefault(what, []).append(f"{by_key[key].queue} in {by_key[key].vhost}")
    context.state.write(SHORT, str(notes))
    for what, names in done.items():
        if what in _DONE:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            context.log.notice(f"{_DONE[what]}: {', '.join(names[:_NAMED])}{more}")
    said = mirror_policy.reason(found, notes, now, held)
    return [said] if said else []


def _treat(context: RabbitmqContext, node: Node, dialect: Dialect, short: Short, tries: int) -> str:
    """Help one queue; how. Raises AgentError."""
    leader = mirror_policy.doing(dialect.stack(node, short.leader))
    states = {
        mirror: mirror_policy.SYNCHRONISED if mirror.synchronised else dialect.mirror_state(node, mirror.pid)
        for mirror in short.mirrors
    }
    what = mirror_policy.remedy(states.values(), short.wanted, leader, tries)
    if what == mirror_policy.REPLACE:
        dialect.add_mirrors(
            node, short, [mirror.node for mirror, state in states.items() if state == mirror_policy.GONE]
        )
    elif what in (mirror_policy.ADD, mirror_policy.SYNCHRONISE):
        dialect.update_mirrors(node, short)
    elif what == mirror_policy.RENEW:
        for mirror in (mirror for mirror, state in states.items() if state == mirror_policy.BEHIND):
            _renew(context, node, dialect, short, mirror)
    return what


def _renew(context: RabbitmqContext, node: Node, dialect: Dialect, short: Short, mirror: Mirror) -> None:
    """Drop a mirror, and add another in its place; one that is added while the old one lives ends at once."""
    dialect.drop_mirror(node, mirror.pid)
    try:
        poll(
            lambda: dialect.mirror_state(node, mirror.pid) == mirror_policy.GONE,
            node.deadline.within(_DROPPED),
            f"the mirror of {short.queue} in {short.vhost} on {mirror.node} to end",
        )
    except TimedOut as error:
        context.log.info(f"{error}: a later monitor adds another")
        return
    dialect.add_mirrors(node, short, [mirror.node])
