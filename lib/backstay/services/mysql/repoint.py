"""Points a replica at the new holder of the writer address, if the primary is there. A replica that follows nobody yet joins
there."""

from __future__ import annotations

import time

from backstay.host.deadline import Deadline, poll
from backstay.host.ip_address import parse_address
from backstay.host.tcp_reset import connections_to, reset_silent
from backstay.ocf.errors import AgentError, TimedOut
from backstay.services.mysql.health import adrift
from backstay.services.mysql.server import ServerUntrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect

# Seconds before this node heard of the move in which the new holder may already have answered. The old one has been
# fenced, or has given up the address, and reset its connections, for longer.
_EARLY = 0.1
_LOG_IN = 0.5  # seconds for a receiver to log in where it is connecting
_IDLE = 0.05  # seconds after which a receiver whose connection was ended has not begun another, and sleeps
_JOIN = 20.0  # seconds for all of it, where this replica follows nobody yet
_ASK = 1.0  # seconds for the server behind the address to say whether it is open for writes


def follow(context: MysqlContext) -> None:
    """Connect to the address now, if its holder is open for writes. The old connection would be noticed by a timeout, a
    connection attempt under way waits for TCP's first retry, and a failed one for the receiver's: a second each.

    A holder that is not open is a rival, from which the address comes back: the old connection then goes on by itself. A replica
    that went to the rival would be missing to the primary, and with it the acknowledgements that commits wait for.

    A receiver that has found the new holder by itself is left alone. Cut off just then, it has received what it did not
    acknowledge and never will; and a MariaDB that loses its only replica in that moment may end the old connection's thread
    only when another replica comes, and admit this one no sooner (docs/decisions/0033). Raises AgentError."""
    begun = time.monotonic()
    context.begin(_JOIN)
    address = context.parameters.writer_address
    with context.servers.here(Deadline(context.parameters.probe_timeout)) as server:
        dialect = context.servers.dialect(server)
        unjoined = adrift(dialect.observe(server))
    if unjoined:
        _join(context, dialect)
        return
    try:
        poll(
            lambda: _opened(context, dialect, address),
            Deadline(context.parameters.probe_timeout),
            "it to be open for writes",
            0.1,
        )
    except TimedOut:
        context.log.info(f"{address} is where nothing is open for writes: the connection stays")
        return
    place = parse_address(address)
    ended = reset_silent(place, time.monotonic() - begun + _EARLY)
    idle = Deadline(_IDLE if ended else 0.0)
    # A connection whose time is up is of no use any more, and the last step may come when the login took all of its time.
    with context.servers.here(Deadline(_LOG_IN + context.parameters.probe_timeout)) as server:

        def found() -> bool:
            """Whether the receiver is connected, or nobody's. Raises TimedOut when it sleeps until its retry."""
            nonlocal idle
            replica = dialect.observe(server).replica
            if not (replica and replica.sql and replica.host == address) or replica.io == "Yes":
                return True
            if connections_to(place):
                idle = Deadline(_IDLE)  # it logs in, or will find that it cannot
            elif idle.expired:
                raise TimedOut("no connection is under way")
            return False

        try:
            poll(found, Deadline(_LOG_IN), "the receiver to log in", 0.01)
            context.log.info(f"{address} moved: {ended} old connections ended")
        except TimedOut:
            dialect.restart_receiver(server)
            context.log.info(f"{address} moved: connected anew")


def _join(context: MysqlContext, dialect: Dialect) -> None:
    """This replica follows nobody: join it as soon as there is a primary. Raises AgentError."""
    record = context.record.read()
    if record is None or record.primary == context.servers.me:
        return
    host = context.parameters.writer_address or record.primary
    try:
        poll(
            lambda: _opened(context, dialect, host),
            Deadline(context.parameters.probe_timeout),
            "it to be open for writes",
            0.05,
        )
    except TimedOut:
        return  # the watcher asks again
    overview = context.pacemaker.overview()
    own = [instance for instance in overview.instances if instance.node == context.servers.me] if overview else []
    if not own or not all(instance.managed for instance in own):
        return  # an admin's hands are in it
    from backstay.services.mysql import replica

    with context.servers.here(context.deadline) as server:
        replica.join(context, server, dialect)


def _opened(context: MysqlContext, dialect: Dialect, address: str) -> bool:
    """Whether the server behind the address is the primary; taken for granted where TLS forbids to ask."""
    try:
        with context.servers.on(address, dialect, Deadline(_ASK)) as holder:
            return dialect.peer(holder).writable
    except ServerUntrusted:
        return True
    except AgentError as error:
        context.log.debug(str(error))
        return False
