"""`backstay switchover`: a planned move of a promoted role, checked before, watched, and with nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from backstay.admin import explain, failover_log
from backstay.admin.cluster import ask, look, node_names
from backstay.admin.diagnose import judge
from backstay.admin.older import completed
from backstay.admin.switchover_plan import Plan, Refusal, arrived, is_there, plan
from backstay.cluster.model import IDLE
from backstay.cluster.xml import read
from backstay.host.deadline import Deadline, poll
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.catalogue import advice_of, advices_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIFETIME = "PT15M"  # of the constraint: it binds no longer even if nobody can remove it
_LOOK = 0.1  # seconds between looks while it moves
_LOGGED = 3.0  # seconds for this node's log to have the end
_CLEAR = 30.0  # seconds to remove the constraint
_SETTLE = 30.0  # seconds for the cluster to be idle once all have arrived
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)  # a closed terminal sends SIGHUP


class Refused(AgentError):
    """The move would not be safe, or not be quick, now."""


@contextmanager
def constraint(of: Plan) -> Iterator[None]:
    """Have the cluster prefer the target while the block runs. It is removed on every way out, whichever signal ends us."""
    prefer = ["--move", "--resource", of.resource.handle, "--node", of.target, "--promoted", "--lifetime", _LIFETIME]
    before = {each: signal.signal(each, lambda which, _: sys.exit(128 + which)) for each in _ENDING}
    try:
        ask(["crm_resource", *prefer], Deadline(30))
        yield
    finally:
        # A second Ctrl-C must not leave it behind; what runs inherits the deafness.
        deaf = signal.signal(signal.SIGINT, signal.SIG_IGN)
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)
        try:
            _clear(of)
        finally:
            signal.signal(signal.SIGINT, deaf)
            for each, handler in before.items():
                signal.signal(each, handler)


def _clear(of: Plan) -> None:
    """Try again while a coordinator is being elected."""
    argv = ["crm_resource", "--clear", "--resource", of.resource.handle]

    def cleared() -> bool:
        try:
            ask(argv, Deadline(10))
        except AgentError:
            return False
        return True

    try:
        poll(cleared, Deadline(_CLEAR), "the constraint to be removed", interval=1.0)
    except TimedOut:
        raise Refused(f"the constraint of the move could not be removed: {' '.join(argv)}") from None


def carry_out(of: Plan, timeout: float) -> float:
    """Move, tell what happens, and return the seconds until all had arrived. Raises TimedOut."""
    start = time.monotonic()
    deadline = Deadline(timeout)
    configuration = ask(["cibadmin", "--query"], deadline)
    seen: set[str] = set()

    def tell(what: str) -> None:
        if what not in seen:
            seen.add(what)
            click.echo(f"  +{time.monotonic() - start:5.2f} s  {what}")

    def done() -> bool:
        now = read(ask(["crm_mon", "-1", "--output-as=xml"], deadline), configuration)
        promoted = now.promoted(of.resource.id)
        if of.source not in promoted:
            tell(f"{of.resource.id} is not promoted on {of.source} any more")
        if of.target in promoted:
            tell(f"{of.resource.id} is promoted on {of.target}")
        for follower in of.followers:
            if is_there(now, follower, of.target):
                tell(f"{follower.id} is on {of.target}")
        return arrived(now, of)

    with constraint(of):
        tell(f"asked the cluster to promote {of.resource.id} on {of.target}")
        poll(done, deadline, f"{of.resource.id} to be promoted on {of.target}", interval=_LOOK)
    took = time.monotonic() - start
    click.echo("  the constraint is removed")
    # A start that was done may be undone, and a failure is seen only afterwards: look once more when all is quiet.
    poll(lambda: look(Deadline(_SETTLE)).state == IDLE, Deadline(_SETTLE), "the cluster to be idle", interval=0.5)
    if not arrived(look(Deadline(_SETTLE)), of):
        raise TimedOut(f"{of.resource.id} or what goes with it did not stay on {of.target}")
    return took


def measured(path: str, mark: int, of: Plan) -> float | None:
    """The pause by this node's log since `mark`; None when it does not show it."""

    def told() -> failover_log.Failover | None:
        most = os.path.getsize(path) - mark
        found = failover_log.events([(path, explain.lines(path, max(most, 1)))], time.time(), names)
        moves = [one for one in failover_log.failovers(found, of.resource.id) if one.node == of.target]
        whole = moves and (not of.followers or "address" in moves[-1].phases)
        return moves[-1] if whole else None

    try:
        names = node_names(Deadline(5))
        return failover_log.pause(poll(told, Deadline(_LOGGED), "the log", interval=0.2))
    except (AgentError, OSError):
        return None


def _describe(of: Plan) -> None:
    click.echo(f"{of.resource.id}: the promoted role goes from {of.source} to {of.target}")
    for follower in of.followers:
        click.echo(f"    {follower.id} ({follower.parameters.get('ip', follower.agent)}) goes with it")
    click.echo(f"    {advice_of(of.resource).moving}")
    click.echo(f"    a constraint prefers {of.target} meanwhile; it is removed at the end, whatever happens")


def _nodes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For the shell's completion."""
    try:
        return [name for name in node_names(Deadline(2)).values() if name.startswith(incomplete)]
    except AgentError:
        return []


@click.command()
@click.argument("node", required=False, **completed(_nodes))
@click.option("--resource", default="", help="Which, where several can be promoted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--timeout", default=90.0, show_default=True, help="Seconds for the role to arrive.")
def switchover(node: str | None, resource: str, yes: bool, timeout: float) -> None:
    """Move the promoted role to NODE, or to the best other node; refuse, with all reasons, when that is not safe now.

    The pause told at the end is what the cluster saw: from the beginning of the demotion until the address was on the new
    node, by this node's detail log. It needs no account of the service, and a client's own pause can be longer by the time
    it takes to connect again. Exit status: 0 moved, 1 refused or failed.
    """
    cluster = look(Deadline(30))
    services = advices_of(cluster)
    decided = plan(cluster, services, resource, node or "")
    if isinstance(decided, Refusal):
        raise Refused(f"not moved: {'; '.join(decided.reasons)}")
    _describe(decided)
    for finding in judge(cluster, services):
        click.echo(f"    note, {finding.level}: {finding.subject}: {finding.what}")
    if not yes:
        click.confirm("go on?", abort=True)
    path = explain.own_log()
    mark = os.path.getsize(path) if os.path.exists(path) else 0
    try:
        took = carry_out(decided, timeout)
    except TimedOut as late:
        now = look(Deadline(30))
        said = "; ".join(f"{one.subject}: {one.what}" for one in judge(now, advices_of(now)))
        raise Refused(f"{late}; the constraint is removed. {said or 'the cluster complains of nothing'}") from None
    pause = measured(path, mark, decided)
    if pause is None:
        click.echo(f"moved; at most {took:.1f} s without a primary ({path} does not tell more)")
    else:
        end = f"{decided.followers[0].id} was there" if decided.followers else "the promotion was done"
        click.echo(f"moved; {pause:.2f} s from the beginning of the demotion until {end}")
