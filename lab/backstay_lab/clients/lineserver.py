"""A server that gives back every line that it gets. Needs python3 alone.

lineserver.py PORT
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

BACKLOG = 1000  # connections that wait to be accepted


async def give_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # the other end is gone: so is this one
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    server = await asyncio.start_server(give_back, port=port, backlog=BACKLOG)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
