"""Which mirrored queues stay short of synchronised copies, and what is done about each. Pure.

A mirrored queue (RabbitMQ 3) has a leader and mirrors. A mirror that has all that the leader has is synchronised; no other
mirror takes over. RabbitMQ adds and synchronises mirrors when a node comes back, a mirror dies or a policy changes. If that
fails, RabbitMQ logs it and does not try again (rabbit_mirror_queue_misc:add_mirror, rabbit_mirror_queue_sync, 3.8 to 3.13).
So a queue can stay a copy short while all nodes run. The table REMEDIES says what is done.

A leader takes nothing while it synchronises. So an attempt that does not help is repeated at ever longer intervals.
"""

from __future__ import annotations

from backstay.ocf.table import Value, always, decide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet
    from typing import Any

    from backstay.ocf.table import Table

SYNCHRONISED, BEHIND, GONE, UNKNOWN = "synchronised", "behind", "gone", "unknown"  # a mirror
IDLE, WORKING, SYNCHRONISING = "idle", "working", "synchronising"  # a leader
REPLACE, ADD, SYNCHRONISE, RENEW, WAIT = "replace", "add", "synchronise", "renew", "wait"

GRACE = 45.0  # seconds for which RabbitMQ is left to itself; a monitor a minute acts at its second look
_RAREST = 3600.0  # seconds between two attempts, at most
_RENEW_AFTER = 1  # attempts to synchronise


class Mirror(Value):
    """pid: as the broker has it. node: Erlang name. synchronised: as recorded."""

    __slots__ = ("node", "pid", "synchronised")

    def __init__(self, pid: Any, node: str, synchronised: bool) -> None:
        self.pid = pid
        self.node = node
        self.synchronised = synchronised


class Short(Value):
    """A queue with fewer synchronised mirrors than its policy wants on the nodes that run. name: as the broker has it.
    leader: its pid. wanted: mirrors beside the leader."""

    __slots__ = ("leader", "mirrors", "name", "queue", "vhost", "wanted")

    def __init__(self, name: Any, vhost: str, queue: str, leader: Any, mirrors: Sequence[Mirror], wanted: int) -> None:
        self.name = name
        self.vhost = vhost
        self.queue = queue
        self.leader = leader
        self.mirrors = tuple(mirrors)
        self.wanted = wanted

    @property
    def key(self) -> str:
        """Identifies the queue in a note; without spaces, whatever its name is."""
        return f"{self.vhost.encode().hex()}/{self.queue.encode().hex()}"


def wanted_mirrors(definition: dict[str, Any], running: AbstractSet[str]) -> int:
    """How many mirrors a policy wants beside the leader while these nodes run; 0 where it wants none, or none that is
    synchronised without being asked."""
    mode, count = definition.get("ha-mode"), definition.get("ha-params")
    if definition.get("ha-sync-mode") != "automatic":
        return 0
    if mode == "all":
        return max(0, len(running) - 1)
    if mode == "exactly" and isinstance(count, int):
        return max(0, min(count, len(running)) - 1)
    if mode == "nodes" and isinstance(count, list):
        return max(0, len(running & set(count)) - 1)
    return 0


def doing(stack: Sequence[tuple[str, str]]) -> str:
    """What a leader does, from its stack: module and function, the innermost first."""
    if any(module == "rabbit_mirror_queue_sync" for module, _ in stack):
        return SYNCHRONISING
    waits = bool(stack) and (stack[0][0] == "gen_server2" or stack[0] == ("erlang", "hibernate"))
    return IDLE if waits else WORKING


class Inputs(Value):
    """What a remedy rests on; as for `remedy`."""

    __slots__ = ("leader", "states", "tries", "wanted")

    def __init__(self, states: Iterable[str], wanted: int, leader: str, tries: int) -> None:
        self.states = tuple(states)
        self.wanted = wanted
        self.leader = leader
        self.tries = tries


