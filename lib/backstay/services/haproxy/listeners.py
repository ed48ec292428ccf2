"""Who listens where, as the kernel has it, and whether a connection gets through. A client.

Not from the configuration: what counts is what the worker has open.
"""

import os
from _socket import AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM, inet_ntop, socket, timeout
from errno import EADDRNOTAVAIL, EHOSTUNREACH, EINVAL, ENETUNREACH
from struct import pack

from backstay.host.deadline import Deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_ESTABLISHED, _LISTEN = "01", "0A"
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_NOWHERE = (
    EADDRNOTAVAIL,
    EHOSTUNREACH,
    EINVAL,
    ENETUNREACH,
)  # EINVAL: a link-local address, whose interface no table tells


class Listener:
    """A TCP socket that listens. inode: its number, as /proc/PID/fd has it. waiting: connections that the kernel took, and the
    program did not yet."""

    __slots__ = ("address", "family", "inode", "port", "waiting")

    def __init__(self, family: int, address: str, port: int, inode: str, waiting: int) -> None:
        self.family = family
        self.address = address
        self.port = port
        self.inode = inode
        self.waiting = waiting

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.family == AF_INET6 else f"{self.address}:{self.port}"


def listening(pid: int, state: str = _LISTEN) -> "list[Listener]":
    """All in the process's network namespace. state: as the kernel's table writes it."""
    found = []
    for name, family in (("tcp", AF_INET), ("tcp6", AF_INET6)):
        try:
            with open(f"/proc/{pid}/net/{name}", encoding="ascii") as table:
                rows = [line.split() for line in table.readlines()[1:]]
        except OSError:
            continue  # no IPv6
        for row in rows:
            if row[3] == state:
                words, _, port = row[1].partition(":")
                raw = b"".join(pack("=I", int(words[at : at + 8], 16)) for at in range(0, len(words), 8))
                waiting = int(row[4].rpartition(":")[2], 16)
                found.append(Listener(family, inet_ntop(family, raw), int(port, 16), row[9], waiting))
    return found


def sockets_of(pid: int) -> "set[str]":
    """Inodes of the sockets that a process has open."""
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    except OSError:
        return set()
    return inodes


def own(pid: int) -> "list[Listener]":
    """Where this process listens."""
    inodes = sockets_of(pid)
    return [listener for listener in listening(pid) if listener.inode in inodes]


def connected(worker: int, ports: "set[int]") -> int:
    """How many connections the worker has on these local ports."""
    if not any(connection.port in ports for connection in listening(worker, _ESTABLISHED)):
        return 0
    inodes = sockets_of(worker)
    return sum(item.port in ports and item.inode in inodes for item in listening(worker, _ESTABLISHED))


def shared(pids: "set[int]", worker: int) -> "Optional[tuple[Listener, int]]":
    """A place where the worker listens and another program than `pids` does too, and that program's pid (0: unknown).

    HAProxy binds with SO_REUSEPORT: a second one, such as the distribution's service, gets half of the connections
    without any error.
    """
    inodes = sockets_of(worker)
    everyone = listening(worker)
    places = {str(listener) for listener in everyone if listener.inode in inodes}
    known = set().union(*(sockets_of(pid) for pid in pids))
    for listener in everyone:
        if str(listener) in places and listener.inode not in known:
            return listener, _holder(listener.inode)
    return None


def _holder(inode: str) -> int:
    for name in os.listdir("/proc"):
        if name.isdigit() and inode in sockets_of(int(name)):
            return int(name)
    return 0


def program(pid: int) -> str:
    """The name of a process's program; "" for one that is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as source:
            return source.read().strip()
    except OSError:
        return ""


def holder_of(address: str) -> str:
    """Who listens at ADDRESS:PORT, as "PROGRAM (pid N)"; "" when nobody is found."""
    for listener in listening(os.getpid()):
        if str(listener) == address or address.endswith(f":{listener.port}"):
            pid = _holder(listener.inode)
            return f"{program(pid)} (pid {pid})" if pid else ""
    return ""


def here(listener: Listener) -> bool:
    """Whether its address is one of this host. HAProxy may listen on others too (`bind … transparent`, ip_nonlocal_bind): the
    address comes later, and until then nobody can connect."""
    if listener.address in ANY:
        return True
    question = socket(listener.family, SOCK_DGRAM)
    try:
        question.connect(
            (listener.address, listener.port)
        )  # sends nothing; the kernel picks itself where it is the target
        return bool(question.getsockname()[0] == listener.address)
    except OSError as error:
        return error.errno not in _NOWHERE
    finally:
        question.close()


def is_here(place: str) -> bool:
    """Of ADDRESS:PORT as HAProxy writes it: whether the address is one of this host; also where that is no address."""
    address, _, port = place.rpartition(":")
    address = address.strip("[]")
    if not port.isdigit() or not address:
        return True
    return here(Listener(AF_INET6 if ":" in address else AF_INET, address, int(port), "", 0))


class Unconnected(Exception):
    """No connection could be made. late: nobody said no."""

    def __init__(self, why: str, late: bool) -> None:
        super().__init__(why)
        self.late = late


def connect(listener: Listener, deadline: Deadline) -> None:
    """Raises Unconnected."""
    connection = socket(listener.family, SOCK_STREAM)
    try:
        connection.settimeout(max(0.001, deadline.remaining()))
        connection.connect((ANY.get(listener.address, listener.address), listener.port))
    except timeout:
        raise Unconnected("no answer in time", late=True) from None
    except OSError as error:
        raise Unconnected(error.strerror or str(error), late=False) from None
    finally:
        connection.close()
