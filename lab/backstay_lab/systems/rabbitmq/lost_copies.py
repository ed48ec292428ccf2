"""Mirrored queues that are left a copy short while all nodes run, each in another of the ways that there are
(mirror_policy.py). Nothing but the agent brings the copies back. Then the node that got them leads, alone: what it lacks is
lost. For RabbitMQ 3 alone, and minutes long, so it is not in the table of faults.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay_lab.nemesis.fault import FOLLOWER, Fault
from backstay_lab.systems.rabbitmq.workload import VHOST

if TYPE_CHECKING:
    from backstay_lab.nemesis.stage import Stage
    from backstay_lab.systems.rabbitmq.workload import RabbitSet

BACKLOG, MESSAGES = "ledger-9", 10_000  # a queue whose synchronisation takes long enough to be cancelled

# For rabbitmqctl eval on the node that loses its copies, all in one call: the agent is at work from the first one on.
# Drop: the mirror here ends, and its queue knows. Change: another record of the queue. Cancel: of a synchronisation, once it
# is under way; whether that was in time. The second before Dead is for all mirrors to hear of what was dropped, after which one
# of them would take it off the record.
_LOSE = """
Queue = fun(Name) -> rabbit_misc:r(<<"%(vhost)s">>, queue, Name) end,
Here = fun(Pids) -> [Pid || Pid <- Pids, node(Pid) =:= node()] end,
Mirrors = fun(Q) -> {ok, R} = rabbit_amqqueue:lookup(Q), Here(amqqueue:get_slave_pids(R)) end,
Drop = fun(Q) ->
    [exit(Pid, {shutdown, dropped}) || Pid <- Mirrors(Q)],
    (fun Wait(0) -> exit({still_there, Q});
         Wait(Left) -> case Mirrors(Q) of [] -> ok; _ -> timer:sleep(50), Wait(Left - 1) end
     end)(400)
end,
Change = fun(Q, To) ->
    rabbit_misc:execute_mnesia_transaction(fun() ->
        [R] = mnesia:read({rabbit_queue, Q}), rabbit_mirror_queue_misc:store_updated_slaves(To(R)) end)
end,
Cancel = fun(Q) ->
    Drop(Q),
    rabbit_mirror_queue_misc:add_mirrors(Q, [node()], async),
    (fun Try(0) -> false;
         Try(Left) -> case rabbit_mirror_queue_misc:cancel_sync_queue(Q) of
                          ok -> true;
                          {ok, not_syncing} -> timer:sleep(1), Try(Left - 1)
                      end
     end)(2000)
end,
true = lists:any(Cancel, lists:duplicate(5, Queue(<<"%(backlog)s">>))),
Drop(Queue(<<"ledger-0">>)),
Drop(Queue(<<"ledger-2">>)),
Drop(Queue(<<"ledger-1">>)),
timer:sleep(1000),
Dead = spawn(fun() -> ok end),
Change(Queue(<<"ledger-1">>), fun(R) -> amqqueue:set_slave_pids(R, amqqueue:get_slave_pids(R) ++ [Dead]) end),
Change(Queue(<<"ledger-3">>), fun(R) ->
    All = amqqueue:get_sync_slave_pids(R), amqqueue:set_sync_slave_pids(R, All -- Here(All)) end),
ok."""
MISSING, DEAD, FORGOTTEN, CANCELLED = ("ledger-0", "ledger-2"), ("ledger-1",), ("ledger-3",), (BACKLOG,)
LOST = MISSING + DEAD + FORGOTTEN + CANCELLED
_LEAD = """
[rabbit_mirror_queue_misc:transfer_leadership(R, node())
 || Name <- [%s], {ok, R} <- [rabbit_amqqueue:lookup(rabbit_misc:r(<<"%s">>, queue, Name))]]."""


def lose_copies(stage: Stage[RabbitSet]) -> None:
    """One node loses its copy of each queue."""
    service, loser = stage.system, stage.node
    service.queues("declare", stage.leader, BACKLOG)
    service.queues("fill", stage.leader, BACKLOG, "--count", str(MESSAGES))
    service.ctl(loser, "eval", _LOSE % {"vhost": VHOST, "backlog": BACKLOG})
    short = service.short_of_copies(loser)
    if len(short) != len(LOST):
        raise AgentError(f"all queues should be a copy short: {'; '.join(short) or 'none is'}")


def await_copies(service: RabbitSet, timeout: float) -> dict[str, float]:
    """Returns when all queues have all copies again: queue -> seconds until it had. Raises TimedOut that says what is missing."""
    begun = time.monotonic()
    back: dict[str, float] = {}
    missing: list[str] = []

    def whole() -> bool:
        short = service.short_of_copies(service.lab.nodes[0])
        left = {said.partition(" ")[0] for said in short}
        back.update({queue: time.monotonic() - begun for queue in LOST if queue not in left | set(back)})
        missing[:] = short
        return not short

    try:
        poll(whole, Deadline(timeout), "all queues to have all copies again", interval=1.0)
    except TimedOut as late:
        raise TimedOut(f"{late}: {'; '.join(missing)}") from None
    return back


def lead(service: RabbitSet, node: str) -> None:
    """Have the node lead all these queues. The broker has the other copies dropped for that, and made anew from this one."""
    moved = service.ctl(node, "eval", _LEAD % (", ".join(f'<<"{queue}">>' for queue in LOST), VHOST))
    if moved.count("{migrated") != len(LOST):
        raise AgentError(f"{node} does not lead all of {', '.join(LOST)}: {moved}")


LOST_COPIES = Fault(
    "lost-copies",
    "a copy of each queue is lost, in each of the ways, while all nodes run",
    lose_copies,
    target=FOLLOWER,
    patience=120.0,
)
