"""One netlink conversation: requests out, replies in. Source: linux/netlink.h, RFC 3549.

pyroute2 would cost 214 ms a call and `ip` a process; this costs a socket.
"""

import os
from _socket import AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW, socket
from struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = 0x01
ACK = 0x04
DUMP = 0x300
EXCLUSIVE = 0x200 | 0x400  # create, and fail if it is there
_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10
_PATIENCE = 5.0  # seconds; the kernel answers within the call that asks, so this only guards against its bugs


class Netlink:
    """`protocol`: NETLINK_ROUTE (0) or NETLINK_SOCK_DIAG (4). Belongs to the network namespace it was made in."""

    def __init__(self, protocol: int) -> None:
        self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
        self._socket.settimeout(_PATIENCE)
        self._sequence = 0

    def ask(self, kind: int, flags: int, body: bytes) -> "list[tuple[int, bytes]]":
        """The replies as (message type, body). Raises OSError with the kernel's errno."""
        for _ in range(5):
            replies, interrupted = self._exchange(kind, flags | REQUEST, body)
            if not interrupted:
                break  # else something changed under the dump, which may then miss entries
        return replies

    def _exchange(self, kind: int, flags: int, body: bytes) -> "tuple[list[tuple[int, bytes]], bool]":
        self._sequence += 1
        self._socket.send(pack("=IHHII", 16 + len(body), kind, flags, self._sequence, 0) + body)
        replies: list[tuple[int, bytes]] = []
        interrupted = False
        while True:
            data = self._socket.recv(1 << 17)
            at = 0
            while at < len(data):
                length, reply, marks, sequence = unpack_from("=IHHI", data, at)
                content = data[at + 16 : at + length]
                at += (length + 3) & ~3
                if sequence != self._sequence:
                    continue  # of a conversation that an exception cut short
                interrupted = interrupted or bool(marks & _INTERRUPTED)
                if reply == _ERROR:
                    (code,) = unpack_from("=i", content)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    return replies, interrupted
                if reply == _DONE:
                    return replies, interrupted
                replies.append((reply, content))
                if not flags & (DUMP | ACK):
                    return replies, interrupted


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded."""
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(body: bytes, start: int) -> "Iterator[tuple[int, bytes]]":
    """The attributes of a message that follow its fixed part of `start` bytes."""
    at = start
    while at + 4 <= len(body):
        length, kind = unpack_from("=HH", body, at)
        if length < 4:
            return
        yield kind & 0x3FFF, body[at + 4 : at + length]
        at += (length + 3) & ~3
