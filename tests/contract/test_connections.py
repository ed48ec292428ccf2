"""The clients and the server of HAProxy's rehearsal, against each other and against a server that lies."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import CHECKOUT  # type: ignore[import-not-found]

from backstay.host import command
from backstay.host.deadline import Deadline, poll
from backstay_lab.checkers.history import OK, parse_attempts
from backstay_lab.checkers.writes import judge_connections

PROGRAM = "backstay_lab.clients.connections"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port: int = held.getsockname()[1]
        return port


def argv(program: str, *arguments: object) -> list[str]:
    path = f"PYTHONPATH={CHECKOUT / 'lib'}:{CHECKOUT / 'lab'}"
    return ["env", path, sys.executable, "-m", program, *map(str, arguments)]


def once(port: int) -> int:
    return command.run(argv(PROGRAM, "127.0.0.1", port, "--once"), timeout=10, check=False).status


@contextmanager
def server(port: int, directory: Path) -> Iterator[int]:
    """The server's pid, once it answers; it ends with the block."""
    pid = command.spawn(argv("backstay_lab.clients.lineserver", port), log=str(directory / "log"))
    try:
        poll(lambda: once(port) == 0, Deadline(10), "the server to answer")
        yield pid
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_lines_come_back_and_what_the_servers_death_costs_is_counted(tmp_path: Path) -> None:
    port = free_port()
    assert once(port) == 1
    output, errors = str(tmp_path / "out"), str(tmp_path / "err")
    with server(port, tmp_path):
        load = command.Running(argv(PROGRAM, "127.0.0.1", port, "--rate", 100), output, errors)
        poll(lambda: OK in Path(output).read_text(), Deadline(10), "lines to come back")
        time.sleep(0.5)
        alive = time.monotonic()
    time.sleep(0.5)
    assert load.finish(10) == 0
    attempts = parse_attempts(Path(output).read_text().splitlines())
    served = judge_connections([one for one in attempts if one.ended < alive])
    assert served.acknowledged > 30 and (served.dropped, served.broken) == (0, 0)
    after = judge_connections([one for one in attempts if one.begun > alive + 0.1])
    assert after.acknowledged == 0 and after.dropped > 20
    assert judge_connections(attempts).broken == 4  # each kept connection once


def test_a_line_of_another_is_told(tmp_path: Path) -> None:
    output = str(tmp_path / "out")
    with socket.create_server(("127.0.0.1", 0)) as held:

        def lie() -> None:
            while True:
                try:
                    taken, _ = held.accept()
                except OSError:
                    return  # closed: the test is over
                taken.recv(100)
                taken.sendall(b"0\n")
                taken.close()

        threading.Thread(target=lie, daemon=True).start()
        port = held.getsockname()[1]
        load = command.Running(argv(PROGRAM, "127.0.0.1", port, "--keepers", 0), output, str(tmp_path / "err"))
        poll(lambda: "wrong" in Path(output).read_text(), Deadline(10), "an answer")
        assert load.finish(10) == 0
        held.shutdown(socket.SHUT_RDWR)
    assert not judge_connections(parse_attempts(Path(output).read_text().splitlines())).clean
