"""Sends the clients of the writer address off before a planned demotion, so that none of their operations fails.

New connections wait from the beginning on. Those that lie in pools end as soon as they are quiet, transactions under way may go
on for `drain_timeout`. Only then the server turns read-only: no client is there that it could tell so. A look at the sessions
with a KILL after it would hit a statement that has begun meanwhile; here the kernel says in the moment of the reset that
nothing has arrived since before the look (sessions.py).
"""

from __future__ import annotations

import time

from backstay.host.deadline import Deadline, poll
from backstay.host.ip_address import parse_address
from backstay.host.tcp_reset import Connection, connections, end_where
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql import holding, sessions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.server import Server

_ANSWER = 1.5  # seconds for a look at the sessions


def drain(context: MysqlContext, server: Server, budget: Deadline) -> None:
    """Never fails a demotion: what is left is for step_down. Of the budget at most half is used."""
    given = context.parameters
    if not given.writer_address or given.on_loss != "hold":
        return
    begun = time.monotonic()
    end = budget.within(min(given.drain_timeout, budget.remaining() / 2))
    # The last look may begin at the end. One that takes longer would end the connection, and so the server (step_down).
    server.within(budget.within(end.remaining() + _ANSWER))
    try:
        ended = _drain(context, server, end)
    except (AgentError, ValueError) as error:  # or a name
        context.log.warning(f"clients of {given.writer_address} may see errors: {error}")
        return
    context.log.info(
        f"clients of {given.writer_address}: ended {ended} connections in {time.monotonic() - begun:.2f} s"
    )


def _drain(context: MysqlContext, server: Server, end: Deadline) -> int:
    """How many connections were ended."""
    given = context.parameters
    address = parse_address(given.writer_address)
    begun = asked = time.monotonic()
    known = sessions.sessions(server.query(sessions.QUERY))
    replicating = {session.port for session in known if session.replicates}
    # Replicas follow the address. Without their acknowledgements the last commits would not end.
    replicas = {one.peer.text: one.peer for one in connections(address) if one.peer_port in replicating}
    if not holding.hold(context, replicas.values()) or not given.drain_timeout:
        return 0
    ended = 0

    def clients(one: Connection) -> bool:
        """Of other hosts: the filter holds nothing of this one's."""
        return one.port == given.port and one.peer.text not in {*replicas, address.text}

    def gone() -> bool:
        nonlocal known, asked, ended
        at_rest = sessions.ports_at_rest(known)

        def may_end(one: Connection) -> bool:
            now, rests = time.monotonic(), one.peer_port in at_rest
            return clients(one) and sessions.may_end(rests, not one.idle, one.quiet, now - asked, now - begun)

        ended += end_where(address, may_end)
        if not any(clients(one) for one in connections(address)):
            return True
        time.sleep(min(sessions.LOOK_EVERY, end.remaining()))
        asked = time.monotonic()
        known = sessions.sessions(server.query(sessions.QUERY))
        return False

    try:
        poll(gone, end, "the clients' transactions", interval=0)
    except TimedOut:
        late = end_where(address, clients)  # a client that is told "read-only" may take it for its own mistake
        context.log.notice(f"{late} connections of {address.text} ended within a transaction or a statement")
        ended += late
    return ended
