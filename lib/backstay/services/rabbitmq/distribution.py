"""A client of Erlang's distribution protocol: asks a running node to evaluate a function, without an Erlang machine.

Source: Erlang/OTP, "Distribution Protocol" (erts): the port mapper's PORT_PLEASE2, the handshake of OTP 23 and later
(version 6), and remote calls to the registered process `rex` as `rpc:call` makes them. The client connects as a hidden node
and needs the cookie, as rabbitmqctl does. A client's name is an atom that the broker keeps for ever. So the names are few
and fixed: one for each purpose.
"""

import importlib
import os
import socket
import struct

from backstay.ocf.errors import AgentError, TimedOut, WrongParameter
from backstay.services.rabbitmq.etf import VERSION, Atom, Malformed, Opaque, atom, decode, encode
from backstay.services.rabbitmq.tcp import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from backstay.host.deadline import Deadline

EPMD = 4369
# What this client can do: extended references and pids, export functions, bit binaries, floats, UTF-8 atoms, maps, big creation,
# the handshake of OTP 23, unlink ids, four-word references (the last two are mandatory from OTP 26).
_FLAGS = (
    0x4 | 0x10 | 0x80 | 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x20000 | 0x40000 | 0x1000000 | 0x2000000 | 1 << 34
)
_LARGEST = 64 << 20  # bytes of one answer


class NodeDown(AgentError):
    """The node is not there: no port mapper, not registered with it, or connections are refused."""


class NodeSilent(TimedOut):
    """The node took the connection and does not answer."""


class WrongCookie(WrongParameter):
    """The node has another cookie."""


class CallFailed(AgentError):
    """The node could not evaluate the call: no such function, or an exception. `term` is its answer."""

    def __init__(self, reason: str, term: "Any") -> None:
        super().__init__(reason)
        self.term = term


def port_of(name: str, host: str, deadline: "Deadline") -> int:
    """The port on which the node NAME@… of this host listens for other nodes. Raises NodeDown, NodeSilent."""
    asked = name.encode()
    with _connect(host, EPMD, deadline, f"the port mapper on {host}") as link:
        said = b""
        try:
            link.sendall(struct.pack(">HB", 1 + len(asked), 122) + asked)
            while len(said) < 4:
                link.settimeout(max(0.001, deadline.remaining()))
                more = link.recv(4096)
                if not more:
                    break
                said += more
        except socket.timeout:
            raise NodeSilent(f"the port mapper (epmd) on {host} does not answer") from None
        except OSError as error:
            raise NodeDown(f"the port mapper (epmd) on {host} failed: {error.strerror}") from None
    if len(said) < 4 or said[:1] != b"w" or said[1]:
        raise NodeDown(f"{name} is not registered with the port mapper (epmd) on {host}")
    return int.from_bytes(said[2:4], "big")


