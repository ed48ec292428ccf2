"""TCP connections to brokers and port mappers."""

import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from backstay.host.deadline import Deadline

LOOPBACK = "127.0.0.1"


def connect(host: str, port: int, deadline: "Deadline") -> socket.socket:
    """Raises OSError, of which socket.timeout is one. The loopback goes past the resolver of names, which loads tables of
    Unicode for any text: 3 ms of a monitor."""
    seconds = max(0.001, deadline.remaining())
    if host != LOOPBACK:
        return socket.create_connection((host, port), seconds)
    link = socket.socket()
    try:
        link.settimeout(seconds)
        link.connect((host, port))
    except OSError:
        link.close()
        raise
    return link
