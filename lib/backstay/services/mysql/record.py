"""The durable record of a set: a few facts, written before they matter. Pure.

The record is a cluster property. So the partition with quorum has the newest one, and it outlives a loss of all power:

    epoch=3 primary=n2 gtid=0-1-55 sync=n1,n3 solo=no

epoch    grows by one with each promotion
primary  who was promoted then
gtid     what the primary had then: a node that lacks it was rebuilt or restored since, whatever its name. Where a set's
         first primary had nothing, its first commits are noted here as soon as every node of `sync` has them
sync     the nodes whose acknowledgements count. Every acknowledged transaction is on the primary and on at least one
         of them, so all of them together know every acknowledged transaction, though no single one must
leaving  those of `sync` that are about to leave it; left out when none is. They count, and none begins to acknowledge
solo     the primary does not wait for acknowledgements: only the primary knows every acknowledged transaction
loss     the last epoch whose promotion rested on allow_loss; left out when none did. What a node has from before it and
         the set lacks may have been acknowledged

Fields of a later version are kept as they are, so that an older one in a mixed cluster loses none.

A node joins `sync` in the record before it may acknowledge, and leaves `sync` only when it surely cannot acknowledge any
more. It is `leaving` first: it may be starting just then, and has to read that before it is looked at a last time. `solo` is
recorded before the waiting ends. It is taken back after waiting is on again and a replica has everything.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class MalformedRecord(ValueError):
    """The record in the cluster is not one that this agent wrote."""


class Record:
    """One state of the record, a value; `changed` makes the next. By hand, since even a monitor at rest loads it."""

    __slots__ = ("epoch", "gtid", "later", "leaving", "loss", "primary", "solo", "sync")

    def __init__(
        self,
        epoch: int,
        primary: str,
        gtid: str,
        sync: Iterable[str],
        solo: bool,
        loss: int = 0,
        later: str = "",
        leaving: Iterable[str] = (),
    ) -> None:
        """later: fields of a later version, as they stand."""
        self.epoch = epoch
        self.primary = primary
        self.gtid = gtid
        self.sync = frozenset(sync)
        self.leaving = self.sync & frozenset(leaving)
        self.solo = solo
        self.loss = loss
        self.later = later

    @classmethod
    def parse(cls, text: str) -> Record | None:
        """None for an empty record: the set was never promoted. Raises MalformedRecord."""
        if not text.strip():
            return None
        fields = dict(field.split("=", 1) for field in text.split() if "=" in field)
        try:
            return cls(
                epoch=int(fields["epoch"]),
                primary=fields["primary"],
                gtid=fields["gtid"],
                sync=filter(None, fields["sync"].split(",")),
                solo={"yes": True, "no": False}[fields["solo"]],
                loss=int(fields.get("loss", "0")),
                leaving=fields.get("leaving", "").split(","),
                later=" ".join(f"{name}={value}" for name, value in fields.items() if name not in cls.__slots__),
            )
        except (KeyError, ValueError):
            raise MalformedRecord(f"the facts in the cluster are not readable: {text[:80]!r}") from None

    def changed(self, sync: Iterable[str], solo: bool) -> Record:
        """The same epoch with another set of acknowledging nodes."""
        return Record(self.epoch, self.primary, self.gtid, sync, solo, self.loss, self.later)

    def dismissing(self, leaving: Iterable[str]) -> Record:
        """The same, with those who are about to leave."""
        return Record(self.epoch, self.primary, self.gtid, self.sync, self.solo, self.loss, self.later, leaving)

    def admits(self, node: str) -> bool:
        """Whether a replica that is told to acknowledge from its first event on would count."""
        return node in self.sync and node not in self.leaving and not self.solo

    def begun(self, gtid: str) -> Record:
        """The same, where it had no history so far."""
        return Record(self.epoch, self.primary, gtid, self.sync, self.solo, self.loss, self.later)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        gtid = "".join(self.gtid.split())
        sync = ",".join(sorted(self.sync))
        solo = "yes" if self.solo else "no"
        leaving = f" leaving={','.join(sorted(self.leaving))}" if self.leaving else ""
        loss = f" loss={self.loss}" if self.loss else ""
        later = f" {self.later}" if self.later else ""
        return f"epoch={self.epoch} primary={self.primary} gtid={gtid} sync={sync} solo={solo}{leaving}{loss}{later}"

    def __repr__(self) -> str:
        return f"Record({self})"
