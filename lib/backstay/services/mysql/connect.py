"""The way to a server: by the protocol alone where that can log in, else by the driver."""

from __future__ import annotations

from backstay.services.mysql.login import Unspoken, log_in
from backstay.services.mysql.server import Server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from backstay.host.deadline import Deadline


def connect(
    where: str,
    deadline: Deadline,
    user: str,
    password: str,
    socket: str = "",
    host: str = "",
    port: int = 0,
    tls: Mapping[str, object] | None = None,
) -> Server:
    """As Server(…)."""
    if tls is None:
        try:
            return log_in(where, deadline, user, password, socket, host, port)
        except Unspoken:
            pass  # the driver knows more ways, and says so where it does not
    return Server(where, deadline, user, password, socket, host, port, tls)
