#!/usr/bin/python3
"""Reload HAProxy by its agent while clients connect, and count what they lose.

    bench/haproxy_reload.py [--image bookworm] [--rate 500] [--seconds 20] [--reloads 40] [--broken]

As root. Everything runs in namespaces of its own, over the lab's image: an echo server, HAProxy under
ocf:backstay:haproxy, and clients that each connect, send a line, want it back and close, besides ten that keep one
connection and send a line every 50 ms. --broken: every second reload is of a configuration that HAProxy refuses.

Prints JSON. failed: no connection was made; broken: a connection did not give the line back; long_broken: of the ten.
"""

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path

from inside import AGENTS, again

CONFIGURATION = Path("/etc/haproxy/haproxy.cfg")
CONFIG = """
global
    maxconn 4000
    user haproxy
    group haproxy
defaults
    mode tcp
    timeout connect 2s
    timeout client 1min
    timeout server 1min
listen echo
    bind 127.0.0.1:7000
    server s1 127.0.0.1:7001 check inter 500ms
    server s2 127.0.0.1:7001 check inter 500ms
"""
LINE = b"backstay\n"
PATIENCE = 3.0  # seconds until a client gives up
KEPT = 10


class Tally:
    def __init__(self) -> None:
        self.attempts = self.failed = self.broken = self.long_broken = self.lines = 0
        self.why: dict[str, int] = {}

    def note(self, error: BaseException) -> None:
        name = f"{type(error).__name__} {error}".strip()
        self.why[name] = self.why.get(name, 0) + 1


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(LINE)
    said = await asyncio.wait_for(reader.readline(), PATIENCE)
    if said != LINE:
        raise ConnectionError(f"got {said!r}")


async def short(tally: Tally) -> None:
    tally.attempts += 1
    try:
        reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", 7000), PATIENCE)
    except (OSError, asyncio.TimeoutError) as error:
        tally.failed += 1
        tally.note(error)
        return
    try:
        await exchange(reader, writer)
    except (OSError, asyncio.TimeoutError) as error:
        tally.broken += 1
        tally.note(error)
    finally:
        writer.close()


async def kept(tally: Tally, end: float) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
        while time.monotonic() < end:
            await exchange(reader, writer)
            tally.lines += 1
            await asyncio.sleep(0.05)
        writer.close()
    except (OSError, asyncio.TimeoutError) as error:
        tally.long_broken += 1
        tally.note(error)


async def act(action: str, **environ: str) -> "tuple[int, str]":
    """Run the agent; its exit status and exit reason."""
    given = {"OCF_RESOURCE_INSTANCE": "bench", "OCF_RESKEY_CRM_meta_timeout": "30000", **environ}
    child = await asyncio.create_subprocess_exec(
        f"{AGENTS}/haproxy", action, env={**os.environ, **given}, stderr=asyncio.subprocess.PIPE
    )
    _, said = await child.communicate()
    reasons = [line for line in said.decode().splitlines() if line.startswith("ocf-exit-reason:")]
    return child.returncode or 0, reasons[-1].partition(":")[2] if reasons else ""


async def reload(seconds: float, count: int, broken: bool) -> "list[str]":
    """Reload again and again; what was refused, and why."""
    refusals = []
    for number in range(count):
        bad = broken and number % 2
        text = CONFIG + (f"    bnid :{number}\n" if bad else f"# {number}\n")
        CONFIGURATION.write_text(text)
        status, reason = await act("reload-agent")
        if status or bool(reason) != bool(bad):
            raise SystemExit(f"reload {number}: status {status}, {reason!r}")
        refusals += [reason] if reason else []
        await asyncio.sleep(seconds / count)
    return refusals


async def load(rate: int, seconds: float, reloads: int, broken: bool) -> "dict[str, object]":
    tally = Tally()
    begin = time.monotonic()
    clients: set[asyncio.Task[None]] = set()
    long_ones = [asyncio.create_task(kept(tally, begin + seconds + 1)) for _ in range(KEPT)]
    work = asyncio.create_task(reload(seconds, reloads, broken))
    while not work.done():
        due = int((time.monotonic() - begin) * rate) - tally.attempts
        for _ in range(min(due, 50)):
            task = asyncio.create_task(short(tally))
            clients.add(task)
            task.add_done_callback(clients.discard)
        await asyncio.sleep(0.002)
    took = time.monotonic() - begin
    await asyncio.gather(*clients, *long_ones)
    refusals = work.result()
    return {
        "reloads": reloads - len(refusals), "refused": len(refusals), "reason": refusals[0] if refusals else "",
        "seconds": round(took, 1), "rate": round(tally.attempts / took), "attempts": tally.attempts,
        "failed": tally.failed, "broken": tally.broken, "long": KEPT, "long_lines": tally.lines,
        "long_broken": tally.long_broken, "why": tally.why,
    }  # fmt: skip


async def serve() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 7001, backlog=1000)
    print("ready", flush=True)
    await server.serve_forever()


async def measure(options: argparse.Namespace) -> None:
    """HAProxy up, its servers in a process of their own, the clients in this one."""
    server = await asyncio.create_subprocess_exec(sys.executable, __file__, "--serve", stdout=asyncio.subprocess.PIPE)
    assert server.stdout  # noqa: S101  as asked for
    await server.stdout.readline()
    CONFIGURATION.write_text(CONFIG)
    status, reason = await act("start")
    if status:
        raise SystemExit(f"start: {reason}")
    try:
        print(json.dumps(await load(options.rate, options.seconds, options.reloads, options.broken)))
    finally:
        await act("stop")
        server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description="Reload HAProxy under load.")
    parser.add_argument("--image", default="bookworm")
    parser.add_argument("--rate", type=int, default=500, help="new connections a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--reloads", type=int, default=40)
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
    elif options.inside:
        asyncio.run(measure(options))
    else:
        sys.exit(again(options.image, __file__, ["--inside", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
