"""The echo: an ICMP echo request to an address every 10 ms. Needs python3 and the right to open a raw socket.

    echo.py ADDRESS [--interval 0.01]

A JSON line per answer goes to standard output, in the ledger's format, so that the same checker measures the gap; the
end of standard input ends the run. What an address alone needs to come back is the floor for whatever is behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import struct
import time
from functools import partial
from typing import TYPE_CHECKING

from backstay_lab.clients.program import note, run

if TYPE_CHECKING:
    import threading

REQUEST, REPLY = 8, 0


def checksum(packet: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def request(identity: int, sequence: int) -> bytes:
    payload = struct.pack("!Qd", sequence, time.monotonic())
    head = struct.pack("!BBHHH", REQUEST, 0, 0, identity, sequence & 0xFFFF)
    return head[:2] + struct.pack("!H", checksum(head + payload)) + head[4:] + payload


def send(sock: socket.socket, address: str, interval: float, identity: int, stop: threading.Event) -> None:
    start = time.monotonic()
    sequence = 0
    while not stop.wait(max(0.0, start + sequence * interval - time.monotonic())):
        with contextlib.suppress(OSError):  # no route to the host just now: the silence is the result
            sock.sendto(request(identity, sequence), (address, 0))
        sequence += 1


def receive(sock: socket.socket, identity: int, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            packet = sock.recv(2048)
        except OSError:  # the timeout that lets us see `stop`, or an ICMP error
            continue
        message = packet[(packet[0] & 15) * 4 :]
        if message[0] != REPLY or len(message) < 24 or struct.unpack("!H", message[4:6])[0] != identity:
            continue
        sequence, begun = struct.unpack("!Qd", message[8:24])
        note({"writer": 0, "id": sequence, "begun": begun, "ended": time.monotonic(), "result": "ok"})


def main() -> None:
    parser = argparse.ArgumentParser(description="Ping an address and note every answer.")
    parser.add_argument("address")
    parser.add_argument("--interval", type=float, default=0.01)
    options = parser.parse_args()
    identity = os.getpid() & 0xFFFF
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.settimeout(0.2)
    run([partial(send, sock, options.address, options.interval, identity), partial(receive, sock, identity)])


if __name__ == "__main__":
    main()
