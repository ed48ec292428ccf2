"""What one run left behind, as a value. Pure. What a service has none of stays empty, and proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from backstay_lab.checkers.boots import Boots
    from backstay_lab.checkers.history import Attempt, Sample
    from backstay_lab.checkers.messages import Messages
    from backstay_lab.checkers.registers import Final, Operation
    from backstay_lab.checkers.sampling import Hole


class Promotion(NamedTuple):
    """Since `at` (monotonic seconds, when the cluster had the result) `node` was the primary."""

    node: str
    at: float


class Spoil(NamedTuple):
    """From `begun` to `ended` (monotonic seconds) the run itself had the address on a node that should not have it."""

    address: str
    begun: float
    ended: float


class Evidence(NamedTuple):
    """attempts, samples, operations: the clients' histories. sampled: nodes whose servers were to be. rows: node -> ids of
    the ledger's rows there, at the end. primary: at the end. promotions: in order, the first before the run. servers:
    @@server_id -> node. holdings: floating address -> which node had it when; what is `spoiled` does not count. unlooked:
    when nobody looked. gtids: node -> what it has, at the end. copies_differ: nodes whose registers, lists or rows are not
    the primary's. unsettled: what is not as it should be at the end. fenced: nodes. most_moves, may_fence: what the faults
    justify. missed: faults that were to be inflicted and were not. overdue: what cost more time than it may. messages: the
    verdict over a broker's histories; boots: over those of the boot flow."""

    attempts: Sequence[Attempt] = ()
    samples: Sequence[Sample] = ()
    sampled: Sequence[str] = ()
    rows: Mapping[str, frozenset[int]] = {}
    primary: str = ""
    promotions: Sequence[Promotion] = ()
    servers: Mapping[int, str] = {}
    holdings: Mapping[str, Sequence[Sample]] = {}
    spoiled: Sequence[Spoil] = ()
    unlooked: Sequence[Hole] = ()
    operations: Sequence[Operation] = ()
    final: Final | None = None
    gtids: Mapping[str, str] = {}
    copies_differ: Sequence[str] = ()
    unsettled: Sequence[str] = ()
    fenced: Sequence[str] = ()
    most_moves: int = 0
    may_fence: bool = False
    missed: Sequence[str] = ()
    overdue: Sequence[str] = ()
    messages: Messages | None = None
    boots: Boots | None = None
