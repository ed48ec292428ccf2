"""Whether new connections between the nodes would be trusted. An open connection keeps the authority that it was made with.
So the file may be wrong for weeks, until a failover, when every replica has to connect anew, shows it. The agent asks
whenever the file or the server is new, when a receiver is refused, and once an hour, since certificates expire."""

from __future__ import annotations

import os

from backstay.ocf.errors import AgentError
from backstay.services.mysql.server import ServerUntrusted
from backstay.services.mysql.state import TRUSTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from backstay.services.mysql.context import MysqlContext
    from backstay.services.mysql.dialects.base import Dialect

_FOR = 3600.0  # seconds
_ASK = 1.0  # seconds for a connection


def due(context: MysqlContext, identity: str) -> bool:
    """Whether to ask again. identity: of the server's process."""
    if not context.parameters.tls_ca:
        return False
    return context.state.age(TRUSTED) > _FOR or context.state.read(TRUSTED) != _noted(context, identity)


def tls_problem(context: MysqlContext, dialect: Dialect, identity: str, hosts: Iterable[str]) -> str:
    """Why a new connection to one of these, nodes or addresses, would be refused, in a sentence; "" when none would, or nobody
    knows. identity: as in `due`."""
    noted = _noted(context, identity)
    for host in dict.fromkeys(hosts):
        try:
            context.servers.peer(host, dialect, _ASK).close()
        except ServerUntrusted as error:
            context.state.remove(TRUSTED)
            return str(error)
        except AgentError as error:
            context.log.info(f"not known whether {host} is trusted: {error}")
            return ""
    context.state.write(TRUSTED, noted)
    return ""


def _noted(context: MysqlContext, identity: str) -> str:
    """The server's process and the authority's file; what replaces one is another."""
    path = context.parameters.tls_ca
    try:
        found = os.stat(path)
    except OSError:
        return ""
    return f"{identity} {path} {found.st_ino} {found.st_mtime_ns} {found.st_size}"
