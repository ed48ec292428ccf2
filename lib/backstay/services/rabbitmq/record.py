"""The durable record of a cluster: who is a member. Pure. A node without data reads it, to know whom to join.

`members=n1:rabbit@n1,n2:rabbit@n2 removed=n3:rabbit@n3`, or `seed=n1` while the first member boots.

members   the cluster's name of each node that holds the cluster's data, and its Erlang name. A node without data joins
          one of these and never begins a cluster of its own
removed   the nodes that left on purpose: what they still have on disk is worthless
seed      the node that began the cluster and has not yet said that it serves
version   how often it was written. Who would write it by an older look finds it changed, even where all else is as before

A later version may have written words that this version does not know. They do no harm, and are kept when the record is
written again.
"""

from __future__ import annotations

from backstay.ocf.table import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet


class MalformedRecord(ValueError):
    """This text is no record."""


_KNOWN = ("members", "removed", "seed", "version")


class Record(Value):
    """members, removed: node of the cluster -> Erlang name. unknown: words of a later version."""

    __slots__ = ("members", "removed", "seed", "unknown", "version")

    def __init__(
        self,
        members: Mapping[str, str],
        removed: Mapping[str, str],
        seed: str = "",
        unknown: Sequence[str] = (),
        version: int = 0,
    ) -> None:
        self.members = dict(members)
        self.removed = dict(removed)
        self.seed = seed
        self.unknown = tuple(unknown)
        self.version = version

    @classmethod
    def parse(cls, text: str) -> Record:
        """From its text; "" is an empty record. Raises MalformedRecord."""
        words = text.split()
        fields = dict(word.partition("=")[::2] for word in words)
        unknown = [word for word in words if word.partition("=")[0] not in _KNOWN]
        members, removed, seed, version = (fields.get(name, "") for name in _KNOWN)
        return cls(_pairs(members), _pairs(removed), seed, unknown, int(version) if version.isdecimal() else 0)

    def __str__(self) -> str:
        words = [
            f"{name}={','.join(f'{node}:{erlang}' for node, erlang in sorted(pairs.items()))}"
            for name, pairs in (("members", self.members), ("removed", self.removed))
            if pairs
        ]
        words += [f"seed={self.seed}"] if self.seed else []
        words += [f"version={self.version}"] if self.version else []
        return " ".join([*words, *self.unknown])

    def differs(self, members: AbstractSet[str], leaving: AbstractSet[str]) -> bool:
        """Whether there is anything to keep. members: Erlang names, as a broker has them. leaving: nodes the admin gave up."""
        return set(self.members.values()) != members or not leaving.isdisjoint(self.members)

    def following(self, old: Record) -> Record:
        """To be written after another."""
        return self.but(version=old.version + 1)

    def seeded_by(self, node: str) -> Record:
        return Record(self.members, self.removed, node, self.unknown, self.version)

    def with_member(self, node: str, erlang: str) -> Record:
        """It serves: the cluster has begun, if it had not."""
        removed = {other: name for other, name in self.removed.items() if other != node}
        return Record({**self.members, node: erlang}, removed, unknown=self.unknown, version=self.version)

    def without(self, node: str, erlang: str) -> Record:
        """It left on purpose."""
        members = {other: name for other, name in self.members.items() if other != node}
        return Record(members, {**self.removed, node: erlang}, self.seed, self.unknown, self.version)


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for entry in filter(None, text.split(",")):
        node, colon, erlang = entry.partition(":")
        if not colon or not node or "@" not in erlang:
            raise MalformedRecord(f"{entry!r} is no member")
        pairs[node] = erlang
    return pairs