class Node:
    """A connection to a running node. Use as a context manager.

    purpose: part of the client's own name; two connections with the same one from the same host replace each other. address:
    where to connect, the node's host by default. Every wait ends at `deadline`. Raises NodeDown, NodeSilent, WrongCookie.
    """

    def __init__(
        self, node: str, cookie: str, deadline: "Deadline", purpose: str = "backstay", address: str = ""
    ) -> None:
        self.node = node
        self.deadline = deadline
        self._cookie = cookie.encode()
        self._buffer = b""
        self._calls = 0
        self._name = f"{purpose}@{os.uname().nodename}"
        self._creation = int.from_bytes(os.urandom(4), "big") >> 1 | 4
        name, _, host = node.partition("@")
        self._link = _connect(address or host, port_of(name, address or host, deadline), deadline, node)
        try:
            self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._shake_hands()
        except BaseException:
            self._link.close()
            raise
        self._pid = Opaque("pid", b"X" + atom(self._name) + struct.pack(">III", 1, 0, self._creation))

    def __enter__(self) -> "Node":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._link.close()

    def call(self, module: str, function: str, *arguments: "Any") -> "Any":
        """What `module:function(arguments…)` returns there. Raises CallFailed, NodeDown, NodeSilent."""
        self._calls += 1
        words = struct.pack(">IIII", self._creation, self._calls, 0, 0)
        reference = Opaque("reference", b"Z" + struct.pack(">H", 3) + atom(self._name) + words)
        request = (Atom("call"), Atom(module), Atom(function), list(arguments), Atom("user"))
        message = (Atom("$gen_call"), (self._pid, reference), request)
        control = (6, self._pid, Atom(""), Atom("rex"))  # 6: REG_SEND
        payload = b"p" + VERSION + encode(control) + VERSION + encode(message)
        self._send(struct.pack(">I", len(payload)) + payload)
        while True:
            data = self._message()
            if not data:
                self._send(bytes(4))  # a tick wants a tick
                continue
            found, answer = self._read(data)
            if found == reference:
                return self._checked(answer, f"{module}:{function}/{len(arguments)}")

    def _message(self) -> bytes:
        """The next message, empty for a tick. One that is cut off by the deadline is there for the next call as a whole."""
        self._await(4)
        size = int.from_bytes(self._buffer[:4], "big")
        if size > _LARGEST:
            raise NodeDown(f"{self.node} sends what is no answer")
        self._await(4 + size)
        data, self._buffer = self._buffer[4 : 4 + size], self._buffer[4 + size :]
        return data

    def _read(self, data: bytes) -> "tuple[Any, Any]":
        """Reference and value of an answer; (None, None) for any other message."""
        try:
            control, at = decode(data, 1)
            if data[:1] != b"p" or not isinstance(control, tuple) or control[0] not in (2, 22):  # SEND, SEND_SENDER
                return None, None
            message, _ = decode(data, at)
            return message[0], message[1]
        except (Malformed, LookupError, TypeError) as error:
            raise NodeDown(f"{self.node} sends what is no answer: {error}") from None

    def _checked(self, answer: "Any", what: str) -> "Any":
        if isinstance(answer, tuple) and len(answer) == 2 and answer[0] == "badrpc":
            raise CallFailed(f"{self.node} cannot answer {what}: {_reason(answer[1])!r:.120}", answer[1])
        return answer

    def _shake_hands(self) -> None:
        name = self._name.encode()
        self._packet(b"N" + struct.pack(">QIH", _FLAGS, self._creation, len(name)) + name)
        status = self._packet_in()
        if status == b"salive":  # a connection of this name is left over: this one replaces it
            self._packet(b"true")
        elif not status.startswith(b"sok"):
            raise NodeDown(f"{self.node} refuses the connection: {status[1:].decode(errors='replace')}")
        challenge = self._packet_in()
        if challenge[:1] != b"N" or len(challenge) < 19:
            raise NodeDown(f"{self.node} speaks no distribution protocol that is known here")
        ours = os.urandom(4)
        self._packet(b"r" + ours + self._digest(challenge[9:13]))
        try:
            answer = self._packet_in()
        except NodeDown:
            raise WrongCookie(self._differs) from None
        if answer != b"a" + self._digest(ours):
            raise WrongCookie(self._differs)

    @property
    def _differs(self) -> str:
        return f"the Erlang cookie here differs from that of {self.node}: make cookie_file the same everywhere, or set cookie"

    def _digest(self, challenge: bytes) -> bytes:
        return _md5(self._cookie + str(int.from_bytes(challenge, "big")).encode())

    def _packet(self, data: bytes) -> None:
        self._send(struct.pack(">H", len(data)) + data)

    def _packet_in(self) -> bytes:
        return self._receive(int.from_bytes(self._receive(2), "big"))

    def _send(self, data: bytes) -> None:
        try:
            self._link.settimeout(max(0.001, self.deadline.remaining()))
            self._link.sendall(data)
        except socket.timeout:
            self._link.close()  # part of it may have gone
            raise NodeSilent(f"{self.node} does not answer its Erlang port") from None
        except OSError as error:
            raise NodeDown(f"the connection to {self.node} broke: {error.strerror}") from None

    def _receive(self, size: int) -> bytes:
        self._await(size)
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _await(self, size: int) -> None:
        """Have so much in the buffer."""
        while len(self._buffer) < size:
            try:
                self._link.settimeout(max(0.001, self.deadline.remaining()))
                more = self._link.recv(1 << 18)
            except socket.timeout:
                raise NodeSilent(f"{self.node} does not answer its Erlang port") from None
            except OSError as error:
                raise NodeDown(f"the connection to {self.node} broke: {error.strerror}") from None
            if not more:
                raise NodeDown(f"{self.node} closed the connection")
            self._buffer += more


def _reason(term: "Any") -> "Any":
    """Of {'EXIT', {Reason, Stack}} the reason: the stack has the call's arguments, passwords among them."""
    if isinstance(term, tuple) and len(term) == 2 and term[0] == "EXIT" and isinstance(term[1], tuple):
        return term[1][0] if term[1] else term[0]
    return term


def _md5(data: bytes) -> bytes:
    """The protocol's digest. By the interpreter's own module: hashlib loads OpenSSL, which costs 10 ms and may forbid MD5."""
    digest: bytes = importlib.import_module("_md5").md5(data).digest()
    return digest


def _connect(host: str, port: int, deadline: "Deadline", what: str) -> socket.socket:
    try:
        return connect(host, port, deadline)
    except socket.timeout:
        raise NodeSilent(f"{what} does not answer") from None
    except OSError as error:
        raise NodeDown(f"{what} cannot be reached: {error.strerror or error}") from None
