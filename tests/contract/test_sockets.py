"""Which connections to an address that moved are ended, by the kernel, on the loopback."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from backstay.host.ip_address import parse_address
from backstay.host.tcp_reset import connections_to, reset_silent

PLACE = "127.77.0.1"  # of the loopback, and nobody else's


@contextlib.contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection to PLACE: our end, and its end."""
    with (
        socket.create_server((PLACE, 0)) as listener,
        socket.create_connection(listener.getsockname(), 5, ("127.0.0.1", 0)) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


def test_a_connection_that_the_holder_has_sent_on_goes_on_and_a_silent_one_is_reset() -> None:
    with pair() as (silent, old), pair() as (live, new):
        for end in (old, new):
            end.sendall(b"hello")
        assert silent.recv(5) == live.recv(5) == b"hello"
        time.sleep(0.4)  # what is measured: how long nothing came
        new.sendall(b"greeting")
        assert live.recv(8) == b"greeting"
        assert connections_to(parse_address(PLACE)) == 2
        assert reset_silent(parse_address(PLACE), 0.2) == 1
        with pytest.raises(ConnectionAbortedError):
            silent.recv(1)
        with pytest.raises(ConnectionResetError):
            old.recv(1)
        new.sendall(b"more")
        assert live.recv(4) == b"more"
        assert connections_to(parse_address(PLACE)) == 1
        assert reset_silent(parse_address(PLACE), 0.0) == 1
        assert connections_to(parse_address(PLACE)) == 0


def test_an_attempt_to_connect_is_ended() -> None:
    with socket.create_server((PLACE, 0), backlog=0) as listener, contextlib.ExitStack() as opened:
        for _ in range(4):  # more than the backlog takes
            attempt = opened.enter_context(socket.socket())
            attempt.bind(("127.0.0.1", 0))
            attempt.setblocking(False)
            attempt.connect_ex(listener.getsockname())
        assert connections_to(parse_address(PLACE)) == 4
        assert reset_silent(parse_address(PLACE), 0.0) == 4
        assert attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