# fmt: off
REMEDIES: Table[str, Inputs] = (
    (REPLACE, lambda i: GONE in i.states,
     "a mirror is recorded, and its process is gone",
     "nobody takes it off the record; RabbitMQ adds none where one is recorded, and synchronises past it. A mirror that is added"
     " by name takes the place of a dead one"),
    (WAIT, lambda i: i.leader == SYNCHRONISING,
     "the leader synchronises", "it is at work for as long as the backlog takes"),
    (ADD, lambda i: len(i.states) < i.wanted,
     "fewer mirrors are recorded than wanted",
     "the virtual host was not up there yet, the mirror met the old leader's record, or it was started too often in a row"),
    (WAIT, lambda i: BEHIND not in i.states,
     "no mirror is known to lack anything", "the node of one gives no answer"),
    (RENEW, lambda i: i.tries >= _RENEW_AFTER and i.leader == IDLE,
     "a mirror lives and is not synchronised, after an attempt to help it, and the leader is idle",
     "the mirror says that it has all, and the record does not know (rabbitmq-server #8974): dropped, it receives anew"),
    (SYNCHRONISE, always,
     "otherwise: a mirror lives and is not synchronised",
     "the synchronisation was cancelled, or ended with its own process or the leader"),
)
# fmt: on


def remedy(states: Iterable[str], wanted: int, leader: str, tries: int) -> str:
    """states: of the recorded mirrors. tries: so far."""
    return decide(REMEDIES, Inputs(states, wanted, leader, tries))


class Note(Value):
    """since: when the queue was first found short. tries: attempts to help it since. due: when the next may be. Times are of
    CLOCK_MONOTONIC, in seconds."""

    __slots__ = ("due", "since", "tries")

    def __init__(self, since: float, tries: int, due: float) -> None:
        self.since = since
        self.tries = tries
        self.due = due


class Notes(Value):
    """What is remembered from monitor to monitor. running: the nodes of the last look. queues: a note for each queue that was
    short then, by key."""

    __slots__ = ("queues", "running")

    def __init__(self, running: AbstractSet[str], queues: dict[str, Note]) -> None:
        self.running = frozenset(running)
        self.queues = queues

    @classmethod
    def parse(cls, text: str) -> Notes:
        """From str(); what is not that is left out."""
        running, *lines = text.split("\n") if text else [""]
        queues = {}
        for line in lines:
            words = line.split(" ")
            if len(words) == 4 and all(word.isdecimal() and word.isascii() and len(word) < 16 for word in words[1:]):
                queues[words[0]] = Note(float(words[1]), int(words[2]), float(words[3]))
        return cls(frozenset(running.split()), queues)

    def __str__(self) -> str:
        lines = (f"{key} {note.since:.0f} {note.tries} {note.due:.0f}" for key, note in self.queues.items())
        return "\n".join([" ".join(sorted(self.running)), *lines])

    def after(self, running: AbstractSet[str], keys: Iterable[str], now: float) -> Notes:
        """After a look that found these queues short. Whenever other nodes run than before, RabbitMQ is at it anew."""
        known = self.queues if self.running == running else {}
        return Notes(running, {key: known.get(key) or Note(now, 0, now + GRACE) for key in keys})

    def due(self, now: float) -> list[str]:
        """The queues whose turn it is, those first that have waited longest."""
        return sorted(
            (key for key, note in self.queues.items() if note.due <= now), key=lambda key: self.queues[key].due
        )

    def tried(self, key: str, what: str, now: float) -> Notes:
        """After this remedy. One that waits has lost nothing but its turn."""
        note = self.queues[key]
        tries = note.tries + (what != WAIT)
        pause = min(GRACE * 2 ** min(tries, 10), _RAREST)
        return Notes(self.running, {**self.queues, key: Note(note.since, tries, now + pause)})


def reason(found: Sequence[Short], notes: Notes, now: float, held: str) -> str:
    """What to tell the admin: of queues that have been short for longer than RabbitMQ is left to itself; "" for none. held:
    why nothing is done about it. No names: they differ in digits often, which no attribute follows (agent/degraded.py)."""
    lasting = sum(now - notes.queues[short.key].since >= GRACE for short in found)
    return f"{lasting} queue(s) short of synchronised mirrors{f', {held}' if held else ''}" if lasting else ""
