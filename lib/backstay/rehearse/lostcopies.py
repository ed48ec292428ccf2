"""Mirrored queues that are left a copy short while all nodes run, each in another of the ways that there are
(rabbitmq/copies.py). Nothing but the agent brings the copies back. Then the node that got them leads, alone: what it lacks is
lost. For RabbitMQ 3 alone, and minutes long, so it is not in the table of faults.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.deadline import Deadline, poll
from backstay.errors import AgentError, TimedOut
from backstay.rehearse.faults import Fault, Stage, nothing, other
from backstay.rehearse.rabbitset import VHOST

if TYPE_CHECKING:
    from backstay.rehearse.rabbitset import RabbitSet

BACKLOG, MESSAGES = "ledger-9", 10_000  # a queue whose synchronisation takes long enough to be cancelled
_ATTEMPTS = 5  # at cancelling a synchronisation

# Erlang expressions. Q: the queue's name; H: the node that loses its copy.
_NAMED = 'Q = rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>), H = \'rabbit@{node}\', '
_DROP = """
{ok, Before} = rabbit_amqqueue:lookup(Q),
[exit(P, {shutdown, dropped}) || P <- amqqueue:get_slave_pids(Before), node(P) =:= H],
(fun Gone(0) -> exit(still_there);
     Gone(N) -> {ok, R} = rabbit_amqqueue:lookup(Q),
                case [P || P <- amqqueue:get_slave_pids(R), node(P) =:= H] of
                    [] -> ok;
                    _  -> timer:sleep(50), Gone(N - 1)
                end
 end)(200)"""
_RECORD = """
rabbit_misc:execute_mnesia_transaction(fun() ->
    [R] = mnesia:read({{rabbit_queue, Q}}),
    rabbit_mirror_queue_misc:store_updated_slaves({changed})
end), ok"""
_CANCEL = """
rabbit_mirror_queue_misc:add_mirrors(Q, [H], async),
(fun Cancel(0) -> missed;
     Cancel(N) -> case rabbit_mirror_queue_misc:cancel_sync_queue(Q) of
                      ok -> cancelled;
                      {ok, not_syncing} -> timer:sleep(1), Cancel(N - 1)
                  end
 end)(3000)"""
MISSING = _DROP
DEAD = (
    _DROP
    + ", Dead = spawn(fun() -> ok end),"
    + _RECORD.format(changed="amqqueue:set_slave_pids(R, amqqueue:get_slave_pids(R) ++ [Dead])")
)
FORGOTTEN = _RECORD.format(
    changed="amqqueue:set_sync_slave_pids(R, [P || P <- amqqueue:get_sync_slave_pids(R), node(P) =/= H])"
)
_LEAD = "{ok, Here} = rabbit_amqqueue:lookup(Q), rabbit_mirror_queue_misc:transfer_leadership(Here, H)"
CANCELLED = f"{_DROP}, {_CANCEL}"
WAYS = {"ledger-0": MISSING, "ledger-1": DEAD, "ledger-2": MISSING, "ledger-3": FORGOTTEN}


def _evaluate(service: RabbitSet, at: str, queue: str, loser: str, expression: str) -> str:
    return service.ctl(at, "eval", f"{_NAMED.format(vhost=VHOST, queue=queue, node=loser)}{expression}.").strip()


def lose_copies(stage: Stage[RabbitSet]) -> None:
    """One node loses its copy of each queue."""
    service, loser = stage.service, other(stage)
    service.queues("declare", stage.leader, BACKLOG)
    service.queues("fill", stage.leader, BACKLOG, "--count", str(MESSAGES))
    for queue, way in WAYS.items():
        _evaluate(service, loser, queue, loser, way)
    said = ""
    for _ in range(_ATTEMPTS):
        said = _evaluate(service, stage.leader, BACKLOG, loser, CANCELLED)
        if said == "cancelled":
            break
    else:
        raise AgentError(f"no synchronisation of {BACKLOG} could be cancelled: {said}")
    short = service.short_of_copies(stage.leader)
    if len(short) != len(WAYS) + 1:
        raise AgentError(f"all queues should be a copy short: {'; '.join(short) or 'none is'}")


def await_copies(service: RabbitSet, timeout: float) -> dict[str, float]:
    """Returns when all queues have all copies again: queue -> seconds until it had. Raises TimedOut that says what is missing."""
    begun = time.monotonic()
    back: dict[str, float] = {}
    missing: list[str] = []

    def whole() -> bool:
        short = service.short_of_copies(service.lab.nodes[0])
        left = {said.partition(" ")[0] for said in short}
        back.update({queue: time.monotonic() - begun for queue in (*WAYS, BACKLOG) if queue not in left | set(back)})
        missing[:] = short
        return not short

    try:
        poll(whole, Deadline(timeout), "all queues to have all copies again", interval=1.0)
    except TimedOut as late:
        raise TimedOut(f"{late}: {'; '.join(missing)}") from None
    return back


def lead(service: RabbitSet, node: str) -> None:
    """Have the node lead all these queues. The broker has the other copies dropped for that, and made anew from this one."""
    for queue in (*WAYS, BACKLOG):
        moved = _evaluate(service, node, queue, node, _LEAD)
        if not moved.startswith("{migrated"):
            raise AgentError(f"{queue} is not led by {node}: {moved}")


LOST_COPIES = Fault(
    "lost-copies",
    "a copy of each queue is lost, in each of the ways, while all nodes run",
    lose_copies,
    nothing,
    elsewhere=False,
    patience=120.0,
)
